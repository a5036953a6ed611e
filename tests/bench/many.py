"""What many restarts under way at once cost: memory, CPU, calls, acknowledgements.

Run it with ``python -m tests.bench.many [--counts 10,100,1000] [--notebooks]``.

For each count a new bot gets as many restarts under way, of instances of ML Studio that
go on rebooting, or of notebooks that were stopped and go on starting. Then, for
``--seconds``, nothing happens but the watching, and one command a second: ``help`` and
a ``restart`` of what is under way already (recorded, it joins). The bot polls at most
every 10 s, and its limit of calls is so high that nothing has to wait: this is the
whole cost. "× first" is the CPU over that of the first count.

Then the bot is killed and started again under its default limit of 60 calls a minute.
That row is the cost as people have it, and how many calls really reach the cloud; below
it stand how soon it was back, and how evenly it shares the calls among the instances.

CPU is in percent of one core, "each" in thousandths of a core for one restart, memory
in MB, "kB each" what a restart adds to an idle bot, acknowledgements in ms at the local
Slack.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass

from bot.demo.cloud_http import Call
from bot.demo.instances import Change
from tests.bench.ack import DEFAULT, FREE, LONG
from tests.bench.rig import PROJECT, Rig, numbers, options, rigged, share

WARM_UP_S = 3.0
HEAD = (
    f"{'under way':>16}{'MB':>8}{'kB each':>9}{'CPU %':>8}{'each':>8}"
    f"{'× first':>9}{'calls/min':>11}{'ack median':>12}{'worst':>9}"
)


@dataclass(frozen=True)
class Cost:
    """What a number of restarts under way cost."""

    rss_mb: float
    cpu: float
    calls_per_minute: float
    acks: list[float]


async def begin(rig: Rig, count: int, per_s: float) -> None:
    """Let *count* restarts be under way; wait until all have been sent."""
    for number in range(count):
        await rig.ask(f"restart {PROJECT} box-{number}", expect="Recorded")
        await asyncio.sleep(1 / per_s)
    begun = rig.cloud.restarts
    if any(rig.cloud.world.notebooks):
        begun = rig.cloud.notebooks.starts
    await rig.wait_until(lambda: len(begun) == count)


async def watch(rig: Rig, count: int, seconds: float) -> Cost:
    """Measure while they are watched and somebody asks something every second."""
    acks: list[float] = []
    cpu_s = sum(bot.cpu_s for bot in rig.bots)
    calls, began = sum(rig.calls.values()), time.perf_counter()
    while (passed := time.perf_counter() - began) < seconds:
        number = len(acks) // 2 % count
        if len(acks) % 2:
            text, expect = f"restart {PROJECT} box-{number}", "already"
        else:
            text, expect = "help", "I restart"
        acks.append((await rig.ask(text, expect=expect)).seconds)
        await asyncio.sleep(1.0)
    return Cost(
        sum(bot.rss_mb for bot in rig.bots),
        (sum(bot.cpu_s for bot in rig.bots) - cpu_s) / passed,
        (sum(rig.calls.values()) - calls) / passed * 60,
        acks,
    )


def show(name: str, count: int, cost: Cost, idle_mb: float, first: float) -> None:
    """Print a line of the table; *first* is the CPU of the first count."""
    each_kb = 1000 * (cost.rss_mb - idle_mb) / count
    print(
        f"{name:>16}{cost.rss_mb:8.0f}{each_kb:9.0f}{100 * cost.cpu:8.1f}"
        f"{1000 * cost.cpu / count:8.2f}{cost.cpu / first:9.1f}"
        f"{cost.calls_per_minute:11.0f}"
        f"{1000 * share(cost.acks, 0.5):12.1f}{1000 * max(cost.acks):9.1f}",
        flush=True,
    )


class StatusCache:
    """Counts the looks at each instance."""

    def __init__(self) -> None:
        self.at: Counter[str] = Counter()

    def count(self, event: Call | Change) -> None:
        """Count a look once it is answered."""
        if isinstance(event, Call) and event.kind == "read" and event.status:
            self.at[event.instance] += 1


async def limited(
    rig: Rig, count: int, seconds: float, idle_mb: float, first: float
) -> None:
    """Kill the bots, start them again under the default limit, and measure."""
    replicas = len(rig.bots)
    for bot in rig.bots:
        await bot.kill()
    rig.bots.clear()
    rig.configure(calls_per_minute=DEFAULT)
    looks = StatusCache()
    rig.cloud.on_change.append(looks.count)
    back = [(await rig.start_bot()).connected_s for _ in range(replicas)]
    first_look_s = await rig.wait_until(lambda: bool(looks.at))
    show(f"{count}, limited", count, await watch(rig, count, seconds), idle_mb, first)
    print(
        f"  connected again after {max(back):.1f} s, first look {first_look_s:.1f} s"
        f" later; {sum(looks.at.values())} looks at {len(looks.at)} instances,"
        f" at most {max(looks.at.values())} at one"
    )


async def bench(
    counts: list[int], seconds: float, per_s: float, starting_s: float
) -> None:
    """Measure each count with a bot of its own on SQLite."""
    print(HEAD)
    first = 0.0
    for count in counts:
        async with rigged(count, reboot=LONG, starting_s=starting_s) as rig:
            first = await measure(
                rig, count, seconds, first=first, per_s=per_s, last=count == counts[-1]
            )


async def measure(
    rig: Rig,
    count: int,
    seconds: float,
    *,
    first: float = 0.0,
    per_s: float = 5.0,
    replicas: int = 1,
    last: bool = True,
) -> float:
    """Print the lines of one count; return the CPU of the first (*first*, if known)."""
    rig.configure(calls_per_minute=FREE)
    for _ in range(replicas):
        await rig.start_bot()
    await asyncio.sleep(WARM_UP_S)
    idle_mb = sum(bot.rss_mb for bot in rig.bots)
    await begin(rig, count, per_s)
    await asyncio.sleep(WARM_UP_S)
    cost = await watch(rig, count, seconds)
    first = first or cost.cpu
    show(str(count), count, cost, idle_mb, first)
    if last:
        await limited(rig, count, seconds, idle_mb, first)
    return first


def main() -> None:
    """Read the options and measure."""
    parser = options(__doc__)
    parser.add_argument("--counts", type=numbers, default=[10, 100, 1000])
    parser.add_argument("--seconds", type=float, default=60.0, help="for each count")
    parser.add_argument("--begin", type=float, default=5.0, help="restarts a second")
    parser.add_argument("--notebooks", action="store_true")
    given = parser.parse_args()
    starting_s = 3600.0 if given.notebooks else 0.0
    asyncio.run(bench(given.counts, given.seconds, given.begin, starting_s))


if __name__ == "__main__":
    main()
