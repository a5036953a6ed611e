"""What was left down: counted, looked at now and then, and told when it is up again.

Nothing here starts anything: whoever wants it up has a button, or types it.
"""

from __future__ import annotations

import attrs
import structlog

from bot.cloud import Rank
from bot.errors import CloudError, CloudGone, SlackError
from bot.model import Record, StatusClass, class_of
from bot.restarts.services import Services
from bot.slack.messages import followup as say

log = structlog.get_logger()


@attrs.frozen
class Down:
    """Looks after what requests have left down."""

    _services: Services

    async def look(self) -> None:
        """Look at each that is down; whoever finds one up keeps and says so."""
        left = await self._services.ledger.down()
        self._services.metrics.down.set(len({one.request.target.key for one in left}))
        for record in left:
            if status := await self._status(record):
                await self._came_back(record, status)

    async def _status(self, record: Record) -> str:
        """Return the status that shows that it is not down any more, or nothing."""
        target = record.request.target
        try:
            now = await self._services.cloud.read(target, rank=Rank.LOOK)
        except CloudGone:
            return "gone"
        except CloudError as error:
            log.info("what is down could not be read", error=str(error))
            return ""
        self._services.authorizer.saw(target, now)
        up = class_of(now.status) is StatusClass.READY
        return now.status if up or now.status.upper() == "DELETED" else ""

    async def _came_back(self, record: Record, status: str) -> None:
        """Keep that it is not down any more; tell it, unless a request of ours does."""
        ledger, request = self._services.ledger, record.request
        if not await ledger.came_back(record, status):
            return
        last = await ledger.last_restart(request.target.key)
        ours = last is not None and last.request.id != request.id
        if ours or not record.message_ts:
            return
        try:
            await self._services.slack.post(
                request.channel_id,
                say.up_again(record, status),
                thread_ts=request.thread_ts or record.message_ts,
            )
        except SlackError as error:
            log.warning("not told that it is up again", error=str(error))
