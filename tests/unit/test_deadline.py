"""How long a restart may wait before it is sent."""

from __future__ import annotations

from datetime import timedelta

from bot.model import Record, State, Vote
from bot.restarts.batch import Batch
from bot.restarts.deadline import too_late
from tests.support.ledger_world import NOON, ONE, TWO, asking

QUARTER_S = 900.0


def at(minutes: float):
    return NOON + timedelta(minutes=minutes)


def late(batch: Batch, minutes: float, parallel: int = 1) -> str:
    return too_late(batch, at(minutes), within_s=QUARTER_S, parallel=parallel)


def alone(record: Record) -> Batch:
    return Batch(record, [record])


def test_it_counts_from_the_ask_where_nobody_has_to_approve():
    """A quarter of an hour is in time to the second, and what is over is named."""
    asked = alone(Record(asking(), State.ASKED))
    assert not late(asked, 15)
    assert "it was asked for 2 h 30 min ago" in late(asked, 150)


def test_break_glass_counts_from_the_ask():
    """Nobody has voted, so nothing but the ask can count."""
    asked = alone(Record(asking(approval=ONE, break_glass=True), State.ASKED))
    assert "asked for" in late(asked, 16)


def test_it_counts_from_the_vote_that_made_it_enough():
    """Neither the first of two votes counts, nor one that came after it was enough."""
    votes = tuple(
        Vote(user, approve=True, at=at(minutes))
        for user, minutes in (("U0A", 0), ("U0B", 60), ("U0C", 200))
    )
    record = Record(asking(approval=TWO), State.APPROVED, votes=votes)
    assert not late(alone(record), 75)
    assert "it was approved 16 min ago" in late(alone(record), 76)


def several(*before: Record) -> Batch:
    """Return the batch of a request whose turn comes after *before*."""
    last = Record(asking(batch="b", place=9), State.ASKED)
    return Batch(last, [*before, last])


def before(place: int, began: float, ended: float | None = None) -> Record:
    return Record(
        asking(batch="b", place=place),
        State.RESTARTING if ended is None else State.READY,
        sent_at=at(began),
        ended_at=None if ended is None else at(ended),
    )


def test_one_of_several_counts_from_when_its_turn_came():
    """It waited for those before it, and that is not what makes it late."""
    batch = several(before(0, 0, 40), before(1, 40, 80))
    assert not late(batch, 95)
    assert "its turn came 16 min ago" in late(batch, 96)


def test_of_several_at_a_time_the_first_that_ends_leaves_its_place():
    """Two at a time: the third may go when one of the two before it has ended."""
    batch = several(before(0, 0, 40), before(1, 0))
    assert not late(batch, 55, parallel=2)
    assert late(batch, 56, parallel=2)
    assert late(batch, 16, parallel=3)


def test_those_that_came_to_nothing_have_kept_nobody_waiting():
    """After hours away the first is too late; the next one is no fresher for that."""
    first = Record(
        asking(batch="b", place=0), State.NOT_RESTARTED, ended_at=at(180), detail="late"
    )
    assert "it was asked for 3 h ago" in late(several(first), 180)
