"""Killed at any moment, the bot goes on where it was: nothing twice, nothing forgotten.

Real processes, really killed (``tests/support/crashing.py``), and then counted.
"""

from __future__ import annotations

import asyncio
import resource
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from bot.demo.cloud_http import Fault
from bot.model import State
from bot.restarts.workflow import STEPS, Step
from tests.process.test_batch_crash import CASES as BATCH_CASES
from tests.process.test_notebook_crash import CASES as NOTEBOOK_CASES
from tests.support.processes import Count, Running, Site, count, until

pytestmark = pytest.mark.process
in_module = pytest.mark.asyncio(loop_scope="module")

AT_ONCE = 4
BOX, GATED = "trainer-7", "gated-1"
MOMENTS = ("before", "after")
PLAIN: tuple[Step, ...] = (
    *("examine", "prepare", "announce", "send", "watch"),
    *("say_end", "rest", "follow_up", "show_end", "state"),
)
APPROVED: tuple[Step, ...] = ("card", "wait", "close")
# Where the way of one that needs no approval is another one; the rest is the same.
OWN_WAY: tuple[Step, ...] = ("examine", "prepare", "announce", "send")
# Steps with an effect outside, or in the ledger, that a full disk leaves unrecorded.
EFFECTS: tuple[Step, ...] = (
    *("card", "wait", "close", "prepare", "announce"),
    *("send", "watch", "follow_up", "show_end"),
)


@dataclass(frozen=True)
class Case:
    """One crash: at *point*, in the story of *box*; what may differ because of it."""

    point: str
    box: str = BOX
    state: State = State.READY
    posts: int = 1
    doubled: int = 0  # messages: only where the crash hit the post itself
    fault: str = ""
    full: bool = False  # not killed: from there on the disk is full

    def __str__(self) -> str:
        return f"{self.box} {'full ' * self.full}{self.point}"

    @property
    def place(self) -> str:
        """The step or the method."""
        return self.point.partition(":")[2]

    @property
    def is_late(self) -> bool:
        """Whether the crash comes after the instance is ready."""
        late = {"after:watch", "after:SlackClient.post#2", "after:fault"}
        told = {"say_end", "rest", "follow_up", "show_end", "state"}
        return self.place in told or self.point in late

    def expected(self) -> Count:
        """Return what has to be counted in the end."""
        shown = self.posts > 0
        late = self.point == "after:SlackClient.post#2"
        messages = 3 if self.box == GATED else 2
        return Count(
            state=self.state,
            posts=self.posts,
            ends=(str(self.state),),
            transitions=int(shown),
            followups=1 + (self.doubled if late else 0),
            early=0,
            messages=messages + self.doubled,
        )


def cases() -> Iterator[Case]:
    """Yield every case: each step of the story, and the points between two records."""
    for moment in MOMENTS:
        for step in OWN_WAY:
            yield Case(f"{moment}:{step}")
        for step in (*APPROVED, *PLAIN):
            yield Case(f"{moment}:{step}", GATED)
        yield Case(f"{moment}:fault", state=State.UNKNOWN, fault="Watcher.until_next")
    # Claimed and not sent: nobody can know that it was not, so it is never sent.
    yield Case("before:Cloud.act", state=State.UNKNOWN, posts=0)
    # Sent, and the answer died with the process: it is watched, not sent again.
    yield Case("after:Cloud.act")
    # Posted, and that it was died with the process: it is posted again.
    yield Case("after:SlackClient.post#1", doubled=1)
    yield Case("after:SlackClient.post#2", doubled=1)
    yield Case("after:SlackClient.post#1", GATED, doubled=1)
    # The step's effect is there, and the engine could not write that down.
    for step in EFFECTS:
        yield Case(f"after:{step}", GATED, full=True)
    # Recorded, and not begun; decided, and not woken.
    yield Case("after:Ledger.record")
    yield Case("after:Ledger.vote", GATED)


CASES = tuple(cases())


def test_every_step_of_the_story_has_its_crashes():
    """Whoever adds a step to the story cannot forget to crash the bot there."""
    crashed = {case.point for case in (*CASES, *BATCH_CASES, *NOTEBOOK_CASES)}
    assert crashed >= {f"{moment}:{step}" for moment in MOMENTS for step in STEPS}


