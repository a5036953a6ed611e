"""Who of a batch may go when, and what stops the others.

Each public coroutine is one step of the workflow, as in ``preflight``. One that was
asked for by itself never has to wait for others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import attrs
import structlog

from bot.errors import SlackError, StateConflict
from bot.model import ENDS, UNDER_WAY, State
from bot.restarts.batch import Batch
from bot.restarts.preflight import Preflight
from bot.restarts.retry import wait_after
from bot.restarts.services import Services
from bot.restarts.wakeups import Pulse

log = structlog.get_logger()

MOST_S = 30.0  # between two looks where Slack does not say how long
PEERS_EVERY_S = 2.0  # another replica may tell of another one
WAITING = frozenset({State.ASKED, State.PENDING, State.APPROVED})
WITHHELD = frozenset({State.DENIED, State.EXPIRED, State.CANCELLED})
FAILURES = frozenset(
    {
        State.FAILED,
        State.TIMED_OUT,
        State.UNKNOWN,
        State.DOWN,
        State.NOT_RESTARTED,
        State.VOIDED,
    }
)


@attrs.frozen
class Schedule:
    """Lets the requests of a batch go in turn, ``max_parallel`` of them at a time."""

    _services: Services
    _preflight: Preflight
    _pulse: Pulse
    _waits: dict[str, float] = attrs.field(factory=dict, init=False)  # for Slack

    async def examine(self, request_id: str) -> tuple[bool, bool]:
        """Examine all that need approval, if this one speaks for all.

        Return whether it does, and whether approval has to be waited for now.
        """
        batch = await self._batch(request_id)
        if not batch.speaks:
            return False, False
        asked = [
            one.request.id
            for one in batch.records
            if one.request.waits and one.state is State.ASKED
        ]
        await asyncio.gather(*map(self._preflight.examine, asked))
        if asked or not batch.alone:
            batch = await self._settled(request_id)
        return True, any(one.state is State.PENDING for one in batch.records)

    async def prepare(self, request_id: str) -> bool | None:
        """Claim the instance; say whether it is ours now, None if it is not our turn.

        One after the other claims its instance, so no two count the same free place.
        """
        batch = await self._settled(request_id)
        if not self._may_go(batch):
            return None
        try:
            if done := await self._done_meanwhile(batch):
                ledger = self._services.ledger
                await ledger.move(request_id, State.JOINED, joined=done)
                return False
            ours = await self._preflight.prepare(batch)
        except SlackError as error:  # no verdict: nobody knows now who may restart it
            before = self._waits.get(request_id, 0.0)
            self._waits[request_id] = wait_after(error, min(2 * before + 1, MOST_S))
            log.warning("who may restart it is not known", error=str(error))
            return None
        else:
            self._waits.pop(request_id, None)
            return ours
        finally:
            self._pulse.beat()

    async def turn(self, request_id: str) -> bool:
        """Wait until it is this one's turn, or it has ended otherwise.

        Where Slack could not tell who may restart it, for as long as it asked for. Say
        whether approval has to be waited for again first.
        """
        batch = await self._batch(request_id)
        if batch.speaks and batch.asked.state is State.PENDING:
            return True
        await asyncio.sleep(self._waits.get(request_id, 0.0))
        await self._until(request_id, self._may_go)
        return False

    async def rest(self, request_id: str) -> bool:
        """Say whether this one speaks for all; if so, when all of them have ended."""
        batch = await self._batch(request_id)
        if batch.speaks and not _is_over(batch):
            await self._until(request_id, _is_over)
        return batch.speaks

    async def fault(self, request_id: str, why: str) -> None:
        """End all that wait for the one that met a fault of the bot.

        Once the message stands, nobody waits for it but for what it restarts itself.
        """
        batch = await self._batch(request_id)
        mute = batch.speaks and not batch.message_ts
        for record in batch.records:
            own = record.request.id == request_id
            if record.state in WAITING and (mute or own):
                await self._void(record.request.id, why)
            if record.state in UNDER_WAY and own:
                ledger = self._services.ledger
                await ledger.move(request_id, State.UNKNOWN, detail=why)

    def _may_go(self, batch: Batch) -> bool:
        """Say whether a request is not to be kept waiting any longer.

        The one that speaks goes first; the others see its message before they go.
        """
        record = batch.record
        if record.state not in WAITING:
            return True
        if not (batch.speaks or batch.message_ts) or record.state is State.PENDING:
            return False
        under_way = sum(one.state in UNDER_WAY for one in batch.records)
        parallel = self._services.settings().max_parallel
        return under_way < parallel and not any(
            one.state in WAITING for one in batch.earlier
        )

    async def _until(self, request_id: str, done: Callable[[Batch], bool]) -> None:
        async def look() -> bool:
            return done(await self._batch(request_id))

        await self._pulse.until(look, PEERS_EVERY_S)

    async def _done_meanwhile(self, batch: Batch) -> str:
        """Return who has restarted the instance while it waited for its turn, if any.

        That one is joined: one restart is enough.
        """
        record, request = batch.record, batch.record.request
        if batch.alone or record.state not in WAITING:
            return ""
        last = await self._services.ledger.last_restart(
            request.target.key, but=request.id
        )
        if last is None or last.sent_at is None or last.state is not State.READY:
            return ""
        return last.request.id if last.sent_at > request.asked_at else ""

    async def _settled(self, request_id: str) -> Batch:
        """End what can no longer happen, and return what has become of all.

        That is where approval was not given, or an earlier one has failed. What is
        returned was read at once: nobody goes beside a failure that came in between.
        """
        while doomed := _doomed(batch := await self._batch(request_id)):
            for one, why in doomed.items():
                await self._void(one, why)
        return batch

    async def _void(self, request_id: str, why: str) -> None:
        """End a request that waits; one that has ended otherwise stays as it is."""
        with suppress(StateConflict):
            await self._services.ledger.move(request_id, State.VOIDED, detail=why)
        self._pulse.beat()

    async def _batch(self, request_id: str) -> Batch:
        return await Batch.of(self._services.ledger, request_id)


def _is_over(batch: Batch) -> bool:
    return all(one.state in ENDS for one in batch.records)


def _doomed(batch: Batch) -> dict[str, str]:
    """Return those that wait for what can no longer happen, each with why."""
    why_all = "" if batch.alone else _withheld(batch)
    return {
        record.request.id: why
        for record in batch.records
        if record.state in WAITING
        if (why := why_all or _halted(attrs.evolve(batch, record=record)))
    }


def _halted(batch: Batch) -> str:
    """Return which failure stops this one, or nothing."""
    failed = (one for one in batch.earlier if one.state in FAILURES)
    first = None if batch.record.request.go_on else next(failed, None)
    if first is None:
        return ""
    name = first.request.target.instance
    return f"Left out, because {name} did not become ready."


def _withheld(batch: Batch) -> str:
    """Return that approval of any one was not given, or nothing."""
    against = next((one for one in batch.records if one.state in WITHHELD), None)
    return f"The request as a whole was {against.state}." if against else ""
