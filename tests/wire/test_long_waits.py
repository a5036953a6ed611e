"""Whoever asks for an hour's patience is asked again after the longest wait we have."""

from __future__ import annotations

import asyncio

import pytest

from bot.demo.cloud_http import Reply, gateway, modelarts
from bot.errors import SlackBusy
from bot.model import State
from bot.restarts.notifications import pause
from tests.support.bench_fixtures import MakeBench
from tests.support.bot_world import OPEN, Bench

HOUR = "3600"
IN_AN_HOUR = gateway(429, "APIGW.0308", "Throttled.", Retry_After=HOUR)
SOON_S = 10.0


async def test_a_look_before_the_restart_does_not_wait_for_an_hour(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cloud that is throttled for long does not hold a request up in silence."""
    bench = await make_bench(rules=OPEN)  # no pattern: no look before
    monkeypatch.setattr("bot.restarts.retry.IN_ONE_STEP_MOST_S", 0.1)
    bench.fail("read", reply=IN_AN_HOUR)
    async with asyncio.timeout(SOON_S):
        delivery, _, _ = await bench.restart()
    assert (await bench.record(delivery)).state is State.READY


async def test_a_throttled_restart_does_not_wait_for_an_hour(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restart that was not carried out is tried again within the longest wait."""
    monkeypatch.setattr("bot.restarts.retry.ASKED_FOR_MOST_S", 0.1)
    bench.fail("restart", reply=IN_AN_HOUR)
    async with asyncio.timeout(SOON_S):
        delivery, _, _ = await bench.restart()
    assert (await bench.record(delivery)).state is State.READY


@pytest.mark.parametrize(
    ("reply", "tries"),
    [
        (modelarts(429, "ModelArts.6101", "The system is busy."), 4),
        (modelarts(400, "ModelArts.6355", "The resource pool is busy."), 2),
    ],
    ids=["throttled", "busy pool"],
)
async def test_what_stays_refused_is_tried_as_often_as_makes_sense(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, reply: Reply, tries: int
) -> None:
    """Three more tries for a busy cloud, one for a busy pool; then it is told."""
    monkeypatch.setattr("bot.restarts.retry.ASKED_FOR_MOST_S", 0.05)
    bench.fail("restart", times=None, reply=reply)
    delivery, _, told = await bench.restart()
    assert (await bench.record(delivery)).state is State.NOT_RESTARTED
    assert "was not restarted" in told.text
    assert bench.sent == tries


async def test_a_throttled_look_does_not_wait_for_an_hour(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restart is followed on within the longest wait, whatever the cloud asks for."""
    monkeypatch.setattr("bot.restarts.retry.ASKED_FOR_MOST_S", 0.1)
    bench = await make_bench(watch={"timeout": "30m"})
    bench.hold()
    delivery = await bench.ask("restart ml-prod trainer-7")
    await bench.rebooting()
    bench.fail("read", reply=IN_AN_HOUR)
    await bench.wait_for(lambda: not bench.cloud.faults.planted)
    bench.go_on()
    async with asyncio.timeout(SOON_S):
        assert (await bench.story(delivery)).state is State.READY


def test_slack_is_asked_again_within_a_minute() -> None:
    """A Retry-After of Slack's is obeyed up to a minute; then it is tried again."""
    assert pause(SlackBusy("Slack is throttling.", retry_after=7.0)) == 7.0
    assert pause(SlackBusy("Slack is throttling.", retry_after=86400.0)) == 60.0
