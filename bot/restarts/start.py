"""The start of an instance: sent only right after a read that says it is stopped.

So it may be sent again, as nothing else may: whoever finds it stopped knows that no
start has had an effect since, and each try is a claim of its own.
"""

from __future__ import annotations

import time

import attrs
import structlog

from bot.cloud import Rank
from bot.errors import (
    CloudAutoStop,
    CloudBusy,
    CloudError,
    CloudFollow,
    CloudGone,
    CloudMisfit,
    CloudRefused,
)
from bot.ledger.retry import patiently
from bot.model import (
    Act,
    AutoStop,
    Instance,
    Record,
    State,
    StatusClass,
    can_start,
    class_of,
)
from bot.restarts import lease
from bot.restarts.lifecycle import Limits, is_due, is_over, seen
from bot.restarts.retry import few_times
from bot.restarts.services import Services

log = structlog.get_logger()

READ_HOLDS_S = 10.0  # what was read longer ago says nothing of now
HELD_UP = "The bot was held up right before the start, so it was not sent."


@attrs.frozen
class Starter:
    """Starts instances on behalf of this process *life*."""

    _services: Services
    _life: str

    async def start(self, record: Record) -> None:
        """Send the start, if it is due and a read says that it has to be."""
        now, read_at = await self._stopped(record), time.monotonic()
        if now is None:
            return
        auto_stop = lease.auto_stop_of(record.baseline, self._now_ms(now))
        if not await self._send(record, auto_stop, read_at):
            return
        # A cloud that does not take the auto-stop has not started it.
        record = await self._services.ledger.existing(record.request.id)
        if await self._stopped(record, waits=False) is not None:
            await self._send(record, lease.LONGEST, time.monotonic())

    async def _stopped(self, record: Record, *, waits: bool = True) -> Instance | None:
        """Return what the cloud says, if that is that it may be started now."""
        watch, at = self._services.settings().watch, self._services.now()
        limits = Limits(watch.lost, watch.unchanged, watch.timeout)
        if is_over(record, at):
            return None
        target = record.request.target
        try:
            now = await few_times(
                lambda: self._services.cloud.read(target, rank=Rank.RESTART)
            )
        except CloudError as error:
            log.info("not read right before the start", error=str(error))
            return None
        self._services.authorizer.saw(target, now)
        somebodys = record.came_up and class_of(now.status) is StatusClass.STOPPED
        due = not waits or is_due(record, now.status, limits, at)
        return now if can_start(now.status) and not somebodys and due else None

    async def _send(self, record: Record, auto_stop: AutoStop, read_at: float) -> bool:
        """Send the start; say whether its auto-stop alone was refused.

        *read_at*, of the monotonic clock, is when the read that allows it came.
        """
        ledger, target = self._services.ledger, record.request.target
        if not await ledger.take_start(record, self._life):
            log.warning("somebody else starts it")
            return False
        if time.monotonic() - read_at > READ_HOLDS_S:  # frozen, or a slow database
            await self._answered(record, "refused", CloudBusy(HELD_UP), told=False)
            return False
        try:
            answer = await self._services.cloud.act(
                target, Act.START, auto_stop=auto_stop
            )
        except CloudAutoStop as error:
            await self._answered(record, "refused", error, told=False)
            return auto_stop != lease.LONGEST
        except CloudBusy as error:
            await self._answered(record, "refused", error)
        except CloudFollow as error:  # it is up, or on its way: the next look shows it
            await self._answered(record, "busy", error, told=False)
        except CloudGone as error:
            await self._answered(record, "refused", error, told=False)
        except CloudRefused as error:
            await self._forbidden(record, error)
        except CloudError as error:  # nobody knows: only a read can tell
            await self._answered(record, "lost", error, told=bool(error.status))
        else:
            path = seen(record.path, answer.previous, answer.current)
            await patiently(
                lambda: ledger.start_answered(
                    record, "accepted", ref=answer.ref, path=path
                )
            )
        return False

    async def _answered(
        self, record: Record, answer: str, error: CloudError, *, told: bool = True
    ) -> None:
        """Keep why a try had no answer that says yes; *told*: people are to know."""
        why, ref = str(error), error.ref
        log.warning("not started", answer=answer, error=why)
        fields = {"trouble": why} if told else {}
        await patiently(
            lambda: self._services.ledger.start_answered(
                record, answer, why=why, ref=ref, **fields
            )
        )

    async def _forbidden(self, record: Record, error: CloudRefused) -> None:
        """End it: no further try would be taken either."""
        await self._answered(record, "refused", error)
        tell = log.error if isinstance(error, CloudMisfit) else log.warning
        tell("the cloud refused the start", error=str(error))
        ours = record.request.plan[0] is Act.STOP
        state = State.DOWN if ours else State.NOT_RESTARTED
        await patiently(
            lambda: self._services.ledger.move(
                record.request.id, state, detail=str(error), ref=error.ref
            )
        )

    def _now_ms(self, now: Instance) -> int:
        """Return the cloud's clock; ours where it does not say."""
        return now.read_ms or int(self._services.now().timestamp() * 1000)
