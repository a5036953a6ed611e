"""Watching an instance until its restart has ended, or its next act is due.

One request at a time is under way for an instance, so one watch looks at it, however
many people wait. ``polling`` says when to look, ``readiness`` what has been seen; here
is the looking.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

import attrs
import structlog

from bot.cloud import Rank
from bot.errors import CloudBusy, CloudError, CloudGone
from bot.model import Act, Instance, Record, State, class_of
from bot.restarts.cycle import CycleWatch, Next
from bot.restarts.message import Messages
from bot.restarts.polling import next_look
from bot.restarts.progress import Progress
from bot.restarts.readiness import Evidence, Limits, Look, Phase, judge
from bot.restarts.retry import wait_after
from bot.restarts.services import Services
from bot.slack.messages.formatting import duration, sentence

log = structlog.get_logger()

GONE_AFTER = 3  # looks in a row that found no such instance

ENDS = {
    Phase.READY: State.READY,
    Phase.FAILED: State.FAILED,
    Phase.STOPPED: State.FAILED,
    Phase.UNCHANGED: State.UNKNOWN,
    Phase.LOST: State.UNKNOWN,
    Phase.TIMED_OUT: State.TIMED_OUT,
}


@attrs.frozen
class Watcher:
    """Follows restarts to their end; one for all workflows."""

    _services: Services
    _messages: Messages
    _sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def until_next(self, record: Record) -> Next | None:
        """Watch until something has to be sent or said next; return what.

        None: it has ended, and its record was moved to that end.
        """
        services, request = self._services, record.request
        wants = "start" if request.wants is Act.START else ""
        durations = await services.ledger.durations(request.target.key, wants)
        progress = Progress(self._messages, durations, services.settings().watch.poll)
        watch: _Watch | CycleWatch
        if record.state is State.FOLLOWING or record.act is Act.RESTART:
            watch = _Watch(services, self._sleep, record, progress, durations)
        else:
            watch = CycleWatch(services, self._sleep, record, progress, durations)
        try:
            return await watch.run()
        finally:
            await progress.close()


class _Watch:
    """One restart being watched: what has been seen of it so far."""

    def __init__(
        self,
        services: Services,
        sleep: Callable[[float], Awaitable[None]],
        record: Record,
        progress: Progress,
        durations: tuple[float, ...],
    ) -> None:
        self._services = services
        self._settings = services.settings().watch
        self._sleep = sleep
        self._record = record
        self._progress = progress
        self._durations = durations
        self._evidence = evidence_of(record)
        self._seen: Instance | CloudError | None = None
        self._status = record.current or record.last_status
        self._gone = 0
        started = record.sent_at or record.request.asked_at
        passed = (services.now() - started).total_seconds()
        # From here on a monotonic clock counts: the wall clock may jump.
        self._zero = time.monotonic() - max(0.0, passed)
        # After a crash nobody has looked for a while: look at once.
        self._resumed = passed > self._settings.poll
        self._begun = time.monotonic()

    async def run(self) -> Next | None:
        """Look again and again until it has ended; record the end."""
        phase = Phase.GOING_ON
        wait_s = 0.0 if self._resumed else self._wait_s()
        while phase is Phase.GOING_ON:
            self._progress.show(self._record, self._status, self._at_s())
            await self._sleep(wait_s)
            phase = await self._look()
            wait_s = self._wait_s()
        unread = phase is Phase.TIMED_OUT and isinstance(self._seen, CloudError)
        await self._services.ledger.move(
            self._record.request.id,
            State.UNKNOWN if unread else ENDS[phase],
            last_status=self._status,
            duration_s=self._at_s(),
            detail=self._with_refusal(self._detail(phase)),
        )
        return None

    def _at_s(self) -> float:
        """Return the seconds since the restart call."""
        return time.monotonic() - self._zero

    def _wait_s(self) -> float:
        """Return the seconds until the next look, which is not after the limit."""
        settings, at_s = self._settings, self._at_s()
        wait = next_look(
            at_s,
            self._durations,
            settings.poll,
            evidence=self._evidence,
            settle_s=settings.settle,
        )
        if isinstance(self._seen, CloudBusy):
            wait = max(wait, wait_after(self._seen, 0.0))
        left = settings.timeout - at_s
        return wait if self._is_late else max(0.0, min(wait, left))

    async def _look(self) -> Phase:
        """Look once and judge; a read that fails is survived."""
        begun_s = self._at_s()
        try:
            target = self._record.request.target
            self._seen = await self._services.cloud.read(target, rank=Rank.LOOK)
        except CloudError as error:
            log.info("look failed", error=str(error))
            self._seen = error
            self._gone = self._gone + 1 if _is_gone(error) else 0
            return Phase.FAILED if self._gone >= GONE_AFTER else self._judge(None)
        self._gone, self._status = 0, self._seen.status
        self._services.authorizer.saw(target, self._seen)
        look = Look(begun_s, self._seen.status, self._seen.updated_ms)
        await self._learn(self._evidence.after(look))
        return self._judge(look)

    async def _learn(self, evidence: Evidence) -> None:
        """Keep new evidence; what a crash must not forget goes into the record."""
        before, self._evidence = self._evidence, evidence
        fields: dict[str, str | bool] = {}
        if evidence.seen_other and not before.seen_other:
            fields["seen_other"] = True
        baseline = self._record.baseline
        seen = before.doubtful and not evidence.doubtful
        if seen and baseline and class_of(self._status) != class_of(baseline.status):
            # The cloud's answer was lost, but the restart is seen to happen.
            fields["previous"] = baseline.status
            fields["current"] = self._status
        if not fields:
            return
        await self._services.ledger.update(self._record.request.id, **fields)
        self._record = replace(self._record, **fields)  # type: ignore[arg-type]

    @property
    def _is_late(self) -> bool:
        """Whether nobody looked for so long that no time limit says anything yet.

        The bot was down, or its host's clock has jumped: it looks for a while before
        it gives up.
        """
        limit_s = min(self._settings.lost, self._settings.timeout)
        looked_s = time.monotonic() - self._begun
        return self._resumed and looked_s < limit_s

    def _judge(self, look: Look | None) -> Phase:
        of = self._settings
        limits = Limits(of.settle, of.timeout, of.lost, of.unchanged)
        if self._is_late:
            limits = Limits(of.settle)
        return judge(self._evidence, look, limits, at_s=self._at_s())

    def _detail(self, phase: Phase) -> str:
        """Return one sentence on how it ended, where the status does not say it."""
        if phase is Phase.LOST:
            return (
                "The cloud's answer was lost and the instance shows no restart."
                " Nothing more was sent; ask again if you still want it."
            )
        if phase is Phase.UNCHANGED and self._record.state is State.FOLLOWING:
            return (
                "The cloud said it is busy and did not take the restart, but its status"
                " never changed, so I cannot tell what it is busy with."
            )
        if phase is Phase.UNCHANGED:
            return (
                "The cloud accepted the restart, but its status never changed, so I"
                " cannot tell whether it happened."
            )
        if isinstance(self._seen, CloudError):
            return self._unread(self._seen, phase)
        if phase is Phase.TIMED_OUT:
            return f"The time limit of {duration(self._settings.timeout)} is over."
        return self._seen.failure if self._seen and phase is Phase.FAILED else ""

    def _with_refusal(self, detail: str) -> str:
        """Return *detail* after what the cloud said when it did not take the restart.

        That is why it was only followed, and it may say what the instance is busy with.
        """
        said = self._record.detail if self._record.state is State.FOLLOWING else ""
        return " ".join(filter(None, (sentence(said), detail)))

    def _unread(self, error: CloudError, phase: Phase) -> str:
        """Return how it ended where the last look failed."""
        if phase is Phase.FAILED:
            return "The cloud says that there is no such instance any more."
        limit = duration(self._settings.timeout)
        return f"At the time limit of {limit} its status could not be read: {error}"


def evidence_of(record: Record) -> Evidence:
    """Return what the record holds of what has been seen."""
    accepted = True if record.answered == "accepted" else None
    return Evidence(
        baseline_status=record.baseline.status if record.baseline else "",
        baseline_updated_ms=record.baseline.updated_ms if record.baseline else None,
        sent=False if record.state is State.FOLLOWING else accepted,
        seen_other=record.seen_other,
        changed=record.answered == "lost" and bool(record.current),
    )


def _is_gone(error: CloudError) -> bool:
    """Say whether the cloud says for certain that there is no such instance."""
    return isinstance(error, CloudGone)
