"""Ready is said only when it cannot be the status from before the restart."""

import math
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model import STATUS_CLASSES, StatusClass
from bot.restarts.polling import next_look
from bot.restarts.readiness import Evidence, Limits, Look, Phase, judge
from tests.bench.told_after_ready import (
    Known,
    draw,
    fixed,
    learnt,
    measure,
    restart,
)

LIMITS = Limits(settle_s=5.0, timeout_s=600.0, lost_s=60.0, unchanged_s=120.0)
OLD, NEW, NEWER = 100, 200, 300  # the cloud's timestamps


def began(status="ACTIVE", *, sent=True, updated_ms=OLD) -> Evidence:
    return Evidence(status, updated_ms, sent)


def seen(*looks, since=None) -> Phase:
    """Return the phase after *looks*: (seconds, status[, timestamp])."""
    evidence, phase = since or began(), Phase.GOING_ON
    for look in (Look(*each) for each in looks):
        assert phase is Phase.GOING_ON, "it had ended before"
        evidence = evidence.after(look)
        phase = judge(evidence, look, LIMITS, at_s=look.at_s)
    return phase


# --- ready ----------


@pytest.mark.parametrize("between", ["REBOOTING", "STOPPED", "WARP"])
def test_ready_after_another_class_is_ready(between):
    """Once seen not ready, an instance that is ready is told to be so at once."""
    assert Phase.READY is seen((1, between, OLD), (2, "ACTIVE", OLD))


@pytest.mark.parametrize("nothing", ["", "active"])
def test_an_answer_that_shows_nothing_is_no_other_class(nothing):
    """No status, or the old one in small letters, does not make a stale one fresh."""
    assert Phase.GOING_ON is seen((1, nothing, OLD), (2, "ACTIVE", OLD))


def test_the_failure_from_before_is_stale_though_the_timestamp_moves():
    """A broken instance is not given up before it can have begun to restart."""
    broken = began("ERROR")

    looks = [(1, "ERROR", NEW), (3, "ERROR", NEW), (5, "REBOOTING", NEW)]

    assert Phase.GOING_ON is seen(*looks, since=broken)
    assert Phase.READY is seen(*looks, (9, "ACTIVE", NEW), since=broken)


def test_ready_right_after_the_call_is_stale():
    """The old status read again says nothing, however often it is read."""
    assert Phase.GOING_ON is seen(*((t, "ACTIVE", OLD) for t in range(1, 100)))


def test_another_word_of_class_ready_is_still_ready_throughout():
    """From ACTIVE to RUNNING is no sign of a restart."""
    assert Phase.GOING_ON is seen((9, "RUNNING", OLD), (19, "ACTIVE", OLD))


def test_a_moved_timestamp_takes_two_looks():
    """With a newer timestamp alone, ready must be seen twice in a row."""
    assert Phase.GOING_ON is seen((9, "ACTIVE", NEW))
    assert Phase.READY is seen((9, "ACTIVE", NEW), (10, "ACTIVE", NEW))


def test_a_stale_look_is_not_the_first_of_two():
    """A look with the old timestamp does not confirm one with a newer."""
    assert Phase.GOING_ON is seen((9, "ACTIVE", OLD), (10, "ACTIVE", NEW))


def test_two_looks_have_to_settle():
    """With a newer timestamp alone, ready counts only after the settling time."""
    early = [(1, "ACTIVE", NEW), (3, "ACTIVE", NEW)]

    assert Phase.GOING_ON is seen(*early)
    assert Phase.READY is seen(*early, (5, "ACTIVE", NEW))


@pytest.mark.parametrize("baseline", [None, OLD])
@pytest.mark.parametrize("stamp", [None, OLD, OLD - 1])
def test_a_timestamp_that_is_missing_or_older_proves_nothing(baseline, stamp):
    """Only a timestamp greater than the one before the restart has moved."""
    looks = [(9, "ACTIVE", stamp), (19, "ACTIVE", stamp)]

    assert Phase.GOING_ON is seen(*looks, since=began(updated_ms=baseline))


def test_an_answer_older_than_one_seen_needs_a_second():
    """Ready with an older timestamp than that of rebooting may come from a cache."""
    late = [(1, "REBOOTING", NEW), (8, "ACTIVE", OLD)]

    assert Phase.GOING_ON is seen(*late)
    assert Phase.GOING_ON is seen(*late, (9, "REBOOTING", NEW), (10, "ACTIVE", OLD))
    assert Phase.READY is seen(*late, (9, "ACTIVE", NEWER))
    assert Phase.READY is seen(*late, (9, "ACTIVE", OLD))


