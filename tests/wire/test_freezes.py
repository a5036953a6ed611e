"""What whoever freezes, thaws, or is held up by it may rely on, over the real wires."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from bot.app.clock import VARIABLE, clock_of
from bot.ledger.schema import freezes
from bot.model import State
from tests.support.bench_fixtures import MakeBench
from tests.support.bot_world import GATES, INCIDENTS, OPEN, Bench, benched, text_of
from tests.support.passing_time import at_the_next_post, second_life, stopped

shared = pytest.mark.asyncio(loop_scope="module")
BERLIN = ZoneInfo("Europe/Berlin")
BY = """
[freeze]
by = ["@ml-leads"]
"""
FREEZE = "freeze ml-prod 2h release weekend"


@pytest_asyncio.fixture
async def icy(make_bench: MakeBench, tmp_path: Path) -> Bench:
    """A bench in which Bob and Carol, who are leads, may freeze."""
    return await make_bench(
        rules=GATES + OPEN + BY, environ={VARIABLE: str(tmp_path / "clock")}
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_icy(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Bench]:
    """One bench for all mistakes: none of them leaves anything behind."""
    folder = tmp_path_factory.mktemp("icy")
    async with benched(folder, rules=GATES + OPEN + BY) as bench:
        yield bench


def later(bench: Bench, **by: float) -> None:
    """Move the bot's idea of the time ahead."""
    file = bench.path.parent / "clock"
    file.write_text(str(timedelta(**by).total_seconds()))


def berlin(bench: Bench) -> datetime:
    """What the bot takes for the time, by the clocks of Berlin."""
    now = clock_of({VARIABLE: str(bench.path.parent / "clock")})()
    return now.astimezone(BERLIN)


async def frozen(bench: Bench, text: str = FREEZE, user: str = "bob") -> None:
    """Let somebody freeze, and wait until the channel has been told."""
    before = len(bench.posts())
    delivery = await bench.ask(text, user=user)
    assert "Recorded" in delivery.text, delivery.text
    await bench.wait_for(lambda: len(bench.posts()) > before)


async def eventually(bench: Bench, true: Callable[[], Any]) -> None:
    """Wait until something is true on either far side."""
    await bench.wait_for(true)


# --- the freeze ----------------------------------------------------------------------


async def test_a_freeze_refuses_with_who_why_and_until_when(icy: Bench) -> None:
    """The channel is told loudly; who asks is refused in private, with all of it."""
    await frozen(icy)
    (told,) = icy.posts()
    end = berlin(icy) + timedelta(hours=2)
    for words in ("Frozen: ml-prod until", f"{end:%H:}", "Europe/Berlin"):
        assert words in told.text
    assert "<@U0BOB>" in told.text
    assert "release weekend" in told.text
    delivery = await icy.ask("restart ml-prod trainer-7")
    for words in ("did not restart", "<@U0BOB>", "release weekend", f"{end:%H:}"):
        assert words in text_of(delivery)
    assert "Europe/Berlin" in text_of(delivery)
    assert icy.sent == 0
    assert len(icy.posts()) == 1
    (entry,) = await icy.trail("freeze")
    assert (entry["user_id"], entry["project"]) == ("U0BOB", "ml-prod")
    (refused,) = await icy.trail("refused")
    assert "frozen until" in refused["detail"]


async def test_another_project_is_not_frozen(icy: Bench) -> None:
    """A freeze of one project leaves the others alone; one of all does not."""
    await frozen(icy)
    delivery, *_ = await icy.restart("ml-dev sandbox-1")
    assert (await icy.record(delivery)).state is State.READY
    await frozen(icy, "freeze all 2h no power")
    delivery = await icy.ask("restart ml-dev sandbox-1")
    assert "Every project is frozen" in text_of(delivery)
    assert icy.sent == 1


async def test_a_thaw_ends_it(icy: Bench) -> None:
    """Any of those who may ends it, in the channel's sight; then the rules decide."""
    await frozen(icy)
    delivery = await icy.ask("thaw ml-prod", user="carol")
    assert "has ended" in delivery.text
    await eventually(icy, lambda: "thawed" in icy.posts()[-1].text)
    assert "<@U0CAROL>" in icy.posts()[-1].text
    assert [one["user_id"] for one in await icy.trail("thaw")] == ["U0CAROL"]
    restarted, *_ = await icy.restart()
    assert (await icy.record(restarted)).state is State.READY


