"""The record of requests: each moves only as it may, once, and never unseen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.errors import InstanceBusy, LedgerError, StateConflict
from bot.ledger import Ledger
from bot.model import ENDS, UNDER_WAY, Approval, Instance, Person, Request, State
from tests.support.ledger_world import (
    ACTIVE,
    BOB,
    HOME,
    LEA,
    LEO,
    NOON,
    ONE,
    THREE,
    TWO,
    Clock,
    allowed,
    asking,
    boxed,
    brought,
    kinds_of,
    opened,
    step,
    together,
    trail_of,
)

Open = Callable[[], Ledger]


@pytest.fixture
def clock() -> Clock:
    """Return the clock of all ledgers of a test."""
    return Clock()


@pytest.fixture
def another(tmp_path: Path, clock: Clock) -> Iterator[Open]:
    """Return a function that opens the same file once more, as a replica would."""
    ledgers: list[Ledger] = []

    def open_one() -> Ledger:
        ledgers.append(opened(tmp_path / "bot.db", now=clock))
        return ledgers[-1]

    yield open_one
    for ledger in ledgers:
        ledger.close()


@pytest.fixture
def ledger(another: Open) -> Ledger:
    """Return a ledger in an empty file."""
    return another()


# --- asking ---------------------------------------------------------------------------


async def test_what_was_asked_is_on_record_word_for_word(ledger):
    """A request comes back as it was asked, with its rule, approval and time."""
    approval = Approval(by=("@ml-leads", "U0SRE"), needed=2, expires=90.5)
    request = asking(approval=approval, reason="“x” <&> ∞", thread_ts="1.5")

    record, new = await ledger.record(request)

    assert new
    assert record.request == request
    assert (record.state, record.changed_at) == (State.ASKED, NOON)
    assert await ledger.existing(request.id) == record


async def test_the_same_delivery_twice_is_one_request(ledger):
    """What Slack delivers again is the request that is there, wherever it stands."""
    request = asking()
    await brought(ledger, request, State.RESTARTING)

    record, new = await ledger.record(replace(request, reason="again"))

    assert not new
    assert (record.state, record.request.reason) == (State.RESTARTING, "stuck")
    assert (await kinds_of(ledger, request)).count("asked") == 1


async def test_a_delivery_that_reaches_two_replicas_is_one_request(ledger, another):
    """Twenty deliveries at once, to two replicas, make one request."""
    request, other = asking(), another()

    answers = await together(*(to.record(request) for to in [ledger, other] * 10))

    assert sorted(new for _, new in answers) == [False] * 19 + [True]
    assert await kinds_of(ledger, request) == ["asked"]


async def test_a_refusal_is_an_end_and_is_in_the_trail(ledger):
    """A refused request is on record with who asked and why it was refused."""
    request = asking()

    record, _ = await ledger.record(request, refusal="No rule allows it.")

    assert (record.state, record.detail) == (State.REFUSED, "No rule allows it.")
    (entry,) = await trail_of(ledger, request)
    assert entry["kind"] == "refused"
    assert (entry["team_id"], entry["user_id"]) == (HOME, "U0ANN")
    assert entry["detail"] == "No rule allows it."


async def test_after_the_deadline_nothing_is_recorded(ledger, clock):
    """Somebody who was told that it failed finds nothing on record later."""
    request = asking()

    with pytest.raises(LedgerError, match="too late"):
        await ledger.record(request, deadline=clock() - timedelta(seconds=1))

    assert await ledger.get(request.id) is None
    assert await trail_of(ledger) == []


async def test_before_the_deadline_it_is_recorded(ledger, clock):
    """A deadline that has not passed changes nothing."""
    _, new = await ledger.record(asking(), deadline=clock() + timedelta(seconds=1))

    assert new


@pytest.mark.parametrize("state", [state for state in State if state != State.REFUSED])
@pytest.mark.parametrize("waits", [False, True], ids=["at once", "with approval"])
async def test_who_asks_meanwhile_joins_what_is_open(ledger, state, waits):
    """A second request joins a restart under way, or the same wait for approval."""
    first = asking(approval=ONE)
    await brought(ledger, first, state)
    joins = state in {*UNDER_WAY, State.APPROVED} or (waits and state is State.PENDING)

    second, _ = await ledger.record(
        asking(target=first.target, user_id="U0BOB", approval=ONE if waits else None)
    )

    assert (second.state, second.joined) == (
        (State.JOINED, first.id) if joins else (State.ASKED, "")
    )
    assert [one.request.id for one in await ledger.joined(first.id)] == (
        [second.request.id] if joins else []
    )


async def test_nobody_joins_the_restart_of_another_instance(ledger):
    """The unit of conflict is the instance's id, whatever its case."""
    first = asking()
    await brought(ledger, first, State.RESTARTING)
    shouted = replace(first.target, instance_id=first.target.instance_id.lower())

    same, _ = await ledger.record(asking(target=shouted))
    other, _ = await ledger.record(asking())

    assert (same.state, other.state) == (State.JOINED, State.ASKED)


