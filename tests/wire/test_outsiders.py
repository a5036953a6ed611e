"""Guests and strangers get one answer, whatever they ask about: they learn no name."""

from __future__ import annotations

import json

import pytest

from bot.demo.deliveries import Delivery
from tests.support.bot_world import Bench

NAMES = ("ml-prod", "ml-dev", "trainer", "gated", "flaky", "on call", "a lead")
COMMANDS = (
    "restart ml-prod trainer-7",
    "restart ml-prod gated-1 stuck",
    "restart ml-prod nothing-7",
    "restart nowhere trainer-7",
    "restart ml-prod trainer-7,flaky-1",
    "restart ml-prod nothing-*",
    "restart ml-prod 47cf4ff3-0c59-44fe-9821-2840a34c02a9",
    "status ml-prod trainer-7",
    "cancel ml-prod nothing-7",
)


async def test_one_answer_to_names_that_exist_and_that_do_not(bench: Bench) -> None:
    """What a guest types makes no difference, and nothing is asked of the cloud."""
    before = len(bench.cloud.calls)
    said = {(await bench.ask(text, user="erin")).text for text in COMMANDS}
    assert len(said) == 1
    assert "Guests" in said.pop()
    assert not bench.slack.views("erin")
    assert len(bench.cloud.calls) == before


async def as_guest(bench: Bench, delivery: Delivery, **words: str) -> Delivery:
    """Bring what Ann did as if Erin, a guest, had done it, with *words* exchanged."""
    payload = json.dumps(delivery.payload)
    for old, new in {"U0ANN": "U0ERIN", **words}.items():
        payload = payload.replace(old, new)
    his = {**json.loads(payload), "response_url": ""}
    twin = Delivery(delivery.kind, his, "U0ERIN", delivery.channel_id)
    return await bench.slack.courier.bring(twin)


@pytest.mark.parametrize("instance", ["trainer-7", "nothing-7"])
async def test_a_dialog_tells_a_guest_nothing(bench: Bench, instance: str) -> None:
    """Neither the errors of a dialog nor its lists name anything to a guest."""
    view = await bench.open_dialog("restart ml-prod")
    mistaken = await bench.slack.submit("ann", view, {"instance": "nothing-7"})
    assert "trainer-7" in str(mistaken.ack)
    answered = await as_guest(bench, mistaken, **{"nothing-7": instance})
    assert not answered.ack
    (said,) = await bench.wait_for(lambda: bench.whispers("erin"))
    assert "Guests" in said
    assert not any(name in said for name in NAMES)
    assert bench.sent == 0


@pytest.mark.parametrize("state", ["pending", "decided"])
async def test_an_old_button_tells_a_guest_nothing(bench: Bench, state: str) -> None:
    """A click on a card gets the same answer, whatever has become of the request."""
    card = await bench.card()
    if state == "decided":
        await bench.slack.click("carol", card, "deny")
        await bench.end_of_card(card)
    await bench.slack.click("erin", card, "approve")
    (said,) = await bench.wait_for(lambda: bench.whispers("erin"))
    assert said.startswith("⛔ Refused. Your click does not count. Guests")
    assert not any(name in said for name in NAMES)
    assert [e["user_id"] for e in await bench.trail("click refused")] == ["U0ERIN"]


@pytest.mark.parametrize("project", ["ml-prod", "ml-gone"])
async def test_an_old_list_button_names_nothing(bench: Bench, project: str) -> None:
    """A button of a list gets a guest the same answer, whether it means something."""
    listed = await bench.ask("list ml-prod")
    assert listed.shown is not None
    clicked = await bench.slack.click("ann", listed.shown, "restart_dialog")
    await bench.wait_for(lambda: bench.slack.views("ann"))
    await as_guest(bench, clicked, **{"ml-prod": project})
    (said,) = await bench.wait_for(lambda: bench.whispers("erin"))
    assert "Guests" in said
    assert not any(name in said for name in NAMES)
    assert not bench.slack.views("erin")
