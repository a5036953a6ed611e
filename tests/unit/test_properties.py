"""Whatever people do, in whatever order: no restart without what the rule asks for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import event, example, given
from hypothesis import strategies as st

from bot.cli import explain
from bot.config import Secrets
from bot.ledger import Ledger
from bot.listeners.payloads import Actor
from bot.model import (
    ENDS,
    TRANSITIONS,
    Approval,
    Decision,
    Record,
    Request,
    Rule,
    State,
    Verdict,
    request_id,
)
from bot.policy.authorizer import Authorizer
from bot.slack.command import Can, Restart
from bot.slack.messages import queries
from bot.slack.messages.formatting import mention
from tests.support import property_world
from tests.support.approval_world import (
    CHANNEL,
    GROUPS,
    HOME,
    PEOPLE,
    PROJECT,
    Stage,
    World,
    changed,
)
from tests.support.ledger_world import LONG_AGO
from tests.support.property_world import SETTINGS, Time

ledger, time = property_world.ledger, property_world.time


# --- rules, people, and what they do ---

USERS = st.sampled_from(sorted(PEOPLE))
ENTRIES = st.sampled_from([*sorted(PEOPLE), *GROUPS, *GROUPS, "@nobody", "*"])
LISTS = st.lists(ENTRIES, min_size=1, max_size=3, unique=True).map(tuple)


def approval_of(by, needed, break_glass):
    """Return an approval as a file may hold it: never more people than are named."""
    most = needed if set(by) - set(PEOPLE) else len(by)
    return Approval(by=by, needed=min(needed, most), break_glass=break_glass)


APPROVALS = st.builds(
    approval_of,
    by=LISTS,
    needed=st.integers(1, 3),
    break_glass=st.lists(ENTRIES, max_size=2, unique=True).map(tuple),
)
GATES = st.builds(Rule, name=st.just("gate"), who=LISTS, approval=APPROVALS)
OPEN = st.builds(Rule, name=st.just("open"), who=LISTS)
RULES = st.one_of(
    st.tuples(GATES), st.tuples(GATES, OPEN), st.tuples(OPEN, GATES), st.tuples(OPEN)
)
# A gate through which a request gets far: most sequences should reach a decision.
LIKELY = Rule(
    name="gate",
    who=("@ml-oncall",),
    approval=Approval(by=("@ml-leads",), needed=2, break_glass=("@sre",)),
)
WORLDS = st.one_of(st.tuples(st.just(LIKELY)), RULES)

ASKS = st.tuples(st.just("ask"), USERS, st.booleans())
CLICKS = st.tuples(st.sampled_from(["approve", "approve", "deny"]), USERS)
ACTS = st.one_of(
    CLICKS,
    CLICKS,
    CLICKS,
    ASKS,
    st.tuples(st.just("cancel"), USERS),
    st.tuples(st.just("go on")),
    st.tuples(st.just("wait"), st.sampled_from([1, 16, 31])),
    st.tuples(st.just("leave"), USERS, st.sampled_from(sorted(GROUPS))),
    st.tuples(st.just("close"), st.sampled_from(sorted(GROUPS))),
    st.tuples(st.just("demote"), USERS, st.sampled_from(["is_guest", "deleted"])),
    st.tuples(st.just("status"), st.sampled_from(["ACTIVE", "REBOOTING", "STOPPED"])),
    st.tuples(st.just("rule"), WORLDS),
)
Act = tuple[Any, ...]


async def perform(stage: Stage, act: Act) -> None:  # noqa: C901 - a list of cases
    """Let one thing happen."""
    world = stage.world
    match act:
        case ("ask", who, glass):
            await stage.ask(who, break_glass=glass)
        case ("approve" | "deny" as word, who):
            # The latest request only: joined ones have no card.
            await stage.click(who, await _latest(stage), approve=word == "approve")
        case ("cancel", who):
            await stage.cancel(who)
        case ("go on",):
            await stage.stories()
        case ("wait", minutes):
            world.ahead += timedelta(minutes=minutes)
        case ("leave", who, group):
            world.groups[group] = (world.groups[group] or frozenset()) - {who}
        case ("close", group):
            world.groups[group] = None
        case ("demote", who, how):
            changed(world, who, **{how: True})
        case ("status", word):
            world.status = word
        case ("rule", rules):
            world.rules = rules
        case _:
            raise AssertionError(act)


async def _latest(stage: Stage) -> str:
    """Return what waits for approval, else what was asked for last."""
    waiting = await stage.ledger.pending(stage.world.instance_id)
    return waiting.request.id if waiting else stage.asked[-1]


async def played(
    ledger: Ledger, time: Time, rules: tuple[Rule, ...], acts: list[Act]
) -> Stage:
    """Play a whole sequence, from the first request to the end of all of them."""
    stage = Stage(ledger, World(rules))
    time.now = stage.world.now
    await stage.ask("U0ANN")
    await stage.stories()
    for act in acts:
        await perform(stage, act)
        await stage.stories()
    await stage.end()
    return stage


@SETTINGS
@given(rules=WORLDS, acts=st.lists(ACTS, min_size=1, max_size=9))
@example(rules=(LIKELY,), acts=[("approve", "U0LEA"), ("approve", "U0LEA")])
@example(rules=(LIKELY,), acts=[("approve", "U0LEA"), ("approve", "U0LEO")])
@example(rules=(LIKELY,), acts=[("approve", "U0LEA"), ("approve", "U0GUEST")])
@example(rules=(LIKELY,), acts=[("approve", "U0LEA"), ("approve", "U0ALIEN")])
@example(rules=(LIKELY,), acts=[("approve", "U0LEA"), ("approve", "U0ANN")])
@example(rules=(LIKELY,), acts=[("ask", "U0BOB", True)])
@example(rules=(LIKELY,), acts=[("ask", "U0SRE", True)])
@example(rules=(LIKELY,), acts=[("ask", "U0LEA", True)])
@example(rules=(LIKELY,), acts=[("ask", "U0ROBOT", True)])
def test_nothing_is_restarted_without_the_approvals_that_count(
    ledger: Ledger, time: Time, rules: tuple[Rule, ...], acts: list[Act]
) -> None:
    """Who gets the restart call has the approvals, from people who still may, once."""
    stage = asyncio.run(played(ledger, time, rules, acts))

    event(f"restarts: {len(stage.sent)}")
    assert [one.why_not for one in stage.sent] == [""] * len(stage.sent)
    stories = [one.record.request.id for one in stage.sent]
    assert len(stories) == len(set(stories)) == stage.cloud.restarts


@SETTINGS
@given(
    acts=st.lists(st.one_of(CLICKS, ACTS), min_size=1, max_size=5),
    lost=st.lists(ACTS, min_size=1, max_size=3),
)
@example(acts=[], lost=[("leave", "U0LEA", "@ml-leads")])
@example(acts=[], lost=[("demote", "U0LEO", "is_guest")])
@example(acts=[], lost=[("close", "@ml-leads")])
@example(acts=[], lost=[("demote", "U0ANN", "deleted")])
@example(acts=[], lost=[("status", "STOPPED")])
@example(acts=[], lost=[("rule", (LIKELY.model_copy(update={"name": "other"}),))])
def test_what_was_approved_is_void_once_anything_has_changed(
    ledger: Ledger, time: Time, acts: list[Act], lost: list[Act]
) -> None:
    """Between the last approval and the restart, rights are lost: it is not sent."""

    async def play() -> Stage:
        stage = Stage(ledger, World((LIKELY,)))
        time.now = stage.world.now
        await stage.ask("U0ANN")
        await stage.stories()
        for act in acts:
            await perform(stage, act)
        for who in ("U0LEA", "U0LEO"):
            await perform(stage, ("approve", who))
        for act in lost:
            await perform(stage, act)
        await stage.end()
        return stage

    stage = asyncio.run(play())

    assert [one.why_not for one in stage.sent] == [""] * len(stage.sent)


@SETTINGS
@given(rules=WORLDS, acts=st.lists(ACTS, max_size=9))
@example(rules=(LIKELY,), acts=[("deny", "U0GUEST")])
@example(rules=(LIKELY,), acts=[("approve", "U0LEA"), ("approve", "U0ANN")])
def test_every_sequence_ends_in_exactly_one_end(
    ledger: Ledger, time: Time, rules: tuple[Rule, ...], acts: list[Act]
) -> None:
    """Each request goes by the table to one end, and the trail tells the same."""

    async def ends() -> tuple[Stage, list[tuple[Record, list[str]]]]:
        stage = await played(ledger, time, rules, acts)
        records = await stage.records()
        return stage, [(one, await _kinds(ledger, one.request)) for one in records]

    stage, stories = asyncio.run(ends())
    for record, kinds in stories:
        end = record.state
        event(f"end: {end}")
        assert (end is State.DENIED) == (record.request.id in stage.no)
        if "approved" in kinds:
            approval = record.request.approval
            assert approval is not None
            assert len(stage.yes[record.request.id]) >= approval.needed
        assert end in ENDS
        assert [State(kind) for kind in kinds if kind in ENDS] == [end]
        states = [State(kind) for kind in kinds if kind in set(State)]
        if end not in {State.REFUSED, State.JOINED} or len(states) > 1:
            assert states[0] is State.ASKED
            for before, after in pairwise(states):
                assert after in TRANSITIONS[before]
        assert kinds.count("sending") <= 1


async def _kinds(ledger: Ledger, request: Request) -> list[str]:
    """Return the kinds of a request's entries in the trail, oldest first."""
    box = request.target.instance_id
    entries = reversed(await ledger.entries(since=LONG_AGO, instance=box))
    return [entry["kind"] for entry in entries if entry["request_id"] == request.id]


