"""The names of the cloud, had before an alert needs them: a sender is not kept waiting.

An alert about a name that is not known is about nothing, and nobody sends it again.
"""

from __future__ import annotations

import asyncio
import time

import attrs

from bot.alerts.services import Services

EVERY_S = 120.0  # one list of each project that takes its names from the cloud
RESOLVE_WITHIN_S = 30.0
AT_START_S = 3.0  # whoever sends then waits no longer for the listener


@attrs.define
class KnownNames:
    """Reads them again and again, for they are forgotten after a while."""

    _services: Services
    _next: float = attrs.field(default=0.0, init=False)

    async def look(self, within_s: float = RESOLVE_WITHIN_S) -> None:
        """Read what is due; what cannot be read is read anew two minutes later."""
        if time.monotonic() < self._next:
            return
        projects = self._services.settings().projects
        fresh = self._services.names.fresh
        due = [name for name, own in projects.items() if own.discover]
        await asyncio.gather(*(fresh(name, within_s=within_s) for name in due))
        self._next = time.monotonic() + EVERY_S
