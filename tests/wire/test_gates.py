"""What stands between an approval and the restart call, and what is put on trail."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.ledger import Ledger
from bot.model import Approval, Request, Rule, State, digest
from bot.slack.command import History
from tests.support.approval_world import HOME, PROJECT, Stage, World
from tests.support.bot_world import Bench
from tests.support.ledger_world import asking, boxed, database, kinds_of, trail_of

GATE = Rule(
    name="gate",
    who=("@ml-oncall",),
    approval=Approval(by=("@ml-leads",), needed=2, break_glass=("@sre",)),
)


@pytest.fixture
def world() -> World:
    """Return a world with one gate."""
    return World((GATE,))


@pytest.fixture
def ledger(tmp_path: Path, world: World) -> Iterator[Ledger]:
    """Return a ledger that goes by the world's clock."""
    one = Ledger(f"sqlite:///{tmp_path}/bot.db", now=world.now)
    one.open()
    yield one
    one.close()


@pytest.fixture
async def stage(ledger: Ledger, world: World) -> Stage:
    """Return the bot with a request of Ann's that waits for approval."""
    one = Stage(ledger, world)
    await one.ask("U0ANN")
    await one.stories()
    return one


async def approved(stage: Stage) -> str:
    """Let the two leads approve, and return the request."""
    for who in ("U0LEA", "U0LEO"):
        await stage.click(who, stage.asked[0], approve=True)
    assert await state_of(stage) is State.APPROVED
    return stage.asked[0]


async def state_of(stage: Stage) -> State:
    return (await stage.ledger.existing(stage.asked[0])).state


async def ended(stage: Stage) -> tuple[State, str]:
    """Let the story go on, and return how the request has ended and why."""
    await stage.stories()
    record = await stage.ledger.existing(stage.asked[0])
    return record.state, record.detail


async def last_entry(stage: Stage) -> dict[str, str]:
    return (await trail_of(stage.ledger))[-1]


# --- clicks ---


@pytest.mark.parametrize("who", ["U0GUEST", "U0ROBOT", "U0GONE", "U0ALIEN", "U0ANN"])
@pytest.mark.parametrize("approve", [True, False])
async def test_a_refused_click_is_on_trail_and_decides_nothing(stage, who, approve):
    """Guests, bots, leavers, strangers and the requester decide nothing, on record."""
    await stage.click(who, stage.asked[0], approve=approve)

    record = await stage.ledger.existing(stage.asked[0])
    assert (record.state, record.votes) == (State.PENDING, ())
    entry = await last_entry(stage)
    assert (entry["kind"], entry["user_id"]) == ("click refused", who)
    assert entry["team_id"] == stage.world.people[who].team_id
    assert entry["detail"]


async def test_a_click_on_something_unknown_is_on_trail(stage):
    """Somebody who clicks on what the record does not know leaves a trace."""
    await stage.click("U0LEA", "x" * 99, approve=True)

    entry = await last_entry(stage)
    assert (entry["kind"], entry["user_id"]) == ("unknown click", "U0LEA")
    assert (entry["team_id"], entry["request_id"]) == (HOME, "x" * 32)


@pytest.mark.parametrize("approve", [True, False])
async def test_a_click_after_the_time_finds_it_expired(stage, world, approve):
    """When the story is late to notice, a click still comes too late."""
    world.ahead += timedelta(minutes=30)
    await stage.click("U0LEA", stage.asked[0], approve=approve)

    assert await state_of(stage) is State.EXPIRED
    entry = await last_entry(stage)
    assert (entry["kind"], entry["detail"]) == ("late click", "expired")


async def test_who_joined_cannot_cancel(stage):
    """Somebody who only waits for the end of another's request cannot withdraw it."""
    await stage.ask("U0BOB")
    stage.world.groups["@ml-leads"] = frozenset({"U0LEA", "U0LEO"})

    await stage.cancel("U0BOB")

    assert await state_of(stage) is State.PENDING
    entry = await last_entry(stage)
    assert (entry["kind"], entry["user_id"]) == ("cancel refused", "U0BOB")
    assert entry["team_id"] == HOME