async def test_break_glass_has_an_entry_of_its_own(ledger, clock):
    """Each break-glass is marked in the trail and counted; a refused one is not."""
    glass = asking(break_glass=True, approval=ONE, reason="it burns")
    await ledger.record(glass)
    await ledger.record(asking(break_glass=True, approval=ONE), refusal="not listed")
    await ledger.record(asking())

    assert await kinds_of(ledger, glass) == ["asked", "break-glass"]
    assert (await trail_of(ledger, glass))[1]["detail"] == "it burns"
    since = clock() - timedelta(days=30)
    assert await ledger.broken_glass(since=since) == 1
    box = glass.target
    assert await ledger.broken_glass(since=since, instance=box.key) == 1
    assert await ledger.broken_glass(since=since, project=box.project) == 1
    assert await ledger.broken_glass(since=since, project="ml-dev") == 0
    assert await ledger.broken_glass(since=clock() + timedelta(days=1)) == 0


# --- the state table ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("approval", "start"),
    # Without an approval nothing is ever approved.
    [(a, s) for a in (None, TWO) for s in State if a or s is not State.APPROVED],
)
async def test_a_request_goes_only_where_the_table_lets_it(ledger, approval, start):
    """Every pair of states is either a listed transition or a conflict."""
    request = asking(approval=approval)
    before = await brought(ledger, request, start)
    trail = await kinds_of(ledger, request)
    ways = set(allowed(request, start))
    for state in set(State) - ways:
        if state is start:
            assert await ledger.move(request.id, state) == before
        else:
            with pytest.raises(StateConflict) as caught:
                await ledger.move(request.id, state)
            assert caught.value.record == before
    assert await ledger.existing(request.id) == before
    assert await kinds_of(ledger, request) == trail
    for state in ways:
        another = asking(approval=approval)
        await brought(ledger, another, start)
        assert (await step(ledger, another, state)).state is state
        assert (await kinds_of(ledger, another))[-1] == state
    assert bool(ways) is (start not in ENDS)


async def test_what_waits_for_approval_is_restarted_after_it_only(ledger):
    """No move leads past the wait, and no move makes approvals up."""
    request = asking(approval=TWO)
    await ledger.record(request)

    for state in (State.RESTARTING, State.APPROVED):
        with pytest.raises(StateConflict):
            await ledger.move(request.id, state)
    await ledger.move(request.id, State.PENDING)
    await ledger.vote(request.id, LEA, approve=True)
    for state in (State.RESTARTING, State.APPROVED):
        with pytest.raises(StateConflict):
            await ledger.move(request.id, state)
    await ledger.vote(request.id, LEO, approve=True)

    assert (await ledger.move(request.id, State.RESTARTING)).state is State.RESTARTING


