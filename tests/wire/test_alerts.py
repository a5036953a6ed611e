"""What senders of alerts, and those who see their cards, may rely on."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa

from bot.app.clock import VARIABLE
from bot.demo.alert_sender import free_port
from bot.demo.deliveries import Delivery
from bot.demo.posts import Post
from bot.ledger.alert_tables import IS_OPEN, alerts
from bot.model import Record, State
from bot.slack.messages.buttons import RESTART_DIALOG
from tests.support.alerts import (
    SECRETS,
    Senders,
    alert,
    basic,
    bearer,
    body,
    signatures,
    signed,
)
from tests.support.bot_world import (
    GATES,
    INCIDENTS,
    OPEN,
    Bench,
    benched,
    buttons,
    text_of,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")
MENTION = re.compile(r"<[@!](?!date)")
MAP = """
[[alerts.map]]
match = { service = "PSERVICE1", urgency = "high" }
project = "ml-prod"
instance = "gated-1"
"""


class World:
    """One bench for all cases, each of which begins in a minute of its own."""

    def __init__(self, bench: Bench, senders: Senders) -> None:
        self.bench, self.send = bench, senders
        self._ahead = timedelta()
        self._before: set[str] = set()

    def later(self, **by: float) -> None:
        """Move the bot's idea of the time ahead."""
        self._ahead += timedelta(**by)
        file = self.bench.path.parent / "clock"
        fresh = file.with_suffix(".new")
        fresh.write_text(str(self._ahead.total_seconds()))
        fresh.replace(file)

    def now(self) -> datetime:
        """Return what the bot takes for the time."""
        return datetime.now(UTC) + self._ahead

    def begin(self) -> None:
        """Let the limits of the case before be over, and its messages be old."""
        self.later(hours=2)
        self._before = {post.ts for post in self.bench.posts()}

    def posts(self, having: str = "") -> list[Post]:
        """Return what was posted in this case."""
        new = [post for post in self.bench.posts() if post.ts not in self._before]
        return [post for post in new if having in post.text]

    async def wait(self, true: Callable[[], Any]) -> Any:
        """Wait until something is true on either far side."""
        return await self.bench.wait_for(true)

    async def card(self, **how: Any) -> Post:
        """Let an alert fire, and return its card."""
        assert await self.send.alertmanager(self.alert(**how)) == 202
        return (await self.wait(lambda: self.posts("Firing")))[0]

    def alert(self, **how: Any) -> dict[str, Any]:
        """Return an alert that began five minutes ago, unless *how* says otherwise."""
        return alert(**{"began": self.now() - timedelta(minutes=5), **how})

    async def restarted(self, card: Post, **filled: str) -> Record:
        """Let Ann restart what a card is about, from its button; return its end."""
        delivery = await self.asked(card, **filled)
        return await self.bench.story(delivery)

    async def asked(self, card: Post, **filled: str) -> Delivery:
        """Let Ann ask for a restart from a card's button."""
        await self.bench.slack.click("ann", card, RESTART_DIALOG)
        view = (await self.wait(lambda: self.bench.slack.views("ann")))[0]
        delivery = await self.bench.slack.submit("ann", view, filled or None)
        assert delivery.ok, delivery.error
        return delivery

    async def told(self, record: Record, having: str) -> Post:
        """Return the reply in a restart's thread that has some words."""

        def reply() -> list[Post]:
            found = self.posts(having)
            return [one for one in found if one.thread_ts == record.message_ts]

        return (await self.wait(reply))[0]

    async def unsettled(self) -> list[str]:
        """Return the alerts of which a thread may still be told."""
        with self.bench.ledger.database.reading() as connection:
            return list(connection.scalars(sa.select(alerts.c.id).where(IS_OPEN)))

    def counted(self, source: str, result: str) -> float:
        """Return how often something came of what a source has sent."""
        labels = {"source": source, "result": result}
        registry = self.bench.bot.metrics.registry
        return registry.get_sample_value("mlstudio_alerts_total", labels) or 0.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """One bot for all cases of this file."""
    folder: Path = tmp_path_factory.mktemp("alerts")
    senders = Senders(free_port())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bot.alerts.ALERTS_EVERY_S", 0.1)
        patch.setattr("bot.alerts.LEAST_S", 0.0)
        async with benched(
            folder,
            rules=senders.table(more=MAP) + GATES + OPEN,
            environ={**SECRETS, VARIABLE: str(folder / "clock")},
        ) as bench:
            yield World(bench, senders)


