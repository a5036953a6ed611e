"""The composition root: everything is made here, handed down, and closed here.

``Bot.run`` is the life of the process: open, serve until told to stop, close in order.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import structlog

from bot.app.bolt_app import app_of, listen
from bot.app.clients import Wires, introduce, open_wires
from bot.app.maintenance import Upkeep
from bot.app.servers import Front, health_of
from bot.app.services import Parts, restarts_of
from bot.config import Secrets, Settings, load
from bot.errors import BotError, ConfigError
from bot.ledger import Entry
from bot.ledger.retry import patiently
from bot.listeners.tasks import Tasks
from bot.telemetry.health import Health
from bot.telemetry.metrics import Metrics

__all__ = ["Bot"]

log = structlog.get_logger()

# In all, with the engine's own 1.5 s, below the 10 s of the contract.
LISTENERS_WITHIN_S = 2.0
STORIES_WITHIN_S = 5.0  # a restart call in hand is waited for


class Bot:
    """One bot; *poll_s* is how soon a waiting story notices its news."""

    def __init__(
        self,
        settings: Settings,
        secrets: Secrets,
        *,
        path: Path | None = None,
        environ: Mapping[str, str] = os.environ,
        poll_s: float = 0.25,
    ) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.ready = asyncio.Event()
        self._secrets = secrets
        self._path = path
        self._environ = environ
        self._poll_s = poll_s
        self._stop = asyncio.Event()
        self._failure = ""
        self._tasks = Tasks()
        self._reloaded: Callable[[], None] = lambda: None

    async def run(self) -> None:
        """Serve until ``stop``; raise BotError when it cannot start or go on."""
        async with AsyncExitStack() as closing:
            wires = await open_wires(
                closing, self.settings, self._secrets, self.metrics, poll_s=self._poll_s
            )
            health = await health_of(closing, self.settings, wires.ledger, self.metrics)
            await self._serve(closing, await self._parts(wires), health)
            self.ready.set()
            log.info("ready", mode=self.settings.slack.mode)
            await self._stop.wait()
            log.info("stopping")
        if self._failure:
            raise BotError(self._failure)

    def stop(self) -> None:
        """Ask the bot to stop: nothing new, finish what is in hand."""
        self._stop.set()

    def reload(self) -> None:
        """Read rules, projects and aliases anew; keep the old ones of a bad file."""
        if self._path is None:
            return
        try:
            new, _ = load(self._path, self._environ)  # secrets that it needs, too
        except ConfigError as error:
            log.error("configuration not reloaded", problems=list(error.problems))
            return
        kept = {"rules": new.rules, "projects": new.projects}
        self.settings = self.settings.model_copy(update=kept)
        self._reloaded()
        log.info("configuration reloaded", version=self.settings.version)

    # --- opening, in the reverse order of closing ------------------------------------

    async def _parts(self, wires: Wires) -> Parts:
        """Learn who we are, and make what all others share."""
        return Parts.of(
            wires,
            await introduce(wires.idem, self.metrics.slack_called),
            settings=lambda: self.settings,
            metrics=self.metrics,
            tasks=self._tasks,
            poll_s=self._poll_s,
        )

    async def _serve(
        self, closing: AsyncExitStack, parts: Parts, health: Health
    ) -> None:
        """Resume recorded stories, then let Slack in."""
        wires = parts.wires
        restarts = restarts_of(parts)
        restarts.register()
        closing.push_async_callback(restarts.stop, STORIES_WITHIN_S)
        app = app_of(wires.poster, parts.me)
        home = listen(app, parts, restarts)
        await _note_configuration(parts, "start")
        self._reloaded = lambda: _use(parts)
        closing.push_async_callback(parts.bell.close)
        await parts.bell.start()
        wires.engine.launch()
        closing.push_async_callback(self._tasks.finish, LISTENERS_WITHIN_S)
        upkeep = Upkeep(
            ledger=wires.ledger,
            restarts=restarts,
            engine=wires.engine,
            home=home,
            metrics=self.metrics,
            retention_s=self.settings.retention,
        )
        closing.push_async_callback(upkeep.close)
        upkeep.start()
        front = Front(app, parts, self._secrets, health, fail=self._fail)
        await front.open(closing)

    def _fail(self, why: str) -> None:
        """Stop, and say why when all is closed."""
        self._failure = why
        self.stop()


def _use(parts: Parts) -> None:
    """Put reloaded settings to use everywhere."""
    parts.wires.cloud.use(parts.settings().endpoints)
    noted = patiently(lambda: _note_configuration(parts, "reload"))
    parts.tasks.start(noted, "configuration")


async def _note_configuration(parts: Parts, why: str) -> None:
    """Put the version of the rules in force on record; it was the bot's act."""
    entry = Entry(
        kind="configuration",
        team_id=parts.me.team_id,
        user_id=parts.me.user_id,
        rule_version=parts.settings().version,
        detail=why,
    )
    await parts.wires.ledger.note(entry)
