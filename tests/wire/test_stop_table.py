"""The rows of the table of a stop and a start that are rare, and what they must not do.

The others stand in ``test_stop_then_start.py``.
"""

from __future__ import annotations

from typing import Any

import pytest

from bot.demo.cloud_http import FAULTS, gateway
from bot.ledger import Ledger
from bot.model import State
from bot.restarts.start import Starter
from tests.support.bench_fixtures import MakeBench
from tests.support.bot_world import ANN
from tests.support.notebook_world import (
    NB,
    ended,
    in_a_hurry,
    notebook,
    notebooks,
    replies,
    sent,
)


async def test_up_again_without_a_stop_is_never_ready(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
):
    """STOPPING, then RUNNING: that it was restarted nobody has seen, nor says."""
    monkeypatch.setattr("bot.restarts.lifecycle.LATE_STOP", 1)
    bench = await make_bench(world=notebooks(notebook(stopping=3600.0)))
    delivery = await bench.ask(f"restart ml-nb {NB}")
    await bench.wait_for(
        lambda: any("→ STOPPING" in post.text for post in bench.posts())
    )

    bench.cloud.put(NB, "RUNNING")

    record = await bench.story(delivery)
    assert (record.state, sent(bench)) == (State.UNKNOWN, (1, 0))
    (told,) = replies(bench)
    assert "unknown" in told
    assert "RUNNING again" in told
    assert not replies(bench, "is ready")


@pytest.mark.parametrize("status", ["DELETED", "DELETING", "RUNNING"])
async def test_what_happens_between_the_stop_and_the_start(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch, status: str
):
    """One that is deleted then (not found), or is up again, gets no start."""
    in_a_hurry(monkeypatch)
    bench = await make_bench(world=notebooks())
    start, starts = Starter.start, 0

    async def overtaken(self: Starter, record: Any) -> None:
        nonlocal starts
        starts += 1
        if starts == 1:
            bench.cloud.put(NB, status)
        await start(self, record)

    monkeypatch.setattr(Starter, "start", overtaken)

    record, _ = await ended(bench)

    assert sent(bench) == (1, 0)
    gone = status != "RUNNING"
    assert record.state is (State.FAILED if gone else State.READY)
    (told,) = replies(bench, ANN)
    assert ("has not come back" if gone else "is ready") in told


async def test_what_the_cloud_restarts_itself_is_not_stopped(make_bench: MakeBench):
    """6333: the cloud is at it already, so it is followed, and nothing more sent."""
    bench = await make_bench(world=notebooks(notebook(starting=0.5)))
    code = gateway(400, "ModelArts.6333", "The instance is being restored.")
    bench.fail("stop", reply=code)
    delivery = await bench.ask(f"restart ml-nb {NB}")
    await bench.wait_for(lambda: sent(bench) == (1, 0))
    bench.cloud.put(NB, "STARTING")
    await bench.wait_for(
        lambda: any("being restored" in post.text for post in bench.posts())
    )

    bench.cloud.put(NB, "RUNNING")

    record = await bench.story(delivery)
    assert (record.state, sent(bench)) == (State.READY, (1, 0))
    assert not bench.cloud.notebooks.stops


@pytest.mark.parametrize(
    ("method", "limit"),
    [
        ("take_send", "bot.restarts.send.CLAIM_WITHIN_S"),
        ("take_start", "bot.restarts.start.READ_HOLDS_S"),
    ],
)
async def test_who_was_held_up_before_a_call_looks_again(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch, method: str, limit: str
):
    """A process that freezes between its checks and its call wakes to check anew.

    In between somebody may have stopped or started it.
    """
    in_a_hurry(monkeypatch)
    bench = await make_bench(world=notebooks())
    claim, claims = getattr(Ledger, method), 0

    async def late_at_first(*words: Any) -> bool:
        nonlocal claims
        claims += 1
        monkeypatch.setattr(limit, -1.0 if claims == 1 else 10.0)
        return await claim(*words)

    monkeypatch.setattr(Ledger, method, late_at_first)

    record, _ = await ended(bench)

    assert record.state is State.READY
    assert (claims, sent(bench)) == (2, (1, 1))
    (told,) = replies(bench)
    assert "is ready" in told


async def test_a_lost_answer_to_a_start_is_no_failure_yet(make_bench: MakeBench):
    """A start whose answer was cut off is looked after before anything is said."""
    bench = await make_bench(world=notebooks())
    bench.fail("start", cut=True, acts=True)

    record, _ = await ended(bench)

    assert (record.state, sent(bench)) == (State.READY, (1, 1))
    (told,) = replies(bench)
    assert "is ready" in told


async def test_a_stop_that_nobody_could_look_at_is_unknown(make_bench: MakeBench):
    """Where all looks failed to the time limit nobody says that it was stopped."""
    bench = await make_bench(
        world=notebooks(), watch={"timeout": "1s", "lost": "300ms"}
    )
    bench.fail("stop", cut=True)
    delivery = await bench.ask(f"restart ml-nb {NB}")
    await bench.wait_for(lambda: sent(bench) == (1, 0))
    bench.fail("read", times=None, reply=FAULTS["HTML 502"].reply)

    record = await bench.story(delivery)

    assert (record.state, sent(bench)) == (State.UNKNOWN, (1, 0))
    assert "could not be read" in replies(bench)[-1]
