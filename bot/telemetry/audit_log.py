"""The trail's way out of the house: each entry as a line of the log, at least once.

Where several replicas share a database one of them writes. A writer that is killed is
succeeded within LEASE_S: the others see that its beat stands still, and compare no
clocks. A frozen one that wakes up may write a page that another has written, but cannot
move the cursor any more.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from contextlib import suppress

import attrs
import structlog

from bot.errors import BotError
from bot.ledger import Ledger
from bot.ledger.audit_line import LOGGER, line_of
from bot.ledger.chain import Row
from bot.ledger.export import Cursor

log = structlog.get_logger()
lines = logging.getLogger(LOGGER)

LOOK_EVERY_S = 0.5
BEAT_EVERY_S = 1.0
LEASE_S = 4.0  # a writer whose beat stands still for longer is dead
LINES_A_PAGE = 100
REST = 4.0  # between two pages there is so many times what a page took: requests first
CLOSE_WITHIN_S = 1.0


@attrs.define
class AuditLog:
    """Writes the trail from ``start`` to ``close``, from where it was left off.

    *alone* says that no other process can use the database.
    """

    _ledger: Ledger
    _alone: bool
    _name: str = attrs.field(factory=lambda: uuid.uuid4().hex, init=False)
    # Somebody else's cursor, and since when (monotonic) it has looked like that.
    _other: tuple[Cursor, float] = attrs.field(
        factory=lambda: (Cursor(), 0.0), init=False
    )
    _beaten: float = attrs.field(default=0.0, init=False)  # monotonic
    _stop: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _loop: asyncio.Task[None] | None = attrs.field(default=None, init=False)

    def start(self) -> None:
        """Begin to write."""
        self._loop = asyncio.create_task(self._again(), name="audit log")

    async def close(self) -> None:
        """Write what there still is, within a second, and let others go on."""
        if self._loop is None:
            return
        self._stop.set()
        try:
            async with asyncio.timeout(CLOSE_WITHIN_S):
                await self._loop  # a page in hand is not left between line and cursor
                while await self.write_page():
                    pass
                mine = await self._ledger.cursor()
                if mine.writer == self._name:
                    await self._ledger.move_cursor(mine, attrs.evolve(mine, writer=""))
        except (BotError, OSError, TimeoutError) as error:
            log.warning("audit lines left for the next start", error=str(error))

    async def _again(self) -> None:
        while not self._stop.is_set():
            took_s, more = 0.0, False
            try:
                began = time.monotonic()
                more = await self.write_page()
                took_s = time.monotonic() - began
            except (BotError, OSError) as error:
                log.warning("audit lines not written", error=str(error))
            except Exception:
                log.exception("audit lines not written")
            pause_s = took_s * REST if more else LOOK_EVERY_S
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), pause_s)

    async def write_page(self) -> bool:
        """Write the next lines, if that is for this process to do.

        Say whether there may be more. LedgerError if the database is away; OSError if
        the log takes no line: what has not been written will be.
        """
        cursor = await self._mine(await self._ledger.cursor())
        if cursor is None:
            return False
        page = await self._ledger.unwritten(cursor, LINES_A_PAGE)
        if page is None:
            log.error(
                "audit trail cut off or changed; all of it is written again",
                entry=cursor.seq,
                hash=cursor.hash,
            )
            await self._moved(cursor, attrs.evolve(cursor, seq=0, hash=""))
            return True
        if page:
            await self._write(cursor, page)
        elif not self._alone and time.monotonic() - self._beaten > BEAT_EVERY_S:
            await self._moved(cursor, cursor)
        return len(page) == LINES_A_PAGE

    async def _write(self, cursor: Cursor, page: list[Row]) -> None:
        """Write *page*, and note how far that was possible."""
        last = cursor
        try:
            for row in page:
                lines.info("%s", line_of(row))
                last = attrs.evolve(cursor, seq=row["seq"], hash=row["hash"])
        finally:
            if last != cursor:
                await self._moved(cursor, last)

    async def _mine(self, cursor: Cursor) -> Cursor | None:
        """Return the cursor if this process writes, or may from now on; else None."""
        if cursor.writer == self._name:
            return cursor
        now = time.monotonic()
        if cursor != self._other[0]:
            self._other = cursor, now
        if cursor.writer and not self._alone and now - self._other[1] < LEASE_S:
            return None
        return await self._moved(cursor, attrs.evolve(cursor, writer=self._name))

    async def _moved(self, cursor: Cursor, to: Cursor) -> Cursor | None:
        """Move the cursor and return it; None if another process has moved it."""
        moved = attrs.evolve(to, beat=cursor.beat + 1)
        self._beaten = time.monotonic()
        return moved if await self._ledger.move_cursor(cursor, moved) else None