async def test_it_ends_by_itself_on_time(icy: Bench) -> None:
    """A second before its end it refuses; at its end it does not."""
    await frozen(icy)
    later(icy, hours=2, seconds=-30)
    assert "frozen" in text_of(await icy.ask("restart ml-prod trainer-7"))
    later(icy, hours=2, seconds=1)
    delivery, *_ = await icy.restart()
    assert (await icy.record(delivery)).state is State.READY


async def test_it_outlives_the_bot(icy: Bench) -> None:
    """A freeze survives a restart of the bot, which tells nobody of it again."""
    await frozen(icy)
    await stopped(icy)
    async with second_life(icy):
        delivery = await icy.ask("restart ml-prod trainer-7")
        assert "frozen until" in text_of(delivery)
    assert len(icy.posts()) == 1


async def test_the_same_delivery_freezes_once(icy: Bench) -> None:
    """What Slack delivers twice has one effect, one entry, one message."""
    await frozen(icy)
    first = await icy.ask("thaw ml-prod", user="bob")
    await eventually(icy, lambda: len(icy.posts()) == 2)
    again = await icy.slack.redeliver(first)
    assert "has ended" in again.text
    assert len(await icy.trail("thaw")) == 1
    assert not await icy.trail("thaw refused")
    assert len(icy.posts()) == 2


# --- what waits ----------------------------------------------------------------------


async def test_what_waits_for_approval_stays(icy: Bench) -> None:
    """Approve is refused in private and the card says so; after a thaw it counts."""
    card = await icy.card()
    await frozen(icy)
    await eventually(icy, lambda: "Not now" in icy.now(card).text)
    assert "frozen until" in icy.now(card).text
    await icy.slack.click("bob", card, "approve")
    await eventually(icy, lambda: icy.whispers("bob", "does not count"))
    (said,) = icy.whispers("bob", "does not count")
    assert "release weekend" in said
    assert (await icy.ledger.existing(icy.id_of(card))).state is State.PENDING
    assert len(await icy.trail("click refused")) == 1
    await icy.ask("thaw ml-prod", user="bob")
    await eventually(icy, lambda: "Not now" not in icy.now(card).text)
    await icy.slack.click("bob", card, "approve")
    assert (await icy.end_of_card(card)).state is State.READY


async def test_a_denial_counts_during_a_freeze(icy: Bench) -> None:
    """Nothing holds up a no."""
    card = await icy.card()
    await frozen(icy)
    await icy.slack.click("bob", card, "deny")
    assert (await icy.end_of_card(card)).state is State.DENIED


async def test_what_was_approved_and_not_sent_ends_as_refused(icy: Bench) -> None:
    """A freeze between the announcement and the call: refused, told, never sent."""
    card = await icy.card()

    def freeze() -> None:
        began = datetime.now(UTC)
        row = {
            "id": "f",
            "user_id": "U0BOB",
            "channel_id": INCIDENTS,
            "reason": "no power",
            "zone": "UTC",
            "since": began.timestamp(),
            "until": began.timestamp() + 600,
            "told": True,
        }
        with icy.ledger.database.writing() as connection:
            connection.execute(freezes.insert().values(row))

    at_the_next_post(icy, freeze)
    await icy.slack.click("bob", card, "approve")
    record = await icy.end_of_card(card)
    assert record.state is State.REFUSED
    assert icy.sent == 0
    follow = (await icy.wait_for(icy.followups))[-1]
    assert "was refused" in follow.text
    assert "no power" in follow.text
    assert "refused" in icy.now(card).text
    assert icy.root(follow).text.startswith("⛔ Refused: ")
    assert [one["kind"] for one in await icy.trail("refused")] == ["refused"]
    assert record.told


async def test_break_glass_passes_and_says_so(icy: Bench) -> None:
    """Those on its list restart during a freeze, and the channel reads that they do."""
    await frozen(icy)
    sre = next(iter(icy.slack.directory.group("sre").users))
    name = icy.slack.directory.user(sre).name
    delivery = await icy.ask("restart ml-prod gated-1 fire --break-glass", user=name)
    assert "passes a freeze" in text_of(delivery)
    assert (await icy.story(delivery)).state is State.READY
    shown = icy.root(icy.followups()[-1])
    assert "break-glass" in shown.text
    assert "It passes a freeze: Project ml-prod is frozen until" in shown.text
    assert len(await icy.trail("passes a freeze")) == 1


