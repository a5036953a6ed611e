"""One list for many: looks at the notebooks of a project that is watched.

A list brings 50 notebooks a page, so where more are watched than it has pages, one list
stands for all of their looks. A look is never older than its question: it is answered
by a page that was asked for after it, of a list that is under way or of the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from copy import copy
from itertools import chain

import attrs
import structlog

from bot.cloud.clocks import Clocks
from bot.errors import CloudError, CloudMisfit, CloudUnknown
from bot.model import Instance, Target

log = structlog.get_logger(__name__)

RECENT_S = 30.0  # an instance that was looked at within it is watched
AT_ONCE_S = 1.0  # ... of questions: those that are asked together
GATHER_S = 0.2  # so long a list waits for those who are about to look
PAGES_PER_MINUTE = 180.0  # lists of one project keep within it
UNLISTED_S = 600.0  # so long no list is tried where the bot may not have it

Look = tuple[Target, "asyncio.Future[Instance]"]
Looks = dict[str, list[Look]]  # by the notebook's key


@attrs.define(eq=False)
class SharedLooks:
    """Answers looks at one project's notebooks, by *pages* of its list or one by one.

    *read* looks at one notebook; one that was looked at within *recent_s* is watched.
    """

    _pages: Callable[[], AsyncIterator[tuple[Instance, ...]]]
    _read: Callable[[Target], Awaitable[Instance]]
    _clocks: Clocks
    _recent_s: float = RECENT_S
    _asked: dict[str, float] = attrs.field(factory=dict, init=False)
    _waiting: Looks = attrs.field(factory=dict, init=False)
    _length: int = attrs.field(default=1, init=False)  # pages of the list, last time
    _begun: float = attrs.field(default=float("-inf"), init=False)
    _not_before: float = attrs.field(default=float("-inf"), init=False)
    _worker: asyncio.Task[None] | None = attrs.field(default=None, init=False)

    async def look(self, target: Target) -> Instance:
        """Return what the cloud says about a notebook from now on."""
        now = self._clocks.monotonic()
        self._asked.pop(target.key, None)  # the oldest stand first
        self._asked[target.key] = now
        await asyncio.sleep(0)  # whoever asks at this very moment counts
        if not self._is_shared(now):
            return await self._read(target)
        future: asyncio.Future[Instance] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(target.key, []).append((target, future))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._serve(), name="one list for many")
        return await future

    @property
    def lag_s(self) -> float:
        """How long a look waits at most for its page to come round, in seconds."""
        shared = self._is_shared(self._clocks.monotonic())
        return self._turn_s if shared else 0.0

    @property
    def _turn_s(self) -> float:
        """The time from the begin of one list to that of the next."""
        return self._length * 60 / PAGES_PER_MINUTE

    def _is_shared(self, now: float) -> bool:
        """Say whether lists cost less than a read of each that is watched."""
        while (oldest := next(iter(self._asked), None)) is not None:
            if self._asked[oldest] > now - self._recent_s:
                break
            del self._asked[oldest]
        return now >= self._not_before and len(self._asked) > self._length

    async def _serve(self) -> None:
        """List as long as somebody waits, with time between two lists."""
        while self._waiting:
            left_s = self._begun + self._turn_s - self._clocks.monotonic()
            await self._clocks.sleep(max(GATHER_S, left_s))
            due: Looks = {}
            try:
                await self._list(due)
            except BaseException:  # whatever went wrong, nobody waits for ever
                self._admit(due)
                _fail(due, CloudUnknown("The cloud's list could not be read."))
                raise

    def _admit(self, due: Looks) -> None:
        """Let those who wait be answered by what is asked for next, as those *due*."""
        for key, looks in self._waiting.items():
            due.setdefault(key, []).extend(looks)
        self._waiting = {}

    async def _list(self, due: Looks) -> None:
        """Answer who waits, page by page; read what the list does not have."""
        self._begun = self._clocks.monotonic()
        self._admit(due)
        missing, length = set(due), 0
        try:
            async for page in self._pages():
                length += 1
                for one in page:
                    missing.discard(one.id.lower())
                    _answer(due.pop(one.id.lower(), []), one)
                self._admit(due)
                if not due:
                    break
            else:
                self._length = length
        except CloudMisfit as error:  # the bot may not list: a right, or the endpoint
            log.warning("notebooks are read one by one", error=str(error))
            self._not_before = self._clocks.monotonic() + UNLISTED_S
            missing = set(due)
        except CloudError as error:
            _fail(due, error)
            return
        self._length = max(self._length, length)
        left = [due.pop(key) for key in missing if key in due]
        self._waiting = {**due}  # they came when their page was through
        due.clear()
        await asyncio.gather(*map(self._read_one, left))

    async def _read_one(self, looks: list[Look]) -> None:
        """Read one that is on no page: gone, of the other kind, or just moved."""
        try:
            _answer(looks, await self._read(looks[0][0]))
        except CloudError as error:
            _fail({"": looks}, error)


def _answer(looks: list[Look], instance: Instance) -> None:
    for _, future in looks:
        if not future.done():
            future.set_result(instance)


def _fail(due: Looks, error: CloudError) -> None:
    for _, future in chain.from_iterable(due.values()):
        if not future.done():
            future.set_exception(copy(error))  # tracebacks add up on a shared one
