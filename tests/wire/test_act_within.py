"""What waited too long is not sent any more: it would be somebody's surprise."""

from __future__ import annotations

import pytest

from bot.demo.cloud_http import modelarts
from bot.model import State
from tests.support.bench_fixtures import MakeBench
from tests.support.bot_world import ANN, GATES, OPEN, Bench
from tests.support.passing_time import passed, second_life, stopped
from tests.support.processes import until

HOUR_S = 3600


async def recorded(bench: Bench, state: State, name: str) -> str:
    """Return the id of a request once it stands at *state*."""

    async def found() -> str:
        key = bench.cloud.instance(name).id.lower()
        open_ones = await bench.ledger.open_requests(key)
        return next((one.request.id for one in open_ones if one.state is state), "")

    return await until(found)


async def announced_to_nobody(bench: Bench) -> str:
    """Return the id of a request whose announcement Slack has not taken."""
    bench.slack.fail("chat.postMessage", count=None, status=503)
    await bench.ask("restart ml-prod trainer-7")
    request_id = await recorded(bench, State.RESTARTING, "trainer-7")
    await until(lambda: bench.slack.called("chat.postMessage"))
    return request_id


async def test_what_was_acknowledged_hours_ago_is_told_and_not_sent(
    bench: Bench,
) -> None:
    """The bot was away for an hour: nobody's morning is hit, and who asked is told."""
    request_id = await announced_to_nobody(bench)
    await stopped(bench)
    passed(bench, HOUR_S)
    bench.slack.heal()
    async with second_life(bench):
        record = await bench.end_of(request_id)
    assert record.state is State.NOT_RESTARTED
    assert "it was asked for 1 h ago" in record.detail
    assert bench.whispers("ann", "1 h ago")
    assert bench.sent == 0


async def test_within_the_time_slack_is_waited_for(bench: Bench) -> None:
    """An outage of Slack that ends in time costs nothing but its time."""
    bench.slack.fail("chat.postMessage", count=20, status=503)
    delivery, _, told = await bench.restart()
    assert (await bench.record(delivery)).state is State.READY
    assert "is ready" in told.text
    assert bench.sent == 1


async def test_it_counts_from_the_vote_that_decided(make_bench: MakeBench) -> None:
    """Asked for an hour ago and approved just now is fresh; it goes out."""
    rules = GATES.replace("30s", "3h") + OPEN
    bench = await make_bench(rules=rules)
    card = await bench.card()
    passed(bench, HOUR_S)
    await bench.slack.click("bob", card, "approve")
    assert (await bench.end_of_card(card)).state is State.READY
    assert bench.sent == 1


async def test_approved_hours_ago_is_told_and_not_sent(make_bench: MakeBench) -> None:
    """An approval is for now: what was not sent after it in time needs another one."""
    bench = await make_bench(
        rules=GATES.replace("30s", "3h") + OPEN, watch={"act_within": "2s"}
    )
    card = await bench.card()
    bench.slack.fail("chat.postMessage", count=None, status=503)
    await bench.slack.click("bob", card, "approve")
    request_id = bench.id_of(card)
    record = await until(lambda: ended(bench, request_id))
    bench.slack.heal()
    await bench.end_of(request_id)
    assert record.state is State.NOT_RESTARTED
    assert "it was approved" in record.detail
    assert " ago" in record.detail
    told = await bench.wait_for(bench.followups)
    assert ANN in told[-1].text
    assert " ago" in told[-1].text
    assert bench.sent == 0


async def ended(bench: Bench, request_id: str):
    """Return the record of a request, if it has ended."""
    record = await bench.ledger.existing(request_id)
    return record if record.ended_at else None


async def test_a_busy_cloud_is_not_waited_for_any_longer(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between a 429 and the next try the time may be over, too."""
    monkeypatch.setattr("bot.restarts.send.WAITS_S", (1.5, 1.5, 1.5, 1.5))
    bench = await make_bench(watch={"act_within": "1s"})
    bench.fail("restart", reply=modelarts(429, "ModelArts.6101", "Busy."))
    delivery, _, told = await bench.restart()
    assert (await bench.record(delivery)).state is State.NOT_RESTARTED
    assert " ago" in told.text
    assert bench.sent == 1
    assert not bench.cloud.restarts[bench.cloud.instance("trainer-7").id]
