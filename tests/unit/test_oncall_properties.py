"""Whoever is on call when, and whatever is clicked: nothing without the right then."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from bot.errors import RotaUnreachable
from bot.ledger import Ledger
from bot.model import ENDS, Approval, Record, Rule, State
from bot.model.rule import Stage as Next
from tests.support import property_world
from tests.support.approval_world import Stage, World
from tests.support.property_world import SETTINGS, Time

ONE, TWO, THREE = "oncall:one", "oncall:two", "oncall:three"
AWAY = RotaUnreachable("PagerDuty does not answer.")
GATE = Rule(
    name="gate",
    who=(ONE,),
    approval=Approval(
        by=(TWO,),
        needed=1,
        then=(Next(after=300.0, by=(THREE,)),),
        break_glass=(THREE, "U0SRE"),
    ),
)
PAIR = Rule(
    name="gate",
    who=(ONE, "U0BOB"),
    approval=Approval(by=(TWO, "U0LEA"), needed=2, break_glass=(TWO,)),
)
OPEN = Rule(name="open", who=(ONE, "U0SRE"))


class ShiftWorld(World):
    """A world with lines; who is on call is what the rota says, and nobody else."""

    def lists(self, entries: Iterable[str], user_id: str) -> bool:
        lines = [entry for entry in entries if entry.startswith("oncall:")]
        others = [entry for entry in entries if not entry.startswith("oncall:")]
        on_call = [self.rota.on_call[line.removeprefix("oncall:")] for line in lines]
        return super().lists(others, user_id) or any(
            user_id in people for people in on_call if isinstance(people, tuple)
        )


class ShiftStage(Stage):
    """The bot, and a judge who remembers every click that counted, in its order."""

    def __init__(self, ledger: Ledger, world: ShiftWorld) -> None:
        super().__init__(ledger, world)
        self.counted: dict[str, list[tuple[str, bool]]] = {}

    async def click(self, user_id: str, story: str, *, approve: bool) -> None:
        record = await self.ledger.get(story)
        if approve and record is not None and self._counts(record, user_id):
            rule = next(r for r in self.world.rules)
            on_call = self.world.lists(rule.who, record.request.user_id)
            before = self.counted.setdefault(story, [])
            before[:] = [one for one in before if one[0] != user_id]
            before.append((user_id, on_call))
        await super().click(user_id, story, approve=approve)

    def _counts(self, record: Record, user_id: str) -> bool:
        request, asked = record.request, record.request.approval
        if record.state is not State.PENDING or asked is None:
            return False
        late = self.world.now() >= (request.expires_at or self.world.now())
        return not late and self._may(record, user_id)

    def _may(self, record: Record, user_id: str) -> bool:
        """Whether somebody may approve now; the next line after its time."""
        request, asked = record.request, record.request.approval
        assert asked is not None
        waited = (self.world.now() - request.asked_at).total_seconds()
        by = [*asked.by, *(e for n in asked.then if n.after <= waited for e in n.by)]
        listed = self.world.lists(by, user_id)
        return listed and user_id != request.user_id and self.world.is_member(user_id)

    def judge(self, record: Record) -> str:
        request, (rule,) = record.request, self.world.rules
        on_call = self.world.lists(rule.who, request.user_id)
        if not self.world.is_member(request.user_id):
            return "the requester is no member"
        if self.world.is_past(request, rule):
            return ""
        if rule.approval is None:
            return "" if on_call else "the requester is not on call at the restart"
        if request.id in self.no:
            return "somebody has denied it"
        if rule.version != request.rule_version:
            return "it was approved under another rule"
        counted = self.counted.get(request.id, [])
        agreed = {user for user, _ in counted if self._may(record, user)}
        if len(agreed) < rule.approval.needed:
            return f"{rule.approval.needed} had to approve, {sorted(agreed)} did"
        if not (on_call or counted[-1][1]):
            return "the requester was not on call when the last one approved"
        return ""


USERS = st.sampled_from(["U0ANN", "U0BOB", "U0LEA", "U0SRE", "U0GUEST"])
DUTIES = st.one_of(
    st.lists(USERS, max_size=2, unique=True).map(tuple),
    st.sampled_from([(), ("?Hugo",), AWAY]),
)
SHIFTS = st.tuples(st.just("shift"), st.sampled_from(["one", "two", "three"]), DUTIES)
CLICKS = st.tuples(st.sampled_from(["approve", "approve", "deny"]), USERS)
RULES = st.sampled_from([GATE, PAIR, OPEN])
ACTS = st.one_of(
    CLICKS,
    CLICKS,
    SHIFTS,
    SHIFTS,
    st.tuples(st.just("ask"), USERS, st.booleans()),
    st.tuples(st.just("go on")),
    st.tuples(st.just("go on")),
    st.tuples(st.just("wait"), st.sampled_from([1, 6, 31])),
    st.tuples(st.just("rule"), RULES),
)


async def perform(stage: ShiftStage, act: tuple[Any, ...]) -> None:
    """Let one thing happen."""
    world = stage.world
    match act:
        case ("ask", who, glass):
            await stage.ask(who, break_glass=glass)
        case ("approve" | "deny" as word, who):
            waiting = await stage.ledger.pending(world.instance_id)
            story = waiting.request.id if waiting else stage.asked[-1]
            await stage.click(who, story, approve=word == "approve")
        case ("shift", line, people):
            world.rota.on_call[line] = people
        case ("wait", minutes):
            world.ahead += timedelta(minutes=minutes)
        case ("rule", rule):
            world.rules = (rule,)
        case ("go on",):
            await stage.stories()


ledger, time = property_world.ledger, property_world.time


@pytest.fixture(autouse=True, scope="module")
def unhurried() -> Iterator[None]:
    """Ask the rota each time, and wait for none that is away."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bot.oncall.rotas.APART_S", 0.0)
        patch.setattr("bot.restarts.rights.ROTA_WAITS_S", ())
        yield


