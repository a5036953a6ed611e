"""Before the restart: is it still allowed, still sensible, and nobody else's?

``examine`` comes before approval is asked for, ``prepare`` before the restart is
announced. Both read anew what they decide on: an approval holds for what was approved
(https://cheatsheetseries.owasp.org/cheatsheets/Transaction_Authorization_Cheat_Sheet.html).
Where the announcement has taken its time, ``still_right`` does so once more before the
call.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import attrs
import structlog

from bot.cloud import Rank
from bot.errors import (
    CloudError,
    CloudMisfit,
    InstanceBusy,
    StateConflict,
)
from bot.model import (
    UNDER_WAY,
    Instance,
    Record,
    State,
    StatusClass,
    class_of,
    digest,
)
from bot.restarts.batch import Batch
from bot.restarts.capacity import Capacity, refusal
from bot.restarts.retry import few_times
from bot.restarts.rights import Rights
from bot.restarts.services import Services
from bot.restarts.suitability import unsuitable
from bot.slack.messages.formatting import status as shown

log = structlog.get_logger()


@attrs.frozen
class Preflight:
    """Checks a request against what is true now; every no is recorded with its why."""

    _services: Services
    _capacity: Capacity = attrs.field(
        init=False,
        default=attrs.Factory(lambda self: Capacity(self._services), takes_self=True),
    )
    _rights: Rights = attrs.field(
        init=False,
        default=attrs.Factory(lambda self: Rights(self._services), takes_self=True),
    )
    _claimed: set[str] = attrs.field(factory=set, init=False)  # by this process life

    def has_just_claimed(self, request_id: str) -> bool:
        """Say, once, whether it was this process that prepared a request.

        Otherwise the record may come from anywhere: a crash, or a database that was
        put back from before a restart that it no longer knows of.
        """
        known = request_id in self._claimed
        self._claimed.discard(request_id)
        return known

    async def examine(self, request_id: str) -> bool:
        """Say whether approval has to be waited for now.

        An instance that cannot be restarted needs nobody's approval: the request ends.
        One that is busy already is followed, for which nobody's approval is needed.
        """
        record = await self._services.ledger.existing(request_id)
        if not record.request.waits or record.state is not State.ASKED:
            return record.state is State.PENDING
        instance = await self._read(record)
        if instance is None or class_of(instance.status) is StatusClass.BUSY:
            return False
        record = await self._services.ledger.wait_for_approval(request_id, instance)
        return record.state is State.PENDING

    async def prepare(self, batch: Batch) -> bool | None:
        """Claim its record's instance, if all still holds; say whether it is ours now.

        None: an approval was taken off, so it waits again. Raises SlackError where
        Slack does not tell now who may restart it.
        """
        record = batch.record
        request_id = record.request.id
        if record.state not in {State.ASKED, State.APPROVED}:
            return record.state in UNDER_WAY
        if why := self._services.too_late(batch):
            await self._services.ledger.move(
                request_id, State.NOT_RESTARTED, detail=why
            )
            return False
        if not await self.in_time(record):
            return False
        # Read first: a rule may name the instance as the cloud does.
        instance = await self._read(record)
        if instance is None:
            return False
        lost = await self._rights.lost(record)
        if lost.votes and _may_wait_again(batch):
            await self._services.ledger.take_off(request_id, lost.votes)
            return None
        if why := lost.why or await self._changed(record, instance):
            return await self._void(record, why)
        if why := _idle_again(record, instance):
            await self._services.ledger.move(
                request_id, State.NOT_RESTARTED, detail=why
            )
            return False
        return await self._claim(record, instance)

    async def _claim(self, record: Record, instance: Instance) -> bool:
        busy = class_of(instance.status) is StatusClass.BUSY
        state = State.FOLLOWING if busy else State.RESTARTING
        status, baseline = instance.status, _newest(record.baseline, instance)
        baseline = await self._as_before_the_stop(record, baseline)
        while True:
            try:
                await self._services.ledger.move(
                    record.request.id,
                    state,
                    baseline=baseline,
                    last_status=status,
                    path=(status,),
                )
            except InstanceBusy as busy_error:
                host = busy_error.record.request.id
                if await self._services.ledger.join(record.request.id, host):
                    return False
            else:
                self._claimed.add(record.request.id)
                return True

    async def _as_before_the_stop(self, record: Record, now: Instance) -> Instance:
        """Return *now*; if a restart has left it down, with the lease of before."""
        if not record.request.urgent:
            return now
        left = await self._services.ledger.down(record.request.target.key)
        before = left[-1].baseline if left else None
        return replace(now, lease=before.lease) if before and before.lease else now

    async def _read(self, record: Record) -> Instance | None:
        """Return the instance if a restart makes sense, else end the request."""
        target, instance = record.request.target, None
        try:
            instance = await few_times(
                lambda: self._services.cloud.read(target, rank=Rank.RESTART)
            )
        except CloudError as error:
            why = str(error)
            tell = log.error if isinstance(error, CloudMisfit) else log.warning
            tell("the instance could not be read", error=why)
        else:
            self._services.authorizer.saw(target, instance)
            why = unsuitable(record.request, instance)
            if not why:
                instance = await self._capacity.warned(record.request, instance)
                why = refusal(record.request, instance)
        if not why:
            return instance
        known: dict[str, Any] = {}
        if instance is not None:
            known = {"baseline": instance, "last_status": instance.status}
        await self._services.ledger.move(
            record.request.id, State.NOT_RESTARTED, detail=why, **known
        )
        return None

    async def still_right(self, record: Record) -> bool:
        """Say whether what ``prepare`` found still holds; else end or follow it."""
        request_id = record.request.id
        if why := (await self._rights.lost_in_the_end(record)).why:
            await self._services.ledger.move(
                request_id, State.NOT_RESTARTED, detail=why
            )
            return False
        now = await self._read(record)
        if now is None:
            return False
        if class_of(now.status) is StatusClass.BUSY:
            status = now.status
            await self._services.ledger.move(
                request_id, State.FOLLOWING, last_status=status
            )
            return False
        if why := _other_status(record, now) or _moved(record, now):
            await self._services.ledger.move(
                request_id, State.NOT_RESTARTED, detail=why
            )
        return not why

    async def _void(self, record: Record, why: str) -> bool | None:
        """End what may not be restarted any more; None as in ``prepare``."""
        try:
            await self._services.ledger.move(
                record.request.id, State.VOIDED, detail=why, only_from=record.state
            )
        except StateConflict:  # another life has taken an approval off meanwhile
            return None
        return False

    async def in_time(self, record: Record) -> bool:
        """Say whether neither a freeze nor a closed window has come since; else end it.

        This is asked again right before the call, whenever that is.
        """
        decision = await self._services.authorizer.not_now(record.request)
        if decision is None:
            return True
        if decision.frozen:
            await self.refuse(record, decision.why)
            return False
        # Where nobody has approved under a rule another one may let it pass by now.
        before = record.state in {State.ASKED, State.APPROVED}
        anew = self._rights.lost if before else self._rights.lost_in_the_end
        why = decision.why if record.request.waits else (await anew(record)).why
        if why:
            state = State.VOIDED if before else State.NOT_RESTARTED
            ledger = self._services.ledger
            await ledger.move(record.request.id, state, detail=why)
        return not why

    async def refuse(self, record: Record, why: str) -> None:
        """Refuse what was allowed before and has not been sent."""
        with suppress(StateConflict):  # another life has sent it meanwhile
            await self._services.ledger.move(
                record.request.id, State.REFUSED, detail=f"Refused: {why}"
            )

    async def _changed(self, record: Record, instance: Instance) -> str:
        """Return how this is not what was approved, or nothing.

        The trail holds the digest of what was asked and approved: it also tells of a
        record that was changed behind the bot's back.
        """
        request = record.request
        if record.state is not State.APPROVED or record.baseline is None:
            return ""
        if why := _other_status(record, instance) or _moved(record, instance):
            return why
        if await self._services.ledger.digests(request.id) != {
            digest(request, instance.status)
        }:
            return "What is on record is no longer what was approved; ask again."
        return ""


def _may_wait_again(batch: Batch) -> bool:
    """Say whether approval can be asked for again: nothing was announced yet."""
    approved = batch.record.state is State.APPROVED
    return approved and batch.speaks and not batch.message_ts


def _other_status(record: Record, now: Instance) -> str:
    """Return that this is not the status whose restart was approved, or nothing."""
    before = record.baseline
    if before is None or not record.request.waits:
        return ""
    if class_of(before.status) is class_of(now.status):
        return ""
    return (
        f"Its status changed from {shown(before.status)} to {shown(now.status)} since"
        " approval was asked for."
    )


def _moved(record: Record, now: Instance) -> str:
    """Return that something was done to the instance since the baseline, or nothing.

    It may be this very restart: a database that was put back from before it does not
    know that it was sent. The cloud's own timestamp does.
    """
    before = record.baseline.updated_ms if record.baseline else None
    if before is None or now.updated_ms is None or now.updated_ms <= before:
        return ""
    when = "approval was asked for" if record.request.waits else "it was announced"
    return (
        f"{record.request.target.instance} was changed meanwhile: the cloud has another"
        f" time of its last change than when {when}. Nothing was sent; look at it, and"
        " ask again if it is still to be restarted."
    )


def _newest(before: Instance | None, now: Instance) -> Instance:
    """Return *now* with the later of both timestamps: an answer may be a stale one."""
    stamps = [one.updated_ms for one in (before, now) if one and one.updated_ms]
    return replace(now, updated_ms=max(stamps, default=None))


def _idle_again(record: Record, instance: Instance) -> str:
    """Return that what was to be followed has ended, or nothing.

    A busy instance is followed without approval; more nobody has agreed to.
    """
    busy = class_of(instance.status) is StatusClass.BUSY
    if busy or not record.request.waits or record.state is State.APPROVED:
        return ""
    return (
        f"{record.request.target.instance} was busy when it was asked for and is"
        f" {shown(instance.status)} now. Ask again if it is still to be restarted."
    )
