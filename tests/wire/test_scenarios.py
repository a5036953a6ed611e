"""The main job, from the command to the follow-up, and how a restart can end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from bot.demo.instances import Reboot
from bot.model import State
from tests.support.bench_fixtures import MakeBench
from tests.support.bot_world import (
    ANN,
    BOB,
    GINA,
    INCIDENTS,
    NAMELESS,
    TRAINER,
    Bench,
    quick,
    text_of,
)
from tests.support.processes import until


async def test_one_line_restarts_an_instance_and_everybody_reads_how_it_ended(
    bench: Bench,
) -> None:
    """One line is acknowledged, shown as a transition, and followed up when ready."""
    delivery, shown, told = await bench.restart("ml-prod trainer-7 OOM since noon")
    assert delivery.seconds < 3
    assert "Recorded" in delivery.text
    for word in ("ACTIVE → REBOOTING", "trainer-7", "ml-prod", ANN, "OOM since noon"):
        assert word in shown.text
        assert word in text_of(shown)
    assert told.thread_ts == shown.ts
    assert told.reply_broadcast
    assert f". {ANN}: " in told.text
    assert "is ready" in told.text
    assert "took" in told.text
    assert bench.sent == 1
    assert len(bench.posts()) == 2


async def test_an_acknowledged_request_is_in_the_database(bench: Bench) -> None:
    """What was acknowledged is on record, with who, what and why."""
    bench.hold()
    delivery = await bench.ask("restart ml-prod trainer-7 because")
    request = (await bench.record(delivery)).request
    assert (request.user_id, request.reason) == ("U0ANN", "because")
    assert request.target.instance_id == TRAINER
    assert [entry["user_id"] for entry in await bench.trail("asked")] == ["U0ANN"]
    bench.go_on()
    await bench.story(delivery)


async def test_the_channel_hears_of_a_restart_before_the_cloud_does(
    bench: Bench,
) -> None:
    """The first message stands before the call, and becomes the transition by edits."""
    bench.hold()
    delivery = await bench.ask("restart ml-prod trainer-7")
    shown = await bench.rebooting()
    assert "nothing has been sent" in shown.history[0].text
    assert "Time passed: " in shown.text
    posted = bench.slack.called("chat.postMessage")[0]
    assert posted.at < bench.looks("restart")[0].at
    bench.go_on()
    await bench.story(delivery)
    assert "✅ Ready: " in bench.now(shown).text
    assert "ACTIVE → REBOOTING" in bench.now(shown).text


async def test_the_third_restart_of_an_instance_shows_how_long_it_usually_takes(
    bench: Bench,
) -> None:
    """Who waits for the third time reads how long it usually takes."""
    for _ in range(2):
        await bench.restart()
    bench.hold()
    delivery = await bench.ask("restart ml-prod trainer-7")
    shown = await bench.wait_for(
        lambda: [post for post in bench.posts() if "usually" in post.text]
    )
    assert "Time passed" in shown[0].text
    bench.go_on()
    await bench.story(delivery)


async def test_the_trail_tells_a_restart_step_by_step(bench: Bench) -> None:
    """Who asks later finds every step of a restart, and that none was changed."""
    await bench.restart()
    kinds = [entry["kind"] for entry in await bench.trail()]
    expected = ["configuration", "asked", "restarting", "sending", "accepted", "ready"]
    assert kinds == expected
    assert await bench.ledger.verify() == []


# --- how it can end -----------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How an instance behaves, and what people read about that."""

    about: str
    reboot: Reboot
    state: State
    told: tuple[str, ...]
    at_least_s: float = 0.0
    watch: Mapping[str, str] = field(default_factory=dict)