async def starved(case: Case, folder: Path) -> Count:
    """Play one case: let the disk be full at its point, then not any more; count."""
    async with Site(folder) as site:
        bot = await site.start(module="tests.support.crashing", FULL=case.point)
        delivery = await site.ask(case.box)
        early = case.place in {"examine", "card"}  # a lead decides during the wait
        if not early:
            await site.approve()
        if case.is_late:
            await site.seen_rebooting(case.box)
            site.finish_reboot(case.box)
        await until(lambda: any("asynchronous workflow" in word for word in bot.words))
        refused = await site.ask("other")
        assert "could not record" in refused.text
        lift_limit(bot)
        if early:
            await site.approve()
        if not case.is_late:
            await site.seen_rebooting(case.box)
            site.finish_reboot(case.box)
        counted = await count(site, delivery, case.box)
        assert await site.record(refused) is None
        assert site.posts("other") == 0
        return counted


def lift_limit(bot: Running) -> None:
    """Let the files of a process grow again."""
    forever = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    resource.prlimit(bot.pid, resource.RLIMIT_FSIZE, forever)


async def killed(case: Case, folder: Path) -> Count:
    """Play one case: start, ask, crash at its point, start again, count."""
    async with Site(folder) as site:
        first = await site.start(
            module="tests.support.crashing",
            CRASH=case.point,
            FAULT=case.fault,
            HURRY="1",
        )
        asking = asyncio.create_task(site.ask(case.box))
        others = [asking]
        if case.box == GATED:
            approving = site.approve(cards=1 + case.doubled)
            others.append(asyncio.create_task(approving))
        if case.is_late and not case.fault:
            await site.seen_rebooting(case.box)
            site.finish_reboot(case.box)
        assert await first.ended() == -9, first.words[-5:]
        begun = time.time()
        # What a fault or a long wait needs in this life is recorded already.
        await site.start()
        if case.posts and not case.is_late and not case.fault:
            await site.seen_rebooting(case.box, begun)
            site.finish_reboot(case.box)
        delivery, *_ = await asyncio.gather(*others)
        return await count(site, delivery, case.box)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def counts(
    request: pytest.FixtureRequest,
) -> AsyncIterator[dict[Case, asyncio.Task[Count]]]:
    """Play the chosen cases, a few at once, and give each one's count when it is in."""
    chosen = {
        item.callspec.params["case"]
        for item in request.session.items
        if item.fspath == request.node.fspath and "case" in _params(item)
    }
    slots = asyncio.Semaphore(AT_ONCE)

    async def play(case: Case) -> Count:
        async with slots:
            with tempfile.TemporaryDirectory(prefix="crash-") as folder:
                play_out = starved if case.full else killed
                return await play_out(case, Path(folder))

    tasks = {case: asyncio.create_task(play(case)) for case in CASES if case in chosen}
    yield tasks
    for task in tasks.values():
        task.cancel()
    await asyncio.wait([*tasks.values()])


def _params(item: pytest.Item) -> dict[str, object]:
    callspec = getattr(item, "callspec", None)
    return callspec.params if callspec else {}


@in_module
@pytest.mark.parametrize("case", CASES, ids=str)
async def test_a_crash_costs_nothing(
    case: Case,
    counts: dict[Case, asyncio.Task[Count]],
):
    """Wherever the bot is killed: one restart at most, one end, and it is told."""
    assert await counts[case] == case.expected()


# --- stopped in order -----------------------------------------------------------------


@pytest_asyncio.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """Return both far sides with a database; no bot runs yet."""
    async with Site(tmp_path) as ready:
        yield ready


async def stopped(running: Running) -> None:
    """Stop a bot as a supervisor does: it has 10 s, and nothing to complain about."""
    running.send(signal.SIGTERM)
    assert await running.ended(10) == 0
    loud = [word for word in running.words if '"error"' in word or "Traceback" in word]
    assert loud == []


async def test_stopped_before_anything_happened(site: Site):
    """A bot that has nothing to do stops at once, and so does one that still starts."""
    await stopped(await site.start(fresh=True))
    starting = await site.start(wait=False, fresh=True)
    await until(lambda: Path(f"/proc/{starting.pid}/maps").read_text())
    starting.send(signal.SIGTERM)
    assert await starting.ended(10) in (0, -signal.SIGTERM)


