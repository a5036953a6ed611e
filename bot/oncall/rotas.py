"""The port: who is on call on a line of the configuration, fresh or for show."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from copy import copy
from datetime import UTC, datetime
from typing import Self

import attrs
import httpx
import structlog

from bot.config import OnCallSettings, Secrets, Settings
from bot.errors import RotaError, RotaUnknownLine, RotaUnreachable
from bot.model import Duty, OnCallPerson
from bot.oncall.sources import Sources

log = structlog.get_logger(__name__)

# A command is decided within 1.4 s, so that its answer is with Slack within 3 s:
# https://docs.slack.dev/interactivity/implementing-slash-commands
ROTA_WITHIN_S = 1.1
SHOWN_S = 60.0  # what is only shown may be so old
APART_S = 0.2  # two calls about one line begin at least so long after each other

# Asks the source of a line, by its name and settings; raises RotaError.
Read = Callable[[str, OnCallSettings], Awaitable[tuple[OnCallPerson, ...]]]


async def _nothing(_line: str, _settings: OnCallSettings) -> tuple[OnCallPerson, ...]:
    raise AssertionError("there are no lines to read")


def _now() -> datetime:
    return datetime.now(UTC)


@attrs.define(eq=False)
class Rotas:
    """Who is on call on each of the lines that *settings* has now.

    Made without anything it has no lines. *read* asks a source, *now* is in UTC. With
    *within_s* whoever asks waits for so long at most, whatever he says.
    """

    _settings: Callable[[], Mapping[str, OnCallSettings]] = dict
    _read: Read = _nothing
    _now: Callable[[], datetime] = _now
    _within_s: float | None = None
    _next: dict[str, asyncio.Task[Duty]] = attrs.field(factory=dict, init=False)
    _begun: dict[str, float] = attrs.field(factory=dict, init=False)
    _kept: dict[str, tuple[float, OnCallSettings, Duty]] = attrs.field(
        factory=dict, init=False
    )
    _running: set[asyncio.Task[Duty]] = attrs.field(factory=set, init=False)

    @classmethod
    def of(
        cls,
        settings: Callable[[], Settings],
        secrets: Secrets,
        http: httpx.AsyncClient,
        *,
        home_team: str,
        now: Callable[[], datetime] = _now,
        within_s: float | None = None,
    ) -> Self:
        """Return those of the lines of *settings*, asked with *secrets* over *http*.

        *home_team* is our own workspace in Slack.
        """
        sources = Sources(secrets, http, home_team, now)
        return cls(lambda: settings().oncall, sources.read, now, within_s)

    @property
    def lines(self) -> tuple[str, ...]:
        """The names of the lines."""
        return tuple(self._settings())

    async def now(self, line: str, within_s: float | None = None) -> Duty:
        """Return who is on call, from a call that begins after this question.

        Questions of the same moment share one. Raises RotaError, at the latest after
        *within_s* (None: as long as a command can wait).
        """
        settings = self._of(line)
        within_s = self._within_s or within_s or ROTA_WITHIN_S
        if line not in self._next:
            asking = asyncio.create_task(self._ask(line), name=f"on call: {line}")
            self._next[line] = asking
            self._running.add(asking)
            asking.add_done_callback(self._ended)
        try:
            async with asyncio.timeout(within_s):
                # One who gives up waiting must not take the answer from the others.
                return await asyncio.shield(self._next[line])
        except TimeoutError:
            raise RotaUnreachable(
                f"{settings.said} (on-call line “{line}”) did not answer within"
                f" {within_s:g} s."
            ) from None
        except RotaError as error:
            raise copy(error) from error  # tracebacks add up on a shared one

    async def shown(self, line: str, within_s: float | None = None) -> Duty:
        """Return who was on call at most a minute ago, only to show it.

        Raises RotaError.
        """
        settings = self._of(line)
        since, of, duty = self._kept.get(line, (float("-inf"), None, None))
        if duty and of == settings and time.monotonic() - since < SHOWN_S:
            return duty
        return await self.now(line, within_s)

    async def close(self) -> None:
        """Let go of all calls."""
        for asking in self._running:
            asking.cancel()
        if self._running:
            await asyncio.wait(set(self._running))

    def _of(self, line: str) -> OnCallSettings:
        """Return the settings of a line; a reload may have taken it away."""
        settings = self._settings().get(line)
        if settings is None:
            raise RotaUnknownLine(f"The configuration has no on-call line “{line}”.")
        return settings

    async def _ask(self, line: str) -> Duty:
        """Ask the source, once everybody who asks at this moment has done so."""
        early = self._begun.get(line, float("-inf")) + APART_S - time.monotonic()
        await asyncio.sleep(max(0.0, early))
        del self._next[line]  # who asks from now on gets the next answer
        since = self._begun[line] = time.monotonic()
        settings, read_at = self._of(line), self._now()
        people = await self._read(line, settings)
        duty = Duty(line, settings.said, people, read_at)
        self._kept[line] = (since, settings, duty)
        return duty

    def _ended(self, asking: asyncio.Task[Duty]) -> None:
        """Let go of a call that has ended; nobody may wait for it any more."""
        self._running.discard(asking)
        if not asking.cancelled() and (error := asking.exception()):
            log.warning("rota not read", error=str(error), call=asking.get_name())