async def test_a_move_sets_fields_and_the_time_of_the_end(ledger, clock):
    """An end has its time and its sentence, and who decided it."""
    request = asking(approval=ONE)
    await brought(ledger, request, State.PENDING)
    clock.ahead(minutes=3)

    record = await ledger.move(request.id, State.CANCELLED, by=LEA, detail="no need")

    assert record.ended_at == record.changed_at == clock()
    assert (record.decided_by, record.detail) == ("U0LEA", "no need")
    entry = (await trail_of(ledger, request))[-1]
    assert (entry["kind"], entry["user_id"]) == ("cancelled", "U0LEA")
    assert entry["at"] == "2025-03-01T12:03:00.000+00:00"


async def test_what_is_unknown_cannot_move(ledger):
    """A request that is not on record is an error, not a new one."""
    assert await ledger.get("nobody") is None
    for work in (
        ledger.existing("nobody"),
        ledger.move("nobody", State.PENDING),
        ledger.vote("nobody", LEA, approve=True),
        ledger.answered("nobody", "lost"),
    ):
        with pytest.raises(LedgerError, match="no request nobody"):
            await work
    assert await trail_of(ledger) == []


async def test_an_update_leaves_state_and_time_alone(ledger, clock):
    """What is noted beside the story does not make it look as if it had moved."""
    request = asking()
    await ledger.record(request)
    clock.ahead(minutes=1)

    await ledger.update(request.id, message_ts="1.5", baseline=ACTIVE)

    record = await ledger.existing(request.id)
    assert (record.message_ts, record.baseline) == ("1.5", ACTIVE)
    assert (record.state, record.changed_at) == (State.ASKED, NOON)


# --- one restart per instance ---------------------------------------------------------


@pytest.mark.parametrize("first", sorted(UNDER_WAY))
@pytest.mark.parametrize("second", sorted(UNDER_WAY))
async def test_an_instance_is_under_way_for_one_request_only(ledger, first, second):
    """A second restart of an instance has to wait until the first has ended."""
    one, two = asking(target=boxed(0)), asking(target=boxed(0))
    await ledger.record(one)
    await ledger.record(two)
    running = await ledger.move(one.id, first)

    with pytest.raises(InstanceBusy) as caught:
        await ledger.move(two.id, second)
    assert caught.value.record == running
    assert (await ledger.existing(two.id)).state is State.ASKED
    assert (await kinds_of(ledger, two))[-1] == "asked"

    await ledger.move(one.id, State.READY)
    assert (await ledger.move(two.id, second)).state is second


async def test_of_many_replicas_one_gets_the_instance(ledger, another):
    """Twelve requests that start at once, over two replicas: one does."""
    asked, other = [asking(target=boxed(0)) for _ in range(12)], another()
    for request in asked:
        await ledger.record(request)

    answers = await together(
        *(
            to.move(request.id, State.RESTARTING)
            for to, request in zip([ledger, other] * 6, asked, strict=True)
        )
    )

    busy = [one for one in answers if isinstance(one, InstanceBusy)]
    (winner,) = [one for one in answers if not isinstance(one, Exception)]
    assert len(busy) == 11
    assert {one.record.request.id for one in busy} == {winner.request.id}
    assert (await ledger.existing(winner.request.id)) == winner


async def test_a_request_can_join_what_is_open(ledger):
    """Who finds the instance taken joins, unless that one has just ended."""
    host, guest = asking(target=boxed(0)), asking(target=boxed(0))
    await ledger.record(guest)
    await brought(ledger, host, State.RESTARTING)

    assert await ledger.join(guest.id, host.id)
    assert await ledger.join(guest.id, host.id)

    record = await ledger.existing(guest.id)
    assert (record.state, record.joined) == (State.JOINED, host.id)
    assert await kinds_of(ledger, guest) == ["asked", "joined"]
    assert (await trail_of(ledger, guest))[-1]["detail"] == host.id


