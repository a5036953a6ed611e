"""The buttons of an approval request: who clicks is asked for his right anew."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import attrs
import structlog
from slack_bolt.context.ack.async_ack import AsyncAck

from bot.errors import LedgerError, SlackError, StateConflict
from bot.ledger import Entry, entry_of
from bot.listeners.payloads import Actor, who_clicked
from bot.listeners.quota import Quota
from bot.listeners.refusal_limit import RefusalLimit
from bot.listeners.responses import Responses, wait_of
from bot.listeners.tasks import Tasks, in_time
from bot.model import Decision, Message, Record, State, Verdict
from bot.policy.cover import Cover
from bot.restarts import Restarts
from bot.restarts.approval import Approvals
from bot.restarts.services import Services
from bot.slack.messages import dialogs, replies
from bot.slack.messages.approval import APPROVE
from bot.slack.messages.formatting import what_of
from bot.telemetry import request_log

log = structlog.get_logger()

IN_VAIN = 20  # clicks of one person within a minute on what is decided or unknown
TOO_MANY = "You clicked too often within a minute, so this click was not looked at."


@attrs.frozen
class ApprovalButtons:
    """Takes Approve and Deny; the ledger decides which word was the first."""

    _services: Services
    _approvals: Approvals
    _restarts: Restarts
    _responses: Responses
    _tasks: Tasks
    _refusals: RefusalLimit
    _vain: Quota = attrs.field(factory=lambda: Quota(IN_VAIN), init=False)
    # What need not be done twice within a minute, whoever clicks how often.
    _once: Quota = attrs.field(factory=lambda: Quota(1), init=False)

    async def on_click(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """Take a click: recorded before it is acknowledged, and always answered."""
        await in_time(self._tasks.start(self._take(body), "click"))
        await ack()

    async def _take(self, body: dict[str, Any]) -> None:
        actor, action = who_clicked(body), body["actions"][0]
        request_id = str(action.get("value") or "")
        with structlog.contextvars.bound_contextvars(
            user=actor.user_id, request=request_id
        ):
            if self._vain.is_spent(actor.user_id):
                again = "Click again in a minute."
                await self._responses.whisper(actor, replies.plain(TOO_MANY, again))
                return
            answer = await self._decide(actor, request_id, action["action_id"], body)
            if answer is not None:
                await self._responses.whisper(actor, answer)
            await self._tidy(actor, request_id, body)

    async def _tidy(self, actor: Actor, request_id: str, body: dict[str, Any]) -> None:
        """Take the buttons off a card that a crash has left beside the real one."""
        clicked = str((body.get("container") or {}).get("message_ts") or "")
        if not self._once.use(f"tidy {request_id} {actor.channel_id} {clicked}"):
            return
        try:
            await self._approvals.close_copy(request_id, actor.channel_id, clicked)
        except LedgerError as error:
            log.warning("card not looked at", error=str(error))

    async def _decide(
        self, actor: Actor, request_id: str, action_id: str, body: dict[str, Any]
    ) -> Message | None:
        try:
            if refusal := await self._turned_away(actor, request_id, action_id):
                return refusal
            record = await self._services.ledger.get(request_id)
            if record is None or record.request.approval is None:
                return await self._unknown(actor, request_id)
            request_log.bind(record.request)
            if record.state is not State.PENDING:
                return await self._too_late(actor, record)
            decision = await self._refusals.may_approve(actor, record.request)
            if decision.verdict is Verdict.DENY:
                return await self._refuse(actor, record, decision)
            if action_id == APPROVE and (
                closed := await self._services.authorizer.not_now(record.request)
            ):
                return await self._refuse(actor, record, closed)
            return await self._vote(actor, record, action_id == APPROVE, body)
        except StateConflict as conflict:
            return await self._too_late(actor, conflict.record)
        except LedgerError as error:
            log.error("click not recorded", error=str(error))
            return replies.plain(
                "Your click could not be recorded, so it does not count.",
                "Click again in a minute.",
            )
        except SlackError as error:
            log.warning("clicker not known", error=str(error))
            return replies.plain(
                f"Your click does not count: {error}",
                f"Click again in {wait_of(error)}.",
            )

    async def _turned_away(
        self, actor: Actor, request_id: str, action_id: str
    ) -> Message | None:
        """Refuse somebody whom no rule can let in, before anything is looked up."""
        decision = await self._services.authorizer.outsider(
            actor.user_id, actor.team_id
        )
        if decision is None:
            return None
        entry = Entry("click refused", request_id[:32], detail=decision.why)
        self._vain.use(actor.user_id)
        if self._once.use(f"{actor.user_id} {action_id} {entry.request_id}"):
            await self._refusals.note(actor, decision, "click", entry)
        return replies.click_refused(decision)

    async def _vote(
        self,
        actor: Actor,
        record: Record,
        approve: bool,  # noqa: FBT001
        body: dict[str, Any],
    ) -> Message | None:
        """Count the click, wake the story, and ask for the reason of a denial."""
        person, again, cover = actor.person, False, Cover()
        if approve:
            cover = await self._services.authorizer.cover(record.request)
        if cover.refusal and _would_decide(record, actor.user_id):
            return await self._uncovered(actor, record, cover.refusal)
        for cast in record.votes:  # who has voted by another id of his votes by that
            if await self._services.authorizer.same(actor.user_id, cast.user_id):
                person, again = replace(person, user_id=cast.user_id), cast.approve
        record = await self._services.ledger.vote(
            record.request.id,
            person,
            approve=approve,
            delivery=_delivery(actor, body),
            beside=cover.note,
        )
        self._restarts.wake(record.request.speaks)
        if not approve:
            await self._ask_why(record, str(body.get("trigger_id") or ""))
            return None
        if record.state is State.PENDING:
            return replies.decided(record, person.user_id if again else "")
        return None

    async def _uncovered(
        self, actor: Actor, record: Record, refusal: Decision
    ) -> Message:
        """Refuse the vote that would decide; who asked is not known to be on call.

        Once his shift has ended, so has the request: who is on call now asks anew.
        """
        if not refusal.doubt:
            ledger = self._services.ledger
            for one in await ledger.asked_with(record.request.id):
                if one.state is State.PENDING:
                    why = refusal.why
                    await ledger.move(one.request.id, State.VOIDED, detail=why)
            self._restarts.wake(record.request.speaks)
        return await self._refuse(actor, record, refusal)

    async def _ask_why(self, record: Record, trigger_id: str) -> None:
        """Open the dialog for a reason; the denial stands without it."""
        try:
            view = dialogs.deny_view(record, await self._what(record))
            await self._services.slack.open_view(trigger_id, view)
        except (SlackError, LedgerError) as error:
            log.info("reason not asked for", error=str(error))

    async def on_reason(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """Take the reason of a denial from its dialog."""
        await in_time(self._tasks.start(self._note(body), "reason"))
        await ack()

    async def _note(self, body: dict[str, Any]) -> None:
        view, person = body["view"], who_clicked(body).person
        note = dialogs.filled(view).note.strip()
        request_id = str(view.get("private_metadata") or "")
        if note and await self._services.ledger.explain_denial(
            request_id, person, note
        ):
            await self._approvals.close_card(request_id)

    async def _unknown(self, actor: Actor, request_id: str) -> Message:
        """Answer a click on what the ledger does not know."""
        entry = Entry(kind="unknown click", request_id=request_id[:32])
        await self._note_vain(actor, entry)
        return replies.unknown_request()

    async def _too_late(self, actor: Actor, record: Record) -> Message:
        """Answer a late click; take the buttons off a card that still shows them."""
        entry = entry_of(record.request, "late click", detail=str(record.state))
        await self._note_vain(actor, entry)
        if self._once.use(f"close {record.request.id}"):
            await self._approvals.close_card(record.request.id)
        return replies.decided(record, actor.user_id, await self._what(record))

    async def _note_vain(self, actor: Actor, entry: Entry) -> None:
        """Put a click that decides nothing on record, one for many of the same kind."""
        self._vain.use(actor.user_id)
        if self._once.use(f"{actor.user_id} {entry.kind} {entry.request_id}"):
            await self._services.ledger.note(entry.by(actor.person))

    async def _what(self, record: Record) -> str:
        """Return what a request asks for, where it was asked for with others."""
        return what_of(await self._services.ledger.batch(record.request.batch))

    async def _refuse(
        self, actor: Actor, record: Record, decision: Decision
    ) -> Message:
        entry = entry_of(record.request, "click refused", detail=decision.why)
        await self._refusals.note(actor, decision, "click", entry)
        return replies.click_refused(decision)


def _would_decide(record: Record, user_id: str) -> bool:
    """Say whether one more approval, by *user_id*, is enough."""
    approval = record.request.approval
    agreed = {vote.user_id for vote in record.votes if vote.approve} | {user_id}
    return approval is not None and len(agreed) >= approval.needed


def _delivery(actor: Actor, body: dict[str, Any]) -> str:
    """Return what this click, and no other, has when it is delivered again."""
    action = body["actions"][0]
    click = actor.delivery, str(body.get("trigger_id") or ""), actor.user_id
    return " ".join((str(action["action_id"]), str(action.get("value")), *click))
