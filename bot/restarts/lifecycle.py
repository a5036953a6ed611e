"""Pure: how far a stop or a start is, judged by what the cloud shows.

A stop is sent once; a start only after a read that says that the instance is stopped,
and then again with growing waits ("Stop, then start" in bot/README.md).
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import attrs

from bot.model import (
    HOPELESS,
    Act,
    Record,
    StatusClass,
    can_start,
    class_of,
    is_starting,
)

GIVE_UP_S = 3600.0  # after the stop nothing is started unasked any more
FIRST_WAIT_S = 30.0  # after the first try of a start
# Until so long after the stop: so long.
START_WAITS_S = ((900.0, 60.0), (GIVE_UP_S, 300.0))
LATE_STOP = 10  # times ``lost``: so much longer a stop that shows no sign is watched
TWICE = 2  # looks in a row that have to say the same


class Turn(StrEnum):
    """What a look at an instance means for the act that is watched."""

    GOING_ON = "going on"
    STOPPED = "stopped"  # what was stopped can be started now
    OVERTAKEN = "overtaken"  # somebody else has started it
    AGAIN = "again"  # the start is due
    READY = "ready"
    DOUBT = "doubt"  # no sign of the stop so far: to be said
    LOST = "lost"  # ... nor afterwards
    KEPT_DOWN = "kept down"  # somebody has stopped it again
    DOWN = "down"  # not up within the hour
    FAILED = "failed"
    TIMED_OUT = "timed out"


@attrs.frozen
class Limits:
    """Seconds after an act, as the configuration has them."""

    lost_s: float
    unchanged_s: float
    timeout_s: float


@attrs.frozen
class Looked:
    """The last look: its *status*, and how many looks in a row were of its class."""

    status: str = ""
    in_a_row: int = 0

    def after(self, status: str) -> Looked:
        """Return it with one look more."""
        same = class_of(status) is class_of(self.status) and self.in_a_row > 0
        return Looked(status, self.in_a_row + 1 if same else 1)


def judge_stop(
    record: Record, look: Looked | None, limits: Limits, at_s: float
) -> Turn:
    """Judge a stop *at_s* seconds after its call; no *look*: the read failed."""
    late = Turn.TIMED_OUT if at_s >= limits.timeout_s else Turn.GOING_ON
    if look is None:
        return late
    kind = class_of(look.status)
    if can_start(look.status):
        return Turn.STOPPED
    if _is_lost_for_good(look.status):
        return Turn.FAILED
    if is_starting(look.status):
        return Turn.OVERTAKEN
    if kind is not StatusClass.READY:
        return late
    if record.seen_other and look.in_a_row < TWICE:  # that look may be a stale one
        return Turn.GOING_ON
    return _unseen_stop(record, limits, at_s)


def _unseen_stop(record: Record, limits: Limits, at_s: float) -> Turn:
    """Judge what is up, and was seen neither stopped nor starting since the stop."""
    limit_s = limits.unchanged_s if record.answered == "accepted" else limits.lost_s
    patience_s = limit_s + LATE_STOP * limits.lost_s
    if at_s < limit_s:
        return Turn.GOING_ON
    if at_s >= patience_s:
        return Turn.LOST
    return Turn.GOING_ON if record.doubt_told else Turn.DOUBT


def _is_lost_for_good(status: str) -> bool:
    """Say whether it can neither be stopped nor started any more."""
    return class_of(status) is StatusClass.FAILED or status.upper() in HOPELESS


def judge_start(
    record: Record, look: Looked | None, limits: Limits, now: datetime
) -> Turn:
    """Judge a start; no *look*: the read failed."""
    since_s = _passed(record.start_at or record.stopped_at or record.sent_at, now)
    late = Turn.TIMED_OUT if since_s >= limits.timeout_s else Turn.GOING_ON
    if look is None:
        return late
    kind = class_of(look.status)
    if kind is StatusClass.READY:
        return Turn.READY if look.in_a_row >= TWICE else Turn.GOING_ON
    if can_start(look.status):
        return _startable(record, look, limits, now)
    return Turn.FAILED if _is_lost_for_good(look.status) else late


def _startable(record: Record, look: Looked, limits: Limits, now: datetime) -> Turn:
    """Judge what is stopped, or has not come up."""
    if record.came_up and class_of(look.status) is StatusClass.STOPPED:
        return Turn.KEPT_DOWN if look.in_a_row >= TWICE else Turn.GOING_ON
    if is_over(record, now):
        return Turn.DOWN
    return Turn.AGAIN if is_due(record, look.status, limits, now) else Turn.GOING_ON


def is_over(record: Record, now: datetime) -> bool:
    """Say whether it is too late to start it unasked."""
    return _passed(record.sent_at, now) >= GIVE_UP_S


def is_due(record: Record, status: str, limits: Limits, now: datetime) -> bool:
    """Say whether the start may be sent to what is in this *status* (stopped)."""
    if not record.starts:
        return True
    return _passed(record.start_at, now) >= _wait_s(record, status, limits, now)


def _wait_s(record: Record, status: str, limits: Limits, now: datetime) -> float:
    """Return how long after one try of the start the next one may come.

    Where nobody knows whether it is under way, only when it has shown no sign of it.
    """
    failed = class_of(status) is StatusClass.FAILED
    if record.start_answered != "refused" and not failed:
        return limits.lost_s
    if record.starts == 1:
        return FIRST_WAIT_S
    since_s = _passed(record.sent_at, now)
    return next(
        (wait for until, wait in START_WAITS_S if since_s < until), START_WAITS_S[-1][1]
    )


def _passed(since: datetime | None, now: datetime) -> float:
    """Return the seconds since a time; none where there was none."""
    return (now - since).total_seconds() if since else 0.0


def seen(path: tuple[str, ...], *statuses: str) -> tuple[str, ...]:
    """Return *path* with *statuses* that differ from the one before."""
    for status in statuses:
        if status and (not path or path[-1] != status):
            path = (*path, status)
    return path


def is_news(record: Record, status: str) -> bool:
    """Say whether a look cannot be the stale one from before the act."""
    kind = class_of(status)
    if record.act is Act.STOP:  # it was ready before
        return kind is not StatusClass.READY or record.seen_other
    return not can_start(status) or record.came_up or status not in record.path