def test_a_look_from_before_the_call_is_none():
    """What was read before the restart is no evidence of it."""
    assert Phase.GOING_ON is seen((-1, "REBOOTING", OLD), (1, "ACTIVE", OLD))
    assert Phase.GOING_ON is seen((-1, "ERROR", NEW))


def test_who_follows_started_from_busy():
    """Following a restart that was under way, ready is ready at the first look."""
    following = began("REBOOTING", sent=False)

    assert Phase.GOING_ON is seen((1, "REBOOTING", OLD), since=following)
    assert Phase.READY is seen((1, "ACTIVE", OLD), since=following)


def test_who_follows_from_ready_needs_evidence():
    """Where the cloud said busy but showed ready, the old status is not believed."""
    assert Phase.GOING_ON is seen((1, "ACTIVE", OLD), since=began(sent=False))


# --- failed, stopped ----------


@pytest.mark.parametrize("word", ["ERROR", "START_FAILED", "DELETED", "FROZEN"])
def test_a_failed_class_ends_it(word):
    """A failure that was not there before is told at once."""
    assert Phase.FAILED is seen((1, word, OLD))


def test_a_failure_from_before_is_stale():
    """The failure that a restart is to cure does not end its follow-up."""
    broken = began("ERROR")

    assert Phase.GOING_ON is seen((1, "ERROR", OLD), (200, "ERROR"), since=broken)
    assert Phase.READY is seen((1, "ERROR", OLD), (9, "ACTIVE"), since=broken)


@pytest.mark.parametrize(
    "looks",
    [
        [(1, "START_FAILED", OLD)],
        [(1, "REBOOTING", OLD), (9, "ERROR", OLD)],
        [(1, "ERROR", NEW), (120, "ERROR", NEW)],
    ],
)
def test_a_new_failure_after_an_old_one_ends_it(looks):
    """Another word, something in between, or a newer timestamp that stands for long."""
    assert Phase.FAILED is seen(*looks, since=began("ERROR"))


def test_stopped_three_times_in_a_row_is_stopped():
    """STOPPED may be passed through, so only the third in a row ends it."""
    twice = [(10, "STOPPED"), (20, "STOPPED")]

    assert Phase.GOING_ON is seen(*twice)
    assert Phase.GOING_ON is seen(*twice, (30, "STARTING"), *twice)
    assert Phase.STOPPED is seen(*twice, (30, "STOPPED"))


# --- what cannot be told ----------


@pytest.mark.parametrize("stamp", [OLD, None])
@pytest.mark.parametrize("sent", [True, False])
def test_ready_throughout_ends_as_unchanged(stamp, sent):
    """Accepted and never another status: after a while that is said."""
    since = began(sent=sent)

    assert Phase.GOING_ON is seen((119, "ACTIVE", stamp), since=since)
    assert Phase.UNCHANGED is seen((120, "ACTIVE", stamp), since=since)
    assert Phase.GOING_ON is seen((120, "ACTIVE", NEW), since=since)


def test_an_unknown_word_is_followed():
    """A status that nobody documented is neither ready nor the end."""
    assert Phase.GOING_ON is seen((1, "WARP", OLD), (300, "WARP", OLD))


def test_a_lost_answer_without_a_restart_ends_as_lost():
    """If the answer was lost and nothing changed for a minute, that is said."""
    lost = began(sent=None)

    assert Phase.GOING_ON is seen((59, "ACTIVE", OLD), since=lost)
    assert Phase.LOST is seen((59, "ACTIVE", OLD), (60, "ACTIVE", OLD), since=lost)
    assert Phase.LOST is seen((60, "ERROR", OLD), since=began("ERROR", sent=None))


@pytest.mark.parametrize("sign", [("REBOOTING", OLD), ("WARP", OLD), ("ACTIVE", NEW)])
def test_a_lost_answer_with_a_sign_of_restart_goes_on(sign):
    """Busy or a newer timestamp shows that the restart was accepted."""
    lost = began(sent=None)

    assert Phase.GOING_ON is seen((1, *sign), (70, "REBOOTING", NEW), since=lost)
    assert Phase.READY is seen(
        (1, *sign), (70, "REBOOTING", NEW), (99, "ACTIVE", NEWER), since=lost
    )


