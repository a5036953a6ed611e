"""What watching many notebooks of one project costs in calls, and in waiting.

Run it with ``python -m tests.bench.lists [--counts 10,100,1000] [--seconds N]``.

For each count as many notebooks of the local cloud are looked at as the bot does that
watches them: a look, a wait of 10 s less what a look waits for its page, a look, begun
at even moments of the first 10 s.
Calls are counted over ``--seconds`` after the first 20. "wait" is how long a look took
in seconds, "apart" the longest time between the answers to two looks at one.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections import Counter

from pydantic import SecretStr

from bot.cloud import Cloud, Endpoint, Login, Rank
from bot.demo.modelarts_server import LocalModelArts
from bot.demo.notebooks import ScriptedLease, ScriptedNotebook
from bot.demo.seed_world import Login as CloudLogin
from bot.demo.seed_world import Project, World
from bot.model import Kind, Target
from bot.network import http_client

PROJECT = "5b1d0e6f2c8a4f7e9d3b6a0c1e8f4d27"
POLL_S, WARM_UP_S = 10.0, 20.0


def world_of(count: int) -> World:
    """Return a project with *count* notebooks."""
    boxes = tuple(
        ScriptedNotebook(
            id=f"3f0c9a52-71de-4b86-a4e3-{number:012x}",
            name=f"box-{number}",
            owner="ann",
            lease=ScriptedLease(create_ms=1_700_000_000_000 + number),
        )
        for number in range(count)
    )
    project = Project("ml-nb", PROJECT, notebooks=boxes)
    return World(CloudLogin("bot", "not-a-password", "OTC0001"), {}, (project,))


async def watch(
    cloud: Cloud,
    target: Target,
    after_s: float,
    waits: list[float],
    apart: list[float],
):
    """Look at a notebook for ever, every 10 s."""
    await asyncio.sleep(after_s)
    last = time.perf_counter()
    while True:
        begun = time.perf_counter()
        await cloud.read(target, rank=Rank.LOOK)
        now = time.perf_counter()
        waits.append(now - begun)
        apart.append(now - last)
        last = now
        await asyncio.sleep(max(1.0, POLL_S - cloud.lag_s(target)))


async def measure(count: int, seconds: float) -> None:
    """Print one row."""
    far = LocalModelArts(world_of(count))
    await far.start()
    point = Endpoint("ml-nb", PROJECT, "token", far.iam_url, far.url)
    login = Login("bot", SecretStr("not-a-password"), "OTC0001")
    calls: Counter[str] = Counter()
    far.on_change.append(
        lambda call: (
            calls.update([getattr(call, "kind", "")])
            if getattr(call, "status", 0)
            else None
        )
    )
    waits: list[float] = []
    apart: list[float] = []
    async with http_client() as http:
        cloud = Cloud({"ml-nb": point}, login, http, calls_per_minute=6000)
        targets = [
            Target("ml-nb", PROJECT, box.name, box.id, (), Kind.NOTEBOOK)
            for box in far.world.notebooks
        ]
        watchers = [
            asyncio.create_task(watch(cloud, one, POLL_S * n / count, waits, apart))
            for n, one in enumerate(targets)
        ]
        await asyncio.sleep(WARM_UP_S)
        calls.clear()
        waits.clear()
        apart.clear()
        await asyncio.sleep(seconds)
        per_minute = {kind: n * 60 / seconds for kind, n in calls.items()}
        for watcher in watchers:
            watcher.cancel()
        await asyncio.wait(watchers)
    await far.close()
    waits.sort()
    middle, worst = waits[len(waits) // 2], waits[-1]
    print(
        f"{count:>8}{sum(per_minute.values()):>12.0f}"
        f"{per_minute.get('list', 0):>8.0f}{per_minute.get('read', 0):>8.0f}"
        f"{len(waits) * 60 / seconds:>12.0f}{middle:>10.2f}{worst:>8.2f}"
        f"{max(apart):>8.2f}",
        flush=True,
    )


def main() -> None:
    """Print a row for each count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", default="10,100,1000")
    parser.add_argument("--seconds", type=float, default=60.0)
    asked = parser.parse_args()
    print(
        f"{'watched':>8}{'calls/min':>12}{'pages':>8}{'reads':>8}{'looks/min':>12}"
        f"{'wait':>10}{'worst':>8}{'apart':>8}"
    )
    for count in map(int, asked.counts.split(",")):
        asyncio.run(measure(count, asked.seconds))


if __name__ == "__main__":
    main()
