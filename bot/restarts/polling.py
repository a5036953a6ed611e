"""Pure: when to look next, learnt from how long earlier restarts took."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from bot.restarts.readiness import Evidence

_SHORTEST_S = 1.0  # waits are never shorter, unless the longest one is
_REMEMBERED = 20  # restarts that are learnt from
_LOOK_COST_S = 0.08  # the mean delay that one more look has to save to be worth it
_WIDTHS = (0.05, 0.1, 0.15, 0.2, 0.3)  # how far around itself a restart may speak
_FEW = 4  # restarts that say too little about how much they differ
_LONGER = 0.15  # of a restart that takes longer than all before: there may be one
_STRAY = 0.02  # how likely is what is like no other
_STEP_S = 0.5
_FAR = 5.0  # widths from where a bell is nothing to be reckoned with
_ROOT_2, _ROOT_2_PI = math.sqrt(2), math.sqrt(2 * math.pi)

Bell = tuple[float, float]  # of the logarithm of a time: where it is, and how wide


def next_look(
    at_s: float,
    durations: Sequence[float],
    poll_s: float,
    *,
    evidence: Evidence | None = None,
    settle_s: float = 0.0,
) -> float:
    """Return how many seconds to wait at *at_s* until the next look, *poll_s* at most.

    *durations* are the seconds that this instance's earlier restarts took, newest
    first: looks are frequent when many of them ended, rare when few did. Without
    any, and until another class than ready was seen, the first looks come after 1,
    2, 4, 8 s, so that a quick reboot is not missed.
    """
    at_s = max(0.0, at_s)
    shortest = min(_SHORTEST_S, poll_s)
    if evidence and evidence.stopped_run:
        return poll_s  # three looks in a row must not be three seconds
    if evidence and evidence.ready_run:  # only the second look is missing
        return min(poll_s, max(shortest, settle_s - at_s))
    wait = poll_s
    if durations:
        wait = _until_worth_it(at_s, durations[:_REMEMBERED], shortest, poll_s)
    if not durations or not (evidence and evidence.left_ready):
        wait = min(wait, max(shortest, at_s))
    return wait


def _until_worth_it(
    at_s: float, durations: Sequence[float], shortest: float, longest: float
) -> float:
    """Return the first wait that is as long as its own end asks for.

    With the hazard h (of the restarts that got this far, the share that ends, per
    second) looks w apart cost 1/w looks and h * w/2 of delay per second; the sum is
    least at w = sqrt(2 * cost of a look / h).
    """
    learnt = _learnt(tuple(durations))
    wait = shortest
    while wait < longest:
        if wait**2 * _hazard(at_s + wait, learnt) >= 2 * _LOOK_COST_S:
            break
        wait += _STEP_S
    return min(wait, longest)


@lru_cache(maxsize=1024)
def _learnt(durations: tuple[float, ...]) -> tuple[Bell, ...]:
    """Return the earlier restarts, as wide as the others foretell each of them best.

    That is likelihood cross-validation
    (https://en.wikipedia.org/wiki/Kernel_density_estimation#Bandwidth_selection).
    """
    if len(durations) < _FEW:
        return _bells(durations, _WIDTHS[-1])
    ways = (_bells(durations, width) for width in _WIDTHS)
    return max(ways, key=_foretold)


def _bells(durations: Sequence[float], width: float) -> tuple[Bell, ...]:
    # It is known to a second when a restart was ready, as looks are that far apart.
    took = (max(_SHORTEST_S, took_s) for took_s in durations)
    return tuple((math.log(one), math.hypot(width, _SHORTEST_S / one)) for one in took)


def _foretold(bells: Sequence[Bell]) -> float:
    """Return how likely each is by the others, as a sum of logarithms."""
    others = (_density(log, bells) - 1 / (width * _ROOT_2_PI) for log, width in bells)
    return sum(math.log(_STRAY + other / (len(bells) - 1)) for other in others)


def _density(log: float, bells: Sequence[Bell]) -> float:
    away = (((log - at) / width, width) for at, width in bells)
    near = (math.exp(-z * z / 2) / width for z, width in away if -_FAR < z < _FAR)
    return sum(near) / _ROOT_2_PI


def _hazard(at_s: float, bells: Sequence[Bell]) -> float:
    """Return of the restarts that get to *at_s* the share that ends there, per second.

    Each of the earlier ones stands for those that take about as long.
    """
    log = math.log(at_s)
    away = ((log - at) / width for at, width in bells)
    going_on = (z for z in away if z < _FAR)
    left = sum(1 if z < -_FAR else math.erfc(z / _ROOT_2) / 2 for z in going_on)
    return _density(log, bells) / at_s / (left + _LONGER)