async def test_nobody_joins_what_has_ended(ledger):
    """To join an ended request would be to wait for ever."""
    host, guest = asking(target=boxed(0)), asking(target=boxed(0))
    await ledger.record(guest)
    await brought(ledger, host, State.READY)

    assert not await ledger.join(guest.id, host.id)
    assert (await ledger.existing(guest.id)).state is State.ASKED


async def test_what_has_ended_joins_nothing(ledger):
    """An end stays the end that it was."""
    host, guest = asking(target=boxed(0)), asking(target=boxed(0))
    await brought(ledger, guest, State.NOT_RESTARTED)
    await brought(ledger, host, State.RESTARTING)

    with pytest.raises(StateConflict):
        await ledger.join(guest.id, host.id)
    assert (await ledger.existing(guest.id)).state is State.NOT_RESTARTED


# --- votes ----------------------------------------------------------------------------


@pytest.mark.parametrize("needed", [1, 2, 3])
async def test_as_many_as_the_rule_asks_for_have_to_approve(ledger, needed):
    """It waits until the last approval that is needed, and not for one more."""
    request = asking(approval=Approval(by=("@ml-leads",), needed=needed))
    await brought(ledger, request, State.PENDING)

    for number in range(1, needed + 1):
        voter = Person(f"U0LEAD{number}", HOME)
        record = await ledger.vote(request.id, voter, approve=True)
        decided = State.APPROVED if number == needed else State.PENDING
        assert (record.state, len(record.votes)) == (decided, number)


async def test_one_person_counts_once(ledger):
    """Somebody who approves again and again is still one of two."""
    request = asking(approval=TWO)
    await brought(ledger, request, State.PENDING)

    for _ in range(3):
        record = await ledger.vote(request.id, LEA, approve=True)

    assert record.state is State.PENDING
    assert [vote.user_id for vote in record.votes] == ["U0LEA"]


async def test_one_denial_decides(ledger):
    """A denial ends it, however many have approved, and says who and why."""
    request = asking(approval=THREE)
    await brought(ledger, request, State.PENDING)
    await ledger.vote(request.id, LEA, approve=True)
    await ledger.vote(request.id, LEO, approve=True)

    record = await ledger.vote(request.id, BOB, approve=False)

    assert record.state is State.DENIED
    assert record.decided_by == "U0BOB"
    assert record.ended_at == NOON


async def test_an_approver_may_change_his_mind_while_it_waits(ledger):
    """The denial of somebody who approved before counts as his word."""
    request = asking(approval=TWO)
    await brought(ledger, request, State.PENDING)
    await ledger.vote(request.id, LEA, approve=True)

    record = await ledger.vote(request.id, LEA, approve=False)

    assert record.state is State.DENIED
    assert [vote.approve for vote in record.votes] == [False]


@pytest.mark.parametrize("state", [state for state in State if state != State.PENDING])
@pytest.mark.parametrize("approve", [True, False])
async def test_a_late_word_changes_nothing(ledger, state, approve):
    """The first decision wins: no approval, no denial counts after it."""
    request = asking(approval=ONE)
    before = await brought(ledger, request, state)

    with pytest.raises(StateConflict) as caught:
        await ledger.vote(request.id, BOB, approve=approve)

    assert caught.value.record == await ledger.existing(request.id) == before
    assert (await kinds_of(ledger, request))[-1] not in {"approval", "denial"}


@pytest.mark.parametrize("approve", [True, False])
async def test_a_word_after_the_time_makes_it_expire(ledger, clock, approve):
    """At the very second of the expiry an approval counts for nothing any more."""
    request = asking(approval=ONE)
    await brought(ledger, request, State.PENDING)
    clock.at = request.expires_at

    with pytest.raises(StateConflict) as caught:
        await ledger.vote(request.id, LEA, approve=approve)

    assert caught.value.record.state is State.EXPIRED
    assert await ledger.existing(request.id) == caught.value.record
    assert (await kinds_of(ledger, request))[-1] == "expired"


