"""Wakes who waits for news of a request, from whichever replica they come.

Whatever happens to a request has an entry in the audit trail, so one look at the end
of the trail serves all who wait: a thousand waiting workflows cost what one does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

import attrs
import structlog

from bot.errors import LedgerError
from bot.ledger import Ledger

log = structlog.get_logger()


class Pulse:
    """Wakes all who wait for it, in this process."""

    def __init__(self) -> None:
        self._beat = asyncio.Event()

    def beat(self) -> None:
        """Wake who waits now."""
        self._beat.set()
        self._beat = asyncio.Event()

    async def until(self, look: Callable[[], Awaitable[bool]], every_s: float) -> None:
        """Look at each beat, and every so many seconds, until *look* says yes.

        A look takes its time: one is due again after a beat that came meanwhile.
        """
        while True:
            beat = self._beat
            if await look():
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(beat.wait(), every_s)

    async def beats(self) -> None:
        """Return at the next beat."""
        await self._beat.wait()


@attrs.define
class Wakeups:
    """Looks every *every_s* seconds, from ``start`` to ``close``, if anybody waits.

    *slack_back* beats when Slack can be reached again: who waits to say something, and
    not because Slack has asked him to, tries again at once.
    """

    _ledger: Ledger
    slack_back: Pulse = attrs.field(factory=Pulse, init=False)
    _every_s: float = attrs.field(kw_only=True)
    _waiting: dict[str, asyncio.Event] = attrs.field(factory=dict, init=False)
    _seen: int = attrs.field(default=0, init=False)  # the last entry looked at
    _looking: asyncio.Task[None] | None = attrs.field(default=None, init=False)

    async def start(self) -> None:
        """Begin to look; what came before is for each who waits to see by himself."""
        self._seen, _ = await self._ledger.newest_hash()
        self._looking = asyncio.create_task(self._look_again(), name="wakeups")

    async def close(self) -> None:
        """Look no more."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])

    @contextmanager
    def listening(self, request_id: str) -> Iterator[asyncio.Event]:
        """Give an event that is set at every news of a request, or of its batch.

        *request_id* is that of the request that speaks for it.
        """
        rung = self._waiting[request_id] = asyncio.Event()
        try:
            yield rung
        finally:
            self._waiting.pop(request_id, None)

    def ring(self, request_id: str) -> None:
        """Tell at once who waits in this process."""
        if request_id in self._waiting:
            self._waiting[request_id].set()

    async def _look_again(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            if self._waiting:
                with suppress(LedgerError):  # the next look sees the same and more
                    await self._look()

    async def _look(self) -> None:
        newest, request_ids = await self._ledger.news(since=self._seen)
        for request_id in request_ids:
            self.ring(request_id)
        self._seen = newest
