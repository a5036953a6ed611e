"""A bot that was down for a while: what it does first, and what it does not give up."""

from __future__ import annotations

import asyncio

import pytest

from bot.model import State
from tests.support.bench_fixtures import MakeBench
from tests.support.bot_world import Bench, buttons, quick
from tests.support.ledger_world import database
from tests.support.passing_time import passed, second_life, stopped
from tests.support.processes import until

AWAY_S = 60
SOON_S = 12.0  # far less than ``poll`` in these tests, and plenty for a busy machine


async def stopped_while_it_reboots(bench: Bench) -> str:
    """Stop the bot during a restart, and return the request's id."""
    bench.hold()
    delivery = await bench.ask("restart ml-prod trainer-7")
    await bench.rebooting()
    await stopped(bench)
    return (await bench.record(delivery)).request.id


async def test_after_a_while_away_it_looks_at_once(make_bench: MakeBench) -> None:
    """Whoever waited through an outage of the bot does not wait for a poll as well."""
    bench = await make_bench(watch={"poll": "30s", "timeout": "30m"})
    await stopped_while_it_reboots(bench)
    passed(bench, AWAY_S)
    before = len(bench.looks())
    async with second_life(bench):
        await bench.wait_for(lambda: len(bench.looks()) > before, SOON_S)


async def test_a_limit_that_passed_while_the_bot_was_away_ends_nothing_at_once(
    make_bench: MakeBench,
) -> None:
    """What nobody looked at for too long is looked at for a while before it ends."""
    bench = await make_bench(watch={"timeout": "20s", "lost": "20s"})
    request_id = await stopped_while_it_reboots(bench)
    passed(bench, AWAY_S)
    before = len(bench.looks())
    async with second_life(bench):
        await bench.wait_for(lambda: len(bench.looks()) > before + 1)
        bench.go_on()
        assert (await bench.end_of(request_id)).state is State.READY


@pytest.mark.parametrize("seconds", [0, -3600], ids=["as it is", "put back"])
async def test_a_clock_put_back_while_the_bot_was_away_hides_no_end(
    bench: Bench, seconds: int
) -> None:
    """A restart that seems to be of the future is followed, and took no less than 0."""
    request_id = await stopped_while_it_reboots(bench)
    passed(bench, seconds)
    async with second_life(bench), asyncio.timeout(SOON_S):
        bench.go_on()
        record = await bench.end_of(request_id)
    assert record.state is State.READY
    assert record.duration_s is not None
    assert record.duration_s >= 0


async def test_what_was_seen_before_the_bot_was_away_still_counts(
    make_bench: MakeBench,
) -> None:
    """A lost call that was seen to work, and failed meanwhile, has failed: no doubt."""
    bench = await make_bench(watch={"unchanged": "10m"})
    bench.cloud.put("trainer-7", "ERROR")
    bench.behave(quick(ends="ERROR"))
    bench.fail("restart", cut=True, acts=True)
    request_id = await stopped_while_it_reboots(bench)
    bench.go_on()
    async with second_life(bench), asyncio.timeout(SOON_S):
        record = await bench.end_of(request_id)
    assert record.state is State.FAILED
    assert "ERROR → REBOOTING" in bench.root(bench.followups()[-1]).text


def forget_steps(bench: Bench) -> None:
    """Let the engine have no record of any step, as if each crash came before it."""
    with database(bench.path.parent / "bot.db") as file:
        assert file.execute("DELETE FROM operation_outputs").rowcount


def steps(bench: Bench) -> int:
    """Return how many steps the engine has on record."""
    with database(bench.path.parent / "bot.db") as file:
        ((number,),) = file.execute("SELECT count(*) FROM operation_outputs").fetchall()
        return int(number)


async def test_steps_that_run_again_post_no_second_card(bench: Bench) -> None:
    """What is on record as asked is not asked again; the card that stands decides."""
    card = await bench.card()
    request_id = bench.id_of(card)
    await until(lambda: asked(bench, request_id))
    await stopped(bench)
    forget_steps(bench)
    async with second_life(bench), asyncio.timeout(SOON_S):
        await until(lambda: steps(bench) > 1, what="looked at, and asked for approval")
        await bench.slack.click("bob", card, "approve")
        assert (await bench.end_of(request_id)).state is State.READY
    assert len(bench.posts()) == 3  # the card, the transition and the follow-up
    assert not buttons(bench.now(card))
    assert bench.sent == 1


async def asked(bench: Bench, request_id: str) -> bool:
    """Say whether it is on record that the card stands."""
    return bool((await bench.ledger.existing(request_id)).card_ts)


async def test_steps_that_run_again_restart_and_announce_nothing_twice(
    bench: Bench,
) -> None:
    """A story that is told from its beginning goes on where its record stands."""
    request_id = await stopped_while_it_reboots(bench)
    forget_steps(bench)
    async with second_life(bench), asyncio.timeout(SOON_S):
        bench.go_on()
        assert (await bench.end_of(request_id)).state is State.READY
    assert bench.sent == 1
    assert len(bench.posts()) == 2
