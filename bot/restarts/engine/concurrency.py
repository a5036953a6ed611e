"""How many workflows get going at the same time, so that a rush never delays an answer.

A workflow costs most before its restart is sent. A rush of them is worked off in the
order in which they came, while commands and clicks are acknowledged in between.
"""

from __future__ import annotations

import asyncio


class ConcurrencyLimit:
    """Gives *places* to tasks that have work to do; those that rest need none.

    Whoever waits for somebody else for longer than *within_s* seconds counts as one
    that rests, too: a Slack that hangs must not hold up the workflows behind it.
    """

    def __init__(self, places: int, within_s: float) -> None:
        self._free = asyncio.Semaphore(places)
        self._within_s = within_s
        self._held: dict[asyncio.Task[object] | None, asyncio.TimerHandle] = {}

    async def begin(self) -> None:
        """Return once the calling task has a place."""
        await self._free.acquire()
        task = asyncio.current_task()
        loop = asyncio.get_running_loop()
        self._held[task] = loop.call_later(self._within_s, self._give_back, task)

    def rest(self) -> None:
        """Give the place of the calling task to the next one, if it still has it."""
        self._give_back(asyncio.current_task())

    def _give_back(self, task: asyncio.Task[object] | None) -> None:
        timer = self._held.pop(task, None)
        if timer is not None:
            timer.cancel()
            self._free.release()
