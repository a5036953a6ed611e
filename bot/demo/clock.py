"""A clock for the demo's world that can run faster, stand still and jump."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable


class Clock:
    """Time in POSIX seconds that passes *speed* times as fast as *source* does.

    It starts at the real time. At speed 0 only ``advance`` moves it.
    """

    def __init__(
        self, speed: float = 1.0, *, source: Callable[[], float] = time.monotonic
    ) -> None:
        self._source = source
        self._world = time.time()
        self._since = source()
        self._speed = speed
        self._turned = asyncio.Event()

    def now(self) -> float:
        """Return the world's time."""
        return self._world + (self._source() - self._since) * self._speed

    @property
    def speed(self) -> float:
        """How many of the world's seconds pass in one real second."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        if speed < 0:
            raise ValueError("time does not run backwards; choose a speed of 0 or more")
        self._world, self._since = self.now(), self._source()
        self._speed = speed
        self.poke()

    def advance(self, seconds: float) -> None:
        """Jump *seconds* ahead."""
        self._world += seconds
        self.poke()

    def poke(self) -> None:
        """Wake everybody who waits, to look at the world anew."""
        self._turned.set()
        self._turned = asyncio.Event()

    async def wait(self, until: float | None) -> None:
        """Return at *until* (None = never), or earlier when somebody pokes."""
        left = None
        if until is not None and self._speed:
            left = max(0.0, until - self.now()) / self._speed
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(left):
                await self._turned.wait()

    async def sleep(self, seconds: float) -> None:
        """Return when *seconds* of the world's time have passed."""
        end = self.now() + seconds
        while self.now() < end:
            await self.wait(end)