async def test_break_glass_of_somebody_else_does_not_pass(icy: Bench) -> None:
    """Who is not on the list is told why, and that it is frozen."""
    await frozen(icy)
    delivery = await icy.ask("restart ml-prod gated-1 fire --break-glass", user="bob")
    assert "break-glass list" in text_of(delivery)
    assert "frozen until" in text_of(delivery)
    delivery = await icy.ask("restart ml-prod trainer-7 fire --break-glass")
    assert "frozen until" in text_of(delivery)
    assert icy.sent == 0


# --- where it shows ------------------------------------------------------------------


async def test_it_shows_wherever_somebody_looks(icy: Bench) -> None:
    """Status, list, can, the dialog, help, App Home and the figures name it."""
    await frozen(icy)
    said = "Project ml-prod is frozen until"
    for text in ("status ml-prod trainer-7", "list ml-prod", "help"):
        assert said in text_of(await icy.ask(text)), text
    can = text_of(await icy.ask("can ml-prod trainer-7"))
    assert said in can
    assert "may not restart" in can
    assert said not in text_of(await icy.ask("help", user="erin"))  # a guest
    assert said not in text_of(await icy.ask("status ml-dev sandbox-1"))
    await icy.slack.open_home("ann")
    await eventually(icy, lambda: icy.slack.home("ann"))
    assert said in text_of(icy.slack.home("ann"))
    view = await icy.open_dialog("restart ml-prod")
    await icy.slack.click("ann", view, "instance", value="trainer-7")
    await eventually(icy, lambda: said in text_of(icy.slack.views("ann")[0]))
    figures = icy.bot.metrics
    await eventually(icy, lambda: b"freezes_in_force 1.0" in figures.text())


async def test_what_somebody_typed_mentions_nobody(icy: Bench) -> None:
    """An id, markup or a quotation mark in a reason stays what it is: text."""
    reason = "see U0CAROL” S0SECRET <!here> *now*"
    await frozen(icy, f"freeze ml-prod 2h {reason}")
    for text in ("restart ml-prod trainer-7", "status ml-prod trainer-7"):
        answer = text_of(await icy.ask(text))
        assert "U0CAROL" in answer
        assert "<@U0CAROL>" not in answer
        assert "<!subteam^S0SECRET" not in answer
        assert "<!here>" not in answer
    assert "<@U0CAROL>" not in text_of(icy.posts()[0])


# --- times ---------------------------------------------------------------------------


async def test_a_clock_time_is_that_of_who_types(icy: Bench) -> None:
    """18:00 is the next 18:00 in the zone that Slack knows of him, and is said back."""
    end = (berlin(icy) + timedelta(hours=3)).replace(minute=30)
    delivery = await icy.ask(f"freeze ml-prod {end:%H:%M} audit", user="bob")
    assert f"{end:%H:%M}" in delivery.text
    assert "(Europe/Berlin)" in delivery.text
    (freeze,) = await icy.ledger.frozen()
    assert freeze.until == end.replace(second=0, microsecond=0)


async def test_a_day_and_a_time(icy: Bench) -> None:
    """A date with a time is taken as it stands, with or without a small word."""
    day = berlin(icy) + timedelta(days=5)
    delivery = await icy.ask(f"freeze ml-prod until {day:%Y-%m-%d} 08:00 x", user="bob")
    assert f"08:00 on {day:%a %Y-%m-%d} (Europe/Berlin)" in delivery.text
    (freeze,) = await icy.ledger.frozen()
    assert freeze.reason == "x"


