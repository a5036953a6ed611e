"""Statuses for a glance: kept for a while, and never waited for long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import attrs

from bot.errors import CloudError
from bot.model import Target
from bot.restarts.services import Services
from bot.slack.messages.formatting import status

KEPT_S = 30.0
WITHIN_S = 1.2  # a select has to be answered within 3 s
AT_ONCE = 5
MOST = 10  # reads for one search: a restart under way needs the calls more


@attrs.frozen
class StatusCache:
    """Looks at instances for those who choose one; nothing is decided by it."""

    _services: Services
    _clock: Callable[[], float] = time.monotonic
    _kept: dict[str, tuple[float, str]] = attrs.field(factory=dict, init=False)
    _gate: asyncio.Semaphore = attrs.field(
        factory=lambda: asyncio.Semaphore(AT_ONCE), init=False
    )

    async def statuses(self, targets: Sequence[Target]) -> dict[str, str]:
        """Return the status of each instance by its name, as far as known in time."""
        old = [target for target in targets if not self._fresh(target)][:MOST]
        if old:
            reads = [asyncio.create_task(self._look(target)) for target in old]
            _, late = await asyncio.wait(reads, timeout=WITHIN_S)
            for read in late:
                read.cancel()
        return {
            target.instance: self._kept[target.key][1]
            for target in targets
            if target.key in self._kept
        }

    def _fresh(self, target: Target) -> bool:
        return self._clock() - self._kept.get(target.key, (-KEPT_S, ""))[0] < KEPT_S

    async def _look(self, target: Target) -> None:
        """Look once; an instance that cannot be read has no status beside its name."""
        async with self._gate:
            try:
                instance = await self._services.cloud.read(target)
            except CloudError:
                self._kept.pop(target.key, None)
                return
        self._services.authorizer.saw(target, instance)
        self._kept[target.key] = (self._clock(), status(instance.status))