async def test_stopped_while_it_watches(site: Site):
    """A restart under way is told by the next process."""
    first = await site.start()
    delivery = await site.ask(BOX)
    await site.seen_rebooting(BOX)
    await stopped(first)
    await site.start()
    site.finish_reboot(BOX)
    assert await count(site, delivery, BOX) == Case("").expected()


async def test_stopped_while_a_lead_is_awaited(site: Site):
    """A request that waits for approval waits on in the next process."""
    first = await site.start()
    delivery = await site.ask(GATED)
    await until(site.open_cards)
    await stopped(first)
    await site.start()
    await site.approve()
    await site.seen_rebooting(GATED)
    site.finish_reboot(GATED)
    assert await count(site, delivery, GATED) == Case("", GATED).expected()


async def test_stopped_while_the_cloud_takes_its_time(site: Site):
    """The answer to a restart call in hand is waited for, so it is never unknown."""
    site.cloud.faults.plant("restart", Fault(delay_s=1.5))
    first = await site.start()
    delivery = await site.ask(BOX)
    await until(lambda: site.posts(BOX))
    await stopped(first)
    record = await site.record(delivery)
    assert record is not None
    assert record.answered == "accepted"
    await site.start()
    await site.seen_rebooting(BOX)
    site.finish_reboot(BOX)
    assert await count(site, delivery, BOX) == Case("").expected()


@pytest.mark.parametrize("skip", [0, 1], ids=["announcement", "follow-up"])
async def test_stopped_while_slack_takes_its_time(site: Site, skip: int):
    """A message in hand is waited for, so a stop never doubles it."""
    site.slack.fail("chat.postMessage", skip=skip, delay_s=1.5)
    first = await site.start()
    delivery = await site.ask(BOX)
    if skip:
        await site.seen_rebooting(BOX)
        site.finish_reboot(BOX)
    await until(lambda: len(site.slack.called("chat.postMessage")) > skip)
    await stopped(first)
    await site.start()
    if not skip:
        await site.seen_rebooting(BOX)
        site.finish_reboot(BOX)
    assert await count(site, delivery, BOX) == Case("").expected()


async def test_stopped_while_neither_side_answers(site: Site):
    """Not even a Slack and a cloud that hang keep the bot from stopping in time."""
    first = await site.start()
    site.cloud.faults.plant("restart", Fault(delay_s=60.0))
    await site.ask(BOX)
    await until(lambda: site.posts(BOX))
    site.slack.fail("chat.postMessage", count=None, delay_s=60.0)
    await site.ask(GATED)
    first.send(signal.SIGTERM)
    assert await first.ended(10) == 0


# --- killed twice ---------------------------------------------------------------------


async def test_killed_again_and_again(site: Site):
    """Not even a bot that dies with every breath restarts anything twice."""
    asking = None
    for point in ("before:send", "after:send", "after:watch", "after:follow_up"):
        running = await site.start(module="tests.support.crashing", CRASH=point)
        asking = asking or asyncio.create_task(site.ask(BOX))
        if point == "after:watch":
            await site.seen_rebooting(BOX)
            site.finish_reboot(BOX)
        assert await running.ended() == -9
    await site.start()
    assert asking is not None
    assert await count(site, await asking, BOX) == Case("").expected()


# --- the database ---------------------------------------------------------------------


@pytest.mark.parametrize("linked", [False, True])
async def test_a_second_bot_on_the_same_file_is_refused(site: Site, linked: bool):  # noqa: FBT001
    """Two bots never share a SQLite file, by whatever name: the second one leaves."""
    first = await site.start()
    if linked:
        (site.folder / "alias.db").symlink_to(site.folder / "bot.db")
        told = site.config.read_text(encoding="utf-8")
        site.config.write_text(told.replace("/bot.db", "/alias.db"), encoding="utf-8")
    second = await site.start(wait=False)
    assert await second.ended() == 2
    (sentence,) = second.words
    assert sentence.startswith("mlstudio-bot: another mlstudio-bot already uses this")
    assert first.lives