async def test_a_word_just_before_the_time_counts(ledger, clock):
    """Until the expiry that the card shows, an approval counts."""
    request = asking(approval=ONE)
    await brought(ledger, request, State.PENDING)
    clock.at = request.expires_at - timedelta(milliseconds=1)

    record = await ledger.vote(request.id, LEA, approve=True)

    assert record.state is State.APPROVED


async def test_words_at_the_same_moment_are_all_counted(ledger, another):
    """Ten people, two replicas, one moment: approved once, by as many as needed."""
    request, other = asking(approval=THREE), another()
    await brought(ledger, request, State.PENDING)

    answers = await together(
        *(
            [ledger, other][n % 2].vote(
                request.id, Person(f"U0L{n}", HOME), approve=True
            )
            for n in range(10)
        )
    )

    late = [one for one in answers if isinstance(one, StateConflict)]
    states = sorted(one.state for one in answers if not isinstance(one, Exception))
    assert states == [State.APPROVED, State.PENDING, State.PENDING]
    assert len(late) == 7
    kinds = await kinds_of(ledger, request)
    assert (kinds.count("approval"), kinds.count("approved")) == (3, 1)


async def test_approve_and_deny_at_the_same_moment_have_one_end(ledger, another):
    """Of two opposite clicks the first decides; the other is a conflict."""
    other = another()
    for _ in range(5):
        request = asking(approval=ONE)
        await brought(ledger, request, State.PENDING)

        answers = await together(
            ledger.vote(request.id, LEA, approve=True),
            other.vote(request.id, LEO, approve=False),
        )

        (first,) = [one for one in answers if not isinstance(one, Exception)]
        (second,) = [one for one in answers if isinstance(one, StateConflict)]
        assert second.record.state is first.state
        assert first.state in {State.APPROVED, State.DENIED}


async def test_only_who_denied_explains_the_denial(ledger):
    """The reason of a denial is its author's, and is put on record as his."""
    request = asking(approval=ONE)
    await brought(ledger, request, State.PENDING)
    assert not await ledger.explain_denial(request.id, LEA, "too early")
    await ledger.vote(request.id, LEA, approve=False)

    assert not await ledger.explain_denial(request.id, LEO, "me too")
    assert not await ledger.explain_denial("nobody", LEA, "what?")
    assert await ledger.explain_denial(request.id, LEA, "a run is on")

    record = await ledger.existing(request.id)
    assert (record.detail, record.votes[0].note) == ("a run is on", "a run is on")
    entry = (await trail_of(ledger, request))[-1]
    assert (entry["kind"], entry["user_id"]) == ("denial explained", "U0LEA")


# --- the one restart call -------------------------------------------------------------


def test_the_restart_call_is_claimed_once(ledger, another):
    """Twenty threads with two ledgers: one may send, and the trail says so once."""
    request, two = asking(), [ledger, another()]
    asyncio.run(brought(ledger, request, State.RESTARTING))

    def claim(number: int) -> bool:
        return asyncio.run(two[number % 2].take_send(request.id, f"life {number}"))

    with ThreadPoolExecutor(20) as threads:
        taken = list(threads.map(claim, range(20)))

    assert sorted(taken) == [False] * 19 + [True]
    assert asyncio.run(kinds_of(ledger, request)).count("sending") == 1


async def test_the_restart_call_is_claimed_once_by_tasks(ledger, another):
    """The same from tasks of one loop, which interleave as they like."""
    request, other = asking(), another()
    await brought(ledger, request, State.RESTARTING)

    taken = await together(
        *(to.take_send(request.id, "life") for to in [ledger, other] * 10)
    )

    assert sorted(taken) == [False] * 19 + [True]
    assert (await ledger.existing(request.id)).sent_at == NOON


