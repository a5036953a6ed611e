"""What ``check`` would say, asked by the bot itself while it serves.

It is asked beside the requests, with the bot's own clients, and holds nothing up.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Protocol

import attrs
import structlog

from bot.app.clients import Clients
from bot.errors import BotError
from bot.restarts.services import Services
from bot.telemetry.problems import Problems

log = structlog.get_logger()

# While something is wrong: it shall be seen soon that it was mended.
CHECK_AGAIN_S = 300.0
SELDOM_S = 3600.0


class Finding(Protocol):
    """One thing that was looked at: *ok* is False where it has to be mended."""

    @property
    def ok(self) -> bool | None:
        """Whether it is as it should be; None where nobody knows."""

    @property
    def what(self) -> str:
        """What was found."""

    @property
    def remedy(self) -> str:
        """What to do."""


# Makes the look with the bot's own clients; it comes from the command line's ``check``.
Look = Callable[[Clients, Services], AsyncIterator[Finding]]


@attrs.define
class SelfCheck:
    """Looks at the start, after a reload, and now and then; *clean* hides secrets."""

    _look: Callable[[], AsyncIterator[Finding]]
    _problems: Problems
    _clean: Callable[[str], str]
    _wanted: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _loop: asyncio.Task[None] | None = attrs.field(default=None, init=False)

    def start(self) -> None:
        """Look now, and go on looking."""
        self._loop = asyncio.create_task(self._run(), name="self check")

    def again(self) -> None:
        """Look soon: the configuration has changed."""
        self._wanted.set()

    async def close(self) -> None:
        """Look no more."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.wait([self._loop])

    async def _run(self) -> None:
        while True:
            self._wanted.clear()
            wrong = await self._found()
            wait_s = CHECK_AGAIN_S if wrong else SELDOM_S
            try:
                await asyncio.wait_for(self._wanted.wait(), wait_s)
            except TimeoutError:
                log.debug("looking again")

    async def _found(self) -> bool:
        """Look once; say whether something is wrong."""
        try:
            found = [one async for one in self._look() if one.ok is False]
        except BotError as error:
            log.warning("self check broken off", error=str(error))
            return True
        except Exception:
            log.exception("self check broken off")
            return True
        wrong = [self._clean(f"{one.what} → {one.remedy}") for one in found]
        self._problems.tell("configuration", wrong)
        return bool(wrong)
