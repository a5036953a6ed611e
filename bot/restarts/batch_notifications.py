"""What is said of several restarts asked for together: one message, one last word.

Steps of the story, as in ``speech``: each returns the seconds to wait before it is
tried again, or None when it is done.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import structlog

from bot.errors import SlackError, SlackRefused
from bot.ledger import Ledger
from bot.ledger.retry import patiently
from bot.model import ENDS, Message, Record, State, asked_of
from bot.policy.authorizer import Authorizer
from bot.restarts.batch_message import BatchMessages
from bot.restarts.batch_schedule import Pulse
from bot.restarts.notifications import SILENT, Notifications, longest, pause
from bot.slack.client import SlackClient
from bot.slack.messages import approval as card
from bot.slack.messages import batch as batch_says
from bot.slack.messages import batch_approval
from bot.slack.messages import restart as say
from bot.telemetry.metrics import Metrics

log = structlog.get_logger()


class BatchNotifications(Notifications):
    """Speaks for batches."""

    def __init__(
        self,
        *,
        slack: SlackClient,
        ledger: Ledger,
        authorizer: Authorizer,
        metrics: Metrics,
        batch_messages: BatchMessages,
        pulse: Pulse,
    ) -> None:
        super().__init__(
            slack=slack, ledger=ledger, authorizer=authorizer, metrics=metrics
        )
        self._batch_messages = batch_messages
        self._pulse = pulse

    async def announce(self, request_id: str) -> float | None:
        """Post the message that shows all: it proves the channel to each of them."""
        batch = await self._batch(request_id)
        is_open = any(record.state not in ENDS for record in batch)
        if not is_open or any(record.message_ts for record in batch):
            return None
        request = batch[0].request
        try:
            message = await self._batch_messages.message(batch)
            ts = await self._slack.post(
                request.channel_id, message, thread_ts=request.thread_ts
            )
        except SlackRefused as error:
            await self._end_open(batch, str(error))
            return None
        except SlackError as error:
            log.warning("not announced", error=str(error))
            return pause(error)
        ids = [record.request.id for record in batch]
        await patiently(lambda: self._ledger.update(*ids, message_ts=ts))
        self._pulse.beat()
        return None

    async def not_announced(self, request_id: str) -> None:
        """End a batch whose channel could not be proven: no trail, no restart."""
        batch = await self._batch(request_id)
        if not any(record.message_ts for record in batch):
            await self._end_open(batch, SILENT)

    async def _end_open(self, batch: Sequence[Record], why: str) -> None:
        """End all of a batch that has not been restarted and now will not be."""
        for record in batch:
            if record.state in {State.ASKED, State.APPROVED}:
                await self._ledger.move(
                    record.request.id, State.NOT_RESTARTED, detail=why
                )
        self._pulse.beat()

    async def say_end(self, request_id: str) -> float | None:
        """Show the end of one instance, and tell it to those who joined it."""
        record = await self._ledger.existing(request_id)
        self._pulse.beat()
        guests = await self._ledger.joined(request_id)
        waits = [
            await self._draw(record),
            *[await self._tell_guest(record, guest) for guest in guests],
        ]
        wait = longest(waits)
        if wait is None and not record.told and record.state is not State.JOINED:
            await self._told(record)
        return wait

    async def sum_up(self, request_id: str) -> float | None:
        """Tell the requester how all of it ended, where it was seen."""
        record = await self._ledger.existing(request_id)
        if record.summed:
            return None
        batch = await self._batch(request_id)
        wait = await self._tell_all(record, batch)
        if wait is None:
            await patiently(lambda: self._ledger.update(request_id, summed=True))
        return wait

    async def show_end(self, request_id: str) -> float | None:
        """Edit the message and the card into what became of it all."""
        record = await self._ledger.existing(request_id)
        batch = await self._batch(request_id)
        asked = asked_of(batch)
        closed = batch_approval.card_closed(asked, batch)
        waits = [
            await self._edit(asked, asked.card_ts, closed),
            await self._draw(record),
        ]
        return longest(waits)

    async def _batch(self, request_id: str) -> list[Record]:
        record = await self._ledger.existing(request_id)
        return await self._ledger.batch(record.request.batch)

    async def _draw(self, record: Record) -> float | None:
        """Draw the message, if it stands."""
        try:
            await self._batch_messages.draw(record.request.batch)
        except SlackRefused as error:
            log.warning("message not edited", error=str(error))
        except SlackError as error:
            return pause(error)
        return None

    async def _tell_guest(self, record: Record, guest: Record) -> float | None:
        """Tell somebody whose request joined *record* how it ended."""
        here = guest.request.channel_id == record.request.channel_id
        if here and not guest.told:
            message = say.joined_end(record, guest.request.user_id)
            wait = await self._beside(record, guest, message)
            if wait is not None:
                return wait
        return await self._tell_joined(record, guest)

    async def _beside(
        self, record: Record, guest: Record, message: Message
    ) -> float | None:
        """Say *message* to *guest* below the message or the card of *record*."""
        if parent := record.message_ts or record.card_ts:
            with suppress(SlackRefused):
                return await self._reply(record, parent, message)
        return await self._privately(guest, message)

    async def _tell_all(self, record: Record, batch: list[Record]) -> float | None:
        """Say the end of a batch below its message or its card, or privately."""
        asked = asked_of(batch)
        parent = record.message_ts or asked.card_ts
        if not record.message_ts and asked.card_ts:
            users = (asked.request.user_id,)
            message = card.notice(asked, users, batch_says.what_of(batch))
        else:
            joined = [one.joined for one in batch if one.joined]
            hosts = {one.request.id: one for one in await self._ledger.known(joined)}
            message = batch_says.summary(batch, hosts)
        if parent:
            with suppress(SlackRefused):
                return await self._reply(record, parent, message)
        return await self._privately(record, message)
