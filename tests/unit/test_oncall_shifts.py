"""Shifts that end, next lines that are asked: who may, at the time when it counts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.errors import RotaUnreachable
from bot.ledger import Ledger
from bot.model import Approval, Record, Rule, State
from bot.model.rule import Stage as Next
from bot.restarts import rights
from tests.support.approval_world import Stage, World
from tests.support.ledger_world import kinds_of, opened

ONE, TWO, THREE = "oncall:one", "oncall:two", "oncall:three"
GATE = Rule(
    name="gate",
    who=(ONE,),
    approval=Approval(
        by=(TWO, "U0LEA"),
        needed=2,
        then=(Next(after=300.0, by=(THREE,)),),
        break_glass=("U0SRE",),
    ),
)
AWAY = RotaUnreachable("PagerDuty (on-call line “two”) does not answer.")


@pytest.fixture
def world() -> World:
    """Return a world in which Ann is on call on the first line, Bob on the second."""
    one = World((GATE,))
    one.rota.on_call |= {"one": ("U0ANN",), "two": ("U0BOB",), "three": ("U0LEO",)}
    return one


@pytest.fixture
def ledger(tmp_path: Path, world: World) -> Iterator[Ledger]:
    """Return a ledger that goes by the world's clock."""
    one = opened(tmp_path / "bot.db", now=world.now)
    yield one
    one.close()


