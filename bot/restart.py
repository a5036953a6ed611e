"""The durable story of one request, from the approval to the last word.

``Restarts.tell`` is the story, to be read top to bottom. Each step it names is a
coroutine that may run again after a crash, so it looks at the record before it acts;
what a step returns is recorded, and decides which way the story goes. Between steps
there is no clock, no chance and no I/O: the engine replays them (DESIGN, "The engine").
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from itertools import chain, repeat
from typing import Any, Literal, TypeVar, get_args

import structlog
from dbos import DBOS, SetWorkflowID, error
from sqlalchemy.exc import SQLAlchemyError

from bot.approval import Approvals
from bot.engine.pace import Pace
from bot.ledger import Ledger
from bot.model import ENDS, UNDER_WAY, State
from bot.patience import patiently
from bot.preflight import Preflight
from bot.sending import Sending
from bot.speech import Speech
from bot.traces import Traces
from bot.watch import Watcher

log = structlog.get_logger()

T = TypeVar("T")

# Every step of the story; tests/test_crash.py kills the bot before and after each.
Step = Literal[
    "examine",
    "card",
    "wait",
    "close",
    "prepare",
    "announce",
    "silent",
    "send",
    "watch",
    "fault",
    "say_end",
    "show_end",
    "state",
    # of several restarts asked for together (``batch_story``)
    "gather",
    "settle",
    "turn",
    "rest",
    "sum_up",
]
STEPS: tuple[Step, ...] = get_args(Step)
# Too long to be waited for when the bot stops, and safe to break off.
LONG: frozenset[Step] = frozenset({"watch", "turn", "rest"})

WAKE = "wake"  # the topic of the message that says: look at your record
# Waits between tries to say something, in seconds: growing, then a day of patience.
WAITS_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
PATIENT_TRIES = 24 * 60
ANNOUNCE_TRIES = 6
SEND_TRIES = 5
GIVEN_UP = frozenset({"ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"})
SELDOM = 32  # looks between two revivals of a story that dies again and again
CANCEL_WITHIN_S = 1.0
AT_ONCE, AT_ONCE_WITHIN_S = 6, 1.0  # stories that get going at the same time
FAULT = (
    "The bot met a fault of its own; its log has the details. Look at the instance"
    " before you ask again."
)


class Restarts:
    """Starts, wakes and tells the stories; ``register`` before the engine launches."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        preflight: Preflight,
        approvals: Approvals,
        sending: Sending,
        watcher: Watcher,
        speech: Speech,
        right_to_act: Callable[[str], Awaitable[None]],
        traces: Traces,
    ) -> None:
        self._ledger = ledger
        self._preflight = preflight
        self._approvals = approvals
        self._sending = sending
        self._watcher = watcher
        self._speech = speech
        self._right_to_act = right_to_act
        self._traces = traces
        self._story: Callable[[str], Any] | None = None
        self._telling: dict[asyncio.Task[Any], str] = {}
        self._dead: set[str] = set()  # stories that the engine failed here
        self._missed: dict[str, int] = {}  # looks at which nobody told a story
        self._pace = Pace(AT_ONCE, AT_ONCE_WITHIN_S)
        self._stopping = False
        self._in_hand = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def register(self) -> None:
        """Make the story known to the engine, by a name that recorded stories keep."""
        self._story = self._known_as("restart", self.tell)

    def _known_as(
        self, name: str, tell: Callable[[str], Awaitable[str]]
    ) -> Callable[[str], Any]:
        """Return *tell* as a story that the engine knows by *name*."""

        async def story(request_id: str) -> str:
            with self._being_told(request_id):
                await self._pace.begin()
                return await tell(request_id)

        return DBOS.workflow(name=name, max_recovery_attempts=None)(story)

    async def begin(self, request_id: str) -> None:
        """Start the story of a recorded request; one that exists goes on as it is."""
        story = await self._story_of(request_id)
        if story is None:
            raise AssertionError("register() comes first")
        with SetWorkflowID(request_id):
            await DBOS.start_workflow_async(story, request_id)

    async def _story_of(self, request_id: str) -> Callable[[str], Any] | None:  # noqa: ARG002
        """Return the story that a recorded request has."""
        return self._story

    async def wake(self, request_id: str, key: str) -> None:
        """Make a waiting story look at its record; the same *key* wakes it once."""
        await DBOS.send_async(request_id, key, WAKE, idempotency_key=key)

    async def revive(self, untold: Collection[str]) -> None:
        """Go on with what this process should be telling and is not.

        A story that died here, as when the disk was full, is resumed. One that the
        engine gave up or never had is told anew: the record knows how far it got. Two
        looks must have missed it, ever more if it dies again.
        """
        wanted = {*untold, *self._dead}
        missing = wanted - set(self._telling.values())
        self._missed = {
            one: self._missed.get(one, 0) + (one in missing)
            for one in wanted
            if one in missing or one in self._missed
        }
        due = [one for one in missing if _is_due(self._missed[one])]
        if not due:
            return
        stories = await DBOS.list_workflows_async(
            workflow_ids=due, load_input=False, load_output=False
        )
        known = {story.workflow_id: story for story in stories}
        for request_id in due:
            story = known.get(request_id)
            if story is None:
                await self.begin(request_id)
            elif story.status in GIVEN_UP:
                await self._retell(request_id)
            elif story.status == "PENDING" and story.executor_id == DBOS.executor_id:
                log.warning("story resumed", request=request_id)
                await DBOS.resume_workflow_async(request_id)
            else:
                self._dead.discard(request_id)  # over, or another replica's

    async def _retell(self, request_id: str) -> None:
        """Tell a story that was given up from its beginning."""
        log.error("story was given up; told anew", request=request_id)
        try:
            await DBOS.rewind_workflow_async(request_id)
        except error.DBOSException as why:  # another replica was quicker
            log.info("story not rewound", request=request_id, why=str(why))

    async def stop(self, within_s: float) -> None:
        """Begin no further step, wait for those in hand, and let go of the stories.

        They stay recorded as under way, and the next process goes on with them.
        """
        self._stopping = True
        with suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), within_s)
        # The engine warns of every task that is cancelled.
        logging.getLogger("dbos").setLevel(logging.ERROR)
        for task in self._telling:
            task.cancel()
        if self._telling:
            await asyncio.wait([*self._telling], timeout=CANCEL_WITHIN_S)

    @contextmanager
    def _being_told(self, request_id: str) -> Iterator[None]:
        """Know who tells a story while it is told."""
        task = asyncio.current_task()
        if task is None:
            raise AssertionError("stories are told in tasks")
        self._telling[task] = request_id
        try:
            yield
            self._dead.discard(request_id)
        except Exception:
            self._dead.add(request_id)
            raise
        finally:
            self._pace.rest()
            del self._telling[task]

    async def tell(self, request_id: str) -> str:
        """Tell the whole story of one request and return how it ended."""
        await self._guarded(request_id, self._act, self._fault)
        await self._until_done("say_end", self._speech.say_end, request_id)
        await self._until_done("show_end", self._speech.show_end, request_id)
        return await self._step("state", self._state, request_id)

    async def _guarded(
        self,
        request_id: str,
        act: Callable[[str], Awaitable[None]],
        fault: Callable[[str], Awaitable[None]],
    ) -> None:
        """Act; after a fault of the bot take the step *fault*."""
        try:
            await act(request_id)
        except (error.DBOSException, SQLAlchemyError):
            raise  # of the engine, not of the story, which is told on by ``revive``
        except Exception:
            # A fault of ours must not swallow the end: it is said to be unknown.
            log.exception("story failed", request=request_id)
            await self._step("fault", fault, request_id)

    async def _act(self, request_id: str) -> None:
        """Do what was asked, as far as it is allowed and possible."""
        if await self._step("examine", self._preflight.examine, request_id):
            await self._approval(request_id)
        if not await self._step("prepare", self._preflight.prepare, request_id):
            return
        announce = self._speech.announce
        if not await self._until_done("announce", announce, request_id, ANNOUNCE_TRIES):
            await self._step("silent", self._speech.not_announced, request_id)
        await self._carry_out(request_id)

    async def _carry_out(self, request_id: str) -> None:
        """Send the restart, once, and watch what becomes of it."""
        for attempt in range(SEND_TRIES):
            wait = await self._step("send", self._sending.send, request_id, attempt)
            if wait is None:
                break
            await self._sleep(wait)
        await self._step("watch", self._watch, request_id)

    async def _approval(self, request_id: str) -> None:
        """Ask for approval and wait until it is decided or its time is up."""
        await self._until_done("card", self._approvals.post_card, request_id)
        look = self._approvals.next_wait
        while wait := await self._step("wait", look, request_id):
            self._pace.rest()
            await DBOS.recv_async(WAKE, wait)
        await self._until_done("close", self._approvals.close_card, request_id)

    async def _watch(self, request_id: str) -> None:
        record = await self._ledger.existing(request_id)
        if record.state in UNDER_WAY:
            await self._watcher.until_end(record)

    async def _fault(self, request_id: str) -> None:
        """End a request whose story met a fault of the bot."""
        record = await self._ledger.existing(request_id)
        if record.state not in ENDS:
            under_way = record.state in UNDER_WAY
            state = State.UNKNOWN if under_way else State.VOIDED
            await self._ledger.move(request_id, state, detail=FAULT)

    async def _state(self, request_id: str) -> str:
        record = await self._ledger.existing(request_id)
        self._traces.story(record)
        return str(record.state)

    async def _until_done(
        self,
        name: Step,
        work: Callable[[str], Awaitable[float | None]],
        request_id: str,
        tries: int = PATIENT_TRIES,
    ) -> bool:
        """Repeat a step until it returns None; say whether it did within *tries*."""
        for wait in _waits(tries):
            least = await self._step(name, work, request_id)
            if least is None:
                return True
            await self._sleep(max(wait, least))
        return False

    async def _sleep(self, wait_s: float) -> None:
        """Wait so many seconds, which a crash does not make longer."""
        self._pace.rest()
        await DBOS.sleep_async(wait_s)

    async def _step(
        self, name: Step, work: Callable[..., Awaitable[T]], request_id: str, *args: Any
    ) -> T:
        """Run *work* as a recorded step, as soon as this process may act."""
        if name not in STEPS:
            raise AssertionError(f"{name} is missing in STEPS")
        if self._stopping:
            await asyncio.Event().wait()  # until the story is let go of

        async def step() -> T:
            await self._right_to_act(request_id)
            with (
                structlog.contextvars.bound_contextvars(request=request_id, step=name),
                self._traces.step(name, request_id),
            ):
                outcome = await patiently(lambda: work(request_id, *args))
                log.info("step done", **_told(outcome))
                return outcome

        if name in LONG:
            self._pace.rest()
            return await DBOS.run_step_async({"name": name}, step)
        with self._counted():
            return await DBOS.run_step_async({"name": name}, step)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Count a step as in hand until it is recorded."""
        self._in_hand += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._in_hand -= 1
            if not self._in_hand:
                self._idle.set()


def _is_due(looks: int) -> bool:
    """Say whether a story that was missed at so many looks is revived at this one."""
    is_power_of_two = looks & (looks - 1) == 0
    return looks > 1 and (is_power_of_two or looks % SELDOM == 0)


def _waits(tries: int) -> Iterator[float]:
    """Yield *tries* waits between two tries, in seconds."""
    waits = chain(WAITS_S, repeat(60.0))
    return (wait for wait, _ in zip(waits, range(tries), strict=False))


def _told(outcome: object) -> dict[str, object]:
    """Return what a step returned, for the log; most return nothing."""
    return {} if outcome is None else {"outcome": outcome}