@pytest.mark.parametrize(
    "state", [state for state in State if state != State.RESTARTING]
)
async def test_only_what_restarts_is_sent(ledger, state):
    """Nothing is sent for a request that waits, follows another's, or has ended."""
    request = asking(approval=ONE)
    await brought(ledger, request, state)

    assert not await ledger.take_send(request.id, "life")
    assert "sending" not in await kinds_of(ledger, request)


async def test_what_was_surely_not_sent_may_be_sent_again(ledger):
    """A claim that was given back can be taken once more, by anybody."""
    request = asking()
    await brought(ledger, request, State.RESTARTING)
    assert await ledger.take_send(request.id, "life 1")

    await ledger.give_back_send(request.id, "life 1", "the cloud is busy")
    await ledger.give_back_send(request.id, "life 1", "the cloud is busy")

    assert (await ledger.existing(request.id)).sent_at is None
    assert await ledger.take_send(request.id, "life 2")
    kinds = await kinds_of(ledger, request)
    assert kinds[-3:] == ["sending", "not sent", "sending"]


async def test_nobody_gives_back_the_claim_of_another(ledger):
    """A claim of a life that is over stays: it may have been sent."""
    request = asking()
    await brought(ledger, request, State.RESTARTING)
    await ledger.take_send(request.id, "life 1")

    await ledger.give_back_send(request.id, "life 2", "mine?")

    assert not await ledger.take_send(request.id, "life 2")
    assert (await kinds_of(ledger, request))[-1] == "sending"


@pytest.mark.parametrize("answer", ["accepted", "lost"])
async def test_what_was_answered_is_never_sent_again(ledger, answer):
    """Once it may have been carried out, no giving back opens it again."""
    request = asking()
    await brought(ledger, request, State.RESTARTING)
    await ledger.take_send(request.id, "life")
    await ledger.answered(request.id, answer, previous="ACTIVE", ref="req-1")

    await ledger.give_back_send(request.id, "life", "after all")

    assert not await ledger.take_send(request.id, "life")
    record = await ledger.existing(request.id)
    assert (record.answered, record.previous, record.ref) == (answer, "ACTIVE", "req-1")
    entry = (await trail_of(ledger, request))[-1]
    assert (entry["kind"], entry["ref"]) == (answer, "req-1")


# --- asking the ledger ----------------------------------------------------------------


async def test_what_waits_is_there_after_a_restart_of_the_bot(ledger, another):
    """Pending requests, counted approvals and expiry survive the process."""
    request = asking(approval=TWO)
    await brought(ledger, request, State.PENDING)
    before = await ledger.vote(request.id, LEA, approve=True)

    later = another()

    assert await later.existing(request.id) == before
    assert await later.pending(request.target.key) == before
    assert before.request.expires_at == NOON + timedelta(minutes=30)
    assert (await later.vote(request.id, LEO, approve=True)).state is State.APPROVED


async def test_open_requests_are_those_that_have_not_ended(ledger, clock):
    """What is open is listed, oldest first."""
    expected = []
    for state in State:
        request = asking(approval=ONE, asked_at=clock())
        await brought(ledger, request, state)
        clock.ahead(seconds=1)
        expected += [] if state in ENDS else [request.id]

    assert [one.request.id for one in await ledger.open_requests()] == expected


async def test_the_latest_requests_newest_first(ledger):
    """History can be narrowed to a project and an instance."""
    times = [NOON + timedelta(minutes=n) for n in range(5)]
    dev = asking("dev", target=boxed(8, "ml-dev"), asked_at=times[1])
    bobs = asking("bobs", user_id="U0BOB", target=boxed(9), asked_at=times[2])
    again = asking("again", target=boxed(9), asked_at=times[3])
    for request in (asking("old", asked_at=times[0]), dev, bobs, again):
        await ledger.record(request)
    await ledger.record(asking("no", asked_at=times[4]), refusal="no")

    async def recent(limit: int = 9, **only: str) -> list[str]:
        found = await ledger.recent(limit=limit, **only)
        return [record.request.id for record in found]

    assert await recent() == ["again", "bobs", "dev", "old"]
    assert await recent(limit=2) == ["again", "bobs"]
    assert await recent(project="ml-dev") == ["dev"]
    assert await recent(instance_key=boxed(9).key) == ["again", "bobs"]


