"""Nobody is on call where a rule counts on it: who can still, and who is woken."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.errors import RotaUnreachable
from bot.model import Approval, Record, Rule, State
from bot.policy import Question
from bot.policy.rule_outcome import MEND_RULES
from bot.restarts import rights
from tests.support.approval_world import CHANNEL, HOME, PROJECT, Stage, World
from tests.support.ledger_world import opened

ONE, TWO = "oncall:one", "oncall:two"
AWAY = RotaUnreachable("PagerDuty (on-call line “two”) does not answer.")


@pytest.fixture
def world() -> World:
    """Return a world in which Ann is on call on the first line, on the other nobody."""
    one = World(())
    one.rota.on_call |= {"one": ("U0ANN",), "two": ()}
    return one


@pytest.fixture
def stage(tmp_path: Path, world: World) -> Iterator[Stage]:
    """Return the bot in it."""
    ledger = opened(tmp_path / "bot.db", now=world.now)
    yield Stage(ledger, world)
    ledger.close()


def ruled(world: World, **approval: object) -> None:
    """Let Ann's line ask, for *approval*."""
    given = Approval.model_validate(approval)
    world.rules = (Rule(name="gate", who=(ONE,), approval=given),)


async def asked(stage: Stage, user_id: str, *, break_glass: bool = False) -> Record:
    """Ask, and return the record."""
    story = await stage.ask(user_id, break_glass=break_glass)
    await stage.stories()
    return await stage.ledger.existing(story)


async def test_who_is_alone_on_call_hears_of_break_glass(
    stage: Stage, world: World
) -> None:
    """Nobody approves for himself; who needs no approval is named, if there is one."""
    ruled(world, by=[ONE], break_glass=["U0SRE"])
    target = world.settings().target(PROJECT, world.instance_id)
    question = Question("U0ANN", HOME, target, CHANNEL)
    refused = await stage.authorizer.decide(question)
    assert "only 0 besides the requester could" in refused.why
    assert refused.remedy == "Who still can: with --break-glass and a reason U0SRE."
    ruled(world, by=[ONE])
    refused = await stage.authorizer.decide(question)
    assert refused.remedy == MEND_RULES


@pytest.mark.parametrize("away", [False, True])
async def test_who_breaks_the_glass_hears_why_nobody_may(
    stage: Stage, world: World, *, away: bool
) -> None:
    """Also whom the rule does not name otherwise: the line could have named him."""
    ruled(world, by=["U0LEA"], break_glass=[TWO])
    world.rota.on_call["two"] = AWAY if away else ()

    record = await asked(stage, "U0BOB", break_glass=True)

    assert record.state is State.REFUSED
    nobody = "Nobody is on call on the line “two” now, says PagerDuty."
    assert record.detail.startswith(str(AWAY) if away else nobody)


@pytest.mark.parametrize(
    ("line", "known"), [(ONE, ("U0ANN",)), (TWO, ()), (TWO, ("?Hugo",)), (TWO, AWAY)]
)
async def test_where_nobody_is_there_to_be_woken_the_approvers_are(
    stage: Stage, world: World, line: str, known: Any
) -> None:
    """A request must not wait unseen because the line to be notified is empty."""
    ruled(world, by=["U0LEA"], notify=[line])
    world.rota.on_call[line.removeprefix("oncall:")] = known
    await asked(stage, "U0ANN")
    assert "and <@U0LEA>: <@U0ANN> asks to restart" in stage.chat.said[0]


async def test_right_before_the_restart_a_slow_source_is_waited_for(
    stage: Stage, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for an answer then as somebody does who has typed a command."""
    monkeypatch.setattr("bot.policy.duties.COMMAND_WITHIN_S", 0.05)
    monkeypatch.setattr("bot.oncall.rotas.ROTA_WITHIN_S", 0.05)
    monkeypatch.setattr(rights, "ROTA_WAITS_S", ())
    stage = Stage(stage.ledger, world)
    ruled(world, by=[TWO])
    world.rota.on_call["two"] = ("U0BOB",)
    record = await asked(stage, "U0ANN")
    await stage.click("U0BOB", record.request.id, approve=True)
    world.rota.delay_s = 0.3

    await stage.stories()

    assert len(stage.sent) == 1
