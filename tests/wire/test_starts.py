"""``/mlstudio start``: what is stopped is started under the rules of a restart."""

from __future__ import annotations

from collections import deque

import pytest

from bot.model import State
from tests.support.bench_fixtures import MakeBench
from tests.support.bot_world import ANN, GATES, OPEN
from tests.support.notebook_world import (
    FULL,
    NB,
    in_a_hurry,
    notebook,
    notebooks,
    replies,
    sent,
)


async def test_a_stopped_notebook_is_started(make_bench: MakeBench):
    """One line starts it once, shows the way, and says when it is ready."""
    bench = await make_bench(world=notebooks(notebook(status="STOPPED")))

    delivery = await bench.ask(f"start ml-nb {NB} morning")

    assert "your request to start" in delivery.text
    record = await bench.story(delivery)
    assert (record.state, sent(bench)) == (State.READY, (0, 1))
    shown = next(p for p in bench.posts() if p.ts == record.message_ts)
    assert "STOPPED → STARTING → RUNNING" in bench.now(shown).text
    assert "morning" in shown.text
    (told,) = replies(bench)
    assert f". {ANN}: " in told
    assert f"{NB} is ready" in told
    assert "Its start in ml-nb took" in told


async def test_an_instance_of_ml_studio_is_started_too(make_bench: MakeBench):
    """A stopped instance of ML Studio is started with one call of its own."""
    bench = await make_bench()

    delivery = await bench.ask("start ml-prod notebook-2 morning")

    record = await bench.story(delivery)
    assert record.state is State.READY
    assert sent(bench) == (0, 1)
    assert bench.sent == 0


async def test_what_runs_is_not_started(make_bench: MakeBench):
    """A start of what runs already is refused in private."""
    bench = await make_bench(world=notebooks())
    await bench.story(await bench.ask(f"start ml-nb {NB}"))
    assert bench.whispers("ann", "already")
    assert sent(bench) == (0, 0)
    assert bench.posts() == []


async def test_a_start_needs_the_approval_of_a_restart(make_bench: MakeBench):
    """Where a restart needs approval a start does, on a card that says what it is."""
    rules = GATES.replace("gated-*", "nb-*") + OPEN
    bench = await make_bench(world=notebooks(notebook(status="STOPPED")), rules=rules)
    await bench.ask(f"start ml-nb {NB} morning")
    cards = await bench.wait_for(lambda: bench.posts(having="approve"))
    assert f"Waits for approval: start {NB}?" in cards[0].text
    assert "asks to start" in cards[0].text
    assert sent(bench) == (0, 0)

    await bench.slack.click("carol", cards[0], "approve")

    record = await bench.end_of_card(cards[0])
    assert (record.state, sent(bench)) == (State.READY, (0, 1))


async def test_who_may_not_restart_may_not_start(make_bench: MakeBench):
    """The same rule refuses, in private."""
    bench = await make_bench(world=notebooks(notebook(status="STOPPED")))
    delivery = await bench.ask(f"start ml-nb {NB}", user="dave")
    assert "start_it" not in delivery.text
    assert (await bench.record(delivery)).state is State.REFUSED
    assert sent(bench) == (0, 0)


async def test_a_start_without_capacity_is_tried_again(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
):
    """No capacity is said in the thread, and the start is tried again."""
    in_a_hurry(monkeypatch)
    box = notebook(status="STOPPED", start_refusals=deque([FULL]))
    bench = await make_bench(world=notebooks(box))

    record = await bench.story(await bench.ask(f"start ml-nb {NB}"))

    assert (record.state, sent(bench)) == (State.READY, (0, 2))
    assert len(replies(bench, "could not be started yet")) == 1


async def test_a_start_in_vain_says_why(make_bench: MakeBench):
    """A start that configuration forbids ends at once: it was not started."""
    keys = ("ModelArts.6789", "The key pair does not exist.")
    box = notebook(status="STOPPED", start_refusals=deque([keys]))
    bench = await make_bench(world=notebooks(box))

    record = await bench.story(await bench.ask(f"start ml-nb {NB}"))

    assert (record.state, sent(bench)) == (State.NOT_RESTARTED, (0, 1))
    (told,) = replies(bench)
    assert "was not started" in told
    assert "key pair" in told