def test_a_lost_answer_without_a_baseline_is_settled_by_busy_only():
    """Where nothing is known of before, a ready instance shows no restart."""
    blank = Evidence("", None, sent=None)

    assert Phase.LOST is seen((60, "ACTIVE", NEW), since=blank)
    assert Phase.GOING_ON is seen((60, "REBOOTING", NEW), since=blank)


@pytest.mark.parametrize(
    ("evidence", "phase"),
    [
        (began(), Phase.TIMED_OUT),
        (began(sent=None), Phase.LOST),
        (Evidence("ACTIVE", OLD, sent=None, seen_other=True), Phase.TIMED_OUT),
        (Evidence("ACTIVE", OLD, sent=None, moved=True), Phase.TIMED_OUT),
    ],
)
def test_failed_reads_end_only_at_the_limit(evidence, phase):
    """A read that fails ends nothing before the time limit."""
    assert Phase.GOING_ON is judge(evidence, None, LIMITS, at_s=599.9)
    assert phase is judge(evidence, None, LIMITS, at_s=600.0)


def test_at_the_limit_a_look_that_shows_ready_counts():
    """Who is ready at the last look is ready, not late."""
    assert Phase.READY is seen((1, "REBOOTING"), (600, "ACTIVE"))
    assert Phase.TIMED_OUT is seen((1, "REBOOTING"), (600, "REBOOTING"))


# --- what always holds ----------

WORDS = st.sampled_from([*STATUS_CLASSES, "WARP", ""])
STAMPS = st.none() | st.integers(OLD - 5, NEW)
STEPS = st.lists(st.tuples(st.floats(0, 20), WORDS, STAMPS), max_size=30)


@given(STEPS, WORDS, STAMPS, st.sampled_from([True, None]))
def test_ready_is_never_told_on_a_stale_answer(steps, baseline, stamp, sent):
    """Whatever the cloud shows, ready needs another class or a moved timestamp."""
    evidence, at_s, earlier = began(baseline, sent=sent, updated_ms=stamp), 0.0, []
    for wait, status, updated_ms in steps:
        at_s += wait
        look = Look(at_s, status, updated_ms)
        evidence = evidence.after(look)
        phase = judge(evidence, look, LIMITS, at_s=at_s)
        if phase is Phase.READY:
            ready = STATUS_CLASSES.get(status) is StatusClass.READY
            left = any(
                STATUS_CLASSES.get(each.status) is not StatusClass.READY
                for each in earlier
            )
            moved = stamp is not None and any(
                each.updated_ms is not None and each.updated_ms > stamp
                for each in earlier
            )
            twice = (
                bool(earlier)
                and STATUS_CLASSES.get(earlier[-1].status) is StatusClass.READY
                and at_s >= LIMITS.settle_s
            )
            assert ready
            assert left or (moved and twice)
        if phase is not Phase.GOING_ON:
            break
        earlier.append(look)


@given(STEPS, st.sampled_from([True, None, False]))
def test_every_restart_ends_by_the_limit(steps, sent):
    """Nothing is followed for longer than the time limit."""
    evidence = began(sent=sent)
    for wait, status, updated_ms in steps:
        evidence = evidence.after(Look(wait, status, updated_ms))

    assert Phase.GOING_ON is not judge(evidence, None, LIMITS, at_s=600.0)


# --- when to look next ----------

REBOOTING = began().after(Look(1, "REBOOTING", OLD))
USUAL = [118.0, 119.0, 120.0, 121.0, 122.0] * 4


@given(
    st.floats(-5, 4000),
    st.lists(st.floats(0, 4000), max_size=30),
    st.floats(0.01, 60),
    st.sampled_from([None, began(), REBOOTING, REBOOTING.after(Look(2, "STOPPED"))]),
)
def test_no_wait_is_longer_than_the_setting(at_s, durations, poll_s, evidence):
    """Between two looks lies at most *poll*, and never less than a second or poll."""
    wait = next_look(at_s, durations, poll_s, evidence=evidence)

    assert min(1.0, poll_s) <= wait <= poll_s


def test_before_anything_is_learnt_looks_come_early_then_at_the_setting():
    """A quick reboot is not missed; later nothing is worse than a fixed poll."""
    at_s, looks = 0.0, []
    while at_s < 30:
        at_s += next_look(at_s, (), 10.0)
        looks.append(at_s)

    assert looks == [1.0, 2.0, 4.0, 8.0, 16.0, 26.0, 36.0]


def test_looks_are_frequent_around_the_usual_time_only():
    """Rare while it cannot be ready yet, frequent when it usually is, rare again."""
    waits = [next_look(t, USUAL, 10.0, evidence=REBOOTING) for t in (10, 60, 120, 200)]

    assert waits[:2] == [10.0, 10.0]
    assert 1.0 <= waits[2] <= 2.0
    assert waits[3] == 10.0


