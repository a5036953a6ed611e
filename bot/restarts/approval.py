"""The wait for approval: the card, the reminder, the expiry, and the card's end.

Each public coroutine is one step of the story: it may run again after a crash, so it
looks at the record before it acts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import structlog

from bot.errors import SlackError, SlackRefused, StateConflict
from bot.ledger import Ledger
from bot.model import Message, Record, State, asked_of
from bot.policy.authorizer import Authorizer
from bot.restarts.notifications import pause
from bot.restarts.wakeups import Wakeups
from bot.slack.client import SlackClient
from bot.slack.messages import approval as say
from bot.slack.messages import batch_approval
from bot.slack.messages.batch import what_of
from bot.telemetry.metrics import Metrics

log = structlog.get_logger()


LOOK_EVERY_S = 60.0


class Approvals:
    """Asks for approval and waits; the ledger alone decides when it is enough."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        slack: SlackClient,
        authorizer: Authorizer,
        metrics: Metrics,
        wakeups: Wakeups,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._ledger = ledger
        self._slack = slack
        self._authorizer = authorizer
        self._metrics = metrics
        self._wakeups = wakeups
        self._shown: dict[str, int] = {}  # how many votes the card shows
        self._now = now

    async def post_card(self, request_id: str) -> float | None:
        """Post the card; return seconds until the next try, or None when done."""
        record, batch = await self._asked(request_id)
        if record.state is not State.PENDING or record.card_ts:
            return None
        pending = [one.request.id for one in batch if one.state is State.PENDING]
        try:
            ts = await self._slack.post(
                record.request.channel_id,
                await self._card(record, batch),
                thread_ts=record.request.thread_ts,
            )
        except SlackRefused as error:
            # Nobody can approve what nobody sees.
            for one in pending:
                await self._ledger.move(one, State.VOIDED, detail=str(error))
            return None
        except SlackError as error:
            return pause(error)
        await self._ledger.update(*pending, card_ts=ts)
        return None

    async def wait(self, request_id: str) -> None:
        """Wait until it is decided or its time is up; remind at half of the time.

        A look a minute, whatever the bell says: the host's clock may have jumped.
        """
        with self._wakeups.listening(request_id) as news:
            while (wait_s := await self.next_wait(request_id)) is not None:
                with suppress(TimeoutError):
                    await asyncio.wait_for(news.wait(), min(wait_s, LOOK_EVERY_S))
                news.clear()

    async def next_wait(self, request_id: str) -> float | None:
        """Expire or remind if it is time; return seconds until the next look.

        None means that the wait is over: somebody decided, or nobody in time.
        """
        record, batch = await self._asked(request_id)
        expires = record.request.expires_at
        if record.state is not State.PENDING or expires is None:
            self._shown.pop(request_id, None)
            self._observe(record)
            return None
        left = (expires - self._now()).total_seconds()
        if left <= 0:
            self._observe(await self._expired(record.request.id))
            return None
        half = (expires - record.request.asked_at).total_seconds() / 2
        if left <= half and not record.reminded:
            await self._remind(record, batch)
        if len(record.votes) != self._shown.get(request_id, 0):
            self._shown[request_id] = len(record.votes)
            await self._edit(record, await self._card(record, batch))
        return left - half if left > half else left

    async def close_card(self, request_id: str) -> float | None:
        """Take the buttons off the card and say who decided."""
        record, batch = await self._asked(request_id)
        if not record.card_ts:
            return None
        return await self._edit(record, _closed(record, batch))

    async def close_copy(self, request_id: str, channel_id: str, ts: str) -> None:
        """Take the buttons off message *ts*, if it is a copy of the request's card.

        A crash between Slack's taking the card and our record of it posts it twice.
        """
        if not ts or await self._ledger.get(request_id) is None:
            return
        record, batch = await self._asked(request_id)
        if not record.card_ts or record.card_ts == ts:
            return
        if record.request.channel_id != channel_id:
            return
        copy = replace(record, card_ts=ts)
        pending = record.state is State.PENDING
        shown = say.card_elsewhere(record) if pending else _closed(record, batch)
        await self._edit(copy, shown)

    async def _asked(self, request_id: str) -> tuple[Record, list[Record]]:
        """Return the request that the card is about, and all of its batch.

        That is not always the one whose story asks, which may have ended before.
        """
        record = await self._ledger.existing(request_id)
        if not record.request.batch:
            return record, [record]
        batch = await self._ledger.batch(record.request.batch)
        return asked_of(batch), batch

    async def _expired(self, request_id: str) -> Record:
        """Return the record of a request whose time is up."""
        try:
            return await self._ledger.move(request_id, State.EXPIRED)
        except StateConflict as conflict:  # somebody decided in this very moment
            log.info("decided at the last moment", state=str(conflict.record.state))
            return conflict.record

    def _observe(self, record: Record) -> None:
        """Count how long the wait took that is over."""
        at = record.ended_at or max((v.at for v in record.votes), default=self._now())
        waited = (at - record.request.asked_at).total_seconds()
        self._metrics.approval_wait.observe(max(0.0, waited))

    async def _remind(self, record: Record, batch: list[Record]) -> None:
        """Remind the approvers once; a reminder that Slack refuses is let go."""
        await self._ledger.update(record.request.id, reminded=True)
        try:
            await self._slack.post(
                record.request.channel_id,
                say.reminder(record, await self._mentions(record), what_of(batch)),
                thread_ts=record.request.thread_ts or record.card_ts,
            )
        except SlackError as error:
            log.warning("reminder not posted", error=str(error))

    async def _edit(self, record: Record, message: Message) -> float | None:
        request = record.request
        try:
            await self._slack.update(request.channel_id, record.card_ts, message)
        except SlackRefused as error:
            log.warning("card not edited", error=str(error))
        except SlackError as error:
            return pause(error)
        return None

    async def _card(self, record: Record, batch: list[Record]) -> Message:
        if record.request.batch:
            who = await self._mentions(record)
            return batch_approval.card(record, batch, approvers=who)
        target = record.request.target
        others = [
            other
            for other in await self._ledger.open_requests(target.key)
            if other.request.id != record.request.id
        ]
        return say.card(
            record,
            record.baseline,
            approvers=await self._mentions(record),
            last=await self._ledger.last_restart(target.key),
            others=others,
        )

    async def _mentions(self, record: Record) -> list[str]:
        approval = record.request.approval
        return await self._authorizer.mentions(approval.by if approval else ())


def _closed(record: Record, batch: list[Record]) -> Message:
    """Return what becomes of the card."""
    if record.request.batch:
        return batch_approval.card_closed(record, batch)
    return say.card_closed(record)
