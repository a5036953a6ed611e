"""Recording what senders send: what waits meanwhile is recorded together.

A commit waits for the disk, and whoever asks for a restart waits for the same: so there
is one transaction at a time, however many webhooks come at once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

import attrs
import structlog

from bot.alerts.services import Services
from bot.errors import LedgerError
from bot.ledger.alerts import About

log = structlog.get_logger()

ALERTS_A_WRITE = 500  # alerts of one transaction, if one webhook does not hold more

Waiting = tuple[Sequence[About], asyncio.Future[None]]


@attrs.define
class Intake:
    """Takes the alerts of webhooks, each of them whole or not at all."""

    _services: Services
    _waiting: deque[Waiting] = attrs.field(factory=deque, init=False)
    _writing: asyncio.Task[None] | None = attrs.field(default=None, init=False)

    async def record(self, about: Sequence[About]) -> None:
        """Return when *about* is recorded; LedgerError if it cannot be.

        Who stops to wait before his turn has come is not recorded.
        """
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((about, done))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        await done

    async def close(self) -> None:
        """Return when what is in hand is recorded."""
        if self._writing is not None:
            await asyncio.wait([self._writing])

    async def _write(self) -> None:
        while self._waiting:
            together = self._next()
            about = [one for each, _ in together for one in each]
            try:
                if about:
                    await self._hear(about)
            except LedgerError as error:
                _failed(together, str(error))
            except Exception:
                log.exception("alerts not recorded")
                _failed(together, "a fault of mine")
            else:
                for _, done in together:
                    if not done.done():
                        done.set_result(None)

    def _next(self) -> list[Waiting]:
        """Return what is recorded together next; nobody waits for what was given up."""
        together, count = [], 0
        while self._waiting and (
            not count or count + len(self._waiting[0][0]) <= ALERTS_A_WRITE
        ):
            about, done = self._waiting.popleft()
            if not done.done():
                together.append((about, done))
                count += len(about)
        return together

    async def _hear(self, about: Sequence[About]) -> None:
        alerts = self._services.settings().alerts
        channel_id = alerts.channel if alerts else ""
        results = await self._services.ledger.hear(about, channel_id)
        for (sender, result), count in results.items():
            self._services.metrics.alerts.labels(sender, result).inc(count)


def _failed(together: Sequence[Waiting], why: str) -> None:
    """Tell all who wait that nothing was recorded."""
    for _, done in together:
        if not done.done():
            done.set_exception(LedgerError(why))
