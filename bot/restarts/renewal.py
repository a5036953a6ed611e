"""A notebook's auto-stop after its start: set anew where the start has not kept it.

https://support.huaweicloud.com/intl/en-us/api-modelarts/RenewLease.html
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import attrs
import structlog

from bot.cloud import Rank
from bot.errors import CloudError
from bot.model import Instance, Kind, Record
from bot.restarts import lease
from bot.restarts.services import Services

log = structlog.get_logger()

RENEWAL_WITHIN_S = 10.0  # people wait for the word that it is ready
OURS = frozenset({"accepted", "lost"})  # answers to a start that may be what runs


@attrs.frozen
class Renewal:
    """Compares the auto-stop with what it was, and mends it."""

    _services: Services

    async def kept(self, record: Record, now: Instance) -> str:
        """Return in a sentence how the auto-stop is not what it was, or nothing.

        A renewal may be made twice: it counts from the moment at which it is made.
        What somebody else has started is as he wants it.
        """
        if record.request.target.kind is not Kind.NOTEBOOK:
            return ""
        if now.lease is None:
            now = await self._alone(record, now)
        if record.stopped_at is None and not record.request.urgent:
            return lease.told(now) if record.starts else ""
        now, trouble = await self._renewed(record, now)
        said = lease.difference(record.baseline, now)
        return f"{said} {trouble}".strip() if said else ""

    async def _renewed(self, record: Record, now: Instance) -> tuple[Instance, str]:
        """Return what runs as it is after a renewal, and why there was none."""
        wanted = lease.renewal_of(record.baseline, now, self._now_ms(now))
        if wanted is None or record.start_answered not in OURS:
            return now, ""
        target = record.request.target
        try:
            async with asyncio.timeout(RENEWAL_WITHIN_S):
                renewed = await self._services.cloud.set_lease(target, wanted)
        except (CloudError, TimeoutError) as error:
            why = str(error) or "The cloud did not answer in time."
            log.warning("auto-stop not set anew", error=why)
            return now, f"I could not set it anew: {why}"
        return replace(now, lease=renewed), ""

    async def _alone(self, record: Record, now: Instance) -> Instance:
        """Return *now* with the lease by a read of its own: a list may lack it."""
        target = record.request.target
        try:
            async with asyncio.timeout(RENEWAL_WITHIN_S):
                alone = await self._services.cloud.read(target, rank=Rank.RESTART)
        except (CloudError, TimeoutError) as error:
            log.warning("auto-stop not read", error=str(error))
            return now
        return replace(now, lease=alone.lease)

    def _now_ms(self, now: Instance) -> int:
        """Return the cloud's clock; ours where it does not say."""
        return now.read_ms or int(self._services.now().timestamp() * 1000)
