"""How many workflows get going at the same time, so that a rush never delays an answer.

A workflow costs most before its restart is sent. A rush of them is worked off in the
order in which they came, while commands and clicks are acknowledged in between.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple


class ConcurrencyLimit:
    """Gives *places* to tasks that have work to do; those that rest need none.

    There are places of their own for *urgent* ones: those wait for each other only.
    Whoever waits for somebody else for longer than *within_s* seconds counts as one
    that rests, too: a Slack that hangs must not hold up the workflows behind it.
    """

    def __init__(self, places: int, within_s: float, *, urgent: int = 1) -> None:
        self._free = {
            False: asyncio.Semaphore(places),
            True: asyncio.Semaphore(urgent),
        }
        self._within_s = within_s
        self._held: dict[asyncio.Task[object] | None, _Place] = {}

    async def begin(self, *, urgent: bool = False) -> None:
        """Return once the calling task has a place."""
        free = self._free[urgent]
        await free.acquire()
        task = asyncio.current_task()
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self._within_s, self._give_back, task)
        self._held[task] = _Place(free, timer)

    def rest(self) -> None:
        """Give the place of the calling task to the next one, if it still has it."""
        self._give_back(asyncio.current_task())

    def _give_back(self, task: asyncio.Task[object] | None) -> None:
        place = self._held.pop(task, None)
        if place is not None:
            place.timer.cancel()
            place.free.release()


class _Place(NamedTuple):
    free: asyncio.Semaphore
    timer: asyncio.TimerHandle
