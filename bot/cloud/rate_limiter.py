"""A token bucket that keeps all calls to the cloud under its limit, people's first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


class RateLimiter:
    """Lets *burst* calls through at once and *per_minute* calls a minute after that.

    ModelArts publishes no limit; public reports name "limit:100, time:1 minute": 40 at
    once and 60 a minute stay within it. The level may fall below nought: it is then the
    queue, so waits are even and in the order of arrival without one.
    """

    def __init__(
        self,
        per_minute: float,
        burst: int = 40,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._per_s = per_minute / 60
        self._burst = burst
        self._clock = clock
        self._sleep = sleep
        self._spared = burst // 4
        self._level = float(burst)
        self._at = clock()
        self._line = asyncio.Lock()  # lets its waiters in by their order of arrival

    def take(self) -> float:
        """Take a token now, even one that is not there yet; return what it lacks (s).

        For a call that must never wait: those after it wait for it.
        """
        self._fill()
        self._level -= 1
        return max(0.0, -self._level / self._per_s)

    async def wait(self) -> None:
        """Take a token and wait until it is due."""
        wait_s = self.take()
        if not wait_s:
            return
        try:
            await self._sleep(wait_s)
        except asyncio.CancelledError:
            self._level += 1  # nobody called, so who comes next need not wait for it
            raise

    async def wait_in_line(self) -> None:
        """Wait for a token that no person needs, behind all who came before.

        A quarter of the burst is left to ``wait`` and ``take``: however many restarts
        are watched, what somebody has just asked for does not queue behind the looks.
        """
        async with self._line:
            while lacks := self._lacks():
                await self._sleep(lacks)
            self.take()

    def _lacks(self) -> float:
        """Return how long it takes, in seconds, until there is one to spare."""
        self._fill()
        lacks_s = (self._spared + 1 - self._level) / self._per_s
        return max(0.0, round(lacks_s, 3))  # shorter than any sleep is nothing

    def _fill(self) -> None:
        """Add what has come in since the last time."""
        now = self._clock()
        came = (now - self._at) * self._per_s
        self._level = min(self._level + came, self._burst)
        self._at = now
