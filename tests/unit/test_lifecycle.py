"""What a look means for a stop or a start, judged without any wire."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.model import AutoStop, Instance, Kind, Lease, Record, Request, State, Target
from bot.restarts import lease
from bot.restarts.lifecycle import (
    GIVE_UP_S,
    Limits,
    Looked,
    Turn,
    judge_start,
    judge_stop,
)

NOON = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
LIMITS = Limits(lost_s=60.0, unchanged_s=120.0, timeout_s=1800.0)
TARGET = Target("ml-nb", "p", "nb-3", "i", (), Kind.NOTEBOOK)
HOUR = 3_600_000


def record(**how: object) -> Record:
    """Return a restart of a notebook whose stop was sent at noon."""
    request = Request("r", "T", "U", TARGET, "C", NOON)
    one = Record(request, State.RESTARTING, sent_at=NOON, path=("RUNNING",))
    return replace(one, **how)


def after(minutes: float) -> datetime:
    """Return the time so many minutes after the stop."""
    return NOON + timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("answered", "said", "at_s", "turn"),
    [
        ("lost", False, 59.0, Turn.GOING_ON),
        ("lost", False, 60.0, Turn.DOUBT),
        ("lost", True, 600.0, Turn.GOING_ON),
        ("lost", True, 660.0, Turn.LOST),
        ("accepted", False, 119.0, Turn.GOING_ON),
        ("accepted", False, 120.0, Turn.DOUBT),
    ],
)
def test_a_stop_without_a_sign(answered: str, said: object, at_s: float, turn: Turn):
    """RUNNING for a minute is a doubt, and ten minutes later nothing has come of it."""
    one = record(answered=answered, doubt_told=said)
    assert judge_stop(one, Looked("RUNNING", 1), LIMITS, at_s) is turn


@pytest.mark.parametrize(
    ("starts", "answer", "minutes", "since_min", "turn"),
    [
        (0, "", 1, 0.0, Turn.AGAIN),
        (1, "refused", 1, 0.4, Turn.GOING_ON),
        (1, "refused", 1, 0.5, Turn.AGAIN),
        (2, "refused", 10, 0.9, Turn.GOING_ON),
        (2, "refused", 10, 1.0, Turn.AGAIN),
        (9, "refused", 20, 4.9, Turn.GOING_ON),
        (9, "refused", 20, 5.0, Turn.AGAIN),
        (1, "lost", 5, 0.9, Turn.GOING_ON),
        (1, "lost", 5, 1.0, Turn.AGAIN),
        (1, "accepted", 5, 1.0, Turn.AGAIN),
        (9, "refused", 60, 5.0, Turn.DOWN),
    ],
)
def test_when_a_start_is_sent_again(
    starts: int, answer: str, minutes: float, since_min: float, turn: Turn
):
    """After 30 s, each minute to 15 min, each 5 min to the hour, and then no more."""
    now = after(minutes)
    one = record(
        done=1,
        starts=starts,
        start_answered=answer,
        start_at=now - timedelta(minutes=since_min) if starts else None,
    )
    assert judge_start(one, Looked("STOPPED", 1), LIMITS, now) is turn


def test_ready_and_somebodys_stop_take_two_looks():
    """One look may be stale: both ends need a second one that says the same."""
    one = record(done=1, starts=1, start_at=after(1), came_up=True)
    for status, turn in (("RUNNING", Turn.READY), ("STOPPED", Turn.KEPT_DOWN)):
        first = Looked().after(status)
        assert judge_start(one, first, LIMITS, after(2)) is Turn.GOING_ON
        assert judge_start(one, first.after(status), LIMITS, after(2)) is turn


def test_the_hour_is_an_hour():
    """What people are told is what is kept."""
    assert GIVE_UP_S == 3600.0


@pytest.mark.parametrize(
    ("before", "sent"),
    [
        (None, AutoStop(-1)),
        (Lease(enabled=False), AutoStop(-1)),
        (
            Lease(enabled=True, type="TIMING", create_ms=0, duration_ms=9 * HOUR),
            AutoStop(8 * HOUR, "TIMING"),
        ),
        (
            Lease(enabled=True, type="TIMING", create_ms=0, duration_ms=HOUR + 1),
            AutoStop(HOUR, "TIMING"),
        ),
        (
            Lease(enabled=True, type="IDLE", create_ms=0, duration_ms=HOUR),
            AutoStop(HOUR, "IDLE"),
        ),
    ],
)
def test_what_a_start_says_of_the_auto_stop(before: Lease | None, sent: AutoStop):
    """None stays none, a planned end stays where it was, at least an hour away."""
    one = Instance("i", "RUNNING", kind=Kind.NOTEBOOK, lease=before)
    assert lease.auto_stop_of(one, HOUR) == sent


@pytest.mark.parametrize(
    ("status", "turn"),
    [
        ("SNAPSHOTTING", Turn.GOING_ON),
        ("HIBERNATING", Turn.GOING_ON),
        ("STARTING", Turn.OVERTAKEN),
        ("DELETING", Turn.FAILED),
        ("FROZEN", Turn.FAILED),
    ],
)
def test_what_another_word_says_of_a_stop(status: str, turn: Turn):
    """Only what is on its way up was started by somebody; what leaves is lost."""
    one = record(answered="lost")
    assert judge_stop(one, Looked(status, 3), LIMITS, 5.0) is turn
    if turn is Turn.FAILED:
        assert judge_start(record(done=1), Looked(status, 1), LIMITS, NOON) is turn


def test_up_again_without_having_been_stopped_is_no_restart():
    """STOPPING and RUNNING again: nobody has seen it stopped, or started."""
    one = record(answered="accepted", seen_other=True, path=("RUNNING", "STOPPING"))
    running = Looked("RUNNING", 2)
    assert judge_stop(one, running, LIMITS, 119.0) is Turn.GOING_ON
    assert judge_stop(one, Looked("RUNNING", 1), LIMITS, 600.0) is Turn.GOING_ON
    assert judge_stop(one, running, LIMITS, 600.0) is Turn.DOUBT
    assert judge_stop(one, running, LIMITS, 720.0) is Turn.LOST


def test_what_would_set_an_auto_stop_as_it_was():
    """A moved end is set again, one that is as near as it gets and none are not."""
    ends_at_9 = Lease(enabled=True, type="TIMING", create_ms=0, duration_ms=9 * HOUR)

    def after(duration_ms: int, now_ms: int, **how: object) -> AutoStop | None:
        new = replace(ends_at_9, duration_ms=duration_ms, **how)
        boxes = [Instance("i", "RUNNING", lease=one) for one in (ends_at_9, new)]
        return lease.renewal_of(boxes[0], boxes[1], now_ms)

    assert after(72 * HOUR, HOUR) == AutoStop(8 * HOUR, "TIMING")
    assert after(2 * HOUR, HOUR) == AutoStop(8 * HOUR, "TIMING")
    assert after(0, HOUR, enabled=False) == AutoStop(8 * HOUR, "TIMING")
    assert after(5 * HOUR, HOUR, type="IDLE") == AutoStop(8 * HOUR, "TIMING")
    assert after(9 * HOUR + 1000, HOUR) is None
    assert after(int(9.5 * HOUR), int(8.7 * HOUR)) is None  # its start was an hour
    none_before = Instance("i", "RUNNING", lease=Lease(enabled=False))
    some = Instance("i", "RUNNING", lease=ends_at_9)
    assert lease.renewal_of(none_before, some, HOUR) is None
