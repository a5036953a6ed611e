"""The wait for approval: the card, the reminder, the expiry, and the card's end.

Each public coroutine is one step of the workflow: it may run again after a crash, so it
looks at the record before it acts.
"""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import suppress
from dataclasses import replace

import attrs
import structlog

from bot.errors import SlackBusy, SlackError, SlackRefused, SlackShut, StateConflict
from bot.model import Message, Record, State
from bot.restarts.batch import Batch
from bot.restarts.escalation import Escalation
from bot.restarts.owners import Owners
from bot.restarts.retry import pause
from bot.restarts.services import Services
from bot.slack.errors import DELETED
from bot.slack.messages import approval as say
from bot.slack.messages.formatting import what_of

log = structlog.get_logger()

LOOK_AT_LEAST_EVERY_S = 60.0
MOMENT_S = 0.05
# Nobody tells the bot that a card was deleted; Slack does when it is edited. That is
# done so often, and all cards together take no more than half of the edits that Slack
# allows in a minute (https://docs.slack.dev/reference/methods/chat.update, Tier 3).
PROVE_EVERY_S = 20.0
PROVE_APART_S = 2.5


@attrs.frozen
class _Shown:
    """What a card shows: *news* as in ``_news``, and when it was last seen to stand."""

    news: tuple[int, str] = (0, "")
    at_s: float = attrs.Factory(time.monotonic)


