"""Trying again what failed for a passing reason: how long to wait, and a few tries.

What is tried for as long as it takes is a step of the workflow (``StepRunner``) or
waits for the database (``bot.ledger.retry``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from bot.errors import (
    BotError,
    CloudBusy,
    CloudUnknown,
    SlackBusy,
    SlackError,
    SlackRefused,
)

log = structlog.get_logger()

T = TypeVar("T")

AGAIN_AFTER_S = 1.0
ASKED_FOR_MOST_S = 60.0  # a far side that asks for more is tried before all the same
TRIES = 3
IN_ONE_STEP_MOST_S = 10.0


def wait_after(error: BotError, otherwise_s: float) -> float:
    """Return the seconds to wait after *error*: as many as it asks for, within reason.

    *otherwise_s* is for an error that asks for none.
    """
    asks = error.retry_after if isinstance(error, CloudBusy | SlackBusy) else None
    return min(asks or otherwise_s, ASKED_FOR_MOST_S)


def pause(error: SlackError) -> float:
    """Return the seconds that Slack asks a step of ours to wait, 0 where it names none.

    No longer ones: Slack counts by the channel and the second, so who waits longer than
    he has to is late for nothing (https://docs.slack.dev/apis/web-api/rate-limits).
    """
    return wait_after(error, 0.0)


async def few_times(work: Callable[[], Awaitable[T]]) -> T:
    """Repeat a read that failed for a passing reason; raise what lasts."""
    for _ in range(TRIES - 1):
        try:
            return await work()
        except SlackRefused:
            raise
        except (SlackError, CloudBusy, CloudUnknown) as error:
            wait_s = min(wait_after(error, AGAIN_AFTER_S), IN_ONE_STEP_MOST_S)
            log.info("reading again", error=str(error), wait_s=wait_s)
        await asyncio.sleep(wait_s)
    return await work()