@pytest_asyncio.fixture(loop_scope="module")
async def world(shared: World) -> World:
    """The one bot, with nothing of the case before in the way."""
    await shared.bench.ledger.forget_alerts(datetime.now(UTC) + timedelta(days=99))
    shared.begin()
    return shared


# --- the card -------------------------------------------------------------------------


async def test_a_firing_alert_becomes_a_card(world: World) -> None:
    """It says what fires since when, its link, the instance as it is now, the last
    restart, who may restart it (by name: it notifies nobody), and has the one button;
    nothing is restarted.
    """
    card = await world.card()
    text = text_of(card)

    assert card.channel_id == INCIDENTS
    for words in (
        "GPUStuck",
        "trainer-7",
        "Alertmanager",
        "No step for 10 min",
        "<https://prometheus.example.com/graph?g0.expr=up|",
        "ACTIVE",
        "No restart of it is on record",
        "Who may restart it: `@ml-oncall` and `@ml-leads`.",
    ):
        assert words in text
    assert not MENTION.search(f"{card.text}{card.blocks}")
    assert buttons(card) == ["restart_dialog"]
    assert "Restart…" in text
    assert world.bench.sent == 0
    assert not await world.bench.trail("asked")


async def test_the_button_opens_the_dialog_filled_in(world: World) -> None:
    """Instance and reason (name and link) stand there; it is a request like any other,
    and the card shows it and then the last restart.
    """
    card = await world.card()
    delivery = await world.asked(card)
    record = await world.bench.story(delivery)

    assert record.state is State.READY
    assert record.request.user_id == "U0ANN"
    assert record.request.target.instance == "trainer-7"
    assert record.request.reason == (
        "GPUStuck https://prometheus.example.com/graph?g0.expr=up"
    )
    await world.wait(lambda: "Last restart" in world.bench.now(card).text)
    now = world.bench.now(card)
    assert "asked for by ann:" in now.text
    assert not MENTION.search(f"{now.text}{now.blocks}")


async def test_an_open_request_stands_on_the_card(world: World) -> None:
    """Whoever sees the card sees that somebody has asked already."""
    card = await world.card(instance="gated-1")
    delivery = await world.asked(card, reason="stuck")
    (approval,) = await world.wait(lambda: world.bench.posts(having="approve"))

    await world.wait(lambda: "Asked for already" in world.bench.now(card).text)
    await world.wait(lambda: "waits for approval" in world.bench.now(card).text)
    await world.bench.slack.click("bob", approval, "deny")
    await world.bench.story(delivery)
    await world.wait(lambda: "Asked for already" not in world.bench.now(card).text)


async def test_who_may_not_is_refused_as_ever(world: World) -> None:
    """An alert's button gives nobody a right."""
    card = await world.card()
    before = world.bench.sent
    await world.bench.slack.click("dave", card, RESTART_DIALOG)
    view = (await world.wait(lambda: world.bench.slack.views("dave")))[0]
    delivery = await world.bench.slack.submit("dave", view)

    assert (await world.bench.record(delivery)).state is State.REFUSED
    assert world.bench.sent == before


async def test_the_same_alert_again_updates_its_card(world: World) -> None:
    """Ten times the same webhook is one card; a new firing is a new one."""
    same = world.alert()
    for _ in range(10):
        assert await world.send.alertmanager(same) == 202
    await world.wait(lambda: "10 times" in "".join(p.text for p in world.posts()))
    assert len(world.posts()) == 1

    world.later(minutes=2)
    await world.send.alertmanager({**same, "startsAt": world.now().isoformat()})
    await world.wait(lambda: len(world.posts("Firing")) == 2)


