"""Pure: when to look next, learnt from how long earlier restarts took."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from bot.restarts.readiness import Evidence

_SHORTEST_S = 1.0  # waits are never shorter, unless the longest one is
_REMEMBERED = 20  # restarts that are learnt from
_LOOK_COST_S = 0.06  # the mean delay that one more look has to save to be worth it
_NEARBY = (1.05, 1.25)  # within which factor of a time restarts ended "around" it
_FEW = 4  # restarts that say too little about how much they differ
_STEP_S = 0.5


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
    wait = _until_worth_it(at_s, durations[:_REMEMBERED], shortest, poll_s)
    if not durations or not (evidence and evidence.left_ready):
        wait = min(wait, max(shortest, at_s))
    return wait


def _until_worth_it(
    at_s: float, durations: Sequence[float], shortest: float, longest: float
) -> float:
    """Return the first wait that is as long as its own end asks for."""
    if not durations:
        return longest
    ordered = sorted(durations)
    nearby = _nearby(ordered)
    wait = shortest
    while wait < longest and wait < _spacing(at_s + wait, ordered, nearby):
        wait += _STEP_S
    return min(wait, longest)


def _nearby(ordered: Sequence[float]) -> float:
    """Return the factor of "around": the narrower, the more alike restarts are.

    It is the ratio of the upper to the lower quartile of *ordered*, within limits.
    """
    narrow, wide = _NEARBY
    if len(ordered) < _FEW:
        return wide
    low, high = ordered[len(ordered) // 4], ordered[-1 - len(ordered) // 4]
    return min(wide, max(narrow, high / low)) if low > 0 else wide


def _spacing(at_s: float, ordered: Sequence[float], nearby: float) -> float:
    """Return the best time between two looks around *at_s*, by *ordered* durations.

    With the hazard h (of the restarts that got this far, the share that ended
    around now, per second) looks w apart cost 1/w looks and h * w/2 of delay per
    second; the sum is least at w = sqrt(2 * cost of a look / h).
    """
    begin = min(at_s / nearby, at_s - _SHORTEST_S)
    end = max(at_s * nearby, at_s + _SHORTEST_S)
    first = bisect_left(ordered, begin)
    under_way = len(ordered) - first
    ended = bisect_right(ordered, end) - first
    if not ended:
        return math.inf
    return math.sqrt(2 * _LOOK_COST_S * under_way * (end - begin) / ended)