async def test_what_another_version_wrote_can_be_read(ledger):
    """A field of an instance that this version does not know is no obstacle."""
    request = asking()
    await ledger.record(request)
    written = {"id": "x", "status": "ACTIVE", "queue_rank": 3}
    await ledger.update(request.id, baseline=written)

    record = await ledger.existing(request.id)

    assert record.baseline == Instance("x", "ACTIVE")


async def _restarted(ledger: Ledger, request: Request, took_s: float) -> None:
    await brought(ledger, request, State.RESTARTING)
    await ledger.take_send(request.id, "life")
    await ledger.answered(request.id, "accepted")
    await ledger.move(request.id, State.READY, duration_s=took_s)


async def test_the_last_restart_and_how_long_restarts_take(ledger, clock):
    """Only what may have been carried out counts as a restart of an instance."""
    box = boxed(0)
    first, second, idle = (asking(target=box) for _ in range(3))
    assert await ledger.last_restart(box.key) is None
    await _restarted(ledger, first, 40.0)
    clock.ahead(minutes=1)
    await _restarted(ledger, second, 50.0)
    clock.ahead(minutes=1)
    await brought(ledger, idle, State.NOT_RESTARTED)

    last = await ledger.last_restart(box.key)
    assert last is not None
    assert (last.request.id, last.sent_at) == (second.id, NOON + timedelta(minutes=1))
    before = await ledger.last_restart(box.key, but=second.id)
    assert before is not None
    assert before.request.id == first.id
    assert await ledger.durations(box.key) == (50.0, 40.0)
    assert await ledger.durations("another") == ()


async def test_stories_that_owe_somebody_an_end(ledger, clock):
    """Open or ended, but not told yet by their own story: those are begun again."""
    told_elsewhere = {State.REFUSED, State.JOINED}
    expected = set()
    for state in sorted(set(State) - told_elsewhere):
        request, told = asking(approval=ONE), asking(approval=ONE)
        for one in (request, told):
            await brought(ledger, one, state)
        await ledger.update(told.id, told=True)
        expected |= {request.id} if state in ENDS else {request.id, told.id}
    for state in sorted(told_elsewhere):
        await brought(ledger, asking(approval=ONE), state)

    assert set(await ledger.untold()) == expected
    clock.ahead(days=3)
    still = {one.request.id for one in await ledger.open_requests()}
    assert set(await ledger.untold()) == still


async def test_an_answering_database_is_told_from_a_broken_one(ledger, tmp_path):
    """A database that cannot be read is an error of the ledger, without a secret."""
    await ledger.ping()

    broken = Ledger(f"sqlite:///{tmp_path}/no/such/folder/bot.db")
    with pytest.raises(LedgerError, match="cannot be opened"):
        broken.open()
    with pytest.raises(LedgerError, match="did not answer"):
        await broken.ping()
    broken.close()


