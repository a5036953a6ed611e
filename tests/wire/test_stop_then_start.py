"""A notebook is stopped once and started again, whatever comes in between.

First what is usual, then row by row the table that the bot goes by: what was sent, what
a look says then, and what follows from it ("Stop, then start" in bot/README.md).
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import pytest

from bot.demo.cloud_http import Fault, modelarts
from bot.model import State
from bot.restarts.start import Starter
from tests.support.bench_fixtures import MakeBench
from tests.support.bot_world import ANN, CAROL, GATES, OPEN, Bench, buttons
from tests.support.notebook_world import (
    FULL,
    NB,
    WHOLE,
    ended,
    in_a_hurry,
    notebook,
    notebooks,
    replies,
    sent,
)
from tests.support.passing_time import passed, second_life, stopped

LOST = {"cut": True, "acts": True}  # the answer, not the call
NO_SUCH = modelarts(404, "ModelArts.6404", "The notebook does not exist.")
NOT_DONE = {"cut": True}  # the call never arrived


async def in_state(bench: Bench, *statuses: str) -> None:
    """Return when the cloud's notebook is in one of *statuses*."""
    await bench.wait_for(lambda: bench.cloud.box(NB).status in statuses)


async def test_one_line_stops_and_starts_a_notebook(make_bench: MakeBench):
    """One line stops it once, starts it once, and shows each status in its order."""
    bench = await make_bench(world=notebooks())

    record, shown = await ended(bench)

    assert record.state is State.READY
    assert sent(bench) == (1, 1)
    assert WHOLE in shown.text
    (told,) = replies(bench)
    assert f". {ANN}: " in told
    assert f"{NB} is ready" in told
    kinds = [entry["kind"] for entry in await bench.trail()]
    assert kinds[-5:] == [
        "sending",
        "accepted",
        "starting",
        "start accepted",
        "ready",
    ]


async def test_the_statuses_are_shown_while_they_come(make_bench: MakeBench):
    """While it is on its way down, the transition shows the way so far."""
    bench = await make_bench(world=notebooks(notebook(stopping=3600.0)))
    await bench.ask(f"restart ml-nb {NB}")

    await bench.wait_for(
        lambda: any("RUNNING → STOPPING" in post.text for post in bench.posts())
    )
    (shown,) = (post for post in bench.posts() if "→" in post.text)
    assert "the machine is given back" in shown.text
    assert "may stay down" in shown.text or "stays down" in shown.text


# --- row 0: nothing was sent ----------------------------------------------------------


async def test_what_was_not_sent_begins_anew_after_a_stop(make_bench: MakeBench):
    """A bot that ends before the stop goes on with it in its next life, once."""
    bench = await make_bench(world=notebooks())
    bench.slack.fail("chat.postMessage", status=503, count=None)
    await bench.ask(f"restart ml-nb {NB}")
    await bench.wait_for(lambda: await_call(bench, "chat.postMessage"))
    await stopped(bench)
    bench.slack.heal()
    assert sent(bench) == (0, 0)

    async with second_life(bench):
        await bench.wait_for(lambda: replies(bench, "is ready"))

    assert sent(bench) == (1, 1)


def await_call(bench: Bench, method: str) -> bool:
    """Say whether a method of Slack's was called."""
    return any(call.method == method for call in bench.slack.calls)


# --- row 1: the stop was sent, or may have been ---------------------------------------


async def test_a_stop_without_a_sign_is_said_and_never_sent_again(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
):
    """Whether it was stopped nobody knows: that is said, once, and it is let be."""
    monkeypatch.setattr("bot.restarts.lifecycle.LATE_STOP", 1)
    bench = await make_bench(world=notebooks())
    bench.fail("stop", **NOT_DONE)

    record, shown = await ended(bench)

    assert record.state is State.UNKNOWN
    assert sent(bench) == (1, 0)
    (told,) = replies(bench)
    assert "unknown" in told
    assert ANN in told
    assert "unknown" in shown.text