async def test_too_many_are_one_message(world: World) -> None:
    """One card a minute and instance; the others are one message, kept up to date."""
    many = [world.alert(name=f"A{n}") for n in range(60)]
    assert await world.send.alertmanager(*many) == 202
    await world.wait(lambda: world.posts("and 59 more from Alertmanager"))
    await world.send.alertmanager(world.alert(name="one more"))
    await world.wait(lambda: world.posts("and 60 more"))
    await world.send.alertmanager({**many[7], "status": "resolved"})
    await world.wait(lambda: world.posts("and 60 more from Alertmanager, 1 of them"))

    assert len(world.posts()) == 2
    assert len(world.posts("Firing: A0 on trainer-7")) == 1


async def test_foreign_words_only_say(world: World) -> None:
    """HTML, mentions and links in labels are text of 200 characters, and no more."""
    words = "<!channel> <@U0ZED> <b>*x*</b> <https://evil.example|here>" + "y" * 900
    await world.send.alertmanager(
        world.alert(
            name=words,
            annotations={"summary": words},
            generatorURL="javascript:alert(1)",
        )
    )
    (card,) = await world.wait(lambda: world.posts("Firing"))

    def marked(value: Any) -> str:
        """Return all of a message that Slack would read marks in."""
        if isinstance(value, dict):
            own = value["text"] if value.get("type") == "mrkdwn" else ""
            return own + "".join(marked(one) for one in value.values())
        return "".join(map(marked, value)) if isinstance(value, list) else ""

    for part in ("channel>", "evil", "javascript", "*x*", "U0ZED"):
        assert part not in marked(card.blocks)
    assert "<!channel>" not in card.text
    assert "javascript" not in card.text
    assert "y" * 200 not in card.text


# --- what became of it ----------------------------------------------------------------


async def test_the_thread_is_told_that_it_cleared(world: World) -> None:
    """The card says when, by its sender's clock; the thread how long after that is."""
    firing = world.alert()
    card = await world.card(began=datetime.fromisoformat(firing["startsAt"]))
    record = await world.restarted(card)
    ended = record.sent_at + timedelta(minutes=3, seconds=5)
    world.later(minutes=4)
    await world.send.alertmanager(
        {**firing, "status": "resolved", "endsAt": ended.isoformat()}
    )

    said = f"Cleared 3 min after the restart (Alertmanager, {ended:%H:%M:%S})"
    await world.told(record, said)
    await world.wait(lambda: "Resolved" in world.bench.now(card).text)
    assert f"(Alertmanager, {ended:%H:%M:%S} UTC)" in world.bench.now(card).text
    assert buttons(world.bench.now(card)) == []
    async with asyncio.timeout(30):
        while await world.unsettled():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)
    assert len(world.posts("Cleared")) == 1


async def test_the_thread_is_told_once_of_many(world: World) -> None:
    """Of all alerts that cleared alike, one message names them."""
    many = [world.alert(name=f"A{number}") for number in range(30)]
    await world.send.alertmanager(*many)
    (card,) = await world.wait(lambda: world.posts("Firing: A0"))
    record = await world.restarted(card)
    ended = {"status": "resolved", "endsAt": world.now().isoformat()}
    await world.send.alertmanager(*({**one, **ended} for one in many))

    told = await world.told(record, "Cleared")
    assert "and 20 more on trainer-7" in told.text
    async with asyncio.timeout(30):
        while await world.unsettled():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)
    assert len(world.posts("Cleared")) == 1


async def test_after_half_an_hour_it_is_said_how_it_stands(world: World) -> None:
    """Still firing, where the sender has said so since the restart; else no word."""
    again, silent = world.alert(), world.alert(instance="flaky-1")
    await world.send.alertmanager(again)
    await world.send.grafana({**silent, "annotations": {}})
    cards = await world.wait(lambda: len(world.posts("Firing")) == 2 and world.posts())
    records = {
        card.text.split(" on ")[1].split()[0]: await world.restarted(card)
        for card in cards
    }
    world.later(minutes=20)
    await world.send.alertmanager(again)
    world.later(minutes=9)
    assert not world.posts("Still firing")
    world.later(minutes=2)

    await world.told(records["trainer-7"], "Still firing, last heard ")
    await world.told(records["flaky-1"], "No word since")
    ended = world.now().isoformat()
    await world.send.alertmanager({**again, "status": "resolved", "endsAt": ended})
    await world.told(records["trainer-7"], "Cleared 31 min after the restart")


