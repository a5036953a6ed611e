"""What somebody who reads the bot's log may rely on about each request."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from contextvars import Context
from typing import Any

import pytest
import structlog

from bot.listeners.tasks import Tasks
from bot.telemetry import logs
from bot.telemetry.request_log import ENDED
from tests.support.bot_world import Bench

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    """Let the process log, and return what reads it.

    A workflow inherits no names from who began it, as after a crash.
    """
    start = Tasks.start
    monkeypatch.setattr(Tasks, "start", lambda *a: Context().run(start, *a))
    root, engine = logging.getLogger(), logging.getLogger("dbos")
    before, level, engines = root.handlers, root.level, engine.handlers
    stream = io.StringIO()
    logs.configure(stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers, engine.handlers = before, engines
    root.setLevel(level)
    logging.getLogger("bot").setLevel(logging.NOTSET)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def ends(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the lines that sum up a request."""
    return [line for line in lines if line.get("event") == ENDED]


async def test_what_a_day_of_requests_leaves_in_the_log(
    bench: Bench, lines: Lines
) -> None:
    """Every line of a request bears its id, project and instance, from the command to
    the last word; each request has one line that sums it up, however it ended.
    """
    done, *_ = await bench.restart()
    record = await bench.record(done)
    of_one = [one for one in lines() if one.get("request") == record.request.id]
    assert {(one["project"], one["instance"]) for one in of_one} == {
        ("ml-prod", "trainer-7")
    }
    steps = {one["step"] for one in of_one if one["event"] == "step done"}
    assert {"command", "asked", ENDED} <= {one["event"] for one in of_one}
    assert {"prepare", "announce", "send", "watch", "follow_up"} <= steps

    (ready,) = ends(lines())
    assert (ready["outcome"], ready["user"]) == ("ready", "U0ANN")
    assert (ready["rule"], ready["wants"]) == ("on call", "restart")
    phases = [ready[one] for one in ("prepare_s", "restart_s", "tell_s")]
    assert ready["total_s"] == pytest.approx(sum(phases), abs=0.01)
    assert "approval_s" not in ready

    card = await bench.card("ml-prod gated-1 stuck")
    await bench.slack.click("carol", card, "deny")
    denied = await bench.end_of_card(card)
    card = await bench.card("ml-prod gated-1 again")
    await bench.slack.click("carol", card, "approve")
    agreed = await bench.end_of_card(card)
    await bench.ask("restart ml-prod gated-1", user="dave")

    arrived = "mlstudio_slack_to_arrival_seconds_count"
    assert bench.bot.metrics.registry.get_sample_value(arrived) == 2  # clicks

    by_id = {one["request"]: one for one in ends(lines())}
    assert len(by_id) == len(ends(lines())) == 4
    assert by_id[denied.request.id]["outcome"] == "denied"
    assert by_id[denied.request.id]["decided_by"] == "U0CAROL"
    approved = by_id[agreed.request.id]
    assert (approved["outcome"], approved["approvals"]) == ("ready", ["U0CAROL"])
    assert approved["approval_s"] > 0
    refused = [one for one in by_id.values() if one["outcome"] == "refused"]
    assert [(one["instance"], one["user"]) for one in refused] == [
        ("gated-1", "U0DAVE")
    ]
    logged = [line for line in lines() if line["logger"] != "audit"]
    assert "stuck" not in "".join(map(str, logged))
    assert not [one for one in lines() if one.get("request") and not one["instance"]]
