"""What is tried for as long as it takes: above all, to reach the database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import structlog

from bot.errors import LedgerError

log = structlog.get_logger()

T = TypeVar("T")

DATABASE_WAITS_S = (0.2, 5.0)  # the first, and the longest


def growing(first_s: float, longest_s: float) -> Iterator[float]:
    """Yield waits in seconds, each twice the one before up to *longest_s*, for ever."""
    wait_s = first_s
    while True:
        yield wait_s
        wait_s = min(wait_s * 2, longest_s)


async def patiently(work: Callable[[], Awaitable[T]]) -> T:
    """Repeat *work* until the database answers, however long that takes.

    An answer that is an error (StateConflict, InstanceBusy) is raised at once.
    """
    for wait_s in growing(*DATABASE_WAITS_S):
        try:
            return await work()
        except LedgerError as error:
            if type(error) is not LedgerError:
                raise
            log.warning("waiting for the database", error=str(error))
        await asyncio.sleep(wait_s)
    raise AssertionError("unreachable")