async def test_what_is_not_measured_any_more_has_not_cleared(world: World) -> None:
    """Grafana resolves a series that is missing: nobody knows, and the button stays."""
    firing = world.alert()
    await world.send.grafana(firing)
    (card,) = await world.wait(lambda: world.posts("Firing"))
    record = await world.restarted(card)
    gone = {"grafana_state_reason": "MissingSeries"}
    ended = {"status": "resolved", "endsAt": world.now().isoformat()}
    await world.send.grafana({**firing, **ended, "annotations": gone})

    await world.told(record, "Its data stopped, so nobody knows (Grafana")
    await world.wait(lambda: "Data stopped" in world.bench.now(card).text)
    assert buttons(world.bench.now(card)) == [RESTART_DIALOG]


async def test_what_had_cleared_before_is_said_to_have(world: World) -> None:
    """An end before the restart, heard of only after it, is not the restart's doing."""
    firing = world.alert()
    await world.send.alertmanager(firing)
    (card,) = await world.wait(lambda: world.posts("Firing"))
    record = await world.restarted(card)
    ended = (record.sent_at - timedelta(seconds=30)).isoformat()
    await world.send.alertmanager({**firing, "status": "resolved", "endsAt": ended})

    await world.told(record, "had cleared before the restart")


async def test_a_restart_before_the_alert_is_told_nothing(world: World) -> None:
    """What began after a restart says nothing about it."""
    _, _, follow = await world.bench.restart()
    world.later(minutes=1)
    later = world.alert(began=world.now())
    await world.send.alertmanager(later)
    (card,) = await world.wait(lambda: world.posts("Firing"))
    world.later(minutes=1)
    ended = {"status": "resolved", "endsAt": world.now().isoformat()}
    await world.send.alertmanager({**later, **ended})
    await world.wait(lambda: "Resolved" in world.bench.now(card).text)
    world.later(minutes=31)
    assert await world.bench.ledger.take_outcomes() == []

    assert not world.posts("cleared")
    assert not world.posts("Cleared")
    assert "is ready" in follow.text


async def test_resolved_before_firing_never_seems_to_fire(world: World) -> None:
    """An end of what was never seen shows nothing; its late firing shows its end."""
    firing = world.alert()
    ended = {"status": "resolved", "endsAt": world.now().isoformat()}
    assert await world.send.alertmanager({**firing, **ended}) == 202
    assert await world.send.alertmanager(firing) == 202

    (card,) = await world.wait(lambda: world.posts("GPUStuck"))
    assert "Resolved" in card.text
    assert not world.posts("Firing")


async def test_an_incident_is_followed_by_its_service(world: World) -> None:
    """PagerDuty's incident names no instance: the map does, if all of it is equal."""
    assert await world.send.pagerduty(service="POTHER") == 202
    assert await world.send.pagerduty(incident="PINC2") == 202
    (card,) = await world.wait(lambda: world.posts("Firing"))
    assert "The trainer is stuck on gated-1" in card.text
    assert await world.send.pagerduty("incident.resolved", incident="PINC2") == 202
    await world.wait(lambda: "Resolved" in world.bench.now(card).text)

    assert world.counted("pagerduty", "unknown") == 1


# --- bad input ------------------------------------------------------------------------

Headers = dict[str, str] | Callable[[], dict[str, str]]
GOOD = body(alert())
CUSTOM = b'{"text": "a payload of my own"}'
AM, GRAFANA, PD = "/alerts/alertmanager", "/alerts/grafana", "/alerts/pagerduty"


