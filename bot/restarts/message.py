"""The message in the channel: drawn from the record, one edit at a time.

What has been seen since the last edit is kept here, in this process only; all else
that is drawn is in the record, so that any process can draw the message anew.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from weakref import WeakValueDictionary

import attrs
import structlog

from bot.errors import SlackError, SlackRefused
from bot.ledger.retry import patiently
from bot.model import ENDS, Message, Record
from bot.restarts.batch import Batch
from bot.restarts.owners import Owners
from bot.restarts.services import Services
from bot.slack.errors import DELETED
from bot.slack.messages import restart
from bot.slack.messages.outcome import Seen

log = structlog.get_logger()

# Seconds between two edits of what several share; those for an end come on top.
SHARED_LEAST_S = 2.0
# Seconds between two edits of any messages that only show how far something is. Slack
# allows an app about 50 edits a minute (cards that wait take half of them:
# ``approval.py``), and changes and ends need theirs
# (https://docs.slack.dev/reference/methods/chat.update, Tier 3).
PROGRESS_LEAST_S = 3.0


@attrs.define
class _Drawn:
    """What this process knows of one message beside the record."""

    seen: dict[str, Seen] = attrs.Factory(dict)  # by request
    at_s: float = 0.0  # when it was last edited, on the monotonic clock
    anew_ts: str = ""  # of the message that stands in for one that cannot be edited


@attrs.define
class Messages:
    """Draws the messages of all restarts."""

    _services: Services
    _clock: Callable[[], float] = time.monotonic
    _drawn: dict[str, _Drawn] = attrs.Factory(dict)
    _edited_s: float = -math.inf  # when any message was last edited while it reboots
    _locks: WeakValueDictionary[str, asyncio.Lock] = attrs.Factory(WeakValueDictionary)

    def see(self, record: Record, seen: Seen, *, news: bool) -> bool:
        """Remember the last look at an instance; say whether to draw it now.

        *news* is drawn whatever else is; that more time has passed, when there is room.
        """
        drawn = self._of(record.request.speaks)
        drawn.seen[record.request.id] = seen
        now_s = self._clock()
        if len(drawn.seen) > 1 and now_s < drawn.at_s + SHARED_LEAST_S:
            return False
        if not news and now_s < self._edited_s + PROGRESS_LEAST_S:
            return False
        self._edited_s = now_s
        return True

    async def draw(self, record: Record) -> None:
        """Edit the message, if it stands; raise SlackError where trying again may help.

        The record is read after the edit before this one is through: what is drawn
        last is what is true last.
        """
        lock = self._locks.setdefault(record.request.speaks, asyncio.Lock())
        async with lock:
            batch = await Batch.of(self._services.ledger, record.request.id)
            if batch.message_ts:
                await self._edit(batch, await self.message(batch))

    async def message(self, batch: Batch) -> Message:
        """Return the message as it has to be now."""
        told = [
            one
            for record in batch.records
            for one in await self._services.authorizer.told_of_break_glass(
                record.request
            )
        ]
        seen = self._drawn[batch.id].seen if batch.id in self._drawn else {}
        owners = Owners(self._services).among(batch.records)
        return restart.message(batch.records, seen, mentions=told, owners=owners)

    async def _edit(self, batch: Batch, message: Message) -> None:
        drawn = self._of(batch.id)
        drawn.at_s = self._clock()
        over = all(one.state in ENDS for one in batch.records)
        channel_id, ts = batch.record.request.channel_id, batch.message_ts
        try:
            await self._services.slack.update(channel_id, drawn.anew_ts or ts, message)
        except SlackRefused as error:
            log.warning("message not edited", error=str(error))
            if error.code == DELETED:
                await self._replace(batch, message)
            elif not over and not drawn.anew_ts:
                drawn.anew_ts = await self._post_anew(batch, message)
        if over:
            self._drawn.pop(batch.id, None)

    async def _replace(self, batch: Batch, message: Message) -> None:
        """Post a message anew that somebody has deleted; from now on it is that one.

        Raises SlackError where trying again may help.
        """
        request, ledger = batch.record.request, self._services.ledger
        try:
            ts = await self._services.slack.post(
                request.channel_id, message, thread_ts=request.thread_ts
            )
        except SlackRefused as error:
            log.warning("message not posted anew", error=str(error))
            return
        ids = [one.request.id for one in batch.records]
        await patiently(lambda: ledger.update(*ids, message_ts=ts))
        self._of(batch.id).anew_ts = ""

    async def _post_anew(self, batch: Batch, message: Message) -> str:
        """Show it below a message that cannot be edited, once; return that one's ts."""
        request = batch.record.request
        try:
            return await self._services.slack.post(
                request.channel_id,
                message,
                thread_ts=request.thread_ts or batch.message_ts,
            )
        except SlackError as error:
            log.warning("transition not shown", error=str(error))
            return ""

    def _of(self, batch_id: str) -> _Drawn:
        return self._drawn.setdefault(batch_id, _Drawn())
