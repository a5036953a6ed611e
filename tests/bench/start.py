"""How soon the bot is there, and what it weighs when it has nothing to do.

Run it with ``python -m tests.bench.start [--rounds N] [--stories N] [--top N]``.

In every round, in turn: Python with nothing to do, ``--help``, ``run`` until the socket
to the local Slack is open (on a new database, then on that database again), and the
bare Bolt app of ``tests.bench.bare`` until its socket is open. Times in seconds, wall
clock and CPU; memory in MB five seconds after the last start. With ``--stories`` so
many restarts are under way when the bot is killed; how soon is it back, and how soon
does it look at every instance again. Last, what is imported by ``run``, and for how
long (``-X importtime``: a module with all that it imports).
"""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
import time
from dataclasses import dataclass, field

from tests.bench.ack import FREE, LONG, bare_app
from tests.bench.many import StatusCache, begin
from tests.bench.rig import Rig, options, rigged, share

IDLE_AFTER_S = 5.0
HEAD = f"{'':28}{'median s':>10}{'worst s':>10}{'CPU s':>10}{'MB':>8}"


@dataclass
class Times:
    """Wall clock and CPU of every round in seconds, and memory in MB at the end."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    rss_mb: float = 0.0

    def add(self, wall_s: float, cpu_s: float) -> None:
        """Add a round."""
        self.wall.append(wall_s)
        self.cpu.append(cpu_s)

    def line(self, name: str) -> str:
        """Return a line of the table."""
        rss = f"{self.rss_mb:8.0f}" if self.rss_mb else ""
        return (
            f"{name:28}{share(self.wall, 0.5):10.2f}{max(self.wall):10.2f}"
            f"{share(self.cpu, 0.5):10.2f}{rss}"
        )


def command(times: Times, *words: str) -> None:
    """Run Python with *words* and add how long that takes."""
    used = _children_s()
    began = time.perf_counter()
    subprocess.run([sys.executable, *words], check=True, capture_output=True)
    times.add(time.perf_counter() - began, _children_s() - used)


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def run(rig: Rig, times: Times, *, last: bool) -> None:
    """Start the bot, add how long that took, and stop it."""
    bot = await rig.start_bot()
    times.add(bot.connected_s, bot.cpu_s)
    if last:
        await asyncio.sleep(IDLE_AFTER_S)
        times.rss_mb = bot.rss_mb
    await rig.stop_bots()


async def bench(rounds: int) -> None:
    """Print the table."""
    table = {
        name: Times()
        for name in (
            "python -c pass",
            "--help",
            "run, new database",
            "run, same database",
            "bare Bolt",
        )
    }
    nothing, usage, new, same, bare = table.values()
    for number in range(rounds):
        last = number == rounds - 1
        command(nothing, "-c", "pass")
        command(usage, "-m", "bot", "--help")
        async with rigged(10) as rig:
            rig.configure(calls_per_minute=FREE)
            await run(rig, new, last=False)
            await run(rig, same, last=last)
            async with bare_app(rig) as (_, app):
                bare.add(app.connected_s, app.cpu_s)
                if last:
                    await asyncio.sleep(IDLE_AFTER_S)
                    bare.rss_mb = app.rss_mb
    print(HEAD)
    for name, times in table.items():
        print(times.line(name))


async def resume(count: int) -> None:
    """Print how soon *count* restarts are watched again after a crash."""
    async with rigged(count, reboot=LONG) as rig:
        rig.configure(calls_per_minute=FREE)
        bot = await rig.start_bot()
        await begin(rig, count, 5.0)
        await bot.kill()
        looks = StatusCache()
        rig.cloud.on_change.append(looks.count)
        bot = await rig.start_bot()
        again_s = await rig.wait_until(lambda: len(looks.at) == count)
        print(
            f"{count} stories resumed: connected after {bot.connected_s:.2f} s,"
            f" all looked at {again_s:.1f} s later, {bot.cpu_s:.1f} s of CPU,"
            f" {bot.rss_mb:.0f} MB"
        )


def imports(top: int) -> None:
    """Print what takes longest to import."""
    command = [sys.executable, "-X", "importtime", "-c", "import bot.app"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    lines = [line.split("|") for line in done.stderr.splitlines() if "us]" not in line]
    found = [(int(all_us), name.rstrip()) for _, all_us, name in lines]
    print(f"imported by run, of {max(found)[0] / 1000:.0f} ms")
    direct = [each for each in found if not _inside_package(each[1])]
    for all_us, name in sorted(direct, reverse=True)[:top]:
        print(f"{all_us / 1000:8.0f} ms  {name.strip()}")


def _inside_package(name: str) -> bool:
    """Say whether a module is a part of a package that is listed itself."""
    return "." in name.strip() and not name.strip().startswith("bot.")


def main() -> None:
    """Read the options and measure."""
    parser = options(__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--stories", type=int, default=1000, help="0 = none")
    parser.add_argument("--top", type=int, default=15, help="imports to show")
    given = parser.parse_args()
    asyncio.run(bench(given.rounds))
    if given.stories:
        asyncio.run(resume(given.stories))
    imports(given.top)


if __name__ == "__main__":
    main()
