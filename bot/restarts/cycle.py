"""Watching a stop or a start until the next act is due, or it has ended.

``lifecycle`` says what a look means; here is the looking. What has been seen is in the
record before anything follows from it, so that a crash anywhere goes on from there.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, Literal

import attrs
import structlog

from bot.cloud import Rank
from bot.errors import CloudBusy, CloudError, CloudGone
from bot.model import (
    Act,
    Instance,
    Record,
    State,
    StatusClass,
    class_of,
    is_starting,
    is_stopping,
)
from bot.restarts.lifecycle import (
    Limits,
    Looked,
    Turn,
    is_news,
    judge_start,
    judge_stop,
    seen,
)
from bot.restarts.polling import next_look
from bot.restarts.progress import Progress
from bot.restarts.renewal import Renewal
from bot.restarts.retry import wait_after
from bot.restarts.services import Services
from bot.slack.messages.formatting import duration

log = structlog.get_logger()

Next = Literal["send", "say"]  # what the workflow does before it watches on

GONE_AFTER = 3  # looks in a row that found no such instance
FREQUENT_S = 1.0  # between two looks of which the second one decides

_ENDS = {
    Turn.READY: State.READY,
    Turn.LOST: State.UNKNOWN,
    Turn.KEPT_DOWN: State.FAILED,
    Turn.FAILED: State.FAILED,
    Turn.TIMED_OUT: State.TIMED_OUT,
    Turn.DOWN: State.FAILED,
}
# What we have stopped and is not up when nobody watches it any more is down.
_DOWN = frozenset({Turn.DOWN, Turn.TIMED_OUT})


@attrs.define
class CycleWatch:
    """One stop or start being watched."""

    _services: Services
    _sleep: Callable[[float], Awaitable[None]]
    _record: Record
    _progress: Progress
    _durations: tuple[float, ...]
    _look: Looked = attrs.field(factory=Looked, init=False)
    _seen: Instance | CloudError | None = attrs.field(default=None, init=False)
    _gone: int = attrs.field(default=0, init=False)
    _begun: float = attrs.field(factory=time.monotonic, init=False)

    async def run(self) -> Next | None:
        """Look again and again; say what comes next, None when it has ended."""
        first = True
        while True:
            if self._record.trouble and not self._record.trouble_told:
                return "say"
            status = self._look.status or self._record.last_status
            self._progress.show(self._record, status, self._at_s(self._record.sent_at))
            await self._sleep(0.0 if first else self._wait_s())
            first = False
            turn = await self._turn()
            if turn is not Turn.GOING_ON:
                return await self._follow(turn)

    async def _turn(self) -> Turn:
        """Look once and judge; a read that fails is survived."""
        target = self._record.request.target
        try:
            self._seen = now = await self._services.cloud.read(target, rank=Rank.LOOK)
        except CloudError as error:
            log.info("look failed", error=str(error))
            self._seen = error
            self._gone = self._gone + 1 if isinstance(error, CloudGone) else 0
            return Turn.FAILED if self._gone >= GONE_AFTER else self._judge(None)
        self._gone = 0
        self._services.authorizer.saw(target, now)
        self._look = self._look.after(now.status)
        await self._learn(now)
        return self._judge(self._look)

    async def _learn(self, now: Instance) -> None:
        """Keep what a look shows, where it is new."""
        record, kind = self._record, class_of(now.status)
        fields: dict[str, Any] = {}
        if is_news(record, now.status):
            fields["path"] = seen(record.path, now.status)
        if kind is not StatusClass.READY:
            fields["seen_other"] = True
        if record.act is Act.START:
            up = is_starting(now.status) or kind is StatusClass.READY
            fields["came_up"] = record.came_up or up
            if now.status.upper() == "START_FAILED":
                # What it does from here on nobody has done to it.
                fields["came_up"] = False
                fields["trouble"] = now.failure or f"It is {now.status}."
        fields["last_status"] = now.status
        await self._keep(**fields)

    async def _keep(self, **fields: Any) -> None:
        """Keep *fields* in the record, if they change it."""
        new = {k: v for k, v in fields.items() if getattr(self._record, k) != v}
        if new:
            request_id = self._record.request.id
            await self._services.ledger.update(request_id, **new)
            self._record = await self._services.ledger.existing(request_id)

    def _judge(self, look: Looked | None) -> Turn:
        watch = self._services.settings().watch
        limits = Limits(watch.lost, watch.unchanged, watch.timeout)
        record = self._record
        if record.act is Act.STOP:
            turn = judge_stop(record, look, limits, self._at_s(record.sent_at))
        else:
            turn = judge_start(record, look, limits, self._services.now())
        # After a long absence of the bot nothing is too late at the first look.
        fresh = time.monotonic() - self._begun < min(watch.lost, watch.timeout)
        hasty = turn in {Turn.TIMED_OUT, Turn.DOUBT, Turn.LOST} and fresh
        return Turn.GOING_ON if hasty else turn

    async def _follow(self, turn: Turn) -> Next | None:
        """Keep what a look has decided; say what comes next, None at the end."""
        match turn:
            case Turn.AGAIN:
                return "send"
            case Turn.DOUBT:
                return "say"
            case Turn.STOPPED:
                await self._keep(done=1, stopped_at=self._services.now())
                return "send"
            case Turn.OVERTAKEN:
                await self._keep(done=1, came_up=True)
                return "send"  # which finds it up, and sends nothing
        await self._end(turn)
        return None

    async def _end(self, turn: Turn) -> None:
        record = self._record
        after_s = self._at_s(record.sent_at)
        detail = await self._detail(turn)
        await self._services.ledger.move(
            record.request.id,
            self._state(turn),
            last_status=self._look.status or record.last_status,
            duration_s=after_s if record.sent_at else None,
            detail=detail,
        )

    def _state(self, turn: Turn) -> State:
        """Return what the request ends as."""
        record = self._record
        if record.request.plan[0] is not Act.STOP or turn not in _DOWN:
            return _ENDS[turn]
        unseen = record.act is Act.STOP and not any(map(is_stopping, record.path))
        return State.UNKNOWN if unseen else State.DOWN

    def _at_s(self, since: datetime | None) -> float:
        """Return the seconds since a time on record."""
        passed = self._services.now() - since if since else timedelta()
        return max(0.0, passed.total_seconds())

    def _wait_s(self) -> float:
        """Return the seconds until the next look."""
        watch = self._services.settings().watch
        status = self._look.status
        up = class_of(status) is StatusClass.READY and self._record.act is Act.START
        if up and self._look.in_a_row == 1:
            return min(FREQUENT_S, watch.poll)
        at_s = self._at_s(self._record.sent_at)
        wait = next_look(at_s, self._durations, watch.poll)
        lag_s = self._services.cloud.lag_s(self._record.request.target)
        wait = max(min(wait, FREQUENT_S), wait - lag_s)
        if isinstance(self._seen, CloudBusy):
            wait = max(wait, wait_after(self._seen, 0.0))
        return wait

    async def _detail(self, turn: Turn) -> str:
        """Return one sentence on how it ended, where the status does not say it."""
        record, now = self._record, self._seen
        match turn:
            case Turn.READY:
                if not isinstance(now, Instance):
                    return ""
                return await Renewal(self._services).kept(record, now)
            case Turn.LOST:
                return (
                    "It was not seen stopped. Nothing more was sent; ask again if you"
                    " still want it."
                )
            case Turn.KEPT_DOWN:
                return (
                    "Somebody, or its auto-stop, has stopped it after it was started."
                    " I do not start it again."
                )
            case Turn.DOWN:
                return record.trouble or "It could not be started within the hour."
        if isinstance(now, CloudGone):
            return "The cloud says that there is no such instance any more."
        limit = duration(self._services.settings().watch.timeout)
        if isinstance(now, CloudError):
            return f"At the time limit of {limit} its status could not be read: {now}"
        if turn is Turn.TIMED_OUT:
            stands = f"Its status still stands at {self._look.status}"
            return f"{stands}. The time limit of {limit} is over."
        return now.failure if now else ""
