"""How long after an instance is ready people are told so, and what that costs in calls.

Plays restarts on a virtual clock through the real ``readiness`` and sets its waits
beside a fixed poll and an exponential back-off. Prints a table; run it with
``python -m tests.bench.told_after_ready [--plot FILE]``. What counts are the restarts
before which 20 of their kind were seen.

What can be had at all: whoever knows how long restarts take, as a distribution, can
compute the best times to look, by dynamic programming over the time of the next look
(Barlow, Hunter, Proschan: Optimum checking procedures, 1963); waits are 1 to 10 s.
"least calls" are those of the schedule with the same mean delay, "×" is how many times
as many were made. The bot's first look, 1 s after the restart, is to tell that it
reboots; the last column leaves it out.
"""

from __future__ import annotations

import argparse
import importlib
import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bot.restarts.polling import next_look
from bot.restarts.readiness import Evidence, Limits, Look, Phase, judge

POLL_S, SHORTEST_S, STEP_S = 10.0, 1.0, 0.5
SEEN = 20  # restarts of a kind, before which nothing is measured
BUSY_AFTER_S = 0.5  # a read right after the call still gives the old status
Wait = Callable[[float, Sequence[float], Evidence], float]
Modes = tuple[tuple[float, float, float], ...]  # weight, median in seconds, sigma


def learnt(at_s: float, durations: Sequence[float], evidence: Evidence) -> float:
    """Wait as the bot does."""
    return next_look(at_s, durations, POLL_S, evidence=evidence, settle_s=5.0)


def fixed(poll_s: float) -> Wait:
    """Wait equally long every time."""
    return lambda _at_s, _durations, _evidence: poll_s


def back_off(at_s: float, _durations: Sequence[float], _evidence: Evidence) -> float:
    """Wait 1 s, then as long as it has taken so far, a minute at most."""
    return min(60.0, max(1.0, at_s))


WAITS: dict[str, Wait] = {
    "learnt": learnt,
    "fixed 10 s": fixed(10.0),
    "fixed 5 s": fixed(5.0),
    "back-off": back_off,
}
# How each way is marked in the plot, and what it is called there.
MARKS = {
    "learnt": ("o", "#0b62c4", "the bot, learning from earlier restarts"),
    "fixed 10 s": ("s", "#c4550b", "fixed poll, 10 s"),
    "fixed 5 s": ("D", "#d9a21b", "fixed poll, 5 s"),
    "back-off": ("^", "#7a4fa3", "exponential back-off, 60 s at most"),
}
LIMIT = {
    "color": "#3d8b4f",
    "linewidth": 1.4,
    "label": "the limit: best schedule for a known distribution",
}
# What the restarts of an instance are like, in equal parts one after the other.
WORLDS: dict[str, tuple[Modes, ...]] = {
    "log-normal, median 120 s, sigma 0.4": (((1.0, 120.0, 0.4),),),
    "log-normal, median 120 s, sigma 0.1": (((1.0, 120.0, 0.1),),),
    "bimodal, 60 s or 240 s, sigma 0.12": (((0.5, 60.0, 0.12), (0.5, 240.0, 0.12)),),
    "median 120 s, then 240 s, sigma 0.4": (((1.0, 120.0, 0.4),), ((1.0, 240.0, 0.4),)),
    "median 120 s, then 45 s, sigma 0.4": (((1.0, 120.0, 0.4),), ((1.0, 45.0, 0.4),)),
}


@dataclass(frozen=True)
class Figures:
    """Mean and 95th percentile of the delay in seconds, and calls per restart."""

    mean_s: float
    p95_s: float
    calls: float


# World, way of waiting, its figures, and the least calls for its mean delay.
Row = tuple[str, str, Figures, float]


