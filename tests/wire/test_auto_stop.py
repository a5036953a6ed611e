"""A notebook's auto-stop after its start: mended where it can be, told where not."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import pytest

from bot.cloud import notebook as api
from bot.demo.cloud_http import gateway
from bot.demo.notebooks import ScriptedNotebook
from bot.model import State
from tests.support.bench_fixtures import MakeBench
from tests.support.bot_world import Bench
from tests.support.notebook_world import (
    FULL,
    NB,
    OTHER,
    ended,
    in_a_hurry,
    notebook,
    notebooks,
    replies,
    sent,
)
from tests.wire.test_notebook_checks import in_hours

NOT_TAKEN = gateway(400, "ModelArts.6346", "The duration is wrong.")


async def one_that_ends(
    make_bench: MakeBench, **how: object
) -> tuple[Bench, ScriptedNotebook, float]:
    """Return a bench with a notebook that stops in eight hours, and when that is.

    Its next start loses that: the cloud takes no end with it but the latest.
    """
    box = notebook(lease=in_hours(8), **how)
    bench = await make_bench(world=notebooks(box))
    bench.fail("start", reply=NOT_TAKEN)
    assert box.lease.ends_at
    return bench, box, box.lease.ends_at


async def test_an_end_that_the_start_has_lost_is_set_again(make_bench: MakeBench):
    """It stops itself when it would have, to the minute, and nobody has to be told."""
    bench, box, planned = await one_that_ends(make_bench)

    record, _ = await ended(bench)

    assert (record.state, sent(bench)) == (State.READY, (1, 2))
    assert box.lease.ends_at == pytest.approx(planned, abs=60)
    assert "stop itself" not in replies(bench)[-1]
    assert len(bench.looks("lease")) == 1


async def test_an_end_stays_where_it_was_by_the_clock_of_the_cloud(
    make_bench: MakeBench,
):
    """Where the cloud's clock is ahead of the bot's it is the cloud's that counts."""
    box = notebook(lease=in_hours(8))
    planned = box.lease.ends_at
    bench = await make_bench(world=notebooks(box))
    bench.cloud.clock.advance(3 * 3600)

    await ended(bench)

    assert box.lease.ends_at == pytest.approx(planned, abs=60)
    assert not bench.looks("lease")


async def test_an_end_that_cannot_be_set_again_is_told(make_bench: MakeBench):
    """Who waits reads when it stops now, why that is so, and which right is lacking."""
    bench, _, _ = await one_that_ends(make_bench)
    bench.fail("lease", reply=gateway(403, "ModelArts.0112", "no"))

    record, _ = await ended(bench)

    assert record.state is State.READY
    (told,) = replies(bench, "is ready")
    assert "It will stop itself in 72 hours" in told
    assert "modelarts:notebook:updateStopPolicy" in told


async def test_what_somebody_else_has_started_stops_when_he_wants(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
):
    """The auto-stop of somebody's own start is told, and let be."""
    in_a_hurry(monkeypatch)
    monkeypatch.setattr("bot.restarts.lifecycle.FIRST_WAIT_S", 60.0)
    box = notebook(lease=in_hours(8), start_refusals=deque([FULL]))
    bench = await make_bench(world=notebooks(box))
    delivery = await bench.ask(f"restart ml-nb {NB}")
    await bench.wait_for(lambda: replies(bench, "could not be started yet"))

    bench.cloud.by_hand(NB, starts=True)

    assert (await bench.story(delivery)).state is State.READY
    assert "It had an auto-stop before, which is off now" in replies(bench)[-1]
    assert not bench.looks("lease")


async def test_a_row_without_an_auto_stop_is_read_alone(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
):
    """Where the list says nothing of it the notebook itself is asked."""
    rows = api.instances
    monkeypatch.setattr(
        api, "instances", lambda body: tuple(replace(n, lease=None) for n in rows(body))
    )
    boxes = [
        notebook(id=number, name=name, lease=in_hours(0.25))
        for number, name in ((notebook().id, NB), (OTHER, "nb-4"))
    ]
    bench = await make_bench(world=notebooks(*boxes))
    view = await bench.open_dialog(f"restart ml-nb {NB},nb-4 stuck")

    await bench.slack.submit("ann", view)

    (told,) = await bench.wait_for(lambda: replies(bench, "all 2 instances"))
    assert told.count("It will stop itself in 1 hours") == 2
    assert bench.looks("list")


async def test_an_auto_stop_that_nobody_can_read_is_told(make_bench: MakeBench):
    """That it could not be read is said: it may be an hour."""
    bench = await make_bench(world=notebooks(notebook(stopping=3600.0)))
    delivery = await bench.ask(f"restart ml-nb {NB}")
    await bench.wait_for(lambda: sent(bench) == (1, 0))
    bench.fail("read", times=None, adds={"lease": None})

    bench.cloud.put(NB, "STOPPED")

    assert (await bench.story(delivery)).state is State.READY
    assert "auto-stop could not be read after the start" in replies(bench)[-1]


async def test_a_start_alone_says_when_it_stops(make_bench: MakeBench):
    """What is started after its end was reached runs for an hour: that is said."""
    box = notebook(status="STOPPED", lease=in_hours(-2))
    bench = await make_bench(world=notebooks(box))

    await bench.story(await bench.ask(f"start ml-nb {NB} morning"))

    assert "It will stop itself in 1 hours" in replies(bench, "is ready")[-1]


async def test_start_now_keeps_the_auto_stop_of_before(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
):
    """What a restart has left down comes up with the end that it had before that."""
    in_a_hurry(monkeypatch, give_up_s=0.5)
    box = notebook(lease=in_hours(8), start_refusals=deque([FULL] * 99))
    bench = await make_bench(world=notebooks(box))
    planned = box.lease.ends_at
    record, _ = await ended(bench)
    assert record.state is State.DOWN
    told = next(post for post in bench.posts() if post.reply_broadcast)
    box.start_refusals.clear()
    box.lease.enable = False  # as a cloud may show what is stopped
    in_a_hurry(monkeypatch)

    await bench.slack.click("bob", told, "start_now")

    await bench.wait_for(lambda: replies(bench, "is ready"))
    assert box.lease.ends_at == pytest.approx(planned, abs=60)