@attrs.define
class Approvals:
    """Asks for approval and waits; the ledger alone decides when it is enough."""

    _services: Services
    _shown: dict[str, _Shown] = attrs.Factory(dict)  # by request, while it waits
    _escalation: Escalation = attrs.field(
        init=False,
        default=attrs.Factory(lambda self: Escalation(self._services), takes_self=True),
    )

    async def post_card(self, request_id: str) -> float | None:
        """Post the card; return seconds until the next try, or None when done."""
        batch = await self._batch(request_id)
        record = batch.asked
        if record.state is not State.PENDING or record.card_ts or self._is_over(record):
            return None  # ``wait`` lets it expire
        return await self._post(batch, await self._card(batch))

    async def _post(self, batch: Batch, card: Message) -> float | None:
        """Post the card and keep which message it is; a click on an old one counts."""
        request = batch.asked.request
        waiting = (one for one in batch.records if one.state is State.PENDING)
        pending = [one.request.id for one in waiting]
        try:
            ts = await self._services.slack.post(
                request.channel_id, card, thread_ts=request.thread_ts
            )
        except SlackRefused as error:
            # Nobody can approve what nobody sees.
            for one in pending:
                await self._services.ledger.move(one, State.VOIDED, detail=str(error))
            return None
        except SlackError as error:
            return pause(error)
        before = batch.asked.card_ts
        if await self._services.ledger.keep_card(ts, *pending, before=before) != ts:
            await self.close_copy(batch.id, request.channel_id, ts)
        return None

    async def wait(self, request_id: str) -> None:
        """Wait until it is decided or its time is up; remind at half of the time.

        A look a minute, whether there is news or not: the host's clock may have jumped.
        """
        with self._services.wakeups.listening(request_id) as news:
            while (wait_s := await self.next_wait(request_id)) is not None:
                with suppress(TimeoutError):
                    await asyncio.wait_for(
                        news.wait(), min(wait_s, LOOK_AT_LEAST_EVERY_S)
                    )
                news.clear()

    async def next_wait(self, request_id: str) -> float | None:
        """Expire or remind if it is time; return seconds until the next look.

        None means that the wait is over: somebody decided, or nobody in time.
        """
        batch = await self._batch(request_id)
        record = batch.asked
        expires = record.request.expires_at
        if record.state is not State.PENDING or expires is None:
            self._shown.pop(request_id, None)
            self._observe(record)
            return None
        left = (expires - self._services.now()).total_seconds()
        if left <= 0:
            self._observe(await self._expired(record.request.id))
            return None
        half = (expires - record.request.asked_at).total_seconds() / 2
        remind = left <= half and not record.reminded
        prove_s = await self._prove(batch, at_once=remind)
        if remind:
            await self._remind(await self._batch(request_id))
        wait_s = left - half if left > half else left
        called_s = await self._escalation.due(batch)
        return min(wait_s, prove_s, called_s, await self._opens_in(record))

    async def _opens_in(self, record: Record) -> float:
        """Return the seconds until a freeze, or what closes the window, has ended."""
        closed = await self._services.authorizer.not_now(record.request)
        if closed is None or closed.until is None:
            return math.inf
        ends_s = (closed.until - self._services.now()).total_seconds()
        return max(MOMENT_S, ends_s)

    async def _prove(self, batch: Batch, *, at_once: bool) -> float:
        """Draw the card anew if it is due or has news; return seconds until it is.

        One that somebody has deleted is posted anew: nobody approves what nobody sees.
        """
        shown = self._shown.setdefault(batch.id, _Shown())
        news = await self._news(batch)
        every_s = max(PROVE_EVERY_S, PROVE_APART_S * len(self._shown))
        left_s = shown.at_s + every_s - time.monotonic()
        if news == shown.news and left_s > 0 and not at_once:
            return left_s
        self._shown[batch.id] = _Shown(news)
        card, request = await self._card(batch), batch.asked.request
        try:
            await self._services.slack.update(
                request.channel_id, batch.asked.card_ts, card
            )
        except SlackError as error:
            log.warning("card not edited", error=str(error))
            if error.code == DELETED:
                await self._post(batch, card)
        return every_s

    async def _news(self, batch: Batch) -> tuple[int, str]:
        """Return how many have voted, lost their vote, or joined it meanwhile.

        Then why it may not be approved now, or nothing.
        """
        ids = [one.request.id for one in batch.records]
        joined = [await self._services.ledger.joined(one) for one in ids]
        closed = await self._services.authorizer.not_now(batch.asked.request)
        asked = batch.asked
        count = len(asked.votes) + 2 * len(asked.taken_off) + sum(map(len, joined))
        return count, closed.why if closed else ""

    async def close_card(self, request_id: str) -> float | None:
        """Take the buttons off the card and say who decided."""
        batch = await self._batch(request_id)
        if not batch.asked.card_ts:
            return None
        return await self._edit(batch.asked, say.card_closed(batch.records))

    async def close_copy(self, request_id: str, channel_id: str, ts: str) -> None:
        """Take the buttons off message *ts*, if it is a copy of the request's card.

        A crash between Slack's taking the card and our record of it posts it twice; one
        that is clicked before any is known is the card, and is kept as such.
        """
        if not ts or await self._services.ledger.get(request_id) is None:
            return
        batch = await self._batch(request_id)
        record = batch.asked
        if record.card_ts == ts or record.request.channel_id != channel_id:
            return
        if not record.card_ts:
            ids = [
                one.request.id
                for one in batch.records
                if one.state is State.PENDING
                or one.votes
                or one.request.id == request_id
            ]
            if await self._services.ledger.keep_card(ts, *ids, before="") == ts:
                return
        pending = record.state is State.PENDING
        closed = say.card_closed(batch.records)
        shown = say.card_elsewhere(record) if pending else closed
        await self._edit(replace(record, card_ts=ts), shown)

    def _is_over(self, record: Record) -> bool:
        """Say whether the time for approval is up."""
        expires = record.request.expires_at
        return expires is not None and self._services.now() >= expires

    async def _batch(self, request_id: str) -> Batch:
        return await Batch.of(self._services.ledger, request_id)

    async def _expired(self, request_id: str) -> Record:
        """Return the record of a request whose time is up."""
        try:
            return await self._services.ledger.move(request_id, State.EXPIRED)
        except StateConflict as conflict:  # somebody decided in this very moment
            log.info("decided at the last moment", state=str(conflict.record.state))
            return conflict.record

    def _observe(self, record: Record) -> None:
        """Count how long the wait took that is over."""
        at = record.ended_at or max(
            (v.at for v in record.votes), default=self._services.now()
        )
        waited = (at - record.request.asked_at).total_seconds()
        self._services.metrics.approval_wait.observe(max(0.0, waited))

    async def _remind(self, batch: Batch) -> None:
        """Remind the approvers once; let go of one that is refused or may stand."""
        record = batch.asked
        what = what_of(batch.records)
        await self._services.ledger.update(record.request.id, reminded=True)
        try:
            await self._services.slack.post(
                record.request.channel_id,
                say.reminder(record, await self._mentions(record), what),
                thread_ts=record.request.thread_ts or record.card_ts,
            )
        except (SlackBusy, SlackShut) as error:  # surely not posted
            log.info("reminder not posted yet", error=str(error))
            await self._services.ledger.update(record.request.id, reminded=False)
        except SlackError as error:
            log.warning("reminder not posted", error=str(error))

    async def _edit(self, record: Record, message: Message) -> float | None:
        request = record.request
        try:
            await self._services.slack.update(
                request.channel_id, record.card_ts, message
            )
        except SlackRefused as error:
            log.warning("card not edited", error=str(error))
        except SlackError as error:
            return pause(error)
        return None

    async def _card(self, batch: Batch) -> Message:
        record = batch.asked
        who, key = await self._mentions(record), record.request.target.key
        closed = await self._services.authorizer.not_now(record.request)
        owners = Owners(self._services).among(batch.records)
        if not batch.alone:
            return say.card(batch.records, approvers=who, closed=closed, owners=owners)
        others = [
            other
            for other in await self._services.ledger.open_requests(key)
            if other.request.id != record.request.id
        ]
        last = await self._services.ledger.last_restart(key)
        return say.card(
            batch.records,
            approvers=who,
            last=last,
            others=others,
            closed=closed,
            owners=owners,
        )

    async def _mentions(self, record: Record) -> list[str]:
        return await self._services.authorizer.asked(record.request)
