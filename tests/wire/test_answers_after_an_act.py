"""Answers that look as if nothing had happened, and may as well come after the act.

A proxy or a gateway may answer after the cloud has carried out what was asked.
"""

from __future__ import annotations

import pytest

from bot.cloud import Cloud
from bot.demo.cloud_http import Reply, gateway, html, modelarts
from bot.errors import CloudMisfit, CloudUnknown
from bot.model import Act, State
from tests.support.bot_world import Bench
from tests.support.cloud_wire import (
    KEY_POINT,
    TRAINER,
    Clock,
    Wire,
    cloud_over,
    refused,
)

AFTER = [
    pytest.param(Reply(401, ""), id="an empty 401"),
    pytest.param(html(401, "Unauthorized"), id="a proxy's 401"),
    pytest.param(modelarts(401, "ModelArts.6401", "Denied."), id="401 6401"),
    pytest.param(modelarts(403, "ModelArts.0203", "Invalid token."), id="403 0203"),
    pytest.param(modelarts(500, "ModelArts.6401", "Denied."), id="500 6401"),
    pytest.param(modelarts(500, "ModelArts.6407", "Denied."), id="500 6407"),
    pytest.param(gateway(503, "APIGW.0613", "IAM is down."), id="503 0613"),
    pytest.param(html(503, "Service Unavailable"), id="a proxy's 503"),
]


@pytest.mark.parametrize("reply", AFTER)
async def test_what_may_have_come_after_the_restart_is_looked_at(
    bench: Bench, reply: Reply
) -> None:
    """The restart was carried out: no second one is sent, and it is told as ready."""
    bench.fail("restart", acts=True, reply=reply)
    delivery, _, told = await bench.restart()
    assert (await bench.record(delivery)).state is State.READY
    assert "is ready" in told.text
    assert bench.sent == 1


@pytest.mark.parametrize("reply", AFTER)
async def test_what_may_have_come_before_the_restart_is_not_sent_again(
    bench: Bench, reply: Reply
) -> None:
    """Where the instance shows no restart, the outcome is said to be unknown."""
    bench.fail("restart", reply=reply)
    delivery, _, told = await bench.restart()
    assert (await bench.record(delivery)).state is State.UNKNOWN
    assert "unknown" in told.text
    assert bench.sent == 1


def key_cloud(wire: Wire, clock: Clock) -> Cloud:
    return cloud_over(wire, clock, KEY_POINT)


async def test_a_restart_with_a_key_is_unknown_too_and_the_key_goes_on() -> None:
    """The key does not rest after a 401 without a code: somebody has to look."""
    clock = Clock()
    wire = Wire(clock)
    wire.answers = [refused(401)]
    cloud = key_cloud(wire, clock)
    with pytest.raises(CloudUnknown):
        await cloud.act(TRAINER, Act.RESTART)
    assert (await cloud.read(TRAINER)).status == "ACTIVE"


async def test_a_key_that_the_cloud_refuses_by_name_rests() -> None:
    """A code that names the login comes before the act: that is final."""
    clock = Clock()
    wire = Wire(clock)
    wire.answers = [refused(401, "APIG.0301")]
    cloud = key_cloud(wire, clock)
    with pytest.raises(CloudMisfit):
        await cloud.act(TRAINER, Act.RESTART)
    with pytest.raises(CloudMisfit):
        await cloud.read(TRAINER)
    assert len(wire.calls) == 1