@pytest.mark.parametrize(
    ("path", "sent", "headers", "status"),
    [
        (AM, GOOD, {}, 401),
        (AM, GOOD, bearer("wrong"), 401),
        (AM, GOOD, basic("wrong"), 401),
        (AM, GOOD, {"Authorization": "Basic ÿ"}, 401),
        (AM, CUSTOM, bearer(), 400),
        (AM, b"[" * 60000, bearer(), 400),
        (AM, b"\xff", bearer(), 400),
        (AM, body({"status": "firing"}), bearer(), 400),
        (AM, body({**alert(), "labels": {"a": 1}}), bearer(), 400),
        (AM, body({**alert(), "startsAt": "yesterday"}), bearer(), 400),
        (AM, body(alert(), version="5"), bearer(), 400),
        (AM, b" " * (64 * 1024 + 1), bearer(), 413),
        (GRAFANA, GOOD, bearer(), 401),
        (GRAFANA, GOOD, partial(signed, GOOD, "wrong"), 401),
        (GRAFANA, GOOD, partial(signed, GOOD, ago_s=301), 401),
        (GRAFANA, GOOD, partial(signed, GOOD + b" "), 401),
        (GRAFANA, CUSTOM, partial(signed, CUSTOM), 400),
        (PD, GOOD, signatures(GOOD, "wrong"), 401),
        (PD, GOOD, {}, 401),
        (PD, CUSTOM, signatures(CUSTOM, "wrong", "pagerduty-secret-1"), 202),
        (PD, b"no JSON", signatures(b"no JSON"), 202),
        ("/alerts/other", GOOD, bearer(), 404),
        ("/", GOOD, bearer(), 404),
        (AM, body(alert(instance="nobody-knows")), bearer(), 202),
        (
            AM,
            body(alert(instance="00000000-0000-4000-8000-000000000000")),
            bearer(),
            202,
        ),
        (AM, body({**alert(), "labels": {"alertname": "Watchdog"}}), basic(), 202),
        (AM, body(), bearer(), 202),
    ],
)
async def test_bad_input_is_refused_and_shows_nothing(
    world: World, path: str, sent: bytes, headers: Headers, status: int
) -> None:
    """Whatever is wrong, or about nothing that is configured: no card, no restart."""
    proof = headers() if callable(headers) else headers  # a time is that of now
    assert await world.send.post(path, sent, proof) == status
    assert await world.bench.ledger.take_cards() == []
    assert world.posts() == []


async def test_other_methods_are_refused(world: World) -> None:
    """Only POST is served."""
    assert await world.send.post(AM, b"", bearer(), method="GET") == 405
    assert await world.send.post(AM, GOOD, bearer(), method="PUT") == 405


async def test_odd_characters_harm_nothing(world: World) -> None:
    """What a database or Slack could not take is replaced."""
    odd = world.alert(annotations={"summary": "a\x00b\ud800c\u202ed"})
    assert await world.send.alertmanager(odd) == 202
    (card,) = await world.wait(lambda: world.posts("Firing"))
    assert "a b\N{REPLACEMENT CHARACTER}cd" in text_of(card)


async def test_a_database_that_is_away_is_said_in_time(world: World) -> None:
    """The sender is told within a second to send it again; then it is a card."""
    firing = world.alert()
    with world.bench.locked_database():
        began = time.monotonic()
        assert await world.send.alertmanager(firing) == 503
        assert time.monotonic() - began < 2
    assert await world.send.alertmanager(firing) == 202
    await world.wait(lambda: world.posts("Firing"))
    assert world.counted("alertmanager", "failed") == 1


async def test_what_slack_does_not_take_is_shown_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A card that could not be posted is posted when it can be."""
    monkeypatch.setattr("bot.ledger.alert_cards.DRAW_AGAIN_AFTER_S", 0.2)
    world.bench.slack.fail("chat.postMessage", status=503)
    await world.card()
    assert len(world.posts()) == 1


async def test_a_deleted_card_is_posted_anew(world: World) -> None:
    """As long as it fires, its card is looked after."""
    firing = world.alert()
    await world.send.alertmanager(firing)
    (card,) = await world.wait(lambda: world.posts("Firing"))
    world.bench.slack.workspace.delete(card)
    await world.send.alertmanager(firing)
    (anew,) = await world.wait(lambda: world.posts("Firing"))
    assert anew.ts != card.ts
