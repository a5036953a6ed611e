"""What is stopped, or down, has its button wherever it is shown; a click asks anew."""

from __future__ import annotations

from collections import deque

import pytest

from bot.demo.posts import Ephemeral
from bot.model import State
from tests.support.bench_fixtures import MakeBench
from tests.support.bot_world import GATES, OPEN, Bench, buttons, text_of
from tests.support.notebook_world import (
    FULL,
    NB,
    OTHER,
    ended,
    in_a_hurry,
    notebook,
    notebooks,
    replies,
    sent,
)

NONE = "No rule allows this start of nb-3"


def last(bench: Bench, user: str) -> Ephemeral:
    """Return what only *user* was shown last."""
    return bench.slack.ephemerals(user)[-1]


async def test_what_is_stopped_is_started_from_list_and_status(make_bench: MakeBench):
    """Either has Start it, nobody without a right starts it so, and one list shows all.

    What a refusal says is about a start.
    """
    boxes = notebook(status="STOPPED"), notebook(id=OTHER, name="nb-4")
    bench = await make_bench(world=notebooks(*boxes))

    listed = await bench.ask("list ml-nb")
    assert buttons(listed) == ["restart_dialog", "start_it", "restart_dialog"]
    assert (len(bench.looks("list")), len(bench.looks("read"))) == (1, 0)
    await bench.slack.click("dave", last(bench, "ann"), "start_it")
    (refused,) = await bench.wait_for(lambda: bench.whispers("dave", NONE))
    assert refused.startswith("⛔ Refused. I did not start nb-3 in ml-nb.")
    assert "lets @ml-oncall, @ml-leads start it" in refused
    assert sent(bench) == (0, 0)

    status = await bench.ask(f"status ml-nb {NB}")
    assert buttons(status) == ["start_it"]
    await bench.slack.click("ann", last(bench, "ann"), "start_it")
    await bench.wait_for(lambda: replies(bench, "is ready"))
    assert sent(bench) == (0, 1)
    again = await bench.ask(f"status ml-nb {NB}")
    assert buttons(again) == ["restart_dialog"]


async def test_a_start_is_spoken_of_as_one(make_bench: MakeBench):
    """`can` aside, whatever is said of a start that waits for approval says start."""
    rules = GATES.replace("gated-*", "nb-*") + OPEN
    bench = await make_bench(world=notebooks(notebook(status="STOPPED")), rules=rules)
    await bench.ask(f"start ml-nb {NB} morning")
    (card,) = await bench.wait_for(lambda: bench.posts(having="approve"))

    joined = await bench.ask(f"start ml-nb {NB} morning", user="bob")
    await bench.slack.click("carol", card, "deny")

    record = await bench.end_of_card(card)
    assert record.state is State.DENIED
    assert "the start of" in joined.text
    closed = await bench.wait_for(
        lambda: [p.text for p in bench.posts() if "was denied" in p.text]
    )
    assert all("Nothing was started" in text for text in closed)
    asked = await bench.ask(f"start ml-nb {NB}", user="ann")
    assert "requires a reason" in asked.text
    assert "I did not start" in asked.text


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the bot look often, and give up soon."""
    in_a_hurry(monkeypatch, give_up_s=0.5)
    monkeypatch.setattr("bot.app.maintenance.DOWN_EVERY_S", 0.1)
    monkeypatch.setattr("bot.app.maintenance.HOME_EVERY_S", 0.1)


async def test_start_now_stands_on_the_home_page(
    make_bench: MakeBench, often: None, monkeypatch: pytest.MonkeyPatch
):
    """A click there is told in the channel of the restart, and the page follows."""
    box = notebook(start_refusals=deque([FULL] * 99))
    bench = await make_bench(world=notebooks(box))
    record, _ = await ended(bench)
    assert record.state is State.DOWN
    await bench.slack.open_home("bob")
    home = await bench.wait_for(lambda: bench.slack.home("bob"))
    assert buttons(home)[:1] == ["start_now"]
    box.start_refusals.clear()
    in_a_hurry(monkeypatch)

    await bench.slack.click("bob", home, "start_now")

    await bench.wait_for(lambda: replies(bench, "is ready"))
    shown = [p for p in bench.posts() if "<@U0BOB>" in text_of(p)]
    assert {post.channel_id for post in shown} == {record.request.channel_id}
    await bench.wait_for(lambda: "start_now" not in buttons(bench.slack.home("bob")))
