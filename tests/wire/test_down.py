"""What a restart has left down is said, shown and counted until it is up again."""

from __future__ import annotations

import asyncio
from collections import deque

import pytest

from bot.demo.notebooks import ScriptedNotebook
from bot.demo.posts import Post
from bot.model import State
from tests.support.bench_fixtures import MakeBench
from tests.support.bot_world import OPEN, Bench, buttons, text_of
from tests.support.notebook_world import (
    FULL,
    NB,
    ended,
    in_a_hurry,
    notebook,
    notebooks,
    replies,
    sent,
)


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the bot look often at what is down."""
    in_a_hurry(monkeypatch, give_up_s=0.5)
    monkeypatch.setattr("bot.app.maintenance.DOWN_EVERY_S", 0.1)


async def down(make_bench: MakeBench) -> tuple[Bench, ScriptedNotebook, Post]:
    """Return a bench on which a restart has left a notebook down."""
    box = notebook(start_refusals=deque([FULL] * 99))
    bench = await make_bench(world=notebooks(box))
    record, _ = await ended(bench)
    assert record.state is State.DOWN
    told = [post for post in bench.posts() if post.reply_broadcast]
    return bench, box, told[-1]


async def counts(bench: Bench, wanted: int) -> None:
    """Return when the figure says so many; whatever it is, nobody tells."""
    registry = bench.bot.metrics.registry
    async with asyncio.timeout(10):
        while registry.get_sample_value("mlstudio_instances_down") != wanted:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_down_is_shown_wherever_it_is_looked_for(
    make_bench: MakeBench, often: None
):
    """Status, list, history and the home page say so; the first two have the button."""
    bench, _, _ = await down(make_bench)

    status = await bench.ask(f"status ml-nb {NB}")
    assert "It is down since" in status.text
    assert "start_now" in buttons(status)
    listed = await bench.ask("list ml-nb")
    assert "STOPPED, down since" in listed.text
    assert "start_now" in buttons(listed)
    history = await bench.ask("history ml-nb")
    assert f"🔻 down: {NB} in ml-nb" in history.text
    await bench.slack.open_home("bob")
    home = await bench.wait_for(lambda: bench.slack.home("bob"))
    assert "Down" in text_of(home)


async def test_down_is_counted_until_it_is_up(make_bench: MakeBench, often: None):
    """The figure counts it, and its thread hears when somebody has started it."""
    bench, _, told = await down(make_bench)
    await counts(bench, 1)
    tries = sent(bench)

    bench.cloud.put(NB, "RUNNING")

    (said,) = await bench.wait_for(lambda: replies(bench, "is not down any more"))
    assert "RUNNING" in said
    await counts(bench, 0)
    assert sent(bench) == tries
    late = await bench.ask(f"status ml-nb {NB}")
    assert "It is down" not in late.text
    assert told.thread_ts


async def test_start_now_asks_for_the_right_anew(make_bench: MakeBench, often: None):
    """Who may not restart it may not start it either, and hears it alone."""
    bench, _, told = await down(make_bench)
    tries = sent(bench)

    await bench.slack.click("dave", told, "start_now")

    await bench.wait_for(lambda: bench.whispers("dave", "I did not start"))
    assert sent(bench) == tries


async def test_start_now_passes_a_freeze_and_says_so(
    make_bench: MakeBench, often: None
):
    """What a restart has left down is started in a freeze, too; a restart is not."""
    bench, box, told = await down(make_bench)
    bench.write(f'{OPEN}\n[freeze]\nby = ["@ml-leads"]')
    bench.bot.reload()
    await bench.ask("freeze ml-nb 2h release weekend", user="bob")
    assert "release weekend" in (await bench.ask(f"restart ml-nb {NB}")).text
    box.start_refusals.clear()

    await bench.slack.click("ann", told, "start_now")

    started = await bench.wait_for(
        lambda: [p for p in bench.posts() if "passes a freeze" in text_of(p)]
    )
    await bench.wait_for(lambda: replies(bench, "is ready"))
    assert "release weekend" in text_of(started[0])
