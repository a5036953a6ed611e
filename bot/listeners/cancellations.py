"""Withdrawing a request that waits for approval: by who asked, or who may approve."""

from __future__ import annotations

import attrs

from bot.errors import StateConflict
from bot.ledger import entry_of
from bot.listeners.payloads import Actor
from bot.listeners.refusal_limit import RefusalLimit
from bot.model import Decision, Message, Record, State, Verdict
from bot.restarts import Restarts
from bot.restarts.services import Services
from bot.slack import command as words
from bot.slack.messages import replies
from bot.slack.messages.formatting import what_of
from bot.telemetry import request_log


@attrs.frozen
class Cancellations:
    """Takes the word back of who asked; the ledger decides whether that is in time."""

    _services: Services
    _restarts: Restarts
    _refusals: RefusalLimit

    async def cancel(self, actor: Actor, command: words.Cancel) -> Message:
        """Withdraw the pending request of an instance, if the asker may."""
        ledger = self._services.ledger
        target = self._services.settings().target(command.project, command.instance)
        record = await ledger.pending(target.key)
        if record is None:
            return replies.nothing_pending(target)
        request_log.bind(record.request)
        decision = await self._may_cancel(actor, record)
        if decision is not None and decision.verdict is Verdict.DENY:
            entry = entry_of(record.request, "cancel refused", detail=decision.why)
            await self._refusals.note(actor, decision, "cancel", entry)
            return replies.cancel_refused(decision, target)
        # A batch is withdrawn as a whole.
        what = what_of(await ledger.batch(record.request.batch))
        try:
            record = await ledger.move(
                record.request.id,
                State.CANCELLED,
                by=actor.person,
                delivery=f"cancel {actor.delivery}",
            )
        except StateConflict as conflict:
            return replies.decided(conflict.record, actor.user_id, what)
        self._restarts.wake(record.request.speaks)
        return replies.cancelled(record, what)

    async def _may_cancel(self, actor: Actor, record: Record) -> Decision | None:
        """Return None for the requester, else whether the asker is an approver."""
        request = record.request
        own = await self._services.authorizer.same(actor.user_id, request.user_id)
        if own or request.approval is None:
            return None
        return await self._refusals.may_approve(actor, request)
