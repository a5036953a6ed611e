"""One list for many: looks at the notebooks of a project that is watched.

A list brings 50 notebooks a page, so where more are watched than it has pages, one list
stands for all of their looks. A look is never older than its question: it is answered
by a page that was asked for after it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextvars import Context
from copy import copy

import attrs
import structlog

from bot.cloud.clocks import Clocks
from bot.errors import CloudError, CloudMisfit, CloudUnknown
from bot.model import Instance, Target

log = structlog.get_logger(__name__)

RECENT_S = 30.0  # an instance that was looked at within it is watched
GATHER_S = 0.2  # so long a list waits for those who are about to look
PAGES_PER_MINUTE = 180.0  # lists of one project keep within it
UNLISTED_S = 600.0  # so long no list is tried where the bot may not have it

Look = tuple[Target, "asyncio.Future[Instance]"]


@attrs.define(eq=False)
class SharedLooks:
    """Answers looks at one project's notebooks, by *pages* of its list or one by one.

    *read* looks at one notebook.
    """

    _pages: Callable[[], AsyncIterator[tuple[Instance, ...]]]
    _read: Callable[[Target], Awaitable[Instance]]
    _clocks: Clocks
    _asked: dict[str, float] = attrs.field(factory=dict, init=False)
    _waiting: dict[str, list[Look]] = attrs.field(factory=dict, init=False)
    _length: int = attrs.field(default=1, init=False)  # pages of the list, last time
    _begun: float = attrs.field(default=float("-inf"), init=False)
    _not_before: float = attrs.field(default=float("-inf"), init=False)
    _worker: asyncio.Task[None] | None = attrs.field(default=None, init=False)

    async def look(self, target: Target) -> Instance:
        """Return what the cloud says about a notebook from now on."""
        now = self._clocks.monotonic()
        self._asked[target.key] = now
        if now < self._not_before or self._watched(now) <= self._length:
            return await self._read(target)
        future: asyncio.Future[Instance] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(target.key, []).append((target, future))
        if self._worker is None or self._worker.done():
            # Its lines bear the names of none of those whom it serves.
            self._worker = asyncio.create_task(
                self._serve(), name="one list for many", context=Context()
            )
        return await future

    def _watched(self, now: float) -> int:
        """Return how many notebooks are watched."""
        since = now - RECENT_S
        self._asked = {key: at for key, at in self._asked.items() if at > since}
        return len(self._asked)

    async def _serve(self) -> None:
        """List as long as somebody waits, with time between two lists."""
        while self._waiting:
            rest_s = self._length * 60 / PAGES_PER_MINUTE
            left_s = self._begun + rest_s - self._clocks.monotonic()
            await self._clocks.sleep(max(GATHER_S, left_s))
            asked, self._waiting = self._waiting, {}
            try:
                await self._list(asked)
            finally:  # whatever went wrong, nobody waits for ever
                for looks in asked.values():
                    _fail(looks, CloudUnknown("The cloud's list could not be read."))

    async def _list(self, asked: dict[str, list[Look]]) -> None:
        """Answer what was *asked* by the list; read what it does not have."""
        self._begun = self._clocks.monotonic()
        left, length = dict(asked), 0
        try:
            async for page in self._pages():
                length += 1
                for one in page:
                    _answer(left.pop(one.id.lower(), []), one)
                if not left:
                    break
            else:
                self._length = length
        except CloudMisfit as error:  # the bot may not list: a right, or the endpoint
            log.warning("notebooks are read one by one", error=str(error))
            self._not_before = self._clocks.monotonic() + UNLISTED_S
        except CloudError as error:
            for looks in left.values():
                _fail(looks, error)
            return
        self._length = max(self._length, length)
        await self._read_each(left)

    async def _read_each(self, left: Mapping[str, list[Look]]) -> None:
        """Read those that are on no page: gone, of the other kind, or just moved."""
        await asyncio.gather(*map(self._read_one, left.values()))

    async def _read_one(self, looks: list[Look]) -> None:
        try:
            _answer(looks, await self._read(looks[0][0]))
        except CloudError as error:
            _fail(looks, error)


def _answer(looks: list[Look], instance: Instance) -> None:
    for _, future in looks:
        if not future.done():
            future.set_result(instance)


def _fail(looks: list[Look], error: CloudError) -> None:
    for _, future in looks:
        if not future.done():
            future.set_exception(copy(error))  # tracebacks add up on a shared one
