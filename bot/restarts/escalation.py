"""The next line: who is mentioned, once, while nobody has decided; part of the wait.

Each look does what is due, and what was done is kept: it goes on after a crash.
"""

from __future__ import annotations

import math
from collections.abc import Collection

import attrs
import structlog

from bot.errors import SlackError, SlackRefused
from bot.model import Message, Record, State
from bot.model.rule import Stage, line_of
from bot.policy.on_call import trouble
from bot.restarts.batch import Batch
from bot.restarts.retry import wait_after
from bot.restarts.services import Services
from bot.slack.messages import escalation as say
from bot.slack.messages.formatting import what_of
from bot.slack.messages.oncall import on_call

log = structlog.get_logger()

ASK_AGAIN_AFTER_S = 15.0  # where it is not known who is on call


@attrs.define
class _Next:
    """A next line that is due: its *mentions*, and *troubles* with its lines.

    *names* are for the trail, *keys* what is said with it; *waits*: not all is known.
    """

    number: int
    stage: Stage
    mentions: list[str] = attrs.field(factory=list)
    names: list[str] = attrs.field(factory=list)
    troubles: list[str] = attrs.field(factory=list)
    keys: list[str] = attrs.field(factory=list)
    waits: bool = False


@attrs.frozen
class Escalation:
    """Mentions who may approve as well by now, and who is to approve anew."""

    _services: Services

    async def due(self, batch: Batch) -> float:
        """Mention whoever is due; return the seconds until somebody may be again."""
        record, approval = batch.asked, batch.asked.request.approval
        if approval is None or not (approval.then or record.taken_off):
            return math.inf
        if await self._services.authorizer.not_now(record.request):
            return math.inf  # who cannot approve now is not woken for it
        known = await self._services.ledger.mentioned(batch.id)
        waits = [await self._anew(batch, known)]
        age_s = record.request.age_s(self._services.now())
        for number, stage in enumerate(approval.then):
            left_s = stage.after - age_s
            waits.append(
                left_s
                if left_s > 0
                else await self._next(batch, _Next(number, stage), known)
            )
        return min(waits)

    async def _anew(self, batch: Batch, known: Collection[str]) -> float:
        """Mention who is asked now that approvals were taken off."""
        record = batch.asked
        off = {f"off {v.user_id} {v.at.timestamp()}": v for v in record.taken_off}
        new = [key for key in off if key not in known]
        if not new:
            return math.inf
        message = say.asked_again(
            record,
            [off[key].user_id for key in new],
            await self._services.authorizer.asked(record.request),
            what_of(batch.records),
        )
        return await self._say(batch, message, new)

    async def _next(self, batch: Batch, due: _Next, known: Collection[str]) -> float:
        """Mention those of a next line who were not yet."""
        record = batch.asked
        for entry in due.stage.by:
            key = f"then {due.number} {entry}"
            if key not in known:
                await self._look(record, due, entry, key, known)
        again_s = ASK_AGAIN_AFTER_S if due.waits else math.inf
        if not due.keys:
            return again_s
        message = say.next_line(
            record,
            due.stage.after,
            due.mentions,
            due.troubles,
            what_of(batch.records),
        )
        detail = f"after {due.stage.after:g} s: {', '.join(due.names)}"
        detail = detail if due.names else ""
        return min(again_s, await self._say(batch, message, due.keys, detail))

    async def _look(
        self, record: Record, due: _Next, entry: str, key: str, known: Collection[str]
    ) -> None:
        """Add *entry* to what is due, or why it is not known who that is."""
        authorizer, request = self._services.authorizer, record.request
        if not line_of(entry):
            due.mentions += await authorizer.mentions([entry], request.pinned)
        else:
            duty = await authorizer.on_call_now(entry)
            if why := trouble(entry, duty):
                due.waits = True
                if (away := f"{key} away") not in known:
                    due.troubles.append(why)
                    due.keys.append(away)
                return
            due.mentions += on_call(entry, duty, request.user_id)
        due.keys.append(key)
        due.names.append(entry)

    async def _say(
        self, batch: Batch, message: Message, keys: Collection[str], detail: str = ""
    ) -> float:
        """Say it in the card's thread, and keep that; return when to try again."""
        ledger, record = self._services.ledger, batch.asked
        if not await ledger.claim_mentions(batch.id, *keys):
            return ASK_AGAIN_AFTER_S  # somebody else is at it, or has died over it
        now = await ledger.existing(record.request.id)
        if now.state is not State.PENDING:
            return math.inf  # somebody has decided in the meantime
        thread = record.request.thread_ts or now.card_ts
        try:
            await self._services.slack.post(
                record.request.channel_id, message, thread_ts=thread
            )
        except SlackRefused as error:
            log.warning("nobody could be mentioned", error=str(error))
        except SlackError as error:
            log.warning("nobody was mentioned yet", error=str(error))
            await ledger.give_back_mentions(batch.id, *keys)
            return wait_after(error, ASK_AGAIN_AFTER_S)
        await ledger.note_mentions(batch.id, *keys, detail=detail)
        return math.inf
