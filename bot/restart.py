"""The durable story of one request, from the approval to the last word.

``Restarts.tell`` is the story, to be read top to bottom. Each step it names is a
coroutine that may run again after a crash, so it looks at the record before it acts;
what a step returns is recorded, and decides which way the story goes. Between steps
there is no clock, no chance and no I/O: the engine replays them (DESIGN, "The engine").
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from itertools import chain, repeat
from typing import Any, TypeVar

import structlog
from dbos import DBOS, SetWorkflowID, error

from bot.approval import Approvals
from bot.ledger import Ledger
from bot.model import ENDS, UNDER_WAY, State
from bot.patience import patiently
from bot.preflight import Preflight
from bot.sending import Sending
from bot.speech import Speech
from bot.watch import Watcher

log = structlog.get_logger()

T = TypeVar("T")

WAKE = "wake"  # the topic of the message that says: look at your record
# Waits between tries to say something, in seconds: growing, then a day of patience.
WAITS_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
PATIENT_TRIES = 24 * 60
ANNOUNCE_TRIES = 6
SEND_TRIES = 5
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
    ) -> None:
        self._ledger = ledger
        self._preflight = preflight
        self._approvals = approvals
        self._sending = sending
        self._watcher = watcher
        self._speech = speech
        self._right_to_act = right_to_act
        self._story: Callable[[str], Any] | None = None

    def register(self) -> None:
        """Make the story known to the engine, by a name that recorded stories keep."""

        async def restart(request_id: str) -> str:
            return await self.tell(request_id)

        self._story = DBOS.workflow(name="restart", max_recovery_attempts=None)(restart)

    async def begin(self, request_id: str) -> None:
        """Start the story of a recorded request; one that exists goes on as it is."""
        if self._story is None:
            raise AssertionError("register() comes first")
        with SetWorkflowID(request_id):
            await DBOS.start_workflow_async(self._story, request_id)

    async def wake(self, request_id: str, key: str) -> None:
        """Make a waiting story look at its record; the same *key* wakes it once."""
        await DBOS.send_async(request_id, key, WAKE, idempotency_key=key)

    async def tell(self, request_id: str) -> str:
        """Tell the whole story of one request and return how it ended."""
        try:
            await self._act(request_id)
        except error.DBOSException:
            raise
        except Exception:
            # A fault of ours must not swallow the end: it is said to be unknown.
            log.exception("story failed", request=request_id)
            await self._step("fault", self._fault, request_id)
        await self._until_done("say_end", self._speech.say_end, request_id)
        await self._until_done("show_end", self._speech.show_end, request_id)
        return await self._step("state", self._state, request_id)

    async def _act(self, request_id: str) -> None:
        """Do what was asked, as far as it is allowed and possible."""
        if await self._step("examine", self._preflight.examine, request_id):
            await self._approval(request_id)
        if not await self._step("prepare", self._preflight.prepare, request_id):
            return
        announce = self._speech.announce
        if not await self._until_done("announce", announce, request_id, ANNOUNCE_TRIES):
            await self._step("silent", self._speech.not_announced, request_id)
        for attempt in range(SEND_TRIES):
            wait = await self._step("send", self._sending.send, request_id, attempt)
            if wait is None:
                break
            await DBOS.sleep_async(wait)
        await self._step("watch", self._watch, request_id)

    async def _approval(self, request_id: str) -> None:
        """Ask for approval and wait until it is decided or its time is up."""
        await self._until_done("card", self._approvals.post_card, request_id)
        look = self._approvals.next_wait
        while wait := await self._step("wait", look, request_id):
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
        return str((await self._ledger.existing(request_id)).state)

    async def _until_done(
        self,
        name: str,
        work: Callable[[str], Awaitable[float | None]],
        request_id: str,
        tries: int = PATIENT_TRIES,
    ) -> bool:
        """Repeat a step until it returns None; say whether it did within *tries*."""
        for wait in _waits(tries):
            least = await self._step(name, work, request_id)
            if least is None:
                return True
            await DBOS.sleep_async(max(wait, least))
        return False

    async def _step(
        self, name: str, work: Callable[..., Awaitable[T]], request_id: str, *args: Any
    ) -> T:
        """Run *work* as a recorded step, as soon as this process may act."""

        async def step() -> T:
            await self._right_to_act(request_id)
            with structlog.contextvars.bound_contextvars(request=request_id, step=name):
                return await patiently(lambda: work(request_id, *args))

        return await DBOS.run_step_async({"name": name}, step)


def _waits(tries: int) -> Iterator[float]:
    """Yield *tries* waits between two tries, in seconds."""
    waits = chain(WAITS_S, repeat(60.0))
    return (wait for wait, _ in zip(waits, range(tries), strict=False))
