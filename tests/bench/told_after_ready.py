"""How long after an instance is ready people are told so, and what that costs in calls.

Plays restarts on a virtual clock through the real ``readiness`` and sets its waits
beside a fixed poll and an exponential back-off. Prints a table; run it with
``python -m tests.bench.told_after_ready [--plot FILE]``.

What can be had at all: a poll that never waits longer than 10 s needs as many calls as
the fixed 10 s poll before it has told anything sooner. So telling sooner costs calls;
the question is how few. "evenly" is the mean delay of a fixed poll with just as many
calls, "known" what the same price of a look buys whoever knows the distribution.
"""

from __future__ import annotations

import argparse
import importlib
import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bot.restarts.polling import _LOOK_COST_S, next_look
from bot.restarts.readiness import Evidence, Limits, Look, Phase, judge

POLL_S = 10.0
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
    "known": ("*", "#3d8b4f", "who knows the distribution beforehand"),
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


# World, way of waiting, its figures, and the delay of as many calls evenly.
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


def measure(took: Sequence[float], wait: Wait) -> Figures:
    """Play all restarts of one instance, learning from each."""
    durations: list[float] = []
    delays, calls = [], 0
    for took_s in took:
        told_s, looks = restart(took_s, wait, durations)
        delays.append(told_s - took_s)
        calls += looks
        durations.insert(0, told_s)
    delays.sort()
    count = len(took)
    return Figures(sum(delays) / count, delays[int(0.95 * count)], calls / count)


def known(modes: Modes) -> Figures:
    """Return what whoever knows the distribution gets for the price of a look."""
    step, delay, calls = 0.1, 0.0, 0.0
    for t in (step * n for n in range(1, 20_000)):
        logs = [(w, math.log(t / median) / sigma, sigma) for w, median, sigma in modes]
        left = sum(w * math.erfc(z / math.sqrt(2)) / 2 for w, z, _ in logs)
        ends = sum(w * math.exp(-z * z / 2) / (t * s * 2.50663) for w, z, s in logs)
        if left < 1e-12:
            break
        looks = min(1.0, max(1 / POLL_S, math.sqrt(ends / left / (2 * _LOOK_COST_S))))
        calls += looks * left * step
        delay += ends / (2 * looks) * step
    return Figures(delay, math.nan, calls)


def rows(count: int, seed: int) -> Iterator[Row]:
    """Yield the figures of every way of waiting in every world."""
    for world, parts in WORLDS.items():
        took = draw(parts, count, seed)
        mean_s = sum(took) / count
        for name, wait in WAITS.items():
            found = measure(took, wait)
            yield world, name, found, mean_s / found.calls / 2
        ideal = [known(modes) for modes in parts]
        best = Figures(
            sum(each.mean_s for each in ideal) / len(ideal),
            math.nan,
            sum(each.calls for each in ideal) / len(ideal),
        )
        yield world, "known", best, mean_s / best.calls / 2


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
    """Draw one world: a mark for each way of waiting, a line for every fixed poll."""
    axis.set_title(world, fontsize=10)
    axis.set_yscale("log")
    axis.set_yticks([1, 2, 5, 10, 20, 50], labels=["1", "2", "5", "10", "20", "50"])
    axis.minorticks_off()
    axis.grid(color="#e4e4e4", linewidth=0.6)
    axis.set_axisbelow(True)
    _, _, found, evenly_s = rows[0]
    calls = range(6, 45)
    delays = [evenly_s * found.calls / each for each in calls]
    axis.plot(calls, delays, color="#b0b0b0", linewidth=1.2, label="any fixed poll")
    for _, name, found, _ in rows:
        mark, colour, label = MARKS[name]
        axis.plot(found.calls, found.mean_s, mark, color=colour, label=label, ms=8)


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--count", type=int, default=2000, help="restarts per world")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--plot", metavar="FILE")
    given = options.parse_args()
    table: list[Row] = []
    print(f"{'':12}{'mean s':>8}{'p95 s':>8}{'calls':>8}{'evenly s':>10}")
    for row in rows(given.count, given.seed):
        world, name, found, evenly_s = row
        if not table or table[-1][0] != world:
            print(world)
        table.append(row)
        p95 = "" if math.isnan(found.p95_s) else f"{found.p95_s:.2f}"
        print(
            f"  {name:10}{found.mean_s:8.2f}{p95:>8}{found.calls:8.1f}{evenly_s:10.2f}"
        )
    if given.plot:
        print(plot(table, given.plot))


if __name__ == "__main__":
    main()
