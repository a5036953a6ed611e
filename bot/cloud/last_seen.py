"""What the cloud said last of each instance, for whoever only wants a glance at it."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from bot.cloud.clocks import Clocks
from bot.model import Instance, Target


@attrs.frozen
class Seen:
    """What the cloud said about an instance when it was read, *age_s* seconds ago."""

    instance: Instance
    age_s: float


@attrs.frozen
class LastSeen:
    """Remembers, in this process, what was read of instances and when."""

    _clocks: Clocks
    _at: dict[str, tuple[float, Instance]] = attrs.field(factory=dict, init=False)

    def saw(self, instances: Iterable[Instance]) -> None:
        """Remember what was just said of *instances*."""
        now = self._clocks.monotonic()
        self._at.update((one.id.lower(), (now, one)) for one in instances)

    def of(self, target: Target) -> Seen | None:
        """Return what was last said of an instance, or None."""
        if target.key not in self._at:
            return None
        at, instance = self._at[target.key]
        return Seen(instance, self._clocks.monotonic() - at)

    def forget(self, target: Target) -> None:
        """Forget what was said of an instance."""
        self._at.pop(target.key, None)
