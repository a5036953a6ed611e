"""Whatever people do, in whatever order: a freeze lets nothing by but what may."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

from hypothesis import event, example, given
from hypothesis import strategies as st

from bot.config import Settings
from bot.config.tables import FreezeSettings
from bot.ledger import Ledger
from bot.model import ENDS, Approval, Record, Rule, State
from bot.model.freeze import EVERYTHING
from bot.slack import command as words
from tests.support import property_world
from tests.support.approval_world import PROJECT, Stage, World
from tests.support.property_world import SETTINGS, Time

RULES = (
    Rule(
        name="gate",
        who=("@ml-oncall",),
        approval=Approval(by=("U0LEA",), expires=7200.0, break_glass=("@sre",)),
    ),
    Rule(name="open", who=("U0LEO",)),
)
FREEZERS = ("U0LEA", "U0LEO")
ledger, time = property_world.ledger, property_world.time


class ColdWorld(World):
    """A world whose file says who may freeze, and that keeps its own list of them."""

    ends: dict[str, datetime]

    def settings(self) -> Settings:
        by = FreezeSettings(by=FREEZERS)
        return super().settings().model_copy(update={"freeze": by})


class ColdStage(Stage):
    """The bot, and a judge who knows in his own words what is frozen."""

    def __init__(self, ledger: Ledger, world: ColdWorld) -> None:
        super().__init__(ledger, world)
        self.until: dict[str, datetime] = {}
        self.between: list[tuple[Any, ...]] = []
        self.pause = asyncio.Lock()

    def is_frozen(self) -> bool:
        now = self.world.now()
        return any(now < end for end in self.until.values())

    def judge(self, record: Record) -> str:
        if self.is_frozen() and not record.request.break_glass:
            return "it is frozen"
        return super().judge(record)

    async def freeze(self, user: str, scope: str, minutes: int) -> None:
        actor = self.actor(user)
        command = words.Freeze(scope, f"{minutes}m", "release")
        await self.freezes.freeze(actor, command)
        now = self.world.now()
        if user in FREEZERS and now >= self.until.get(scope, now):
            self.until[scope] = now + timedelta(minutes=minutes)

    async def thaw(self, user: str, scope: str) -> None:
        await self.freezes.thaw(self.actor(user), words.Thaw(scope))
        if user in FREEZERS:
            self.until.pop(scope, None)

    async def _story(self, story: str) -> None:
        """Take the steps, and let people act between the announcement and the call."""
        if await self.preflight.examine(story):
            await self.approvals.post_card(story)
            if await self.approvals.next_wait(story):
                return
        if await self.prepare(story):
            async with self.pause:  # its twin must not slip past what happens now
                while self.between:
                    await perform(self, self.between.pop())
            await self.sending.send(story, 0)
            record = await self.ledger.existing(story)
            if record.state in {State.RESTARTING, State.FOLLOWING}:
                await self.ledger.move(story, State.READY)


USERS = st.sampled_from(["U0ANN", "U0LEA", "U0LEO", "U0SRE", "U0GUEST"])
SCOPES = st.sampled_from([PROJECT, EVERYTHING])
COLD = st.one_of(
    st.tuples(st.just("freeze"), USERS, SCOPES, st.sampled_from([5, 20, 60])),
    st.tuples(st.just("thaw"), USERS, SCOPES),
    st.tuples(st.just("wait"), st.sampled_from([1, 5, 30])),
)
ACTS = st.one_of(
    COLD,
    COLD,
    st.tuples(st.just("ask"), USERS, st.booleans()),
    st.tuples(st.just("approve"), USERS),
    st.tuples(st.just("between"), COLD),
)


async def perform(stage: ColdStage, act: tuple[Any, ...]) -> None:
    """Let one thing happen."""
    match act:
        case ("freeze", user, scope, minutes):
            await stage.freeze(user, scope, minutes)
        case ("thaw", user, scope):
            await stage.thaw(user, scope)
        case ("wait", minutes):
            stage.world.ahead += timedelta(minutes=minutes)
        case ("ask", user, glass):
            await stage.ask(user, break_glass=glass)
        case ("approve", user) if stage.asked:
            waiting = await stage.ledger.pending(stage.world.instance_id)
            if waiting:
                await stage.click(user, waiting.request.id, approve=True)
        case ("between", cold):
            stage.between.append(cold)


@SETTINGS
@given(acts=st.lists(ACTS, min_size=1, max_size=10))
@example(
    acts=[
        ("ask", "U0ANN", False),
        ("freeze", "U0LEA", PROJECT, 20),
        ("approve", "U0LEA"),
        ("wait", 30),
        ("approve", "U0LEA"),
    ]
)
@example(
    acts=[
        ("between", ("freeze", "U0LEO", EVERYTHING, 60)),
        ("ask", "U0LEO", False),
        ("wait", 5),
    ]
)
@example(acts=[("freeze", "U0LEA", PROJECT, 20), ("ask", "U0SRE", True)])
def test_nothing_is_sent_inside_a_freeze_but_what_may(
    ledger: Ledger, time: Time, acts: list[tuple[Any, ...]]
) -> None:
    """At the command, at the click, and in the moment before the call."""

    async def play() -> tuple[ColdStage, list[Record]]:
        stage = ColdStage(ledger, ColdWorld(RULES))
        time.now = stage.world.now
        for act in acts:
            await perform(stage, act)
            await stage.stories()
        await stage.end()
        for freeze in await ledger.frozen():  # the next example begins unfrozen
            await ledger.thaw(
                freeze.project, stage.world.people["U0LEA"], "C0", f"end {freeze.id}"
            )
        return stage, await stage.records()

    stage, records = asyncio.run(play())

    assert [one.why_not for one in stage.sent] == [""] * len(stage.sent)
    assert len(stage.sent) == stage.cloud.restarts
    assert all(record.state in ENDS for record in records)
    for record in records:
        event(f"{record.state}{' past a freeze' if record.request.passes else ''}")
        late = record.state is State.REFUSED and record.ended_at is not None
        assert not late or "frozen until" in record.detail