@SETTINGS
@given(acts=st.lists(CLICKS, max_size=8), who=USERS)
def test_who_may_not_approve_may_not_cancel_either(
    ledger: Ledger, time: Time, acts: list[Act], who: str
) -> None:
    """Only the requester and approvers withdraw a request, not who joined it."""

    async def play() -> tuple[bool, State]:
        stage = Stage(ledger, World((LIKELY,)))
        time.now = stage.world.now
        story = await stage.ask("U0ANN")
        await stage.stories()
        await stage.ask("U0BOB")  # joins
        for act in acts:
            await perform(stage, act)
        before = await ledger.existing(story)
        await stage.cancel(who)
        after = await ledger.existing(story)
        approval = before.request.approval
        assert approval is not None
        may = who == "U0ANN" or stage.world.may_approve(approval, who, "U0ANN")
        return may and before.state is State.PENDING, after.state

    may, state = asyncio.run(play())

    assert (state is State.CANCELLED) == may


# --- one decision, wherever it is asked for ---


@asynccontextmanager
async def _as_the_bot(stage: Stage) -> AsyncIterator[tuple[Any, Any, str]]:
    yield stage.authorizer, stage.authorizer._users, HOME


@SETTINGS
@given(rules=RULES, who=USERS, acts=st.lists(ACTS, max_size=4), reason=st.booleans())
def test_can_explain_and_the_command_decide_alike(
    ledger: Ledger,
    time: Time,
    rules: tuple[Rule, ...],
    who: str,
    acts: list[Act],
    reason: bool,  # noqa: FBT001
) -> None:
    """What ``can`` and ``explain`` say beforehand is what the command then does."""
    rules = tuple(rule.model_copy(update={"reason": "required"}) for rule in rules)

    async def play() -> tuple[Decision, Decision, bool, State]:
        stage = Stage(ledger, World(rules))
        time.now = stage.world.now
        for act in acts:
            if act[0] in {"leave", "close", "demote"}:
                await perform(stage, act)
        box = stage.world.instance_id
        actor = stage.actor(who)
        said = await stage.queries.can(actor, Can(PROJECT, box))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(explain, "_authorizer", lambda *_: _as_the_bot(stage))
            told = await explain.explain(
                stage.world.settings(), _SECRETS, who, PROJECT, box, CHANNEL
            )
        asked, record = await _command(stage, actor, "it burns" if reason else "")
        here = queries.can(
            told.decision,
            told.target,
            person=mention(who),
            approvers=await stage.authorizer.mentions(told.by),
        )
        return told.decision, asked, said == here, record.state

    told, asked, same, state = asyncio.run(play())

    event(f"decision: {told.verdict}")
    assert same, "can and explain differ"
    if reason:
        assert asked == replace(told, wants_reason=False)
        refused = told.verdict is Verdict.DENY
        assert state is (State.REFUSED if refused else State.ASKED)
    elif told.verdict is not Verdict.DENY:
        # Without the reason that the rule wants, the reason is what is missing.
        assert (asked.verdict, asked.wants_reason) == (Verdict.DENY, True)
        assert (asked.rule, told.wants_reason) == (told.rule, True)


_SECRETS: Any = Secrets.model_construct()


async def _command(stage: Stage, actor: Actor, reason: str) -> tuple[Decision, Record]:
    """Return what the command decides, caught on its way to the record, and that."""
    decided: list[Any] = []
    decide = Authorizer.decide

    async def kept(self: Authorizer, *who: Any, **what: Any) -> Any:
        decided.append(await decide(self, *who, **what))
        return decided[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Authorizer, "decide", kept)
        command = Restart(PROJECT, stage.world.instance_id, reason)
        await stage.requests.typed(actor, command)
    return decided[0], await stage.ledger.existing(request_id(actor.delivery))
