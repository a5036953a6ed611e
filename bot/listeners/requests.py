"""Asking for a restart, and withdrawing it: decided, recorded, then begun.

Commands and dialogs come here with the same facts and get the same answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import structlog

from bot.config import Settings
from bot.errors import LedgerError, SlackError, SlackRefused, StateConflict
from bot.ledger import Entry, Ledger, entry_of
from bot.listeners.payloads import Actor
from bot.listeners.refusal_limit import RefusalLimit
from bot.listeners.tasks import Tasks
from bot.model import (
    Decision,
    Message,
    Person,
    Record,
    Request,
    State,
    Target,
    Verdict,
    request_id,
)
from bot.policy import Question, explained
from bot.policy.authorizer import Authorizer
from bot.restarts import Restarts
from bot.slack.messages import replies
from bot.slack.messages.formatting import what_of
from bot.telemetry.metrics import Metrics

log = structlog.get_logger()

# Slack waits 3 s for an acknowledgement (reference/slack.md section 2).
DECIDE_WITHIN_S = 1.4
RECORD_WITHIN_S = 0.9


class RequestListeners:
    """Takes requests on; nothing that it acknowledges is ever forgotten."""

    def __init__(
        self,
        *,
        settings: Callable[[], Settings],
        authorizer: Authorizer,
        ledger: Ledger,
        restarts: Restarts,
        tasks: Tasks,
        refusals: RefusalLimit,
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._authorizer = authorizer
        self._ledger = ledger
        self._restarts = restarts
        self._tasks = tasks
        self._refusals = refusals
        self._metrics = metrics

    async def restart(
        self,
        actor: Actor,
        project: str,
        instance: str,
        *,
        reason: str = "",
        break_glass: bool = False,
    ) -> Message:
        """Decide and record a restart and begin its story; return the answer."""
        request = Request(
            id=request_id(actor.delivery),
            team_id=actor.team_id,
            user_id=actor.user_id,
            target=self._settings().target(project, instance),
            channel_id=actor.channel_id,
            asked_at=datetime.now(UTC),
            reason=explained(reason),
            break_glass=break_glass,
            thread_ts=actor.thread_ts,
            response_url=actor.response_url,
        )
        with structlog.contextvars.bound_contextvars(
            request=request.id, user=request.user_id
        ):
            return await self._ask(request)

    async def _ask(self, request: Request) -> Message:
        """Decide on *request* and record it, whatever the decision is."""
        decision = await self.decide(request)
        if isinstance(decision, Message):
            return decision
        log.info("asked", decision=str(decision.verdict), rule=decision.rule)
        request = request.ruled_by(decision)
        try:
            async with asyncio.timeout(RECORD_WITHIN_S + 0.2):
                return await self._record(request, decision)
        except (LedgerError, TimeoutError) as error:
            log.error("not recorded", error=str(error))
            return replies.cannot_record()

    async def decide(self, request: Request) -> Decision | Message:
        """Return what policy says, or the message that says why nobody can tell."""
        if limit := self._refusals.limit(request.user_id):
            return limit
        try:
            async with asyncio.timeout(DECIDE_WITHIN_S):
                return await self._authorizer.decide(Question.of(request))
        except LedgerError:
            return replies.cannot_record()
        except SlackRefused as error:
            log.warning("who asks is not known", error=str(error))
            return Decision(
                Verdict.DENY,
                f"Slack does not tell me who you are: {error}",
                "Whoever runs the bot finds out why with mlstudio-bot check.",
            )
        except (SlackError, TimeoutError) as error:
            why = str(error) or "no answer in time"
            log.warning("who asks is not known", error=why)
            return Decision(
                Verdict.DENY,
                "Slack did not tell me in time who you are and in which groups.",
                "Try again in a minute.",
            )

    async def _record(self, request: Request, decision: Decision) -> Message:
        """Write the request down, then begin it; a refusal is written down too."""
        denied = decision.verdict is Verdict.DENY
        record, new = await self._ledger.record(
            request,
            refusal=decision.why if denied else "",
            deadline=datetime.now(UTC) + timedelta(seconds=RECORD_WITHIN_S),
        )
        if record.state is State.REFUSED:
            if new:
                self._refusals.count(request.user_id, decision)
                self._metrics.requests.labels(str(State.REFUSED)).inc()
            return replies.refusal(decision, request.target)
        if record.state is State.JOINED:
            return await self._joined(record)
        if record.state is State.ASKED:
            self._tasks.start(self._restarts.begin(record.request.id), "begin")
        if new and request.break_glass:
            self._metrics.break_glass.inc()
        return replies.accepted(record)

    async def _joined(self, record: Record) -> Message:
        return replies.joined_already(await self._ledger.existing(record.joined))

    async def cancel(self, actor: Actor, project: str, instance: str) -> Message:
        """Withdraw the pending request of an instance, if the asker may."""
        target = self._settings().target(project, instance)
        record = await self._ledger.pending(target.key)
        if record is None:
            return replies.nothing_pending(target)
        decision = await self._may_cancel(actor, record)
        if decision is not None and decision.verdict is Verdict.DENY:
            await self._refused(actor, record, decision)
            return replies.cancel_refused(decision, target)
        # A batch is withdrawn as a whole.
        what = what_of(await self._ledger.batch(record.request.batch))
        try:
            record = await self._ledger.move(
                record.request.id, State.CANCELLED, by=actor.person
            )
        except StateConflict as conflict:
            return replies.decided(conflict.record, actor.user_id, what)
        self._restarts.wake(record.request.speaks)
        return replies.cancelled(record, what)

    async def _may_cancel(self, actor: Actor, record: Record) -> Decision | None:
        """Return None for the requester, else whether the asker is an approver."""
        request = record.request
        if actor.user_id == request.user_id or request.approval is None:
            return None
        return self._refusals.limit(
            actor.user_id
        ) or await self._authorizer.may_approve(
            actor.user_id,
            actor.team_id,
            request.approval,
            requester_id=request.user_id,
        )

    async def turn_away(self, actor: Actor, decision: Decision) -> Message:
        """Refuse somebody whom no rule can let in, on record as every refusal."""
        self._refusals.count(actor.user_id, decision, "outsider")
        entry = Entry(kind="refused", detail=decision.why)
        await self._ledger.note(entry.by(actor.person))
        return replies.refusal(decision)

    async def refuse(
        self, person: Person, refused: Sequence[tuple[Target, Decision]]
    ) -> None:
        """Put on record what a dialog was refused and may ask for again.

        It makes no request of it: the same dialog may come back with a reason.
        """
        self._refusals.count(person.user_id, refused[0][1])
        for target, decision in refused:
            entry = Entry(
                kind="refused",
                project=target.project,
                instance=target.instance,
                instance_id=target.instance_id,
                rule=decision.rule,
                rule_version=decision.rule_version,
                detail=decision.why,
            )
            await self._ledger.note(entry.by(person))

    async def _refused(self, actor: Actor, record: Record, decision: Decision) -> None:
        self._refusals.count(actor.user_id, decision, "cancel")
        entry = entry_of(record.request, "cancel refused", detail=decision.why)
        await self._ledger.note(entry.by(actor.person))
