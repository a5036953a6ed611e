"""A token bucket that keeps all calls to the cloud under its limit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


class Limiter:
    """Lets *burst* calls through at once and *per_minute* calls a minute after that.

    A public report names "limit:100, time:1 minute" (reference/modelarts.md section
    7): 40 at once and 60 a minute stay within it. The level may fall below nought: it
    is then the queue, so waits are even and in the order of arrival without one.
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
        self._level = float(burst)
        self._at = clock()

    def take(self) -> float:
        """Take a token now, even one that is not there yet; return what it lacks (s).

        For a call that must never wait: those after it wait for it.
        """
        now = self._clock()
        self._level += (now - self._at) * self._per_s
        self._level = min(self._level, self._burst) - 1
        self._at = now
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
