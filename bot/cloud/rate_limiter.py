"""A token bucket that keeps all calls to the cloud under its limit, in three lines."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import Enum


class Rank(Enum):
    """What a call is for; each is served before those below it.

    RESTART: a restart that somebody has asked for hangs on it. QUESTION: somebody only
    wants to know. LOOK: nobody waits for it at this very moment.
    """

    RESTART = "restart"
    QUESTION = "question"
    LOOK = "look"


class RateLimiter:
    """Lets *burst* calls through at once and *per_minute* calls a minute after that.

    ModelArts publishes no limit; public reports name "limit:100, time:1 minute": 40 at
    once and 60 a minute stay within it.

    Each rank has a line of its own, in the order of arrival, and leaves the last tokens
    to those above: while a restart needs them there are none for a question. All
    questions together get half of what comes in, so that however many are asked, what
    is being watched is looked at.
    """

    def __init__(
        self,
        per_minute: float,
        burst: int = 40,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._sleep = sleep
        self._all = _Bucket(per_minute / 60, burst, clock)
        self._questions = _Bucket(per_minute / 120, max(1, burst - burst // 8), clock)
        self._left = {
            Rank.RESTART: 0,
            Rank.QUESTION: burst // 8,
            Rank.LOOK: burst // 4,
        }
        # A lock lets its waiters in by their order of arrival; who is cancelled leaves
        # no gap, as nobody has a token before it is there.
        self._lines = {rank: asyncio.Lock() for rank in Rank}

    def take(self) -> float:
        """Take a token now, even one that is not there yet; return what it lacks (s).

        For a call that must never wait: those after it wait for it.
        """
        return self._all.take()

    async def wait(self, rank: Rank) -> None:
        """Wait for a token that nobody of a higher rank needs, and take it."""
        async with self._lines[rank]:
            while lacks := self._lacks(rank):
                await self._sleep(lacks)
            self._all.take()
            if rank is Rank.QUESTION:
                self._questions.take()

    def _lacks(self, rank: Rank) -> float:
        """Return how long it takes, in seconds, until *rank* has its token."""
        lacks_s = self._all.lacks(self._left[rank] + 1)
        if rank is Rank.QUESTION:
            lacks_s = max(lacks_s, self._questions.lacks(1))
        return round(lacks_s, 3)  # shorter than any sleep is nothing


class _Bucket:
    """Tokens that come in at *per_s* up to *most*; the level may fall below nought."""

    def __init__(self, per_s: float, most: int, clock: Callable[[], float]) -> None:
        self._per_s = per_s
        self._most = most
        self._clock = clock
        self._level = float(most)
        self._at = clock()

    def take(self) -> float:
        """Take one and return how long it takes, in seconds, until it is there."""
        self._fill()
        self._level -= 1
        return max(0.0, -self._level / self._per_s)

    def lacks(self, level: int) -> float:
        """Return how long it takes, in seconds, until *level* is reached."""
        self._fill()
        return max(0.0, (level - self._level) / self._per_s)

    def _fill(self) -> None:
        """Add what has come in since the last time."""
        now = self._clock()
        came = (now - self._at) * self._per_s
        self._level = min(self._level + came, self._most)
        self._at = now
