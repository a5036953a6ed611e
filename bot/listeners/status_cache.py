"""What the cloud said of instances, for those who only want to know.

Whatever was read, for whichever purpose, counts for a while (``Cloud.seen``), one read
serves all who ask at the same time, and none of them goes before a restart.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from weakref import WeakValueDictionary

import attrs

from bot.cloud import Rank
from bot.errors import CloudError
from bot.model import Instance, Target
from bot.restarts.services import Services
from bot.slack.messages.formatting import seen

FRESH_S = 5.0  # what somebody asked for
GLANCE_S = 30.0  # what stands beside a name to choose is asked for again
OLDEST_S = 3600.0  # ... and shown with its age, where that did not come in time
LOOK_WITHIN_S = 1.2  # a select has to be answered within 3 s
LOOKS_AT_ONCE = 5
MOST_LOOKS = 10  # reads for one search: a restart under way needs the calls more


@attrs.frozen
class StatusCache:
    """Looks at instances for questions; nothing is decided by it."""

    _services: Services
    _clock: Callable[[], float] = time.monotonic
    _problems: dict[str, tuple[float, CloudError]] = attrs.field(
        factory=dict, init=False
    )
    _turns: WeakValueDictionary[str, asyncio.Lock] = attrs.field(
        factory=WeakValueDictionary, init=False
    )
    _gate: asyncio.Semaphore = attrs.field(
        factory=lambda: asyncio.Semaphore(LOOKS_AT_ONCE), init=False
    )

    async def read(self, target: Target) -> Instance:
        """Return what the cloud said at most FRESH_S ago; CloudError if it failed."""
        turn = self._turns.setdefault(target.key, asyncio.Lock())
        async with turn:
            if known := self._known(target, FRESH_S):
                return known
            self._raise_fresh(target.key)
            try:
                instance = await self._services.cloud.read(
                    target, rank=Rank.QUESTION, shared=True
                )
            except CloudError as error:
                self._problems[target.key] = self._clock(), error
                raise
        self._services.authorizer.saw(target, instance)
        return instance

    async def statuses(self, targets: Sequence[Target]) -> dict[str, str]:
        """Return each instance's status and its age, by its name, as far as known."""
        old = [one for one in targets if not self._known(one, GLANCE_S)][:MOST_LOOKS]
        if old:
            reads = [asyncio.create_task(self._look(target)) for target in old]
            _, late = await asyncio.wait(reads, timeout=LOOK_WITHIN_S)
            for read in late:
                read.cancel()
        known = ((one, self._services.cloud.seen(one)) for one in targets)
        return {
            one.instance: seen(look.instance.status, look.age_s)
            for one, look in known
            if look and look.age_s < OLDEST_S
        }

    async def _look(self, target: Target) -> None:
        """Look once; an instance that cannot be read has no status beside its name."""
        async with self._gate:
            try:
                await self.read(target)
            except CloudError:
                self._services.cloud.forget(target)

    def _known(self, target: Target, at_most_s: float) -> Instance | None:
        """Return what was seen of an instance at most so many seconds ago."""
        seen = self._services.cloud.seen(target)
        return seen.instance if seen and seen.age_s < at_most_s else None

    def _raise_fresh(self, key: str) -> None:
        """Raise what reading an instance failed with at most FRESH_S ago."""
        since = self._clock() - FRESH_S
        for old in [one for one, (at, _) in self._problems.items() if at <= since]:
            del self._problems[old]
        if key in self._problems:
            raise self._problems[key][1]
