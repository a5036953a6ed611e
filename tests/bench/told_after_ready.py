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

from bot.readiness import (
    _LOOK_COST_S,
    Evidence,
    Look,
    Phase,
    judge,
    next_look,
)

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
        phase = judge(
            evidence,
            look,
            at_s=at_s,
            settle_s=5.0,
            timeout_s=math.inf,
            lost_s=60.0,
            unchanged_s=120.0,
        )
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


def rows(count: int, seed: int) -> Iterator[tuple[str, str, Figures, float]]:
    """Yield world, way of waiting, figures, and the delay of as many calls evenly."""
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


def plot(table: Sequence[tuple[str, str, Figures, float]], file: str) -> str:
    """Draw delay over calls, one picture per world; return what became of it."""
    try:
        pyplot = importlib.import_module("matplotlib.pyplot")
    except ImportError:
        return "no plot: matplotlib is not installed"
    _, axes = pyplot.subplots(1, len(WORLDS), figsize=(5 * len(WORLDS), 4))
    for axis, world in zip(axes, WORLDS, strict=True):
        axis.set(title=world, xlabel="calls per restart", ylabel="mean delay (s)")
        for found_in, name, found, _ in table:
            if found_in == world and name != "back-off":
                axis.plot(found.calls, found.mean_s, "o", label=name)
        axis.legend()
    pyplot.savefig(file, bbox_inches="tight")
    return f"plot: {file}"


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--count", type=int, default=2000, help="restarts per world")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--plot", metavar="FILE")
    given = options.parse_args()
    table = []
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