def draw(parts: tuple[Modes, ...], count: int, seed: int) -> list[float]:
    """Return how long *count* restarts take until ready, in seconds."""
    dice = random.Random(seed)  # noqa: S311 (no secret)
    modes = [parts[i * len(parts) // count] for i in range(count)]
    chosen = (
        dice.choices(mode, [weight for weight, _, _ in mode])[0] for mode in modes
    )
    return [median * math.exp(sigma * dice.gauss(0, 1)) for _, median, sigma in chosen]


def restart(took_s: float, wait: Wait, durations: Sequence[float]) -> tuple[float, int]:
    """Play one restart; return when ready was told and after how many calls."""
    evidence, phase, at_s, calls = Evidence("ACTIVE", 1, sent=True), None, 0.0, 0
    while phase is not Phase.READY:
        at_s += wait(at_s, durations, evidence)
        calls += 1
        busy = BUSY_AFTER_S <= at_s < took_s
        moved = 1 + (at_s >= BUSY_AFTER_S) + (at_s >= took_s)
        look = Look(at_s, "REBOOTING" if busy else "ACTIVE", moved)
        evidence = evidence.after(look)
        limits = Limits(settle_s=5.0, lost_s=60.0, unchanged_s=120.0)
        phase = judge(evidence, look, limits, at_s=at_s)
    return at_s, calls


def measure(took: Sequence[float], wait: Wait, parts: int = 0) -> Figures:
    """Play all restarts of one instance, learning from each.

    Of each of *parts* equal parts the first 20 are not counted.
    """
    durations: list[float] = []
    delays, calls = [], 0
    for number, took_s in enumerate(took):
        told_s, looks = restart(took_s, wait, durations)
        if not parts or number % (len(took) // parts) >= SEEN:
            delays.append(told_s - took_s)
            calls += looks
        durations.insert(0, told_s)
    delays.sort()
    count = len(delays)
    return Figures(sum(delays) / count, delays[int(0.95 * count)], calls / count)


class Known:
    """The best schedules for a known distribution, on a grid of half seconds."""

    def __init__(self, modes: Modes) -> None:
        self._left, self._sum = [1.0], [0.0]  # not ready yet, and its integral
        while self._left[-1] > 1e-9:
            at_s = STEP_S * len(self._left)
            left = sum(
                weight * math.erfc(math.log(at_s / median) / sigma / math.sqrt(2)) / 2
                for weight, median, sigma in modes
            )
            self._sum.append(self._sum[-1] + STEP_S * (self._left[-1] + left) / 2)
            self._left.append(left)

    def best(self, price_s: float) -> tuple[float, float]:
        """Return the mean delay and the calls where a call costs *price_s* of delay.

        Backwards in time: after each look the next one is where delay and calls, from
        there on taken together, are least.
        """
        waits = range(round(SHORTEST_S / STEP_S), round(POLL_S / STEP_S) + 1)
        sums = self._sum + self._sum[-1:] * waits[-1]
        cost, delay, calls = ([0.0] * len(sums) for _ in range(3))
        for at in range(len(self._left) - 1, -1, -1):
            left = self._left[at]
            best, late, then = min(
                (late + cost[at + wait], late, at + wait)
                for wait in waits
                for late in [STEP_S * wait * left - (sums[at + wait] - sums[at])]
            )
            cost[at] = best + price_s * left
            delay[at] = late + delay[then]
            calls[at] = left + calls[then]
        return delay[0], calls[0]


def frontier(worlds: Sequence[Known], price_s: float) -> tuple[float, float]:
    """Return mean delay and calls of the best schedules for equal parts of *worlds*."""
    found = [world.best(price_s) for world in worlds]
    delay, calls = (sum(column) / len(found) for column in zip(*found, strict=True))
    return delay, calls


def least_calls(worlds: Sequence[Known], delay_s: float) -> float:
    """Return the calls of the best schedules with that mean delay."""
    low, high = 1e-4, 10.0
    for _ in range(20):
        price_s = math.sqrt(low * high)
        delay, calls = frontier(worlds, price_s)
        low, high = (price_s, high) if delay < delay_s else (low, price_s)
    return calls


def rows(count: int, seed: int) -> Iterator[Row]:
    """Yield the figures of every way of waiting in every world."""
    for world, parts in WORLDS.items():
        took = draw(parts, count, seed)
        known = [Known(modes) for modes in parts]
        for name, wait in WAITS.items():
            found = measure(took, wait, len(parts))
            yield world, name, found, least_calls(known, found.mean_s)


def plot(table: Sequence[Row], file: str) -> str:
    """Draw delay over calls, one picture per world; return what became of it."""
    try:
        pyplot = importlib.import_module("matplotlib.pyplot")
    except ImportError:
        return "no plot: matplotlib is not installed"
    figure, axes = pyplot.subplots(
        2, 3, figsize=(11, 6.4), sharex=True, sharey=True, layout="constrained"
    )
    figure.set_facecolor("white")
    *panels, rest = axes.flat
    for axis, world in zip(panels, WORLDS, strict=True):
        _panel(axis, world, [row for row in table if row[0] == world])
    for axis in axes[:, 0]:
        axis.set_ylabel("mean delay in s (log)")
    for axis in (*axes[1, :2], axes[0, 2]):
        axis.set_xlabel("calls per restart")
        axis.tick_params(labelbottom=True)
    rest.axis("off")
    rest.legend(
        *panels[0].get_legend_handles_labels(), loc="center left", frameon=False
    )
    figure.suptitle("Told after ready: lower is sooner, further left is fewer calls")
    pyplot.savefig(file, dpi=90)
    return f"plot: {file}"


def _panel(axis: Any, world: str, rows: Sequence[Row]) -> None:
    """Draw one world: a mark for each way of waiting, and the limit."""
    axis.set_title(world, fontsize=10)
    axis.set_yscale("log")
    axis.set_yticks([1, 2, 5, 10, 20, 50], labels=["1", "2", "5", "10", "20", "50"])
    axis.minorticks_off()
    axis.grid(color="#e4e4e4", linewidth=0.6)
    axis.set_axisbelow(True)
    known = [Known(modes) for modes in WORLDS[world]]
    best = [frontier(known, 0.02 * 1.5**step) for step in range(18)]
    axis.plot(*zip(*((calls, delay) for delay, calls in best), strict=True), **LIMIT)
    for _, name, found, _ in rows:
        mark, colour, label = MARKS[name]
        axis.plot(found.calls, found.mean_s, mark, color=colour, label=label, ms=8)


def _beside(calls: float, least: float) -> str:
    """Return *calls* beside the *least*, which waits of a minute may well undercut."""
    if calls < 0.9 * least:
        return ""
    return f"{least:13.1f}{calls / least:7.2f}{(calls - 1) / least:9.2f}"


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--count", type=int, default=2000, help="restarts per world")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--plot", metavar="FILE")
    given = options.parse_args()
    table: list[Row] = []
    print(
        f"{'':12}{'mean s':>8}{'p95 s':>8}{'calls':>8}{'least calls':>13}{'×':>7}"
        f"{'but one':>9}"
    )
    for row in rows(given.count, given.seed):
        world, name, found, least = row
        if not table or table[-1][0] != world:
            print(world)
        table.append(row)
        print(
            f"  {name:10}{found.mean_s:8.2f}{found.p95_s:8.2f}{found.calls:8.1f}"
            f"{_beside(found.calls, least)}",
            flush=True,
        )
    if given.plot:
        print(plot(table, given.plot))


if __name__ == "__main__":
    main()
