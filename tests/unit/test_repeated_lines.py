"""A log line that repeats is counted, so that nobody can fill the log with it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from bot.telemetry import logs, repeats

Lines = Callable[[], list[dict[str, Any]]]


class Minute:
    """A clock that stands, and what is due when its minute is over."""

    def __init__(self) -> None:
        self.at = 0.0
        self.due: list[Callable[[], None]] = []

    def monotonic(self) -> float:
        return self.at

    def timer(self, _left_s: float, tell: Callable[..., None], args: Any) -> Any:
        """Stand for a timer that has only to be started."""
        return SimpleNamespace(start=lambda: self.due.append(partial(tell, *args)))

    def passes(self) -> None:
        self.at += repeats.ALIKE_WITHIN_S
        while self.due:
            self.due.pop()()


@pytest.fixture
def minute(monkeypatch: pytest.MonkeyPatch) -> Minute:
    """Return the clock by which lines are counted."""
    minute = Minute()
    monkeypatch.setattr(repeats, "time", minute)
    monkeypatch.setattr("bot.telemetry.repeats.threading.Timer", minute.timer)
    return minute


@pytest.fixture
def lines(minute: Minute) -> Iterator[Lines]:
    """Let the process log, and return what reads it."""
    root = logging.getLogger()
    before, level = root.handlers, root.level
    stream = io.StringIO()
    logs.configure(stream=stream, secrets=["s3cret-word"])
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers = before
    root.setLevel(level)
    logging.captureWarnings(capture=False)


def counted(lines: Lines, minute: Minute) -> dict[str, Any]:
    """Return the line that tells how many were left out, when the minute is over."""
    minute.passes()
    (told,) = [
        line for line in lines() if "left_out" in line or "left out" in line["event"]
    ]
    return told


def test_a_line_of_a_library_is_counted(lines: Lines, minute: Minute) -> None:
    """Of 2,000 that differ only in whom they are about, a few are written."""
    log = logging.getLogger("aiohttp.server")
    for number in range(2000):
        log.error("Error handling request from %s", f"10.0.0.{number}")

    assert f"(left out: {2000 - repeats.MOST_ALIKE})" in counted(lines, minute)["event"]
    assert len(lines()) == repeats.MOST_ALIKE + 1


def test_a_line_of_the_bot_is_counted_with_its_fields(
    lines: Lines, minute: Minute
) -> None:
    """How often it was left out stands in one line, a moment later, without secrets."""
    log = structlog.get_logger("bot.some")
    for _ in range(100):
        log.warning("refused too often", user="U1", why="s3cret-word")

    told = counted(lines, minute)

    assert (told["left_out"], told["user"]) == (100 - repeats.MOST_ALIKE, "U1")
    assert told["why"] == "[hidden]"
    assert len(lines()) == repeats.MOST_ALIKE + 1


def test_lines_that_differ_are_all_written(lines: Lines) -> None:
    """What happens to another request, or another person, is another line."""
    log = structlog.get_logger("bot.some")
    for number in range(200):
        log.warning("asked", request=f"r{number}")

    assert len({line["request"] for line in lines()}) == 200


def test_a_line_that_comes_again_later_is_written_again(
    lines: Lines, minute: Minute
) -> None:
    """What is told now and then is never left out."""
    log = structlog.get_logger("bot.some")
    for _ in range(2):
        for _ in range(repeats.MOST_ALIKE):
            log.warning("slow")
        minute.passes()

    assert len(lines()) == 2 * repeats.MOST_ALIKE


def test_many_different_lines_are_not_remembered_for_ever(lines: Lines) -> None:
    """What it takes to count them is bounded."""
    log = structlog.get_logger("bot.some")
    for number in range(1000):
        log.warning("line", number=number)

    filters = [one for each in logging.getLogger().handlers for one in each.filters]
    (counts,) = [one for one in filters if isinstance(one, repeats.Repeats)]
    assert len(counts._seen) <= 500
