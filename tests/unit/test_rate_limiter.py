"""The limiter keeps the calls under the cloud's limit and everybody in his turn."""

from __future__ import annotations

import asyncio

import pytest

from bot.cloud.rate_limiter import Rank, RateLimiter
from tests.support.cloud_wire import Clock


def limiter(clock: Clock, per_minute: float = 60, burst: int = 40) -> RateLimiter:
    """Return a limiter on a clock that the test moves."""
    return RateLimiter(per_minute, burst, clock=clock, sleep=clock.sleep)


async def test_a_burst_passes_at_once():
    """Forty calls after a quiet time do not wait."""
    clock = Clock()
    bucket = limiter(clock)

    for _ in range(40):
        await bucket.wait(Rank.RESTART)

    assert clock.slept == []


async def test_a_minute_stays_within_a_hundred_calls():
    """From full, at most 100 calls leave within 60 s, however many want to."""
    clock = Clock(0.0)
    bucket = limiter(clock)
    left = []

    for _ in range(200):
        await bucket.wait(Rank.RESTART)
        left.append(clock.at)

    assert sum(at < 60 for at in left) == 99
    assert sum(60 <= at < 120 for at in left) == 60


async def test_waits_are_even_and_in_order_of_arrival():
    """Those who come together when it is empty leave one a second, first come first."""
    clock = Clock(0.0)
    bucket = limiter(clock, burst=1)
    await bucket.wait(Rank.RESTART)
    left: list[tuple[int, float]] = []

    async def leave(number: int) -> None:
        await bucket.wait(Rank.RESTART)
        left.append((number, clock.at))

    await asyncio.gather(*map(leave, range(4)))

    assert left == [(0, 1.0), (1, 2.0), (2, 3.0), (3, 4.0)]


async def test_a_restart_never_waits_but_counts():
    """A call that only takes its token goes at once, and the next one waits for it."""
    clock = Clock()
    bucket = limiter(clock, burst=1)

    bucket.take()
    bucket.take()
    assert clock.slept == []
    await bucket.wait(Rank.RESTART)

    assert clock.slept == [2.0]


async def test_a_quiet_time_saves_up_one_burst_only():
    """An hour of silence does not allow more than one burst."""
    clock = Clock()
    bucket = limiter(clock, burst=2)
    clock.at += 3600

    for _ in range(3):
        await bucket.wait(Rank.RESTART)

    assert clock.slept == [1.0]


class Moment:
    """A clock whose sleepers wake when a test moves it."""

    def __init__(self) -> None:
        self.at, self._changed = 0.0, asyncio.Event()

    def __call__(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        until = self.at + seconds
        while self.at < until:
            await self._changed.wait()

    async def pass_(self, seconds: float) -> None:
        """Let so many seconds pass, a second at a time, and all who are due go on."""
        for _ in range(round(seconds)):
            self.at += 1
            self._changed.set()
            self._changed = asyncio.Event()
            for _ in range(50):
                await asyncio.sleep(0)


def waiting(bucket: RateLimiter, rank: Rank, times: int) -> list[asyncio.Task[None]]:
    return [asyncio.create_task(bucket.wait(rank)) for _ in range(times)]


async def gone(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def test_a_restart_does_not_wait_for_questions():
    """However many questions wait, what a restart hangs on goes before them all."""
    moment = Moment()
    bucket = RateLimiter(60, 40, clock=moment, sleep=moment.sleep)
    questions = waiting(bucket, Rank.QUESTION, 200)
    await moment.pass_(60)

    for _ in range(5):  # its share is left to it
        await asyncio.wait_for(bucket.wait(Rank.RESTART), 1)
    late = waiting(bucket, Rank.RESTART, 3)
    await moment.pass_(3)

    assert all(task.done() for task in late)
    assert not questions[-1].done()
    await gone(questions)


async def test_questions_leave_half_of_the_calls_to_the_looks():
    """Whoever asks whatever, what is being restarted is looked at every two seconds."""
    moment = Moment()
    bucket = RateLimiter(60, 40, clock=moment, sleep=moment.sleep)
    questions = waiting(bucket, Rank.QUESTION, 500)
    looks = waiting(bucket, Rank.LOOK, 500)
    await moment.pass_(60)
    before = sum(task.done() for task in looks)

    await moment.pass_(100)

    assert 45 <= sum(task.done() for task in looks) - before <= 55
    await gone(questions + looks)


@pytest.mark.parametrize("rank", list(Rank))
async def test_who_gives_up_waiting_frees_his_place_at_once(rank):
    """Whoever waits behind a hundred that are cancelled is the next one."""
    moment = Moment()
    bucket = RateLimiter(60, 4, clock=moment, sleep=moment.sleep)
    for _ in range(4):
        bucket.take()
    first = waiting(bucket, rank, 100)
    (last,) = waiting(bucket, rank, 1)
    await asyncio.sleep(0)

    await gone(first)
    await moment.pass_(3)

    assert last.done()


async def test_who_can_wait_leaves_a_quarter_of_the_burst():
    """Looks never use up what a person needs to be served at once."""
    clock = Clock()
    bucket = limiter(clock)
    for _ in range(30):
        await bucket.wait(Rank.LOOK)
    assert clock.slept == []

    for _ in range(5):
        await bucket.wait(Rank.QUESTION)
    for _ in range(5):
        await bucket.wait(Rank.RESTART)
    assert clock.slept == []
    await bucket.wait(Rank.LOOK)

    assert clock.slept == [11.0]


async def test_those_who_can_wait_are_served_evenly_in_their_order():
    """However many wait in line, one leaves a second, first come first."""
    clock = Clock(0.0)
    bucket = limiter(clock, burst=4)
    left: list[tuple[int, float]] = []

    async def look(number: int) -> None:
        await bucket.wait(Rank.LOOK)
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
    looks = [asyncio.create_task(bucket.wait(Rank.LOOK)) for _ in range(100)]
    await asleep.wait()

    await asyncio.wait_for(bucket.wait(Rank.RESTART), 1)

    for look in looks:
        look.cancel()
    await asyncio.wait(looks)
