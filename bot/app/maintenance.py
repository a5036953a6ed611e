"""What has to be done again and again beside the requests, each in a loop of its own.

``revive`` closes the gap between the record and the engine: a crash between the two
leaves a request recorded but not begun; a database that fails for a while may leave
one whose story has died.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import attrs
import structlog

from bot.errors import BotError
from bot.listeners.app_home import AppHome
from bot.listeners.freezes import FreezeListeners
from bot.restarts import Restarts
from bot.restarts.down import Down
from bot.restarts.engine import Engine
from bot.restarts.services import Services
from bot.slack.outage import Outage

log = structlog.get_logger()

Work = Callable[[], Awaitable[None]]

REVIVE_EVERY_S = 2.0
FREEZES_EVERY_S = 2.0
HOME_EVERY_S = 5.0
SLACK_EVERY_S = 5.0
DOWN_EVERY_S = 30.0
HASH_EVERY_S = 3600.0
PRUNE_EVERY_S = 3600.0


@attrs.define
class Maintenance:
    """Runs the loops from ``start`` to ``close``; *retention_s* is in seconds."""

    _services: Services
    _restarts: Restarts
    _engine: Engine
    _home: AppHome
    _freezes: FreezeListeners
    _outage: Outage
    _retention_s: float
    # The last entry of the trail, and what was frozen, at the last look.
    _newest: tuple[int, list[str]] = attrs.field(factory=lambda: (0, []), init=False)
    _down: Down = attrs.field(
        init=False,
        default=attrs.Factory(lambda self: Down(self._services), takes_self=True),
    )
    _loops: list[asyncio.Task[None]] = attrs.field(factory=list, init=False)

    def start(self) -> None:
        """Start the loops."""
        works: dict[str, tuple[Work, float]] = {
            "revive": (self.revive, REVIVE_EVERY_S),
            "freezes": (self.watch_freezes, FREEZES_EVERY_S),
            "look at what is down": (self._down.look, DOWN_EVERY_S),
            "look for Slack": (self.look_for_slack, SLACK_EVERY_S),
            "refresh home": (self.refresh_home, HOME_EVERY_S),
            "log hash": (self.log_hash, HASH_EVERY_S),
            "prune": (self.prune, PRUNE_EVERY_S),
        }
        for name, (work, every_s) in works.items():
            loop = asyncio.create_task(_again(name, work, every_s), name=name)
            self._loops.append(loop)

    async def close(self) -> None:
        """Stop the loops."""
        for loop in self._loops:
            loop.cancel()
        if self._loops:
            await asyncio.wait(self._loops)

    async def revive(self) -> None:
        """Go on with what nobody tells, and count what is in flight."""
        await self._restarts.revive(await self._services.ledger.untold())
        self._services.metrics.in_flight.set(await self._services.ledger.in_flight())

    async def watch_freezes(self) -> None:
        """Tell what a crash has kept from being told, and count what is in force."""
        await self._freezes.tell()
        frozen = await self._services.ledger.frozen()
        self._services.metrics.freezes.set(len(frozen))

    async def look_for_slack(self) -> None:
        """Let what waits to be said be said as soon as Slack is back."""
        if await self._outage.look():
            self._services.wakeups.slack_back.beat()

    async def refresh_home(self) -> None:
        """Draw home pages anew if anything has changed since the last time."""
        number, _ = await self._services.ledger.newest_hash()
        newest = number, await self._freezes.in_words()
        if newest != self._newest:
            self._newest = newest
            await self._home.refresh()

    async def log_hash(self) -> None:
        """Put the trail's newest hash where the database's owner cannot change it."""
        number, newest = await self._services.ledger.newest_hash()
        self._services.metrics.audit_hash.set_to_current_time()
        log.info("audit trail", entries=number, hash=newest)

    async def prune(self) -> None:
        """Forget stories and alerts that ended long ago; the trail stays."""
        before = self._services.now() - timedelta(seconds=self._retention_s)
        await self._services.ledger.forget_alerts(before)
        await self._engine.prune(before=before)


async def _again(name: str, work: Work, every_s: float) -> None:
    """Run *work* every so many seconds; a failure is logged and survived."""
    while True:
        try:
            await work()
        except BotError as error:
            log.warning("upkeep failed", work=name, error=str(error))
        except Exception:
            log.exception("upkeep failed", work=name)
        await asyncio.sleep(every_s)
