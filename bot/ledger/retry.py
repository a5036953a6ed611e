"""Waiting for the database, without which nothing may be forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from bot.errors import LedgerError

log = structlog.get_logger()

T = TypeVar("T")

FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 5.0


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
