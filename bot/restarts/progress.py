"""The transition's message while the instance reboots: one edit at a time.

A slow Slack must not slow down the looks, so an edit runs beside them; one that fails
is made up for by the next.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Sequence

import structlog

from bot.errors import BotError, SlackError, SlackRefused
from bot.model import Message, Record, State
from bot.policy.authorizer import Authorizer
from bot.restarts.batch_message import BatchMessages
from bot.slack.client import SlackClient
from bot.slack.messages import restart as say
from bot.slack.messages.batch import Seen

log = structlog.get_logger()

# Seconds between two edits; Slack allows about 50 edits a minute.
EDIT_EVERY_S = 15.0
EDIT_NEAR_END_S = 5.0
EDIT_LEAST_S = 1.0
NEAR_END = 0.75  # of the usual duration
USUAL_FROM = 2  # earlier restarts: from the third on, the usual duration is shown


class Progress:
    """Shows one restart; *durations* of earlier ones and *poll_s* are in seconds."""

    def __init__(
        self,
        slack: SlackClient,
        authorizer: Authorizer,
        batch_messages: BatchMessages,
        *,
        durations: Sequence[float],
        poll_s: float,
    ) -> None:
        self._slack = slack
        self._authorizer = authorizer
        self._batch_messages = batch_messages
        known = len(durations) >= USUAL_FROM
        self._usual_s = statistics.median(durations) if known else None
        self._poll_s = poll_s
        self._next_s = 0.0
        self._edit: asyncio.Task[None] | None = None
        self._ts = ""  # of the message that is edited, if not the announcement

    def show(self, record: Record, status: str, at_s: float) -> None:
        """Edit the message, if that is due and the last edit is through."""
        busy = self._edit is not None and not self._edit.done()
        if busy or at_s < self._next_s or not record.message_ts:
            return
        seen = Seen(status, at_s, self._usual_s)
        if record.request.batch and not self._batch_messages.see(record, seen):
            return  # the message of all has just been edited for another one
        self._next_s = at_s + self._interval(at_s)
        self._edit = asyncio.create_task(self._draw(record, status, at_s))

    async def close(self) -> None:
        """Stop an edit that is under way: the last word must come after it."""
        if self._edit is not None:
            self._edit.cancel()
            await asyncio.wait([self._edit])

    def _interval(self, at_s: float) -> float:
        near = self._usual_s is not None and at_s > NEAR_END * self._usual_s
        most = EDIT_NEAR_END_S if near else EDIT_EVERY_S
        # Short polls mean short restarts: with the usual 10 s it is always *most*.
        return min(max(1.5 * self._poll_s, EDIT_LEAST_S), most)

    async def _draw_all(self, batch: str) -> None:
        try:
            await self._batch_messages.draw(batch)
        except BotError as error:
            log.info("progress not shown", error=str(error))

    async def _draw(self, record: Record, status: str, at_s: float) -> None:
        if record.request.batch:
            await self._draw_all(record.request.batch)
            return
        mentions = await self._authorizer.told_of_break_glass(record.request)
        message = self._message(record, status, at_s, mentions)
        channel, ts = record.request.channel_id, self._ts or record.message_ts
        try:
            await self._slack.update(channel, ts, message)
        except SlackRefused as error:
            log.warning("message not edited", error=str(error))
            await self._post_anew(record, message)
        except SlackError as error:
            log.info("progress not shown", error=str(error))

    async def _post_anew(self, record: Record, message: Message) -> None:
        """Show the transition below a message that cannot be edited, once."""
        if self._ts:
            return
        thread_ts = record.request.thread_ts or record.message_ts
        try:
            self._ts = await self._slack.post(
                record.request.channel_id, message, thread_ts=thread_ts
            )
        except SlackError as error:
            log.warning("transition not shown", error=str(error))

    def _message(
        self, record: Record, status: str, at_s: float, mentions: Sequence[str]
    ) -> Message:
        if record.state is State.FOLLOWING:
            return say.following(
                record, status_now=status, elapsed_s=at_s, usual_s=self._usual_s
            )
        if not record.current:
            return say.checking(record, mentions=mentions)
        return say.transition(
            record,
            status_now=status,
            elapsed_s=at_s,
            usual_s=self._usual_s,
            mentions=mentions,
        )