# --- right before the restart ---


async def test_what_is_as_it_was_is_restarted(stage, world):
    """Another word of the same class is no change: the restart is sent."""
    await approved(stage)
    world.status = "RUNNING"

    assert await ended(stage) == (State.READY, "")
    assert stage.cloud.restarts == 1


@pytest.mark.parametrize("status", ["ERROR", "REBOOTING", "NEW_WORD"])
async def test_another_class_of_status_voids_the_approval(stage, world, status):
    """What approvers saw running is not restarted once it has failed or is busy."""
    await approved(stage)
    world.status = status

    state, why = await ended(stage)

    assert state is State.VOIDED
    assert why.startswith("Its status changed from ACTIVE to ")
    assert stage.cloud.restarts == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [("user_id", "U0BOB"), ("team_id", "T0ELSE"), ("target.project_id", "b5")],
)
async def test_a_record_changed_behind_the_bot_is_not_restarted(
    stage, tmp_path, field, value
):
    """Approvals are for what was shown: another requester or project voids them."""
    stage.world.groups["@ml-leads"] = frozenset({"U0LEA", "U0LEO"})
    story = await approved(stage)
    with database(tmp_path / "bot.db") as file:
        file.execute(
            "UPDATE mlstudio_requests SET request = json_set(request, ?, ?)"
            " WHERE id = ?",
            [f"$.{field}", value, story],
        )

    state, why = await ended(stage)

    assert (state, why) == (
        State.VOIDED,
        "What is on record is no longer what was approved; ask again.",
    )
    assert stage.cloud.restarts == 0


def test_the_digest_is_over_all_that_was_approved():
    """Requester, project, instance, class of status, rule: each changes the digest."""
    box = boxed(1)
    one = asking(target=box)
    others: list[Request] = [
        asking(target=box, user_id="U0BOB"),
        asking(target=box, team_id="T0ELSE"),
        asking(target=boxed(2)),
        asking(target=boxed(1, "ml-dev")),
        asking(target=box, rule="another"),
        asking(target=box, rule_version="another"),
    ]
    assert digest(one, "ACTIVE") == digest(asking(target=box), "RUNNING")
    digests = {digest(other, "ACTIVE") for other in [one, *others]}
    digests |= {digest(one, "ERROR"), digest(one, "")}
    assert len(digests) == len(others) + 3


async def test_a_name_that_now_means_another_instance_opens_no_gate(ledger, world):
    """After a reload a rule about a name does not decide about who had it before."""
    world.rules = (GATE.model_copy(update={"instances": ("gated-*",)}),)
    world.names = {"gated-1": world.instance_id}
    stage = Stage(ledger, world)
    await stage.ask("U0ANN")
    await stage.stories()
    await approved(stage)
    world.names = {"gated-1": "0c7f35ad-6d0b-4c5b-8f6e-5d1c2b3a4958"}

    state, why = await ended(stage)

    assert state is State.VOIDED
    assert "No rule allows" in why
    assert stage.cloud.restarts == 0


async def test_what_was_busy_is_followed_or_left_alone(ledger, world):
    """Following needs no approval; once it has ended, nothing more may be done."""
    world.status = "REBOOTING"
    stage = Stage(ledger, world)
    story = await stage.ask("U0ANN")
    assert not await stage.preflight.examine(story)
    world.status = "ACTIVE"

    assert not await stage.prepare(story)

    record = await ledger.existing(story)
    assert record.state is State.NOT_RESTARTED
    assert "was busy when it was asked for and is ACTIVE now" in record.detail


async def _long_ago(stage: Stage, story: str) -> None:
    """Let the checks before a restart be an hour old, as after a crash."""
    before = stage.world.now() - timedelta(hours=1)
    await stage.ledger.update(story, changed_at=before)


