"""The limiter keeps the calls under the cloud's limit and everybody in his turn."""

from __future__ import annotations

import asyncio

import pytest

from bot.cloud.rate_limiter import RateLimiter
from tests.support.cloud_wire import Clock


def limiter(clock: Clock, per_minute: float = 60, burst: int = 40) -> RateLimiter:
    """Return a limiter on a clock that the test moves."""
    return RateLimiter(per_minute, burst, clock=clock, sleep=clock.sleep)


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

    bucket = RateLimiter(60, 1, clock=clock, sleep=for_ever)
    bucket.take()
    waiting = asyncio.create_task(bucket.wait())
    await asleep.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert bucket.take() == 1.0


async def test_who_can_wait_leaves_a_quarter_of_the_burst():
    """Looks never use up what a person needs to be served at once."""
    clock = Clock()
    bucket = limiter(clock)
    for _ in range(30):
        await bucket.wait_in_line()
    assert clock.slept == []

    for _ in range(10):
        await bucket.wait()
    assert clock.slept == []
    await bucket.wait_in_line()

    assert clock.slept == [11.0]


async def test_those_who_can_wait_are_served_evenly_in_their_order():
    """However many wait in line, one leaves a second, first come first."""
    clock = Clock(0.0)
    bucket = limiter(clock, burst=4)
    left: list[tuple[int, float]] = []

    async def look(number: int) -> None:
        await bucket.wait_in_line()
        left.append((number, clock.at))

    await asyncio.gather(*map(look, range(6)))

    assert left == [(0, 0), (1, 0), (2, 0), (3, 1), (4, 2), (5, 3)]


async def test_nobody_queues_behind_those_who_can_wait():
    """With a hundred looks in line, what somebody asks for goes at once."""
    clock = Clock()
    asleep = asyncio.Event()

    async def for_ever(_: float) -> None:
        asleep.set()
        await asyncio.Event().wait()

    bucket = RateLimiter(60, 40, clock=clock, sleep=for_ever)
    looks = [asyncio.create_task(bucket.wait_in_line()) for _ in range(100)]
    await asleep.wait()

    await asyncio.wait_for(bucket.wait(), 1)

    for look in looks:
        look.cancel()
    await asyncio.wait(looks)


async def test_who_leaves_the_line_holds_nobody_up():
    """A look that is cancelled in line lets the next one go on."""
    clock = Clock()
    bucket = limiter(clock, burst=1)
    await bucket.wait()
    async with bucket._line:
        first, second = (asyncio.create_task(bucket.wait_in_line()) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()

    await asyncio.wait_for(second, 1)

    assert first.cancelled()
