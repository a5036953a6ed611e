"""Killed in the middle of several restarts, the bot goes on with each where it was."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from bot.demo.deliveries import Delivery
from bot.model import ENDS, Record, State
from bot.restarts.workflow import Step
from tests.support.bot_world import quick
from tests.support.processes import Site, instance_id, until

pytestmark = pytest.mark.process
in_module = pytest.mark.asyncio(loop_scope="module")

AT_ONCE = 4
NAMES = ("gated-1", "trainer-7", "gated-2", "trainer-8")  # one waits for its turn
MOMENTS = ("before", "after")
LEAD: tuple[Step, ...] = (
    *("examine", "card", "wait", "close", "prepare", "announce", "turn", "send"),
    *("watch", "say_end", "rest", "follow_up", "show_end", "state"),
)
# Right before these nothing is done that the crash after the step before, or in one
# story alone, does not show.
ALIKE: frozenset[Step] = frozenset(
    {"examine", "close", "prepare", "say_end", "rest", "show_end", "state"}
)
ALL_READY = (State.READY,) * len(NAMES)


@dataclass(frozen=True)
class Case:
    """One crash: at *point*; what may differ because of it."""

    point: str
    states: tuple[State, ...] = ALL_READY
    messages: int = 3  # the card, the message of all, the last word
    fault: str = ""

    def __str__(self) -> str:
        return self.point


@dataclass(frozen=True)
class Left:
    """What a batch left behind."""

    states: tuple[State, ...]
    most_posts: int  # restart calls for one instance
    ends: tuple[int, ...]  # end states in the trail, for each instance
    messages: int
    last_words: int
    buttons: int


def cases() -> Iterator[Case]:
    """Yield every case: each step of the stories, and points between two records."""
    for moment in MOMENTS:
        for step in LEAD:
            if moment == "after" or step not in ALIKE:
                yield Case(f"{moment}:{step}")
    for moment in MOMENTS:
        # Which one the fault meets, and how many have begun, is a matter of luck.
        unknown = (State.UNKNOWN,)
        yield Case(f"{moment}:fault", states=unknown, fault="Watcher.until_next")
    yield Case("after:Cloud.act")
    yield Case("after:Ledger.record_all")
    yield Case("after:Ledger.vote")
    # Posted, and that it was died with the process: it is posted again.
    for number in (1, 2, 3):
        yield Case(f"after:SlackClient.post#{number}", messages=4)


CASES = tuple(cases())


async def asked(site: Site) -> Delivery:
    """Ask for all, and confirm it."""
    names = ",".join(NAMES)
    await site.slack.command("ann", "incidents", f"/mlstudio restart ml-prod {names}")
    view = (await until(lambda: site.slack.views("ann"), what="a dialog"))[0]
    return await site.slack.submit("ann", view, {"reason": "INC-7"})


async def told(site: Site) -> list[Record]:
    """Return the records of the batch when all of it has been told."""

    async def done() -> list[Record] | None:
        since = datetime.now(UTC) - timedelta(hours=1)
        entries = await site.ledger.entries(since=since)
        batch = await site.ledger.known([entry["request_id"] for entry in entries])
        over = [one for one in batch if one.state in ENDS and one.told]
        if len(over) < len(NAMES) or not any(one.summed for one in over):
            return None
        stories = [await site.story(one.request.id) for one in over]
        return over if set(stories) == {"SUCCESS"} else None

    return await until(done, what="the end of all")


def end_of(site: Site, record: Record) -> State:
    """Return how a restart ended; one whose call died on its way is as good.

    Others are under way when the bot is killed: nobody can know that a call that was
    claimed was not carried out, so its outcome is rightly said to be unknown.
    """
    done = site.cloud.restarts[instance_id(record.request.target.instance)]
    died = record.sent_at and not done and record.state is State.UNKNOWN
    return State.READY if died else record.state


async def left(site: Site, case: Case) -> Left:
    """Wait for the end of all, and count what was done and said."""
    records = await told(site)
    since = datetime.now(UTC) - timedelta(hours=1)
    trail = await site.ledger.entries(since=since)
    ends = [
        sum(e["request_id"] == one.request.id and e["kind"] in ENDS for e in trail)
        for one in records
    ]
    said = site.said()
    states = tuple(end_of(site, one) for one in records)
    if case.fault:
        states = tuple({one.state for one in records} & {State.UNKNOWN})
    return Left(
        states=states,
        most_posts=max(map(site.posts, NAMES)),
        ends=tuple(ends),
        messages=len(said),
        last_words=sum(post.reply_broadcast for post in said),
        buttons=len(site.open_cards()),
    )


async def killed(case: Case, folder: Path) -> Left:
    """Play one case: start, ask, crash at its point, start again, count."""
    async with Site(folder, names=NAMES, reboot=quick()) as site:
        first = await site.start(
            module="tests.support.crashing",
            CRASH=case.point,
            FAULT=case.fault,
            HURRY="1",
        )
        doubled = case.point == "after:SlackClient.post#1"
        others = [
            asyncio.create_task(asked(site)),
            asyncio.create_task(site.approve(cards=1 + doubled)),
        ]
        assert await first.ended() == -9, first.words[-5:]
        await site.start()
        await asyncio.gather(*others)
        return await left(site, case)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def found(
    request: pytest.FixtureRequest,
) -> AsyncIterator[dict[Case, asyncio.Task[Left]]]:
    """Play the chosen cases, a few at once, and give what each left when it is in."""
    chosen = {
        item.callspec.params["case"]
        for item in request.session.items
        if item.fspath == request.node.fspath
        and "case" in getattr(getattr(item, "callspec", None), "params", {})
    }
    slots = asyncio.Semaphore(AT_ONCE)

    async def play(case: Case) -> Left:
        async with slots:
            with tempfile.TemporaryDirectory(prefix="crash-") as folder:
                return await killed(case, Path(folder))

    tasks = {case: asyncio.create_task(play(case)) for case in CASES if case in chosen}
    yield tasks
    for task in tasks.values():
        task.cancel()
    await asyncio.wait([*tasks.values()])


@in_module
@pytest.mark.parametrize("case", CASES, ids=str)
async def test_a_crash_costs_none_of_them_anything(
    case: Case,
    found: dict[Case, asyncio.Task[Left]],
) -> None:
    """Wherever the bot is killed: one restart each at most, and one last word."""
    assert await found[case] == Left(
        states=case.states,
        most_posts=1,
        ends=(1,) * len(NAMES),
        messages=case.messages,
        last_words=2 if case.point == "after:SlackClient.post#3" else 1,
        buttons=0,
    )