LACK = {"code": "ModelArts.6360", "message": "Not enough GPUs."}
ENDINGS = (
    Ending(
        about="a word that nobody knows is followed",
        reboot=quick("REBOOTING", "REATTACHING_DISK"),
        state=State.READY,
        told=("is ready",),
        at_least_s=0.2,
    ),
    Ending(
        about="RUNNING is as good as ACTIVE",
        reboot=quick(ends="RUNNING"),
        state=State.READY,
        told=("is ready",),
    ),
    Ending(
        about="a failure says the status and the cloud's reason",
        reboot=quick(ends="START_FAILED", failed_reasons=LACK),
        state=State.FAILED,
        told=("START_FAILED", "Not enough GPUs", "has not come back"),
    ),
    Ending(
        about="a failure without a reason says that there is none",
        reboot=quick(ends="ERROR"),
        state=State.FAILED,
        told=("ERROR", "gave no reason"),
    ),
    Ending(
        about="one that ends stopped has to be started",
        reboot=quick(ends="STOPPED"),
        state=State.FAILED,
        told=("STOPPED", "Start it"),
    ),
    Ending(
        about="one that is deleted meanwhile has failed",
        reboot=quick(ends="DELETED"),
        state=State.FAILED,
        told=("no such instance",),
    ),
    Ending(
        about="a stale ACTIVE is not believed",
        reboot=quick(stale_s=0.6, stale_looks=1),
        state=State.READY,
        told=("is ready",),
        at_least_s=0.6,
    ),
    Ending(
        about="a reboot too quick to be seen shows in its timestamp",
        reboot=Reboot(phases=()),
        state=State.READY,
        told=("is ready",),
        at_least_s=0.2,
    ),
    Ending(
        about="a status that never changed tells nothing",
        reboot=Reboot(phases=(), frozen=True),
        state=State.UNKNOWN,
        told=("cannot tell", "unknown"),
        at_least_s=1.0,
    ),
    Ending(
        about="at the time limit the status that stands is said",
        reboot=Reboot(phases=(("REBOOTING", 60.0),)),
        state=State.TIMED_OUT,
        told=("still stands at REBOOTING", "time limit", "status ml-prod trainer-7"),
        watch={"timeout": "0.5s"},
        at_least_s=0.5,
    ),
)


@pytest.mark.parametrize("row", ENDINGS, ids=lambda row: row.about)
async def test_every_end_is_said_in_the_thread(
    make_bench: MakeBench, row: Ending
) -> None:
    """However a restart ends, the requester is mentioned and reads how."""
    bench = await make_bench(watch=row.watch)
    bench.behave(row.reboot)
    delivery, shown, told = await bench.restart()
    record = await bench.record(delivery)
    assert record.state is row.state
    assert record.duration_s is not None
    assert record.duration_s >= row.at_least_s
    assert "ACTIVE → REBOOTING" in shown.text
    assert f". {ANN}: " in told.text
    for word in row.told:
        assert word in told.text
    assert ("is ready" in told.text) == (row.state is State.READY)
    assert bench.sent == 1
    assert record.told


async def test_an_unknown_status_is_shown_while_it_lasts(bench: Bench) -> None:
    """A status word that the bot does not know is shown, with a word about that."""
    bench.hold()
    bench.behave(quick("REATTACHING_DISK"))
    delivery = await bench.ask("restart ml-prod trainer-7")
    shown = await bench.rebooting()
    assert "ACTIVE → REATTACHING_DISK" in shown.text
    assert "a status I do not know" in shown.text
    bench.go_on()
    assert (await bench.story(delivery)).state is State.READY


# --- what the instance was before ---------------------------------------------------


async def test_one_that_reboots_already_is_followed_not_restarted(
    bench: Bench,
) -> None:
    """Who asks for what somebody restarts elsewhere is told how that ends."""
    bench.cloud.put("trainer-7", "REBOOTING")
    delivery = await bench.ask("restart ml-prod trainer-7")
    await bench.wait_for(
        lambda: any("is REBOOTING" in post.text for post in bench.posts())
    )
    bench.cloud.put("trainer-7", "ACTIVE")
    record = await bench.story(delivery)
    assert record.state is State.READY
    told = bench.followups()[-1].text
    assert "is ready" in told
    assert "no restart was sent" in told
    assert ANN in told
    assert bench.sent == 0


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("STOPPED", "started, not restarted"),
        ("FROZEN", "FROZEN"),
        ("DELETED", "no such instance"),
        ("CREATE_FAILED", "CREATE_FAILED"),
    ],
)
async def test_what_a_restart_cannot_help_is_not_restarted(
    bench: Bench, status: str, word: str
) -> None:
    """A restart that is pointless is not sent, and the person is told why."""
    bench.cloud.put("trainer-7", status)
    delivery = await bench.ask("restart ml-prod trainer-7")
    assert (await bench.story(delivery)).state is State.NOT_RESTARTED
    assert bench.whispers("ann", word)
    assert bench.posts() == []
    assert bench.sent == 0


async def test_an_instance_without_a_name_is_restarted_by_its_id(
    bench: Bench,
) -> None:
    """An instance that the configuration does not name can be restarted by its id."""
    _, shown, told = await bench.restart(f"ml-prod {NAMELESS.upper()}")
    assert NAMELESS in shown.text
    assert "is ready" in told.text


async def test_a_restart_can_be_asked_for_in_direct_messages(bench: Bench) -> None:
    """In the direct messages with the bot everything happens there."""
    direct = bench.slack.directory.im("U0ANN").id
    _, shown, told = await bench.restart(channel=direct)
    assert shown.channel_id == told.channel_id == direct
    assert "ACTIVE → REBOOTING" in shown.text


