"""Many restarts at once share what Slack takes: about fifty edits a minute in all."""

from __future__ import annotations

import time
import uuid

from bot.demo.instances import ScriptedInstance
from bot.demo.seed_world import Login, Project, World
from tests.support.bench_fixtures import MakeBench
from tests.support.bot_world import OPEN, Bench, quick

COUNT, APART_S, EDITS = 8, 0.5, 4
LEAST = "bot.restarts.message.PROGRESS_LEAST_S"


def crowd() -> World:
    """Return one project with several instances."""
    boxes = tuple(
        ScriptedInstance(
            id=str(uuid.uuid4()), name=f"box-{number}", owner="ann", reboot=quick()
        )
        for number in range(COUNT)
    )
    login = Login("mlstudio-bot", "not-a-real-password", "OTC00000000001000000001")
    project = Project("ml-prod", "a4a5d4098fb4474fa22cd05f897d6b99", boxes)
    return World(login=login, keys={}, projects=(project,))


def edited(bench: Bench) -> list[str]:
    """Return the messages that were edited, one for each edit."""
    return [call.args["ts"] for call in bench.slack.called("chat.update")]


async def test_what_is_new_is_shown_at_once_and_that_time_passes_in_turn(
    make_bench: MakeBench, monkeypatch
):
    """Each transition and each end has its edit; between them all share a few."""
    monkeypatch.setattr(LEAST, 3600.0)
    bench = await make_bench(rules=OPEN, world=crowd())
    bench.hold()
    for number in range(COUNT):
        await bench.ask(f"restart ml-prod box-{number}")
    await bench.wait_for(
        lambda: sum("→" in post.text for post in bench.posts()) == COUNT
    )

    monkeypatch.setattr(LEAST, APART_S)
    before, began = len(edited(bench)), time.monotonic()
    await bench.wait_for(lambda: len(edited(bench)) >= before + EDITS)

    assert time.monotonic() - began > (EDITS - 1) * APART_S - 0.1
    assert len(set(edited(bench)[before:])) > 1
    monkeypatch.setattr(LEAST, 3600.0)
    bench.go_on()
    await bench.wait_for(lambda: len(bench.followups()) == COUNT)
    await bench.wait_for(
        lambda: sum("is ready" in post.text for post in bench.posts()) >= COUNT
    )