async def test_old_checks_are_made_again_before_the_call(stage, world):
    """After a crash a right that was lost meanwhile stops the restart."""
    story = await approved(stage)
    assert await stage.prepare(story)
    await _long_ago(stage, story)
    world.groups["@ml-leads"] = frozenset({"U0BOB", "U0LEO"})

    assert await stage.sending.send(story, 0) is None

    record = await stage.ledger.existing(story)
    assert record.state is State.NOT_RESTARTED
    assert record.detail == "Somebody who approved it may no longer do so."
    assert stage.cloud.restarts == 0


async def test_old_checks_that_still_hold_let_the_call_go(stage):
    """After a crash what is still allowed is sent, once."""
    story = await approved(stage)
    assert await stage.prepare(story)
    await _long_ago(stage, story)

    await stage.sending.send(story, 0)
    await stage.sending.send(story, 0)

    assert (await stage.ledger.existing(story)).answered == "accepted"
    assert stage.cloud.restarts == 1


async def test_a_busy_instance_is_followed_instead_of_restarted_late(stage, world):
    """After a crash an instance that somebody else restarts is only watched."""
    story = await approved(stage)
    assert await stage.prepare(story)
    await _long_ago(stage, story)
    world.status = "REBOOTING"

    await stage.sending.send(story, 0)

    assert await state_of(stage) is State.FOLLOWING
    assert stage.cloud.restarts == 0


async def test_what_may_have_been_sent_is_never_said_not_to_be(stage, world):
    """A claim from before a crash: its outcome is unknown, whatever rights are now."""
    story = await approved(stage)
    assert await stage.prepare(story)
    assert await stage.ledger.take_send(story, "the life that crashed")
    await _long_ago(stage, story)
    world.groups["@ml-leads"] = None

    await stage.sending.send(story, 0)

    record = await stage.ledger.existing(story)
    assert (record.state, record.answered) == (State.RESTARTING, "lost")
    assert stage.cloud.restarts == 0


# --- break-glass, and what else is on trail ---


async def test_history_counts_broken_glass(stage, world):
    """``/mlstudio history`` says how often an approval was passed lately."""
    quiet = await stage.queries.history(History())
    assert "Break-glass in the last 30 days" not in quiet.text
    await stage.ask("U0BOB", break_glass=True)
    await stage.stories()

    for command in (History(), History(PROJECT), History(PROJECT, world.instance_id)):
        said = await stage.queries.history(command)
        assert "Break-glass in the last 30 days: 1." in said.text
        assert "(break-glass)" in said.text
    glass = await stage.ledger.existing(stage.asked[1])
    assert (await kinds_of(stage.ledger, glass.request))[:2] == ["asked", "break-glass"]


async def test_every_configuration_is_on_trail_with_its_version(bench: Bench) -> None:
    """Start and reload are on record: the bot's own act, with the rules' version."""
    (start,) = await bench.trail("configuration")
    me = bench.slack.directory
    assert start["detail"] == "start"
    assert start["team_id"] == HOME
    assert start["user_id"].startswith("U")
    assert start["rule_version"] == bench.bot.settings.version

    bench.write('[[rules]]\nname = "all"\nwho = ["*"]\n')
    bench.bot.reload()
    await bench.bot._tasks.finish(5)

    (_, reload) = await bench.trail("configuration")
    assert reload["detail"] == "reload"
    assert reload["rule_version"] == bench.bot.settings.version
    assert reload["rule_version"] != start["rule_version"]
    assert (reload["team_id"], reload["user_id"]) == (
        start["team_id"],
        start["user_id"],
    )
    assert me.user(start["user_id"]).is_bot


async def test_a_guests_question_is_refused_on_trail(bench: Bench) -> None:
    """Also who only looks is refused on record, where no rule can let him in."""
    answer = await bench.ask("status ml-prod trainer-7", user="erin")

    assert "Guests" in answer.text
    (entry,) = await bench.trail("refused")
    assert (entry["team_id"], entry["user_id"]) == (HOME, "U0ERIN")
    assert "Guests" in entry["detail"]
