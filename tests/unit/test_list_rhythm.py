"""A thousand watched notebooks are seen as often as was said, and cost little.

Time leaps from one thing that is due to the next, so a minute takes no minute.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

from bot.cloud.clocks import Clocks
from bot.cloud.shared_looks import SharedLooks
from bot.model import Instance, Kind, Target

WATCHED, ROWS = 1000, 50
POLL_S, PAGE_S, WARM_UP_S, MEASURED_S = 10.0, 0.2, 20.0, 30.0


class Leaping(asyncio.SelectorEventLoop):
    """A loop whose clock leaps to what is due next."""

    at = 0.0

    def time(self) -> float:
        """Return the leaping clock."""
        return self.at

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:
            self.at = max(self.at, self._scheduled[0]._when)
        super()._run_once()


async def measured() -> tuple[Counter[str], float]:
    """Return the calls, and the longest time between two looks at one."""
    loop, calls = asyncio.get_running_loop(), Counter[str]()
    seen: dict[str, float] = {}
    apart: list[float] = []

    async def pages() -> AsyncIterator[tuple[Instance, ...]]:
        for first in range(0, WATCHED, ROWS):
            calls["list"] += 1
            await asyncio.sleep(PAGE_S)
            yield tuple(Instance(str(n), "x") for n in range(first, first + ROWS))

    async def read(target: Target) -> Instance:
        calls["read"] += 1
        return Instance(target.key, "x")

    looks = SharedLooks(pages, read, Clocks(monotonic=loop.time, sleep=asyncio.sleep))

    async def watch(number: int) -> None:
        target = Target("p", "p", str(number), str(number), kind=Kind.NOTEBOOK)
        await asyncio.sleep(number * POLL_S / WATCHED)
        while True:
            await looks.look(target)
            apart.append(loop.time() - seen.get(target.key, loop.time()))
            seen[target.key] = loop.time()
            await asyncio.sleep(max(1.0, POLL_S - looks.lag_s))

    watchers = [asyncio.create_task(watch(number)) for number in range(WATCHED)]
    await asyncio.sleep(WARM_UP_S)
    calls.clear()
    apart.clear()
    await asyncio.sleep(MEASURED_S)
    for watcher in watchers:
        watcher.cancel()
    await asyncio.wait(watchers)
    return calls, max(apart)


def test_a_thousand_are_seen_every_ten_seconds_within_200_calls() -> None:
    """Two looks at one are no further apart than ``poll``, and all are lists."""
    with asyncio.Runner(loop_factory=Leaping) as runner:
        calls, apart = runner.run(measured())
    assert apart <= POLL_S
    assert calls["list"] * 60 / MEASURED_S <= 200
    assert not calls["read"]