async def test_a_late_stop_is_started_all_the_same(make_bench: MakeBench):
    """A stop that shows after it was said to be unknown is followed by the start."""
    bench = await make_bench(world=notebooks())
    bench.fail("stop", **NOT_DONE)
    delivery = await bench.ask(f"restart ml-nb {NB}")
    await bench.wait_for(lambda: replies(bench, "unknown"))

    bench.cloud.put(NB, "STOPPING")
    await asyncio.sleep(0.3)
    bench.cloud.put(NB, "STOPPED")

    assert (await bench.story(delivery)).state is State.READY
    assert sent(bench) == (1, 1)
    assert "is ready" in replies(bench)[-1]


async def test_a_lost_answer_to_the_stop_is_found_out_by_looking(
    make_bench: MakeBench,
):
    """Where the stop's answer is lost, a look shows STOPPING, and it goes on."""
    bench = await make_bench(world=notebooks())
    bench.fail("stop", **LOST)

    record, shown = await ended(bench)

    assert record.state is State.READY
    assert sent(bench) == (1, 1)
    assert WHOLE in shown.text


async def test_a_stop_that_is_over_at_once_is_followed_by_the_start(
    make_bench: MakeBench,
):
    """Where the first look after a lost answer says STOPPED, that is ours."""
    bench = await make_bench(world=notebooks(notebook(stopping=0.0)))
    bench.fail("stop", **LOST)

    record, _ = await ended(bench)

    assert record.state is State.READY
    assert sent(bench) == (1, 1)


async def test_who_starts_it_meanwhile_is_followed(make_bench: MakeBench):
    """After a lost answer STARTING means that somebody has started it: no start."""
    bench = await make_bench(world=notebooks())
    bench.fail("stop", **NOT_DONE)
    delivery = await bench.ask(f"restart ml-nb {NB}")
    await bench.wait_for(lambda: sent(bench) == (1, 0))

    bench.cloud.put(NB, "STARTING")
    await bench.wait_for(lambda: any("STARTING" in post.text for post in bench.posts()))
    bench.cloud.put(NB, "RUNNING")

    assert (await bench.story(delivery)).state is State.READY
    assert sent(bench) == (1, 0)


# --- row 2: it was seen stopped -------------------------------------------------------


async def test_what_somebody_has_started_is_not_started_again(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
):
    """The read right before the start says STARTING: nothing is sent."""
    bench = await make_bench(world=notebooks())
    start = Starter.start

    async def overtaken(self: Starter, record: Any) -> None:
        bench.cloud.put(NB, "STARTING")
        await start(self, record)
        bench.cloud.put(NB, "RUNNING")

    monkeypatch.setattr(Starter, "start", overtaken)

    record, _ = await ended(bench)

    assert record.state is State.READY
    assert sent(bench) == (1, 0)


# --- row 3: the start was sent, or may have been --------------------------------------


async def test_a_lost_answer_to_the_start_is_followed(make_bench: MakeBench):
    """Where the start's answer is lost and it comes up, it is not started again."""
    bench = await make_bench(world=notebooks())
    bench.fail("start", **LOST)

    record, _ = await ended(bench)

    assert record.state is State.READY
    assert sent(bench) == (1, 1)


async def test_a_start_that_never_came_is_sent_again(make_bench: MakeBench):
    """Still STOPPED long after a lost answer: the start is sent again, and counted."""
    bench = await make_bench(world=notebooks())
    bench.fail("start", **NOT_DONE)

    record, _ = await ended(bench)

    assert record.state is State.READY
    assert sent(bench) == (1, 2)
    assert record.starts == 2


async def test_a_failed_start_is_tried_again(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
):
    """START_FAILED is told in the thread, and the start is tried again."""
    in_a_hurry(monkeypatch)
    bench = await make_bench(world=notebooks(notebook(start_ends="START_FAILED")))

    record, shown = await ended(bench)

    assert record.state is State.READY
    assert sent(bench) == (1, 2)
    assert "START_FAILED → STARTING → RUNNING" in shown.text
    (trouble,) = replies(bench, "could not be started yet")
    assert "Insufficient resources" in trouble