@pytest.fixture
async def stage(ledger: Ledger, world: World, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Return the bot with a request of Ann's that waits for approval."""
    monkeypatch.setattr(rights, "ROTA_WAITS_S", (0.0,))
    monkeypatch.setattr("bot.oncall.rotas.APART_S", 0.0)
    one = Stage(ledger, world)
    await one.ask("U0ANN")
    await one.stories()
    return one


async def record_of(stage: Stage) -> Record:
    return await stage.ledger.existing(stage.asked[0])


async def clicked(stage: Stage, *people: str) -> Record:
    """Let *people* approve, and return the record."""
    for who in people:
        await stage.click(who, stage.asked[0], approve=True)
    return await record_of(stage)


async def test_a_vote_whose_giver_has_gone_off_duty_is_taken_off(
    stage: Stage, world: World
) -> None:
    """Who is on call by then is mentioned once, and the request waits for him."""
    await clicked(stage, "U0BOB")
    world.rota.on_call["two"] = ("U0LEO",)
    assert (await clicked(stage, "U0LEA")).state is State.APPROVED

    await stage.stories()
    await stage.stories()

    record = await record_of(stage)
    assert record.state is State.PENDING
    assert [vote.user_id for vote in record.votes] == ["U0LEA"]
    assert [vote.user_id for vote in record.taken_off] == ["U0BOB"]
    (again,) = [said for said in stage.chat.said if "does not count any more" in said]
    assert again.startswith("⏳ Waits for approval. <@U0LEO> (on call)")
    assert stage.cloud.restarts == 0

    assert (await clicked(stage, "U0LEO")).state is State.APPROVED
    await stage.stories()
    assert (await record_of(stage)).state is State.READY
    kinds = await kinds_of(stage.ledger, record.request)
    assert kinds.count("approval taken off") == 1
    assert await stage.ledger.verify() == []


async def test_a_life_that_is_overtaken_by_that_ends_nothing(
    stage: Stage, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another life takes the approval off while this one looks: it waits again."""
    await clicked(stage, "U0BOB")
    world.rota.on_call["two"] = ("U0LEO",)
    await clicked(stage, "U0LEA")
    on_trail = stage.ledger.approvers_on_trail

    async def overtaken(story: str) -> dict[str, str]:
        await stage.ledger.take_off(story, {"U0BOB": "His shift has ended."})
        return await on_trail(story)

    monkeypatch.setattr(stage.ledger, "approvers_on_trail", overtaken)

    assert await stage.prepare(stage.asked[0]) is None
    assert (await record_of(stage)).state is State.PENDING


async def test_a_request_whose_vote_was_taken_off_still_expires(
    stage: Stage, world: World
) -> None:
    """The time that approval has is not prolonged by it."""
    await clicked(stage, "U0BOB")
    world.rota.on_call["two"] = ()
    await clicked(stage, "U0LEA")
    await stage.stories()
    world.ahead += timedelta(minutes=31)
    await stage.stories()

    assert (await record_of(stage)).state is State.EXPIRED
    assert stage.cloud.restarts == 0


async def test_the_requesters_shift_has_to_cover_the_vote_that_decides(
    stage: Stage, world: World
) -> None:
    """Once it has ended the vote counts for nothing, and who is on call asks anew."""
    await clicked(stage, "U0BOB")
    world.rota.on_call["one"] = ("U0LEO",)

    record = await clicked(stage, "U0LEA")

    assert record.state is State.VOIDED
    assert "The shift of U0ANN, who asked, has ended" in record.detail
    assert "oncall:one (U0LEO)" in record.detail
    anew = await stage.ask("U0LEO")
    await stage.stories()
    assert (await stage.ledger.existing(anew)).state is State.PENDING


async def test_a_shift_that_ends_after_the_vote_that_decides_has_covered_it(
    stage: Stage, world: World
) -> None:
    """Between that vote and the restart the requester may go home."""
    assert (await clicked(stage, "U0BOB", "U0LEA")).state is State.APPROVED
    world.rota.on_call["one"] = ("U0LEO",)

    await stage.stories()

    assert (await record_of(stage)).state is State.READY


async def test_who_asks_without_approval_is_on_call_at_the_restart(
    ledger: Ledger, world: World
) -> None:
    """A shift that ends between the command and the act ends the request."""
    world.rules = (Rule(name="open", who=(ONE,)),)
    stage = Stage(ledger, world)
    await stage.ask("U0ANN")
    world.rota.on_call["one"] = ("U0BOB",)

    await stage.stories()

    record = await record_of(stage)
    assert record.state is State.VOIDED
    assert stage.cloud.restarts == 0


async def test_a_rota_that_is_away_right_before_the_restart_refuses(
    stage: Stage, world: World
) -> None:
    """It is asked again, then that ends the request; no vote is taken off for it."""
    await clicked(stage, "U0BOB", "U0LEA")
    before = world.rota.calls
    world.rota.on_call["two"] = AWAY

    await stage.stories()

    record = await record_of(stage)
    assert record.state is State.VOIDED
    assert record.detail.startswith(str(AWAY))
    assert "with --break-glass and a reason U0SRE" in record.detail
    assert record.taken_off == ()
    assert world.rota.calls - before > 2
    assert stage.cloud.restarts == 0


async def test_a_rota_that_is_back_in_time_does_not(stage: Stage, world: World) -> None:
    """One failure right before the restart is no verdict."""
    await clicked(stage, "U0BOB", "U0LEA")
    world.rota.fails_once = True

    await stage.stories()

    assert (await record_of(stage)).state is State.READY


async def test_a_click_that_cannot_be_judged_counts_for_nothing(
    stage: Stage, world: World
) -> None:
    """While the requester's line is away nothing is decided, and nothing lost."""
    await clicked(stage, "U0BOB")
    world.rota.on_call["one"] = AWAY
    record = await clicked(stage, "U0LEA")
    assert record.state is State.PENDING
    assert [vote.user_id for vote in record.votes] == ["U0BOB"]

    world.rota.on_call["one"] = ("U0ANN",)
    assert (await clicked(stage, "U0LEA")).state is State.APPROVED


# --- who is asked ---


async def test_who_is_woken_need_not_be_who_may(ledger: Ledger, world: World) -> None:
    """The card mentions those to be notified, and names who may without a mention."""
    approval = Approval(by=("@ml-leads", THREE), notify=(TWO,), then=GATE.approval.then)  # type: ignore[union-attr]
    world.rules = (Rule(name="quiet", who=(ONE,), approval=approval),)
    stage = Stage(ledger, world)
    await stage.ask("U0ANN")
    await stage.stories()

    card = stage.chat.said[0]
    assert "<@U0BOB> (on call): <@U0ANN> asks to restart" in card
    assert "needed from @ml-leads or who is on call on three." in card
    assert "<@U0LEO>" not in card
    assert "subteam" not in card


async def test_who_asks_is_not_asked_himself(ledger: Ledger, world: World) -> None:
    """The only one on call is told who comes next; where nobody does, it is refused."""
    assert GATE.approval is not None
    approval = GATE.approval.model_copy(update={"by": (ONE,), "needed": 1})
    world.rules = (Rule(name="own", who=(ONE,), approval=approval),)
    stage = Stage(ledger, world)
    await stage.ask("U0ANN")
    await stage.stories()
    card = stage.chat.said[0]
    assert "needed from the line one (nobody else on call now)" in card
    assert "who is on call on three may approve it as well" in card

    world.rules = (
        Rule(name="own", who=(ONE,), approval=approval.model_copy(update={"then": ()})),
    )
    world.instance_id = "0c7f35ad-6d0b-4c5b-8f6e-5d1c2b3a4958"
    refused = await stage.ledger.existing(await stage.ask("U0ANN"))
    assert refused.state is State.REFUSED
    assert "only 0 besides the requester could" in refused.detail


# --- the next line ---


async def test_the_next_line_is_mentioned_once_and_may_approve_as_well(
    stage: Stage, world: World
) -> None:
    """Not before its time, and those before it may go on."""
    assert (await clicked(stage, "U0LEO")).votes == ()
    world.ahead += timedelta(seconds=301)
    for _ in range(3):
        await stage.stories()

    (asked,) = [said for said in stage.chat.said if "nobody has decided" in said]
    assert asked.startswith("⏳ Waits for approval. <@U0LEO> (on call)")
    assert "for 5 min" in asked
    assert (await clicked(stage, "U0LEO", "U0BOB")).state is State.APPROVED
    kinds = await kinds_of(stage.ledger, (await record_of(stage)).request)
    assert kinds.count("asked further") == 1


async def test_a_decision_in_time_mentions_nobody_further(
    stage: Stage, world: World
) -> None:
    """Who would have been next is left alone."""
    await stage.click("U0BOB", stage.asked[0], approve=False)
    world.ahead += timedelta(seconds=301)
    await stage.stories()

    assert not [said for said in stage.chat.said if "nobody has decided" in said]


@pytest.mark.parametrize("trouble", [AWAY, (), ("?Hugo",)], ids=["away", "none", "odd"])
async def test_a_next_line_that_nobody_knows_is_said_once_and_tried_again(
    stage: Stage, world: World, trouble: object
) -> None:
    """Once it is known who that is, he is mentioned, once."""
    world.rota.on_call["three"] = trouble  # type: ignore[assignment]
    world.ahead += timedelta(seconds=301)
    for _ in range(3):
        await stage.stories()
    assert len([one for one in stage.chat.said if "I look again" in one]) == 1
    assert not [one for one in stage.chat.said if "nobody has decided" in one]

    world.rota.on_call["three"] = ("U0LEO",)
    for _ in range(3):
        await stage.stories()
    assert len([one for one in stage.chat.said if "nobody has decided" in one]) == 1
    assert len([one for one in stage.chat.said if "I look again" in one]) == 1
