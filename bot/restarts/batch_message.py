"""The shared message of several restarts: drawn from the record, one edit at a time.

What has been seen since the last edit is kept here, in this process only; all else
that is drawn is in the record, so that any process can draw the message anew.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from weakref import WeakValueDictionary

from bot.ledger import Ledger
from bot.model import ENDS, Message, Record
from bot.policy.authorizer import Authorizer
from bot.slack.client import SlackClient
from bot.slack.messages import batch
from bot.slack.messages.batch import Seen

# Seconds between two edits on the way; the edits for an end come on top.
EDIT_LEAST_S = 2.0


class BatchMessages:
    """Draws the messages of all batches."""

    def __init__(
        self,
        *,
        slack: SlackClient,
        ledger: Ledger,
        authorizer: Authorizer,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._slack = slack
        self._ledger = ledger
        self._authorizer = authorizer
        self._clock = clock
        self._seen: dict[str, dict[str, Seen]] = {}
        self._drawn: dict[str, float] = {}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def see(self, record: Record, seen: Seen) -> bool:
        """Remember the last look at an instance; say whether to draw it now."""
        batch = record.request.batch
        self._seen.setdefault(batch, {})[record.request.id] = seen
        return self._clock() >= self._drawn.get(batch, 0.0) + EDIT_LEAST_S

    async def draw(self, batch: str) -> None:
        """Edit the message, if it stands; raise SlackError where that fails.

        The record is read after the edit before this one is through: what is drawn
        last is what is true last.
        """
        lock = self._locks.setdefault(batch, asyncio.Lock())
        async with lock:
            self._drawn[batch] = self._clock()
            records = await self._ledger.batch(batch)
            ts = next((one.message_ts for one in records if one.message_ts), "")
            if all(one.state in ENDS for one in records):
                self._seen.pop(batch, None)
                self._drawn.pop(batch, None)
            if ts:
                channel_id = records[0].request.channel_id
                await self._slack.update(channel_id, ts, await self.message(records))

    async def message(self, records: Sequence[Record]) -> Message:
        """Return the message as it has to be now."""
        told = [
            one
            for record in records
            for one in await self._authorizer.told_of_break_glass(record.request)
        ]
        seen = self._seen.get(records[0].request.batch, {})
        return batch.board(records, seen, mentions=told)
