"""Waiting: for the database, without which nothing may be forgotten; for each other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

import structlog

from bot.errors import LedgerError

log = structlog.get_logger()

T = TypeVar("T")

FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 5.0


class Pulse:
    """Wakes all who wait for it, in this process."""

    def __init__(self) -> None:
        self._beat = asyncio.Event()

    def beat(self) -> None:
        """Wake who waits now."""
        self._beat.set()
        self._beat = asyncio.Event()

    async def wait(self, at_most_s: float) -> None:
        """Return at the next beat, or after so many seconds."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._beat.wait(), at_most_s)


async def patiently(work: Callable[[], Awaitable[T]]) -> T:
    """Repeat *work* until the database answers, however long that takes.

    An answer that is an error (StateConflict, InstanceBusy) is raised at once.
    """
    wait = FIRST_WAIT_S
    while True:
        try:
            return await work()
        except LedgerError as error:
            if type(error) is not LedgerError:
                raise
            log.warning("waiting for the database", error=str(error))
        await asyncio.sleep(wait)
        wait = min(wait * 2, LONGEST_WAIT_S)
