"""How often each person did something lately; counted in this process only."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

import attrs


@attrs.frozen
class Quota:
    """*most* of something for each person within *within_s* seconds."""

    most: int
    within_s: float = 60.0
    _clock: Callable[[], float] = time.monotonic
    _at: dict[str, deque[float]] = attrs.field(factory=dict, init=False)

    def use(self, who: str) -> bool:
        """Say whether *who* has one left, and if so, use it up."""
        if self.is_spent(who):
            return False
        self._at.setdefault(who, deque(maxlen=self.most)).append(self._clock())
        return True

    def is_spent(self, who: str) -> bool:
        """Say whether *who* has none left."""
        since = self._clock() - self.within_s
        for one in [one for one, at in self._at.items() if at[-1] <= since]:
            del self._at[one]
        return sum(at > since for at in self._at.get(who, ())) >= self.most
