"""The limiter keeps the calls under the cloud's limit and everybody in his turn."""

from __future__ import annotations

import asyncio

import pytest
from cloud_wire import Clock

from bot.cloud.limiter import Limiter


def limiter(clock: Clock, per_minute: float = 60, burst: int = 40) -> Limiter:
    """Return a limiter on a clock that the test moves."""
    return Limiter(per_minute, burst, clock=clock, sleep=clock.sleep)


async def test_a_burst_passes_at_once():
    """Forty calls after a quiet time do not wait."""
    clock = Clock()
    bucket = limiter(clock)

    for _ in range(40):
        await bucket.wait()

    assert clock.slept == []


async def test_a_minute_stays_within_a_hundred_calls():
    """From full, at most 100 calls leave within 60 s, however many want to."""
    clock = Clock(0.0)
    bucket = limiter(clock)
    left = []

    for _ in range(200):
        await bucket.wait()
        left.append(clock.at)

    assert sum(at < 60 for at in left) == 99
    assert sum(60 <= at < 120 for at in left) == 60


async def test_waits_are_even_and_in_order_of_arrival():
    """Those who come together when it is empty leave one a second, first come first."""
    clock = Clock()
    bucket = limiter(clock, burst=1)
    await bucket.wait()
    waits: list[float] = []

    async def note(seconds: float) -> None:
        waits.append(seconds)

    bucket._sleep = note
    for _ in range(4):
        await bucket.wait()

    assert waits == [1.0, 2.0, 3.0, 4.0]


async def test_a_restart_never_waits_but_counts():
    """A call that only takes its token goes at once, and the next one waits for it."""
    clock = Clock()
    bucket = limiter(clock, burst=1)

    bucket.take()
    bucket.take()
    assert clock.slept == []
    await bucket.wait()

    assert clock.slept == [2.0]


async def test_a_quiet_time_saves_up_one_burst_only():
    """An hour of silence does not allow more than one burst."""
    clock = Clock()
    bucket = limiter(clock, burst=2)
    clock.at += 3600

    for _ in range(3):
        await bucket.wait()

    assert clock.slept == [1.0]


async def test_who_gives_up_waiting_gives_his_token_back():
    """A cancelled call does not make the next one wait for it."""
    clock = Clock()
    asleep = asyncio.Event()

    async def for_ever(_: float) -> None:
        asleep.set()
        await asyncio.Event().wait()

    bucket = Limiter(60, 1, clock=clock, sleep=for_ever)
    bucket.take()
    waiting = asyncio.create_task(bucket.wait())
    await asleep.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert bucket.take() == 1.0