@pytest.mark.parametrize("status", ["DELETED", "FROZEN"])
async def test_what_is_gone_meanwhile_ends_with_an_alarm(
    make_bench: MakeBench, status: str
):
    """One that is deleted or frozen between stop and start ends in a clear sentence."""
    bench = await make_bench(world=notebooks())
    bench.fail("start", **NOT_DONE)
    delivery = await bench.ask(f"restart ml-nb {NB}")
    await bench.wait_for(lambda: sent(bench) == (1, 1))

    bench.cloud.put(NB, status)

    assert (await bench.story(delivery)).state is State.FAILED
    (told,) = replies(bench, ANN)
    assert "has not come back" in told
    assert sent(bench) == (1, 1)


async def test_no_such_notebook_counts_only_in_a_row(make_bench: MakeBench):
    """It is given up after three looks in a row that find none, not before."""
    bench = await make_bench(world=notebooks(notebook(stopping=9.0)))
    bench.hold()
    delivery = await bench.ask(f"restart ml-nb {NB}")
    await bench.wait_for(
        lambda: any("RUNNING → STOPPING" in post.text for post in bench.posts())
    )
    # A look that finds none asks under the other kind as well: two calls.
    for reply, times in ((NO_SUCH, 4), (None, 1), (NO_SUCH, 4)):
        bench.cloud.faults.plant("read", Fault(reply=reply), times=times)
    await bench.wait_for(lambda: not bench.cloud.faults.planted)
    bench.go_on()

    assert (await bench.story(delivery)).state is State.READY
    assert sent(bench) == (1, 1)


async def test_whoever_stops_it_has_the_last_word(make_bench: MakeBench):
    """STOPPED after STARTING was seen is somebody's stop: no start, and a button."""
    bench = await make_bench(world=notebooks(notebook(starting=3600.0)))
    delivery = await bench.ask(f"restart ml-nb {NB} stuck")
    await bench.wait_for(
        lambda: any("→ STARTING" in post.text for post in bench.posts())
    )
    record = await bench.record(delivery)
    while not record.came_up:
        record = await bench.record(delivery)

    bench.cloud.put(NB, "STOPPED")

    record = await bench.story(delivery)
    assert (record.state, sent(bench)) == (State.FAILED, (1, 1))
    told = next(post for post in bench.posts() if post.reply_broadcast)
    assert "has stopped it" in told.text
    assert buttons(told) == ["start_it"]


# --- no capacity, and down ------------------------------------------------------------


async def test_without_capacity_the_start_is_tried_again_and_said_once(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
):
    """Each try reads first; the thread hears of the trouble at the first failure."""
    in_a_hurry(monkeypatch)
    box = notebook(start_refusals=deque([FULL, FULL]))
    bench = await make_bench(world=notebooks(box))

    record, shown = await ended(bench)

    assert record.state is State.READY
    assert sent(bench) == (1, 3)
    assert len(replies(bench, "could not be started yet")) == 1
    assert WHOLE in shown.text
    kinds = [call.kind for call in bench.cloud.calls if call.kind != "login"]
    before = [kinds[i - 1] for i, kind in enumerate(kinds) if kind == "start"]
    assert before == ["read"] * 3


async def test_who_starts_it_between_two_tries_is_followed(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
):
    """Between tries the bot goes on looking: somebody else's start is followed."""
    in_a_hurry(monkeypatch)
    monkeypatch.setattr("bot.restarts.lifecycle.FIRST_WAIT_S", 60.0)
    bench = await make_bench(world=notebooks(notebook(start_refusals=deque([FULL]))))
    delivery = await bench.ask(f"restart ml-nb {NB}")
    await bench.wait_for(lambda: replies(bench, "could not be started yet"))

    bench.cloud.put(NB, "RUNNING")

    assert (await bench.story(delivery)).state is State.READY
    assert sent(bench) == (1, 1)


