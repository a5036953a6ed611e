"""A rush of stories is worked off in order, and one that waits holds up nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from bot.restarts.engine.concurrency import ConcurrencyLimit

PATIENT_S = 60.0  # longer than any test


async def settle() -> None:
    """Let every task go on until all of them wait."""
    for _ in range(10):
        await asyncio.sleep(0)


class Rush:
    """Many tasks on one pace; *begun* holds those that got a place, in order."""

    def __init__(
        self,
        concurrency: ConcurrencyLimit,
        rest: Callable[[], Awaitable[None]],
        *,
        urgent: bool = False,
    ) -> None:
        self.concurrency, self.urgent = concurrency, urgent
        self.rest = rest
        self.begun: list[int] = []
        self.go_on = asyncio.Event()
        self.tasks = [asyncio.create_task(self._tell(number)) for number in range(5)]

    async def _tell(self, number: int) -> None:
        await self.concurrency.begin(urgent=self.urgent)
        try:
            self.begun.append(number)
            await self.rest()
            await self.go_on.wait()
        finally:
            self.concurrency.rest()

    async def end(self) -> None:
        """Let all go on to their end."""
        self.go_on.set()
        await asyncio.wait_for(asyncio.gather(*self.tasks, return_exceptions=True), 5)


async def never() -> None:
    """Do not rest."""


async def test_a_few_at_a_time_in_their_order():
    """Only as many get going as there are places; the others follow in order."""
    rush = Rush(ConcurrencyLimit(2, PATIENT_S), never)
    await settle()
    assert rush.begun == [0, 1]

    await rush.end()

    assert rush.begun == [0, 1, 2, 3, 4]


async def test_one_that_rests_makes_room():
    """Who waits for a person or watches needs no place, and gives back only one."""
    concurrency = ConcurrencyLimit(1, PATIENT_S)

    async def rest() -> None:
        concurrency.rest()
        concurrency.rest()

    rush = Rush(concurrency, rest)
    await settle()
    assert rush.begun == [0, 1, 2, 3, 4]
    await rush.end()

    late = Rush(concurrency, never)
    await settle()

    assert late.begun == [0]
    await late.end()


async def test_urgent_ones_wait_for_each_other_only():
    """What is urgent passes by all others, but a rush of it is worked off, too."""
    concurrency = ConcurrencyLimit(1, PATIENT_S)
    await concurrency.begin()
    rush = Rush(concurrency, never, urgent=True)
    await settle()
    assert rush.begun == [0]

    await rush.end()

    assert rush.begun == [0, 1, 2, 3, 4]


async def test_one_that_waits_for_long_makes_room():
    """A far side that hangs does not hold up the stories behind it."""
    rush = Rush(ConcurrencyLimit(1, 0.01), never)

    async with asyncio.timeout(5):
        while len(rush.begun) < 5:  # noqa: ASYNC110 - each gets in by a timer
            await asyncio.sleep(0.01)
    await rush.end()


async def test_one_that_is_stopped_makes_room():
    """A story that is cancelled, with a place or before it, leaves none taken."""
    concurrency = ConcurrencyLimit(1, PATIENT_S)
    rush = Rush(concurrency, never)
    await settle()
    rush.tasks[1].cancel()
    rush.tasks[0].cancel()

    await rush.end()

    assert rush.begun == [0, 2, 3, 4]
