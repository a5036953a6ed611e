"""Notebooks in one go, their dialogs, and who is looked after first."""

from __future__ import annotations

from collections import deque

import pytest

from bot.demo.posts import View
from bot.model import State
from tests.support.bench_fixtures import MakeBench
from tests.support.bot_world import Bench, text_of
from tests.support.notebook_world import (
    FULL,
    NB,
    OTHER,
    in_a_hurry,
    notebook,
    notebooks,
    replies,
    sent,
)
from tests.support.passing_time import second_life, stopped


async def confirmed(bench: Bench) -> View:
    """Ask for both notebooks, and submit the dialog as it is; return it."""
    view = await bench.open_dialog(f"restart ml-nb {NB},nb-4 stuck")
    await bench.slack.submit("ann", view)
    return view


async def test_two_notebooks_are_stopped_and_started_in_one_go(make_bench: MakeBench):
    """The dialog says what is given up; one message shows both, one reply tells."""
    second = notebook(id=OTHER, name="nb-4")
    bench = await make_bench(world=notebooks(notebook(), second))

    view = await confirmed(bench)

    assert "the machine is given back" in text_of(view)
    (told,) = await bench.wait_for(lambda: replies(bench, "all 2 instances"))
    assert "are ready" in told
    assert sent(bench) == (2, 2)


async def test_the_dialog_for_one_says_what_is_given_up(make_bench: MakeBench):
    """Whoever asks for a notebook by a button reads that its machine is given back."""
    bench = await make_bench(world=notebooks())
    for project, given in (("ml-nb", True), ("ml-dev", False)):
        await bench.ask(f"list {project}")
        listed = bench.slack.ephemerals("ann")[-1]
        await bench.slack.click("ann", listed, "restart_dialog")
        (view,) = await bench.wait_for(lambda: bench.slack.views("ann"))
        assert ("the machine is given back" in text_of(view)) is given
        await bench.slack.close_view("ann", view)


async def test_one_that_is_down_stops_the_rest(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
):
    """What stays down stops what has not begun, and the last word has its button."""
    in_a_hurry(monkeypatch, give_up_s=0.5)
    first = notebook(start_refusals=deque([FULL] * 99))
    second = notebook(id=OTHER, name="nb-4")
    bench = await make_bench(world=notebooks(first, second), head="max_parallel = 1")

    await confirmed(bench)

    (told,) = await bench.wait_for(lambda: replies(bench, "none of 2 instances"))
    assert "did not become ready" in told
    assert sent(bench)[0] == 1
    last = next(post for post in bench.posts() if post.reply_broadcast)
    assert "start_now" in str(last.blocks)


async def test_what_was_stopped_waits_for_nobody_in_the_next_life(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
):
    """After a stop of the bot a notebook that is stopped goes on before all others."""
    bench = await make_bench(world=notebooks(notebook(stopping=3600.0)))
    delivery = await bench.ask(f"restart ml-nb {NB}")
    await bench.wait_for(lambda: sent(bench) == (1, 0))
    await stopped(bench)
    bench.cloud.put(NB, "STOPPED")

    # No place for anybody who would have to queue up.
    monkeypatch.setattr("bot.restarts.engine.steps.WORKFLOWS_AT_ONCE", 0)
    async with second_life(bench):
        await bench.wait_for(lambda: replies(bench, "is ready"))

    assert sent(bench) == (1, 1)
    assert (await bench.record(delivery)).state is State.READY