async def down(bench: Bench, rest: str = f"ml-nb {NB} stuck") -> Any:
    """Restart a notebook that cannot be started any more; return its follow-up."""
    record, _ = await ended(bench, rest)
    assert record.state is State.DOWN
    return next(post for post in bench.posts() if post.reply_broadcast)


async def test_an_hour_after_the_stop_it_is_down(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
):
    """Down is said with since when, why and a button, and nothing starts it unasked."""
    in_a_hurry(monkeypatch, give_up_s=1.0)
    box = notebook(start_refusals=deque([FULL] * 99))
    bench = await make_bench(world=notebooks(box))

    told = await down(bench)

    assert f". {ANN}: " in told.text
    assert "is down since" in told.text
    assert "no capacity" in told.text
    assert buttons(told) == ["start_now"]
    tries = sent(bench)
    box.start_refusals.clear()
    await asyncio.sleep(0.6)
    assert sent(bench) == tries


async def test_a_start_that_configuration_forbids_is_down_at_once(
    make_bench: MakeBench,
):
    """A key pair or image that is missing needs no second try."""
    keys = ("ModelArts.6789", "The key pair does not exist.")
    box = notebook(start_refusals=deque([keys]))
    bench = await make_bench(world=notebooks(box))

    told = await down(bench)

    assert "key pair" in told.text
    assert sent(bench) == (1, 1)


async def test_start_now_brings_it_up(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
):
    """A click on Start now is a request of its own, and its end is told like any."""
    in_a_hurry(monkeypatch, give_up_s=0.5)
    box = notebook(start_refusals=deque([FULL] * 99))
    bench = await make_bench(world=notebooks(box))
    told = await down(bench)
    box.start_refusals.clear()
    in_a_hurry(monkeypatch)

    await bench.slack.click("bob", told, "start_now")

    await bench.wait_for(lambda: replies(bench, "is ready"))
    assert sent(bench)[0] == 1
    way = "STOPPED → STARTING → RUNNING"
    shown = await bench.wait_for(
        lambda: [post.text for post in bench.posts() if way in post.text]
    )
    assert "<@U0BOB>" in shown[0]
    assert [e["user_id"] for e in await bench.trail("asked")] == ["U0ANN", "U0BOB"]


async def test_past_the_hour_at_the_next_life_nothing_is_started(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
):
    """A bot that comes back more than an hour after the stop says down, and no more."""
    in_a_hurry(monkeypatch)
    monkeypatch.setattr("bot.restarts.lifecycle.FIRST_WAIT_S", 600.0)
    box = notebook(start_refusals=deque([FULL]))
    bench = await make_bench(world=notebooks(box))
    await bench.ask(f"restart ml-nb {NB}")
    await bench.wait_for(lambda: replies(bench, "could not be started yet"))
    await stopped(bench)
    passed(bench, 3700)

    async with second_life(bench):
        await bench.wait_for(lambda: replies(bench, "is down since"))

    assert sent(bench) == (1, 1)


async def test_approvers_are_told_when_it_is_down(make_bench: MakeBench):
    """Whoever approved the restart hears, with the requester, that it is down."""
    rules = GATES.replace("gated-*", "nb-*") + OPEN
    keys = ("ModelArts.6797", "The image does not exist.")
    box = notebook(start_refusals=deque([keys]))
    bench = await make_bench(world=notebooks(box), rules=rules)
    card = await bench.card(f"ml-nb {NB} stuck")
    assert "the machine is given back" in card.text
    await bench.slack.click("carol", card, "approve")

    record = await bench.end_of_card(card)

    assert record.state is State.DOWN
    told = next(post for post in bench.posts() if post.reply_broadcast)
    assert f". {ANN} and " in told.text
    assert "<!subteam^" in told.text or CAROL in told.text
