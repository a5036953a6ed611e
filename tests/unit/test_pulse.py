"""Who waits for news in this process misses none."""

from __future__ import annotations

import asyncio

from bot.restarts.wakeups import Pulse

SELDOM_S = 600.0  # longer than any test


async def test_news_that_come_during_a_look_are_looked_at():
    """A look reads a database; what happens meanwhile is not left to the next hour."""
    pulse, looks = Pulse(), list[int]()

    async def look() -> bool:
        looks.append(len(looks))
        if len(looks) == 1:
            pulse.beat()  # after the look has read, and before it returns
        return len(looks) == 2

    async with asyncio.timeout(5):
        await pulse.until(look, SELDOM_S)

    assert looks == [0, 1]


async def test_who_waits_looks_again_without_news():
    """Another process may have changed what is waited for."""
    pulse, looks = Pulse(), iter([False, False, True])

    async def look() -> bool:
        return next(looks)

    async with asyncio.timeout(5):
        await pulse.until(look, 0.01)

    assert next(looks, None) is None
