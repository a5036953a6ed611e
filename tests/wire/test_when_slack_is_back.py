"""How soon what waits to be said is said, once Slack takes it."""

from __future__ import annotations

import asyncio
import time

import pytest

from bot.model import State
from tests.support.bench_fixtures import MakeBench
from tests.support.bot_world import Bench
from tests.support.passing_time import second_life, stopped

LONG_S = 600.0
SOON_S = 20.0  # far less than the waits in these tests


async def unsaid(
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    method: str = "chat.postMessage",
    **how: object,
) -> str:
    """Return the id of a request whose last word Slack does not take."""
    monkeypatch.setattr("bot.restarts.engine.steps.STEP_WAITS_S", (LONG_S, LONG_S))
    bench.hold()
    delivery = await bench.ask("restart ml-prod trainer-7")
    await bench.rebooting()
    before = len(bench.slack.called("chat.postMessage"))
    bench.slack.fail(method, count=None, **how)
    bench.go_on()
    await bench.wait_for(lambda: len(bench.slack.called("chat.postMessage")) > before)
    return (await bench.record(delivery)).request.id


async def said_soon(bench: Bench, request_id: str) -> None:
    """Wait until the last word of a request has been said."""
    async with asyncio.timeout(SOON_S):
        assert (await bench.end_of(request_id)).told
    assert "is ready" in bench.followups()[-1].text


async def test_it_is_said_at_once_when_the_socket_is_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for the next turn of a growing wait after an outage."""
    request_id = await unsaid(bench, monkeypatch, status=503)
    bench.slack.heal()
    await bench.slack.drop_sockets()
    await said_soon(bench, request_id)


async def test_it_is_said_soon_when_the_web_api_is_back(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The socket may stand all the while, and in HTTP mode there is none."""
    monkeypatch.setattr("bot.app.maintenance.SLACK_EVERY_S", 0.1)
    bench = await make_bench()
    request_id = await unsaid(bench, monkeypatch, "*", status=503)
    asked = len(bench.slack.called("auth.test"))
    await bench.wait_for(lambda: len(bench.slack.called("auth.test")) > asked + 4)
    bench.slack.heal()
    await said_soon(bench, request_id)


async def test_a_slack_that_answers_is_not_away(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where posts alone fail, nothing is tried in haste, and Slack is asked once."""
    monkeypatch.setattr("bot.app.maintenance.SLACK_EVERY_S", 0.1)
    bench = await make_bench()
    asked = len(bench.slack.called("auth.test"))
    await unsaid(bench, monkeypatch, status=503)
    await bench.wait_for(lambda: len(bench.slack.called("auth.test")) > asked)
    before = len(bench.slack.called("chat.postMessage"))
    await asyncio.sleep(1.0)  # ten looks
    # Once more at most: the socket's own first look says that it is up.
    assert len(bench.slack.called("chat.postMessage")) <= before + 1
    assert len(bench.slack.called("auth.test")) <= asked + 2


async def test_the_next_process_says_at_once_what_is_left(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wait that the process before began does not hold up the next one."""
    request_id = await unsaid(bench, monkeypatch, status=503)
    await stopped(bench)
    bench.slack.heal()
    async with second_life(bench), asyncio.timeout(SOON_S):
        record = await bench.end_of(request_id)
    assert record.told
    assert "is ready" in bench.followups()[-1].text


async def test_slacks_second_is_a_second(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often Slack says "in 1 s", the next try comes in 1 s, and no later."""
    monkeypatch.setattr("bot.slack.client.RETRY_AFTER_WITHIN_S", 0.0)
    request_id = await unsaid(bench, monkeypatch, status=429, retry_after=1)
    tries = len(bench.slack.called("chat.postMessage"))
    begun = time.monotonic()
    async with asyncio.timeout(SOON_S):
        await bench.wait_for(
            lambda: len(bench.slack.called("chat.postMessage")) > tries + 4
        )
    assert time.monotonic() - begun > 4  # ... and no sooner
    bench.slack.heal()
    async with asyncio.timeout(SOON_S):
        assert (await bench.end_of(request_id)).state is State.READY
