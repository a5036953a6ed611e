"""A bot that was down for a while: what it does first, and what it does not give up."""

from __future__ import annotations

import asyncio

import pytest

from bot.model import State
from tests.conftest import MakeBench
from tests.support.bot_world import Bench, quick
from tests.support.passing_time import passed, second_life, stopped

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
