"""What a workflow is made of: recorded steps, and waits that no crash makes longer.

Between these a workflow may do nothing that could come out differently when the engine
replays it ("The engine" in bot/README.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Generic, TypeVar

import attrs
import structlog
from dbos import DBOS, error
from sqlalchemy.exc import SQLAlchemyError

from bot.ledger.retry import growing, patiently
from bot.restarts.engine.concurrency import ConcurrencyLimit
from bot.restarts.wakeups import Pulse
from bot.telemetry.traces import Traces

log = structlog.get_logger()

T = TypeVar("T")
Step = TypeVar("Step", bound=str)  # the names that steps may have

STEP_WAITS_S = (1.0, 60.0)  # between tries of a step: the first, and the longest
PATIENT_S = 3 * 24 * 3600.0  # a long weekend until somebody mends what keeps Slack away
LEFT_OVER_S = 0.5  # at most, of a wait that a process before this one began
# Workflows that get going at the same time.
WORKFLOWS_AT_ONCE, URGENT_AT_ONCE, AT_ONCE_WITHIN_S = 6, 6, 1.0


def _limit() -> ConcurrencyLimit:
    return ConcurrencyLimit(WORKFLOWS_AT_ONCE, AT_ONCE_WITHIN_S, urgent=URGENT_AT_ONCE)


@attrs.define(kw_only=True)
class StepRunner(Generic[Step]):
    """Takes the *steps* of workflows; nobody waits for the *long* ones at a stop.

    *right_to_act* returns once this process may act for a workflow; *names* are what
    its log lines bear; *slack_back* beats when Slack can be reached again.
    """

    steps: Collection[Step]
    long: Collection[Step]
    right_to_act: Callable[[str], Awaitable[None]]
    names: Callable[[str], Awaitable[Mapping[str, str]]]
    traces: Traces
    slack_back: Pulse
    concurrency: ConcurrencyLimit = attrs.field(init=False, factory=_limit)
    _stopping: bool = attrs.field(init=False, default=False)
    _in_hand: int = attrs.field(init=False, default=0)
    _idle: asyncio.Event = attrs.field(init=False, factory=asyncio.Event)

    async def step(
        self, name: Step, work: Callable[[str], Awaitable[T]], request_id: str
    ) -> T:
        """Run *work* as a recorded step, as soon as this process may act."""
        if name not in self.steps:
            raise AssertionError(f"{name} is missing among the steps")
        if self._stopping:
            await asyncio.Event().wait()  # until the workflow is let go of

        async def step() -> T:
            await self.right_to_act(request_id)
            with (
                structlog.contextvars.bound_contextvars(request=request_id, step=name),
                self.traces.step(name, request_id),
            ):
                names = await patiently(lambda: self.names(request_id))
                if name in self.long:
                    self.concurrency.rest()
                structlog.contextvars.bind_contextvars(**names)
                outcome = await patiently(lambda: work(request_id))
                log.info("step done", **_told(outcome))
                return outcome

        if name in self.long:
            return await DBOS.run_step_async({"name": name}, step)
        with self._counted():
            return await DBOS.run_step_async({"name": name}, step)

    async def until_done(
        self,
        name: Step,
        work: Callable[[str], Awaitable[float | None]],
        request_id: str,
    ) -> None:
        """Repeat a step until it returns None, for days if it has to be.

        It returns the seconds after which it is to run again, where somebody has named
        them; 0 leaves that to us: ever longer, and at once when Slack is back.
        """
        waits, left_s = growing(*STEP_WAITS_S), PATIENT_S
        ran = False  # in this process: else its record was found

        async def noted(request_id: str) -> float | None:
            nonlocal ran
            ran = True
            return await work(request_id)

        while left_s > 0:
            ran = False
            named_s = await self.step(name, noted, request_id)
            if named_s is None:
                return
            wait_s = named_s or next(waits)
            left_s -= wait_s
            if named_s:
                await self.sleep(wait_s)
            elif await self._sleep_until_back(wait_s, wait_s if ran else LEFT_OVER_S):
                waits = growing(*STEP_WAITS_S)

    async def sleep(self, wait_s: float) -> None:
        """Wait so many seconds, which a crash does not make longer."""
        self.concurrency.rest()
        await DBOS.sleep_async(wait_s)

    async def _sleep_until_back(self, wait_s: float, most_s: float) -> bool:
        """Wait so many seconds, *most_s* at most, or until Slack is back.

        Say whether it came back. For the engine the wait is the same one: a replay
        finds its record. What a process before this one has left of it is not waited
        for: Slack has answered at this one's start.
        """
        self.concurrency.rest()
        slept = asyncio.ensure_future(DBOS.sleep_async(wait_s))
        back = asyncio.ensure_future(self.slack_back.beats())
        try:
            first = asyncio.FIRST_COMPLETED
            await asyncio.wait({slept, back}, timeout=most_s, return_when=first)
            if slept.done():
                slept.result()
            return back.done()
        finally:
            slept.cancel()
            back.cancel()

    async def faultless(
        self, act: Callable[[str], Awaitable[None]], request_id: str
    ) -> bool:
        """Act; say whether no fault of the bot came in between."""
        try:
            await act(request_id)
        except (error.DBOSException, SQLAlchemyError):
            raise  # of the engine, not of the workflow, which is told on by ``revive``
        except Exception:
            # A fault of ours must not swallow the end, which still has to be told.
            log.exception("workflow failed", **await self.names(request_id))
            return False
        return True

    async def stop(self, within_s: float) -> None:
        """Begin no further step, and wait for those in hand."""
        self._stopping = True
        if self._in_hand:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), within_s)

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


def _told(outcome: object) -> dict[str, object]:
    """Return what a step returned, for the log; most return nothing."""
    return {} if outcome is None else {"outcome": outcome}
