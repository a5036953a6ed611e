"""Before a notebook is stopped, and what is kept over its stop and start."""

from __future__ import annotations

import time
from typing import Any

import pytest

from bot.demo.cloud_http import FAULTS, gateway
from bot.demo.notebooks import RARE_FLAVOR, ScriptedLease
from bot.demo.posts import Ephemeral
from bot.model import State
from tests.support.bench_fixtures import MakeBench
from tests.support.bot_world import GATES, OPEN, Bench, buttons
from tests.support.notebook_world import (
    NB,
    WHOLE,
    ended,
    notebook,
    notebooks,
    replies,
    sent,
)

HOUR = 3_600_000
FAULTS_AUTO_STOP = gateway(400, "ModelArts.6346", "The duration is wrong.")


async def refused(bench: Bench, rest: str = f"ml-nb {NB} stuck") -> Ephemeral:
    """Ask for a restart that ends in private, and return what is said."""
    delivery = await bench.ask(f"restart {rest}")
    record = await bench.story(delivery)
    assert record.state is State.NOT_RESTARTED
    assert sent(bench) == (0, 0)
    assert bench.posts() == []
    return bench.slack.ephemerals("ann")[-1]


@pytest.mark.parametrize(
    ("how", "word"),
    [
        ({"status": "STOPPED"}, "has to be started"),
        ({"status": "START_FAILED"}, "has to be started"),
        ({"status": "STOPPING"}, "somebody is stopping it"),
        ({"status": "ERROR"}, "cannot be restarted"),
        ({"status": "FROZEN"}, "cannot be restarted"),
        ({"feature": "DEFAULT"}, "cannot be restarted"),
        ({"volume_status": "RESIZING"}, "RESIZING"),
    ],
)
async def test_what_must_not_be_stopped_is_refused_in_private(
    make_bench: MakeBench, how: dict[str, Any], word: str
):
    """Only a running notebook of the feature NOTEBOOK with a quiet disk is stopped."""
    bench = await make_bench(world=notebooks(notebook(**how)))
    assert word in (await refused(bench)).text


async def test_a_stopped_one_can_be_started_with_a_click(make_bench: MakeBench):
    """The refusal of a restart has the button, and the click is a request."""
    bench = await make_bench(world=notebooks(notebook(status="STOPPED")))
    said = await refused(bench)
    assert buttons(said) == ["start_it"]

    await bench.slack.click("ann", said, "start_it")

    await bench.wait_for(lambda: replies(bench, "is ready"))
    assert sent(bench) == (0, 1)


async def test_a_sold_out_machine_is_not_given_back_unasked(make_bench: MakeBench):
    """A sold-out flavor refuses, with a button that does it all the same."""
    bench = await make_bench(world=notebooks(notebook(flavor=RARE_FLAVOR)))
    said = await refused(bench)
    assert "sold out" in said.text
    assert buttons(said) == ["restart_anyway"]
    bench.cloud.notebooks.sold_out.clear()  # but only once it is stopped

    bench.cloud.notebooks.sold_out.add(RARE_FLAVOR)
    await bench.slack.click("ann", said, "restart_anyway")
    await bench.wait_for(lambda: sent(bench)[0] == 1)
    bench.cloud.notebooks.sold_out.clear()

    await bench.wait_for(lambda: sent(bench)[1] >= 1)


async def test_flavors_that_cannot_be_read_do_not_hinder(make_bench: MakeBench):
    """Where the cloud does not tell its flavors the restart goes on, and says so."""
    rules = GATES.replace("gated-*", "nb-*") + OPEN
    bench = await make_bench(world=notebooks(), rules=rules)
    bench.fail("flavors", times=None, reply=FAULTS["HTML 502"].reply)
    card = await bench.card(f"ml-nb {NB} stuck")
    assert "did not say whether" in card.text
    assert "the machine is given back" in card.text
    await bench.slack.click("carol", card, "approve")

    record = await bench.end_of_card(card)

    assert record.state is State.READY
    assert sent(bench) == (1, 1)


def in_hours(hours: float, *, kind: str = "TIMING", of: float = 9.0) -> ScriptedLease:
    """Return a lease that ends in so many *hours*, *of* so many in all."""
    now = int(time.time() * 1000)
    return ScriptedLease(
        enable=True,
        type=kind,
        create_ms=now - int((of - hours) * HOUR),
        update_ms=now - int((of - hours) * HOUR),
        duration_ms=int(of * HOUR),
    )


async def test_without_an_auto_stop_before_there_is_none_after(make_bench: MakeBench):
    """A start never goes out bare: what ran for ever still does, without a word."""
    box = notebook()
    bench = await make_bench(world=notebooks(box))

    await ended(bench)

    assert box.lease.enable is False
    assert sent(bench) == (1, 1)
    assert "auto-stop" not in replies(bench)[-1]


async def test_a_planned_end_stays_where_it_was(make_bench: MakeBench):
    """What was to stop by itself in eight hours still does, to the minute."""
    box = notebook(lease=in_hours(8))
    planned = box.lease.ends_at
    bench = await make_bench(world=notebooks(box))

    await ended(bench)

    assert box.lease.ends_at == pytest.approx(planned, abs=60)
    assert "auto-stop" not in replies(bench)[-1]


async def test_an_end_too_near_is_moved_and_said(make_bench: MakeBench):
    """An end in less than an hour cannot be kept: it is an hour, and that is said."""
    box = notebook(lease=in_hours(0.25))
    bench = await make_bench(world=notebooks(box))

    await ended(bench)

    assert box.lease.ends_at == pytest.approx(time.time() + 3600, abs=60)
    assert "It will stop itself in 1 hours" in replies(bench)[-1]


async def test_an_idle_stop_stays_one(make_bench: MakeBench):
    """What stopped itself when idle still does."""
    box = notebook(lease=in_hours(4, kind="IDLE", of=4))
    bench = await make_bench(world=notebooks(box))

    record, shown = await ended(bench)

    assert (record.state, box.lease.type) == (State.READY, "IDLE")
    assert WHOLE in shown.text


async def test_a_refused_auto_stop_falls_back_and_is_said(make_bench: MakeBench):
    """A cloud that takes no start without an end gets the longest one, and says so."""
    box = notebook()
    bench = await make_bench(world=notebooks(box))
    bench.fail("start", reply=FAULTS_AUTO_STOP)

    record, _ = await ended(bench)

    assert record.state is State.READY
    assert sent(bench) == (1, 2)
    assert box.lease.ends_at == pytest.approx(time.time() + 72 * 3600, abs=60)
    assert "It will stop itself in 72 hours" in replies(bench)[-1]