SHIFT_OVER = ("shift", "one", ("U0BOB",))


@settings(SETTINGS)
@given(rule=RULES, acts=st.lists(ACTS, min_size=1, max_size=10))
@example(rule=GATE, acts=[("approve", "U0BOB")])
@example(rule=GATE, acts=[("approve", "U0BOB"), ("shift", "one", ())])
@example(
    rule=GATE, acts=[SHIFT_OVER, ("shift", "two", ("U0LEA",)), ("approve", "U0LEA")]
)
@example(rule=GATE, acts=[("approve", "U0BOB"), ("shift", "two", ("U0LEA",))])
@example(rule=GATE, acts=[("approve", "U0BOB"), ("shift", "two", AWAY)])
@example(rule=GATE, acts=[("approve", "U0LEA"), ("wait", 6), ("approve", "U0LEA")])
@example(rule=OPEN, acts=[SHIFT_OVER])
@example(
    rule=PAIR,
    acts=[
        *[("approve", "U0BOB"), ("shift", "two", ("U0SRE",)), ("approve", "U0LEA")],
        *[("go on",), ("shift", "one", ()), ("approve", "U0SRE"), ("go on",)],
    ],
)
def test_nothing_is_restarted_without_the_right_at_its_time(
    ledger: Ledger, time: Time, rule: Rule, acts: list[Any]
) -> None:
    """Shifts end, lines are away, the file is reloaded: the judge has no complaint."""

    async def play() -> ShiftStage:
        world = ShiftWorld((rule,))
        world.rota.on_call |= {
            "one": ("U0ANN",),
            "two": ("U0BOB",),
            "three": ("U0LEA",),
        }
        stage = ShiftStage(ledger, world)
        time.now = world.now
        await stage.ask("U0ANN")
        if rule is not OPEN:
            await stage.stories()
        for act in acts:
            await perform(stage, act)
        await stage.stories()
        await stage.end()
        return stage

    stage = asyncio.run(play())

    event(f"restarts: {len(stage.sent)}")
    assert [one.why_not for one in stage.sent] == [""] * len(stage.sent)
    assert all(one.state in ENDS for one in asyncio.run(stage.records()))
