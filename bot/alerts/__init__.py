"""Alerts in, outcome out: cards for alerts, and what became of them after a restart.

An alert is never a request: a card has a button, and whoever clicks it asks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import attrs
import structlog

from bot.errors import BotError

__all__ = ["Upkeep"]

log = structlog.get_logger()

ALERTS_EVERY_S = 2.0  # for what other replicas have heard, and for what time brings
# In a storm a message is drawn so often at most: whoever asks for a restart needs the
# database as well.
LEAST_S = 1.0

Work = Callable[[], Awaitable[None]]


@attrs.define
class Upkeep:
    """Does each of *works* again and again, and at once after ``ring``."""

    _works: Sequence[Work]
    _rung: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _loops: list[asyncio.Task[None]] = attrs.field(factory=list, init=False)

    def start(self) -> None:
        """Begin."""
        self._loops = [asyncio.create_task(self._again(one)) for one in self._works]

    def ring(self) -> None:
        """Let all of it be done at once."""
        self._rung.set()
        self._rung = asyncio.Event()

    async def close(self) -> None:
        """Do no more; what was cut off is done by who looks next."""
        for loop in self._loops:
            loop.cancel()
        if self._loops:
            await asyncio.wait(self._loops)

    async def _again(self, work: Work) -> None:
        loop = asyncio.get_running_loop()
        while True:
            rung, began = self._rung, loop.time()
            try:
                await work()
            except BotError as error:
                log.warning("alerts not looked after", error=str(error))
            except Exception:
                log.exception("alerts not looked after")
            with suppress(TimeoutError):
                await asyncio.wait_for(rung.wait(), ALERTS_EVERY_S)
            await asyncio.sleep(max(0.0, began + LEAST_S - loop.time()))