@pytest.mark.parametrize("durations", [[0.0] * 9, [30.0], [30.0] * 3])
def test_little_or_odd_experience_is_not_trusted_far(durations):
    """A few restarts, or ones without a duration, do not make a plan to the second."""
    assert next_look(29.0, durations, 10.0, evidence=REBOOTING) > 1.0
    assert next_look(29.0, [30.0] * 20, 10.0, evidence=REBOOTING) == 1.0


def test_a_quick_reboot_is_met_by_the_first_looks():
    """Where restarts take seconds, looks come every second or so at their end."""
    assert next_look(1.0, [5.0] * 20, 10.0, evidence=REBOOTING) <= 5.0
    assert [
        next_look(at_s, [5.0] * 20, 10.0, evidence=REBOOTING) for at_s in (4.0, 5.0)
    ] == [1.0, 1.0]


def test_a_long_wait_does_not_run_into_the_usual_time():
    """The wait before the usual time ends where it begins."""
    quick = [20.0] * 20

    assert 12.0 + next_look(12.0, quick, 10.0, evidence=REBOOTING) < 20.0


def test_until_it_was_seen_to_reboot_the_first_looks_stay_close():
    """The change to rebooting is evidence, so it is looked for whatever was learnt."""
    assert [next_look(at_s, USUAL, 10.0, evidence=began()) for at_s in (0, 2, 16)] == [
        1.0,
        2.0,
        10.0,
    ]
    assert next_look(2.0, USUAL, 10.0, evidence=REBOOTING) == 10.0


def test_the_second_look_is_taken_soon():
    """When only the confirming look is missing, nobody waits a whole poll for it."""
    once = began().after(Look(2, "ACTIVE", NEW))

    assert next_look(2.0, (), 10.0, evidence=once, settle_s=5.0) == 3.0
    assert next_look(30.0, (), 10.0, evidence=once, settle_s=5.0) == 1.0


def test_stopped_is_given_time_to_pass():
    """Three looks at STOPPED are three polls, not three seconds."""
    stopped = REBOOTING.after(Look(119, "STOPPED", NEW))

    assert next_look(119.0, USUAL, 10.0, evidence=stopped) == 10.0


def test_only_recent_restarts_are_learnt_from():
    """After twenty restarts an old habit of the instance is forgotten."""
    moved_on = [300.0] * 20 + [120.0] * 500

    assert next_look(120.0, moved_on, 10.0, evidence=REBOOTING) == 10.0


def test_people_are_told_twice_as_soon_for_fewer_calls_than_a_poll_twice_as_fast():
    """Half the delay of the fixed 10 s poll costs less than the fixed 5 s poll."""
    took = draw((((1.0, 120.0, 0.4),),), 250, seed=7)
    found, slow, fast = (measure(took, w) for w in (learnt, fixed(10.0), fixed(5.0)))

    assert found.mean_s <= slow.mean_s / 2
    assert found.p95_s <= slow.p95_s / 2
    assert found.mean_s <= fast.mean_s
    assert found.calls <= fast.calls


@pytest.mark.parametrize(
    "mode", [(1.0, 120.0, 0.4), (1.0, 120.0, 0.1), (1.0, 45.0, 0.4)]
)
def test_little_more_is_asked_than_by_whoever_knows_how_long_it_takes(mode):
    """Delay and calls together are near the least that any schedule can have."""
    price_s = 0.11  # of a call
    delay_s, calls = Known((mode,)).best(price_s)
    found = measure(draw(((mode,),), 220, seed=3), learnt, parts=1)

    least = delay_s + price_s * (calls + 1)  # the first look tells that it reboots
    assert found.mean_s + price_s * found.calls <= 1.1 * least


@pytest.mark.parametrize("median_s", [20.0, 60.0, 120.0, 400.0])
def test_before_anything_is_learnt_nothing_is_told_later_than_by_a_fixed_poll(median_s):
    """Whoever has seen no restart yet is on the whole as quick as a poll of 10 s."""
    usual = NormalDist(math.log(median_s), 0.4)
    took = [math.exp(usual.inv_cdf((n + 0.5) / 200)) for n in range(200)]

    def told(wait) -> float:
        return sum(restart(one, wait, [])[0] - one for one in took)

    assert told(learnt) <= 1.05 * told(fixed(10.0))  # where they fall is chance