# --- bad input -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "user", "channel", "said"),
    [
        ("freeze ml-prod 2h", "bob", "incidents", "needs a reason"),
        ("freeze ml-prod release weekend", "bob", "incidents", "Until when?"),
        ("freeze ml-prod 2026-12-27 release", "bob", "incidents", "Until when?"),
        ("freeze", "bob", "incidents", "name is missing"),
        ("freeze ml-prod 25:00 x", "bob", "incidents", "25:00 is no clock time"),
        ("freeze ml-prod 2020-01-01 08:00 x", "bob", "incidents", "is over already"),
        ("freeze ml-prod 2020-02-30 08:00 x", "bob", "incidents", "no day 2020-02-30"),
        ("freeze ml-prod 0h x", "bob", "incidents", "no time at all"),
        ("freeze ml-prod 31d x", "bob", "incidents", "30 days"),
        ("freeze ml-prod 999999999999d x", "bob", "incidents", "30 days"),
        ("freeze ml-prod 9999-12-31 24:00 x", "bob", "incidents", "out of all reach"),
        ("freeze ml-prod 2w x", "bob", "incidents", "write a duration"),
        ("freeze nowhere 2h x", "bob", "incidents", "nowhere"),
        ("freeze ml-prod 2h x", "dave", "incidents", "Only @ml-leads may freeze"),
        ("freeze ml-prod 2h x", "erin", "incidents", "Guests"),
        ("freeze ml-prod 2h x --break-glass", "bob", "incidents", "with a restart"),
        ("thaw ml-prod", "dave", "incidents", "Only @ml-leads may freeze"),
        ("thaw ml-prod", "bob", "incidents", "no freeze of ml-prod"),
        ("thaw all", "bob", "incidents", "no freeze of every project"),
        ("thaw", "bob", "incidents", "name is missing"),
        ("thaw nowhere", "bob", "incidents", "nowhere"),
        ("freez ml-prod 2h x", "bob", "incidents", "freeze"),
    ],
)
@shared
async def test_a_mistake_costs_one_private_sentence(
    shared_icy: Bench, text: str, user: str, channel: str, said: str
) -> None:
    """What is wrong is said to who typed it, and nothing is frozen."""
    delivery = await shared_icy.ask(text, user=user, channel=channel)
    assert said in text_of(delivery)
    assert not await shared_icy.ledger.frozen()
    assert not shared_icy.posts()


async def test_it_is_refused_in_a_direct_message(icy: Bench) -> None:
    """Who freezes in secret is sent to a channel."""
    direct = icy.slack.directory.im("U0BOB").id
    for text in (FREEZE, "thaw ml-prod"):
        delivery = await icy.ask(text, user="bob", channel=direct)
        assert "typed in a channel" in text_of(delivery)
    assert not await icy.ledger.frozen()
    kinds = [one["kind"] for one in await icy.trail() if "refused" in one["kind"]]
    assert kinds == ["freeze refused", "thaw refused"]


async def test_twice_is_once(icy: Bench) -> None:
    """Who freezes what is frozen is told by whom, and nothing changes."""
    await frozen(icy)
    delivery = await icy.ask("freeze ml-prod 3h me too", user="carol")
    assert "Nothing was changed" in text_of(delivery)
    assert "<@U0BOB>" in text_of(delivery)
    assert [one.reason for one in await icy.ledger.frozen()] == ["release weekend"]
    assert len(icy.posts()) == 1


async def test_a_thaw_of_one_does_not_end_that_of_all(icy: Bench) -> None:
    """Who thaws a project that is frozen with all others reads what to type."""
    await frozen(icy, "freeze all 2h no power")
    delivery = await icy.ask("thaw ml-prod", user="bob")
    assert "no freeze of ml-prod" in text_of(delivery)
    assert "thaw all" in text_of(delivery)
    assert len(await icy.ledger.frozen()) == 1


async def test_a_channel_that_cannot_be_told_is_said(icy: Bench) -> None:
    """Where the bot is no member the freeze holds, and who typed it knows."""
    icy.slack.fail("chat.postMessage", error="not_in_channel")
    delivery = await icy.ask(FREEZE, user="bob")
    assert "Recorded" in delivery.text
    await eventually(icy, lambda: icy.whispers("bob", "could not say it"))
    assert len(await icy.ledger.frozen()) == 1


async def test_slack_being_away_delays_what_the_channel_is_told(icy: Bench) -> None:
    """What could not be said is said when Slack is back, by whichever process."""
    icy.slack.fail("chat.postMessage", status=503)
    await icy.ask(FREEZE, user="bob")
    await eventually(icy, icy.posts)
    assert "Frozen: ml-prod until" in icy.posts()[0].text


async def test_nobody_may_where_nobody_is_named(bench: Bench) -> None:
    """Without [freeze] the commands say that nobody may."""
    for text in (FREEZE, "thaw ml-prod"):
        delivery = await bench.ask(text, user="bob")
        assert "names nobody" in text_of(delivery)
