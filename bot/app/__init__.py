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
from bot.app.clients import Clients, introduce, open_clients
from bot.app.maintenance import Maintenance
from bot.app.servers import Servers, health_of
from bot.app.services import Services, restarts_of
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
            clients = await open_clients(
                closing, self.settings, self._secrets, self.metrics, poll_s=self._poll_s
            )
            health = await health_of(
                closing, self.settings, clients.ledger, self.metrics
            )
            await self._serve(closing, await self._services(clients), health)
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

    async def _services(self, clients: Clients) -> Services:
        """Learn who we are, and make what all others share."""
        return Services.of(
            clients,
            await introduce(clients.idem, self.metrics.slack_called),
            settings=lambda: self.settings,
            metrics=self.metrics,
            tasks=self._tasks,
            poll_s=self._poll_s,
        )

    async def _serve(
        self, closing: AsyncExitStack, services: Services, health: Health
    ) -> None:
        """Resume recorded stories, then let Slack in."""
        clients = services.clients
        restarts = restarts_of(services)
        restarts.register()
        closing.push_async_callback(restarts.stop, STORIES_WITHIN_S)
        app = app_of(clients.poster, services.me)
        home = listen(app, services, restarts)
        await _note_configuration(services, "start")
        self._reloaded = lambda: _use(services)
        closing.push_async_callback(services.wakeups.close)
        await services.wakeups.start()
        clients.engine.launch()
        closing.push_async_callback(self._tasks.finish, LISTENERS_WITHIN_S)
        maintenance = Maintenance(
            ledger=clients.ledger,
            restarts=restarts,
            engine=clients.engine,
            home=home,
            metrics=self.metrics,
            retention_s=self.settings.retention,
        )
        closing.push_async_callback(maintenance.close)
        maintenance.start()
        front = Servers(app, services, self._secrets, health, fail=self._fail)
        await front.open(closing)

    def _fail(self, why: str) -> None:
        """Stop, and say why when all is closed."""
        self._failure = why
        self.stop()


def _use(services: Services) -> None:
    """Put reloaded settings to use everywhere."""
    services.clients.cloud.use(services.settings().endpoints)
    noted = patiently(lambda: _note_configuration(services, "reload"))
    services.tasks.start(noted, "configuration")


async def _note_configuration(services: Services, why: str) -> None:
    """Put the version of the rules in force on record; it was the bot's act."""
    entry = Entry(
        kind="configuration",
        team_id=services.me.team_id,
        user_id=services.me.user_id,
        rule_version=services.settings().version,
        detail=why,
    )
    await services.clients.ledger.note(entry)
