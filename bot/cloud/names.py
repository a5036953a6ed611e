"""The names that the cloud has for notebooks, for projects with ``discover = true``.

They are kept for a minute and fetched when somebody asks; what the settings say about a
typed name then includes them. Nothing waits for them longer than a command can.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextvars import Context

import attrs
import structlog

from bot.cloud.client import Cloud
from bot.config import Settings
from bot.config.tables import Found
from bot.errors import CloudError, UsageError

log = structlog.get_logger(__name__)

KEPT_S = 60.0  # after that they are fetched anew when somebody asks
USED_S = 600.0  # so long old ones still count where new ones cannot be had
CLOUD_NAMES_WITHIN_S = 1.2  # a command has to be answered within 3 s
_READING = "The cloud's names are still being read: try again in a moment."
_NEVER = float("-inf")


@attrs.define
class _Kept:
    """What is known of one project; *tried* and *read* are moments of the clock."""

    found: Found = attrs.field(factory=Found)
    tried: float = _NEVER
    read: float = _NEVER
    reading: asyncio.Task[None] | None = None


@attrs.define
class Names:
    """Adds the names of the cloud to *configured* settings."""

    _configured: Callable[[], Settings]
    _cloud: Cloud
    _clock: Callable[[], float] = time.monotonic
    _kept: dict[tuple[str, str], _Kept] = attrs.field(factory=dict, init=False)
    _merged: tuple[Settings, tuple[Found, ...], Settings] | None = attrs.field(
        default=None, init=False
    )

    def settings(self) -> Settings:
        """Return the settings in force, with the names of the cloud that are known."""
        settings = self._configured()
        found = {
            name: self._known(name, own.id)
            for name, own in settings.projects.items()
            if own.discover
        }
        if not found:
            return settings
        key = tuple(found.values())
        merged = self._merged
        if merged is None or merged[0] is not settings or merged[1] != key:
            self._merged = merged = (settings, key, settings.with_found(found))
        return merged[2]

    def _known(self, name: str, project_id: str) -> Found:
        """Return what is known of a project; nothing that is too old."""
        kept = self._kept.get((name, project_id), _Kept())
        if self._clock() - kept.read <= USED_S:
            return kept.found
        return Found(problem=kept.found.problem or _READING)

    async def fresh(
        self, typed: str, *, within_s: float = CLOUD_NAMES_WITHIN_S
    ) -> None:
        """Fetch the names of the project that was *typed*, where they are too old.

        It takes *within_s* seconds at most; what comes later counts from then on.
        """
        settings = self._configured()
        try:
            project = settings.project(typed)
        except UsageError:
            return
        own = settings.projects[project]
        if not own.discover:
            return
        kept = self._kept.setdefault((project, own.id), _Kept())
        if kept.reading is None or kept.reading.done():
            if self._clock() - kept.tried < KEPT_S:
                return
            kept.tried = self._clock()
            # It is for all who ask: its lines bear nobody's names.
            reading = self._read(project, kept)
            kept.reading = asyncio.create_task(reading, context=Context())
        await asyncio.wait([kept.reading], timeout=within_s)

    async def _read(self, project: str, kept: _Kept) -> None:
        """Fetch the names of a project once; a failure leaves the old ones."""
        try:
            listed = await self._cloud.list(project)
        except CloudError as error:
            log.warning("names not read", project=project, error=str(error))
            kept.tried = _NEVER  # so that the next question asks again
            kept.found = attrs.evolve(kept.found, problem=str(error))
        else:
            names = tuple((one.name, one.id) for one in listed if one.name)
            kept.read = self._clock()
            kept.found = Found(names)