async def test_the_trail_says_who_did_each_step(ledger):
    """Every entry names the person by team and user, the rule and its version."""
    request = asking(approval=TWO)
    await brought(ledger, request, State.PENDING)
    await ledger.vote(request.id, LEA, approve=True)
    await ledger.vote(request.id, replace(LEO, team_id="T0SISTER"), approve=True)
    await ledger.move(request.id, State.RESTARTING)
    await ledger.take_send(request.id, "life")
    await ledger.answered(request.id, "accepted", ref="req-1")
    await ledger.move(request.id, State.READY)

    entries = await trail_of(ledger, request)
    assert [(e["kind"], e["team_id"], e["user_id"]) for e in entries] == [
        ("asked", HOME, "U0ANN"),
        ("pending", HOME, "U0ANN"),
        ("approval", HOME, "U0LEA"),
        ("approval", "T0SISTER", "U0LEO"),
        ("approved", HOME, "U0ANN"),
        ("restarting", HOME, "U0ANN"),
        ("sending", HOME, "U0ANN"),
        ("accepted", HOME, "U0ANN"),
        ("ready", HOME, "U0ANN"),
    ]
    target = request.target
    for entry in entries:
        where = (entry["project"], entry["instance"], entry["instance_id"])
        assert where == (target.project, target.instance, target.instance_id)
        assert (entry["rule"], entry["rule_version"]) == (
            "a lead agrees",
            "0123456789ab",
        )
        assert entry["at"].endswith("+00:00")


async def test_a_denial_is_in_the_trail_as_the_deniers(ledger):
    """A denial carries the team and the user of who denied, at each of its entries."""
    request = asking(approval=ONE)
    await brought(ledger, request, State.PENDING)
    await ledger.vote(request.id, Person("U0EVE", "T0EVE"), approve=False)

    entries = (await trail_of(ledger, request))[-2:]
    assert [entry["kind"] for entry in entries] == ["denial", "denied"]
    assert {(e["team_id"], e["user_id"]) for e in entries} == {("T0EVE", "U0EVE")}


async def test_what_was_approved_is_in_the_trail_as_a_digest(ledger):
    """The card and each approval are for the same thing, and say which."""
    one, two = asking(approval=TWO), asking(approval=TWO)
    await brought(ledger, one, State.APPROVED)
    assert len(await ledger.digests(one.id)) == 1
    assert await ledger.digests("nobody") == frozenset()

    await brought(ledger, two, State.PENDING)
    await ledger.update(two.id, baseline=Instance("i-1", "STOPPED"))
    await ledger.vote(two.id, LEA, approve=True)
    assert len(await ledger.digests(two.id)) == 2


# --- the file -------------------------------------------------------------------------


async def test_a_connection_that_can_only_read_is_let_go_of(tmp_path):
    """A file that could not be written for a while is written again afterwards."""
    ledger = Ledger(f"sqlite:///{tmp_path}/own.db")
    ledger.open()
    locked = True

    def lent(connection, *_):
        if locked:
            connection.execute("PRAGMA query_only = 1")

    sa.event.listen(ledger.database.engine, "connect", lent)
    ledger.database.engine.dispose()
    with pytest.raises(LedgerError, match="readonly"):
        await ledger.record(asking())
    locked = False

    _, new = await ledger.record(asking())

    assert new
    ledger.close()


async def test_a_database_that_cannot_be_written_does_not_answer(tmp_path):
    """Whoever asks whether it answers asks whether it takes what is to be recorded."""
    ledger = Ledger(f"sqlite:///{tmp_path}/own.db")
    ledger.open()
    await ledger.ping()
    await ledger.ping()
    sa.event.listen(
        ledger.database.engine,
        "connect",
        lambda c, _: c.execute("PRAGMA query_only = 1"),
    )
    ledger.database.engine.dispose()

    with pytest.raises(LedgerError, match="readonly"):
        await ledger.ping()
    ledger.close()


@pytest.mark.parametrize("replaced", [False, True])
async def test_a_file_that_was_moved_takes_nothing(tmp_path, replaced):
    """Nothing is acknowledged that would be gone with the process."""
    path = tmp_path / "own.db"
    ledger = Ledger(f"sqlite:///{path}")
    ledger.open()
    moved = path.rename(tmp_path / "away.db")
    if replaced:
        path.touch()

    for work in (ledger.ping(), ledger.record(asking())):
        with pytest.raises(LedgerError, match="moved or replaced"):
            await work
    moved.rename(path)

    _, new = await ledger.record(asking())

    assert new
    ledger.close()
