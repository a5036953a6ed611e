"""Replicas of which one is killed every few seconds: what is lost, and what is late.

Run it with ``python -m tests.bench.kills [--replicas 1,2,3] [--seconds N] ...``.

On one PostgreSQL of our own, in turn: as many replicas, a restart asked for every
second, and the replica that has lived longest killed (SIGKILL) every ``--every``
seconds, another one started in its place at once. Then one row without kills.

"not taken" are commands that Slack had to show an error for, so that people type them
again; "lost" are restarts that were acknowledged and whose end was never told, "twice"
instances that were restarted twice. "late" is how long after an instance was ready that
was said, in seconds.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from bot.demo.cloud_http import Call
from bot.demo.instances import Change, Reboot
from tests.bench.ack import FREE
from tests.bench.rig import (
    PROJECT,
    Postgres,
    Rig,
    box_id,
    numbers,
    options,
    rigged,
    share,
)

REBOOT = Reboot(phases=(("REBOOTING", (10.0, 30.0)),))
_IS_READY = re.compile(r"(box-\d+) is ready")
PATIENCE_S = 120.0  # after the last restart was asked for
HEAD = (
    f"{'replicas':10}{'killed':>8}{'asked':>8}{'not taken':>11}{'lost':>6}{'twice':>7}"
    f"{'late, median':>14}{'p95':>8}{'worst':>8}"
)


@dataclass
class Toll:
    """What was asked for, and what came of it; times are POSIX seconds."""

    kills: int = 0
    not_taken: int = 0
    taken: list[str] = field(default_factory=list)
    ready_at: dict[str, float] = field(default_factory=dict)

    def notice(self, event: Call | Change) -> None:
        """Note when an instance is ready."""
        if isinstance(event, Change) and event.current == "ACTIVE":
            self.ready_at[event.instance_id] = time.time()


async def kill(rig: Rig, toll: Toll, every_s: float) -> None:
    """Kill the oldest replica every so often and start another, for ever."""
    while True:
        await asyncio.sleep(every_s)
        await rig.bots.pop(0).kill()
        toll.kills += 1
        await rig.start_bot()


async def ask(rig: Rig, toll: Toll, count: int) -> None:
    """Ask for one restart a second, each of another instance."""
    for number in range(count):
        text = f"/mlstudio restart {PROJECT} box-{number}"
        delivery = await rig.slack.command("ann", "C0INCIDENTS", text)
        if delivery.ok and "Recorded" in delivery.text:
            toll.taken.append(f"box-{number}")
        else:
            toll.not_taken += 1
        await asyncio.sleep(1.0)


class Ends:
    """When the end of each restart was told: Slack forgets old messages."""

    def __init__(self, rig: Rig) -> None:
        self.at: dict[str, float] = {}
        self._rig = rig

    async def collect(self) -> None:
        """Collect them for ever."""
        while True:
            for post in self._rig.slack.messages("incidents"):
                for name in _IS_READY.findall(post.text):
                    self.at.setdefault(name, float(post.ts))
            await asyncio.sleep(1.0)


def late(toll: Toll, ends: Ends) -> Iterator[float]:
    """Yield how late each end was told, in seconds."""
    for box in toll.taken:
        ready_at = toll.ready_at.get(box_id(box))
        if box in ends.at and ready_at:
            yield ends.at[box] - ready_at


async def measure(
    postgres: Postgres, replicas: int, seconds: float, every_s: float
) -> None:
    """Print one row."""
    count = round(seconds)
    async with rigged(count, reboot=REBOOT, database=postgres.database()) as rig:
        rig.configure(calls_per_minute=FREE)
        toll, ends = Toll(), Ends(rig)
        rig.cloud.on_change.append(toll.notice)
        for _ in range(replicas):
            await rig.start_bot()
        loops = [asyncio.create_task(ends.collect())]
        loops += [asyncio.create_task(kill(rig, toll, every_s))] if every_s else []
        await ask(rig, toll, count)
        with suppress(TimeoutError):
            await rig.wait_until(lambda: len(ends.at) >= len(toll.taken), PATIENCE_S)
        for loop in loops:
            loop.cancel()
        await asyncio.wait(loops)
        found = list(late(toll, ends))
        twice = sum(len(acts) > 1 for acts in rig.cloud.restarts.values())
        print(
            f"{replicas:<10}{toll.kills:8}{count:8}{toll.not_taken:11}"
            f"{len(toll.taken) - len(found):6}{twice:7}{share(found, 0.5):14.1f}"
            f"{share(found, 0.95):8.1f}{max(found):8.1f}",
            flush=True,
        )


def main() -> None:
    """Read the options and measure."""
    parser = options(__doc__)
    parser.add_argument("--replicas", type=numbers, default=[1, 2, 3])
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--every", type=float, default=10.0)
    given = parser.parse_args()
    postgres = Postgres()
    print(HEAD)
    try:
        for replicas in given.replicas:
            asyncio.run(measure(postgres, replicas, given.seconds, given.every))
        asyncio.run(measure(postgres, given.replicas[-1], given.seconds / 4, 0.0))
    finally:
        postgres.close()


if __name__ == "__main__":
    main()