async def test_one_that_failed_before_can_be_restarted(bench: Bench) -> None:
    """An instance that stands at ERROR is what restarts are for."""
    bench.cloud.put("trainer-7", "ERROR")
    _, shown, told = await bench.restart()
    assert "ERROR → REBOOTING" in shown.text
    assert "is ready" in told.text


# --- several at once ----------------------------------------------------------------


async def test_the_same_delivery_twice_is_one_request(bench: Bench) -> None:
    """Slack's repeat of a command neither restarts nor says anything twice."""
    bench.hold()
    delivery = await bench.ask("restart ml-prod trainer-7")
    assert (await bench.slack.redeliver(delivery)).ok
    await bench.rebooting()
    assert (await bench.slack.redeliver(delivery)).ok
    bench.go_on()
    await bench.story(delivery)
    assert (await bench.slack.redeliver(delivery)).ok
    assert bench.sent == 1
    assert len(bench.posts()) == 2
    assert len(await bench.trail("asked")) == 1


@pytest.mark.parametrize("where", [INCIDENTS, "C0MLOPS"])
async def test_two_who_ask_at_the_same_moment_get_one_restart(
    bench: Bench, where: str
) -> None:
    """Two people who ask at once cause one restart, and both are told its end."""
    bench.hold()
    first, second = await asyncio.gather(
        bench.ask("restart ml-prod trainer-7", user="ann"),
        bench.ask("restart ml-prod trainer-7", user="gina", channel=where),
    )
    await until(lambda: bench.trail("joined"))
    bench.go_on()
    await bench.wait_for(
        lambda: {ANN, GINA} <= _mentioned(bench, "is ready", (ANN, GINA))
    )
    states = {(await bench.record(one)).state for one in (first, second)}
    assert states == {State.READY, State.JOINED}
    assert bench.sent == 1


async def test_who_asks_meanwhile_is_told_of_the_running_one(bench: Bench) -> None:
    """Who asks while it reboots hears who asked first, and is mentioned at the end."""
    bench.hold()
    first = await bench.ask("restart ml-prod trainer-7")
    await bench.rebooting()
    second = await bench.ask("restart ml-prod trainer-7", user="gina")
    third = await bench.ask("restart ml-prod trainer-7", user="bob", channel="ml-ops")
    for delivery in (second, third):
        assert "Restarting already" in delivery.text
        assert ANN in delivery.text
    bench.go_on()
    await bench.story(first)
    (told,) = bench.followups()
    assert ANN in told.text
    assert GINA in told.text
    (elsewhere,) = bench.posts("ml-ops")
    assert BOB in elsewhere.text
    assert "is ready" in elsewhere.text
    assert bench.sent == 1


def _mentioned(bench: Bench, words: str, people: tuple[str, ...]) -> set[str]:
    said = [post.text for post in bench.posts() if words in post.text]
    return {who for who in people if any(who in text for text in said)}


# --- no trail, no restart -----------------------------------------------------------


@pytest.mark.parametrize(
    ("user", "channel"), [("ann", "random"), ("bob", "leads-only")]
)
async def test_without_the_channel_there_is_no_restart(
    bench: Bench, user: str, channel: str
) -> None:
    """Where the bot is no member nothing is restarted; it says how to invite it."""
    delivery = await bench.ask("restart ml-prod trainer-7", user=user, channel=channel)
    assert (await bench.story(delivery)).state is State.NOT_RESTARTED
    (said,) = bench.whispers(user, "/invite @mlstudio")
    assert "trainer-7" in said
    assert bench.sent == 0
    again = await bench.ask("restart ml-prod trainer-7")
    assert (await bench.story(again)).state is State.READY


async def test_without_the_channel_nobody_is_asked_to_approve(bench: Bench) -> None:
    """A request for approval that cannot be posted ends, and the person is told."""
    delivery = await bench.ask(
        "restart ml-prod gated-1 stuck", user="ann", channel="random"
    )
    await bench.story(delivery)
    assert bench.whispers("ann", "/invite @mlstudio")
    assert bench.sent == 0


async def test_without_the_database_nothing_is_acknowledged_or_restarted(
    bench: Bench,
) -> None:
    """What cannot be recorded is not done, and the person reads that in time."""
    with bench.locked_database():
        delivery = await bench.ask("restart ml-prod trainer-7")
    assert delivery.seconds < 3
    assert "could not record" in delivery.text
    again = await bench.ask("restart ml-prod trainer-7")
    assert (await bench.story(again)).state is State.READY
    assert bench.sent == 1
