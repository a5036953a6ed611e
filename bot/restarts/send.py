"""The next act of a request: claimed, sent once, and its answer kept.

The claim is a compare-and-set in the ledger right before the call. Whoever finds it
taken, after a crash or in another replica, knows that the call may have been made,
and never makes it again ("The engine" in bot/README.md). A start alone may be made
again, after a read: ``bot.restarts.start``.
"""

from __future__ import annotations

import time
import uuid

import attrs
import structlog

from bot.errors import (
    CloudBusy,
    CloudError,
    CloudFollow,
    CloudMisfit,
    CloudRefused,
    FrozenNow,
)
from bot.ledger.retry import patiently
from bot.model import Act, Answer, Record, State
from bot.restarts.batch import Batch
from bot.restarts.lifecycle import seen
from bot.restarts.owners import Owners
from bot.restarts.preflight import Preflight
from bot.restarts.retry import wait_after
from bot.restarts.services import Services
from bot.restarts.start import Starter

log = structlog.get_logger()

WAITS_S = (2.0, 4.0, 8.0, 8.0)  # between tries of a call that was surely not made
CHECK_HOLDS_S = 2.0  # what was checked longer ago is checked again before the call
CLAIM_WITHIN_S = 10.0  # a claim that takes longer is given back: the process was frozen
HELD_UP = "The bot was held up right before the call, so it was not sent."


@attrs.frozen
class Sender:
    """Sends restarts on behalf of this process life, which has an id of its own."""

    _services: Services
    _preflight: Preflight
    _owners: Owners
    _life: str = attrs.field(factory=lambda: uuid.uuid4().hex, init=False)

    async def send(self, request_id: str, attempt: int) -> float | None:
        """Send what is due; return seconds until it may be tried again, or None.

        It is tried again only when it was surely not carried out. What was checked a
        while ago, before that, before a slow announcement, or by another life of the
        process, is checked again.
        """
        batch = await Batch.of(self._services.ledger, request_id)
        record = batch.record
        act = record.act
        if record.state is not State.RESTARTING or act is None:
            return None
        if record.sent_at is None:
            await self._owners.before([record])
        if record.sent_at is None and not await self._may_go(batch, attempt):
            return None
        if act is Act.START:
            await Starter(self._services, self._life).start(record)
            return None
        if record.answered:
            return None
        begun = time.monotonic()
        try:
            ours = await self._services.ledger.take_send(request_id, self._life)
        except FrozenNow as error:
            why = f"{error.freeze.sentence(self._services.now())}."
            await self._preflight.refuse(record, why)
            return None
        if not ours:
            log.warning("it may have been sent before; it is not sent again", act=act)
            await self._services.ledger.answered(request_id, "lost")
            return None
        if time.monotonic() - begun > CLAIM_WITHIN_S:
            return await self._not_sent(record, CloudBusy(HELD_UP), attempt)
        return await self._call(record, act, attempt)

    async def _may_go(self, batch: Batch, attempt: int) -> bool:
        """Say whether what was checked still holds; else it is ended or followed."""
        record, request_id = batch.record, batch.record.request.id
        if why := self._services.too_late(batch):
            ledger = self._services.ledger
            await ledger.move(request_id, State.NOT_RESTARTED, detail=why)
            return False
        if not await self._preflight.in_time(record):
            return False
        ours = self._preflight.has_just_claimed(request_id)
        stale = attempt > 0 or not ours or self._is_old(record)
        return not stale or await self._preflight.still_right(record)

    async def _call(self, record: Record, act: Act, attempt: int) -> float | None:
        """Make the call. From here on only the ledger may keep us waiting."""
        request_id = record.request.id
        try:
            answer = await self._services.cloud.act(record.request.target, act)
        except CloudBusy as error:
            return await self._not_sent(record, error, attempt)
        except CloudFollow as error:
            await self._follow(record, error)
        except CloudRefused as error:
            await self._refused(record, error)
        except CloudError as error:  # nobody knows whether it was carried out
            log.warning("the answer was lost", error=str(error))
            ref = error.ref
            await patiently(
                lambda: self._services.ledger.answered(request_id, "lost", ref=ref)
            )
        else:
            await self._accepted(record, answer)
        return None

    async def _accepted(self, record: Record, answer: Answer) -> None:
        known = record.baseline.status if record.baseline else ""
        path = seen(record.path, known, answer.previous or known, answer.current)
        await patiently(
            lambda: self._services.ledger.answered(
                record.request.id,
                "accepted",
                previous=answer.previous or known,
                current=answer.current,
                ref=answer.ref,
                path=path,
            )
        )

    async def _not_sent(
        self, record: Record, error: CloudBusy, attempt: int
    ) -> float | None:
        """Give the claim back; return the wait before the next try, if there is one."""
        await self._give_back(record, error)
        if attempt >= min(error.attempts, len(WAITS_S)):
            why = str(error)
            await patiently(
                lambda: self._services.ledger.move(
                    record.request.id, State.NOT_RESTARTED, detail=why
                )
            )
            return None
        return wait_after(error, WAITS_S[attempt])

    async def _follow(self, record: Record, error: CloudFollow) -> None:
        """The cloud says it is busy already: watch it instead."""
        log.info("the cloud is busy with it already", error=str(error))
        await self._give_back(record, error)
        said = f"The cloud said: {error}"
        await patiently(
            lambda: self._services.ledger.move(
                record.request.id, State.FOLLOWING, detail=said
            )
        )

    async def _refused(self, record: Record, error: CloudRefused) -> None:
        tell = log.error if isinstance(error, CloudMisfit) else log.warning
        tell("the cloud refused the restart", error=str(error))
        await self._give_back(record, error)
        await patiently(
            lambda: self._services.ledger.move(
                record.request.id,
                State.NOT_RESTARTED,
                detail=str(error),
                ref=error.ref,
            )
        )

    async def _give_back(self, record: Record, error: CloudError) -> None:
        await patiently(
            lambda: self._services.ledger.give_back_send(
                record.request.id, self._life, str(error)
            )
        )

    def _is_old(self, record: Record) -> bool:
        """Say whether the checks before this restart were made a while ago."""
        since, now = record.changed_at, self._services.now()
        # Its own past may be the future: the clock was put back.
        return since is None or abs(now - since).total_seconds() > CHECK_HOLDS_S
