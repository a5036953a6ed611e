"""Several restarts asked for together: who may go when, and what stops the others.

Each public coroutine is one step of the story, as in ``preflight``. Every instance has
a story of its own; one of them speaks for all (``Request.batch``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from bot.errors import StateConflict
from bot.ledger import Ledger
from bot.model import ENDS, UNDER_WAY, Record, State
from bot.restarts.preflight import Preflight

LOOK_EVERY_S = 2.0  # another replica may tell the story of another one
WAITING = frozenset({State.ASKED, State.PENDING, State.APPROVED})
STOPPED = frozenset({State.DENIED, State.EXPIRED, State.CANCELLED})
_FAILURES = frozenset(
    {
        State.FAILED,
        State.TIMED_OUT,
        State.UNKNOWN,
        State.NOT_RESTARTED,
        State.VOIDED,
    }
)


class Pulse:
    """Wakes all who wait for it, in this process."""

    def __init__(self) -> None:
        self._beat = asyncio.Event()

    def beat(self) -> None:
        """Wake who waits now."""
        self._beat.set()
        self._beat = asyncio.Event()

    async def wait(self, at_most_s: float) -> None:
        """Return at the next beat, or after so many seconds."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._beat.wait(), at_most_s)


class BatchSchedule:
    """Lets the requests of a batch go in turn, *parallel* of them at a time."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        preflight: Preflight,
        pulse: Pulse,
        parallel: Callable[[], int],
    ) -> None:
        self._ledger = ledger
        self._preflight = preflight
        self._pulse = pulse
        self._parallel = parallel

    async def gather(self, request_id: str) -> bool:
        """Examine all that need approval; say whether it has to be waited for now."""
        batch = await self._batch(request_id)
        asked = [one.request.id for one in batch if one.state is State.ASKED]
        await asyncio.gather(*map(self._preflight.examine, asked))
        await self.settle(request_id)
        batch = await self._batch(request_id)
        return any(one.state is State.PENDING for one in batch)

    async def settle(self, request_id: str) -> None:
        """End what can no longer happen: approval was not given, or one has failed."""
        batch = await self._batch(request_id)
        for record in batch:
            if why := _withheld(batch) or _halted(record, batch):
                await self._void(record, why)

    async def turn(self, request_id: str) -> None:
        """Wait until it is this one's turn, or it has ended otherwise."""
        while not await self._may_go(request_id):
            await self._pulse.wait(LOOK_EVERY_S)

    async def _may_go(self, request_id: str) -> bool:
        """Say whether a request is not to be kept waiting any longer.

        One after the other claims its instance, so no two count the same free place.
        """
        record = await self._ledger.existing(request_id)
        if record.state not in WAITING:
            return True
        if not record.message_ts or record.state is State.PENDING:
            return False
        batch = await self._batch(request_id)
        under_way = sum(one.state in UNDER_WAY for one in batch)
        earlier = _before(record, batch)
        return under_way < self._parallel() and not any(
            one.state in WAITING for one in earlier
        )

    async def prepare(self, request_id: str) -> bool:
        """Claim the instance as ``Preflight`` does, if no other one has failed.

        One that somebody has restarted while it waited for its turn joins that.
        """
        record = await self._ledger.existing(request_id)
        try:
            if record.state in WAITING:
                if why := _halted(record, await self._batch(request_id)):
                    await self._void(record, why)
                    return False
                if done := await self._done_meanwhile(record):
                    await self._ledger.move(request_id, State.JOINED, joined=done)
                    return False
            return await self._preflight.prepare(request_id)
        finally:
            self._pulse.beat()

    async def _done_meanwhile(self, record: Record) -> str:
        """Return the id of who has restarted the instance since it was asked for."""
        request = record.request
        last = await self._ledger.last_restart(request.target.key, but=request.id)
        if last is None or last.sent_at is None or last.state is not State.READY:
            return ""
        return last.request.id if last.sent_at > request.asked_at else ""

    async def rest(self, request_id: str) -> None:
        """Wait until all of the batch have ended."""
        while any(one.state not in ENDS for one in await self._batch(request_id)):
            await self._pulse.wait(LOOK_EVERY_S)

    async def fault(self, request_id: str, why: str) -> None:
        """End all that wait for the story that met a fault of the bot.

        Once the message stands, nobody waits for it but for what it restarts itself.
        """
        for record in await self._batch(request_id):
            request = record.request
            speaks = request.batch == request_id and not record.message_ts
            if record.state in WAITING and (speaks or request.id == request_id):
                await self._void(record, why)
            if record.state in UNDER_WAY and request.id == request_id:
                await self._ledger.move(request_id, State.UNKNOWN, detail=why)

    async def _batch(self, request_id: str) -> Sequence[Record]:
        """Return all requests that were asked for together with this one."""
        record = await self._ledger.existing(request_id)
        return await self._ledger.batch(record.request.batch)

    async def _void(self, record: Record, why: str) -> None:
        """End a request that waits; one that has ended otherwise stays as it is."""
        if record.state in WAITING:
            with suppress(StateConflict):
                await self._ledger.move(record.request.id, State.VOIDED, detail=why)
            self._pulse.beat()


def _before(record: Record, batch: Sequence[Record]) -> list[Record]:
    """Return those whose turn comes before *record*'s."""
    return [one for one in batch if one.request.place < record.request.place]


def _halted(record: Record, batch: Sequence[Record]) -> str:
    """Return which failure stops *record*, or nothing."""
    failed = (one for one in _before(record, batch) if one.state in _FAILURES)
    first = None if record.request.go_on else next(failed, None)
    if first is None:
        return ""
    name = first.request.target.instance
    return f"Left out, because {name} did not become ready."


def _withheld(batch: Sequence[Record]) -> str:
    """Return that approval of any one was not given, or nothing."""
    against = next((one for one in batch if one.state in STOPPED), None)
    return f"The request as a whole was {against.state}." if against else ""
