"""The composition root: everything is made here, handed down, and closed here.

``Bot.run`` is the life of the process: open, serve until told to stop, close in order;
``Bot._open`` is all that there is, from the database to the way in for Slack.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import attrs
import structlog

from bot.app.alerts import open_alerts
from bot.app.bolt_app import app_of, listeners_of
from bot.app.clients import BotIdentity, introduce, open_clients
from bot.app.clock import clock_of
from bot.app.maintenance import Maintenance
from bot.app.servers import Servers, health_of
from bot.app.services import services_of
from bot.config import Secrets, Settings, load
from bot.config.secrets import exposed
from bot.errors import BotError, ConfigError
from bot.ledger import Entry
from bot.ledger.postgres import is_postgres
from bot.ledger.retry import patiently
from bot.listeners import register
from bot.listeners.tasks import Tasks
from bot.restarts import Restarts
from bot.restarts.approval import Approvals
from bot.restarts.services import Services
from bot.telemetry.audit_log import AuditLog
from bot.telemetry.metrics import Metrics

__all__ = ["Bot"]

log = structlog.get_logger()

# In all, with the engine's own 1.5 s, below the 10 s that who runs the bot is promised.
LISTENERS_WITHIN_S = 2.0
STORIES_WITHIN_S = 5.0  # a restart call in hand is waited for


@attrs.define
class Bot:
    """One bot; *poll_s* is how soon a waiting story notices its news."""

    settings: Settings
    _secrets: Secrets
    _path: Path | None = attrs.field(default=None, kw_only=True)
    _environ: Mapping[str, str] = attrs.field(default=os.environ, kw_only=True)
    _poll_s: float = attrs.field(default=0.25, kw_only=True)
    metrics: Metrics = attrs.field(factory=Metrics, init=False)
    ready: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _stop: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _failure: str = attrs.field(default="", init=False)
    _tasks: Tasks = attrs.field(factory=Tasks, init=False)
    _reloaded: Callable[[], None] = attrs.field(default=lambda: None, init=False)

    async def run(self) -> None:
        """Serve until ``stop``; raise BotError when it cannot start or go on."""
        async with AsyncExitStack() as closing:
            await self._open(closing)
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
        reread = ("rules", "projects", "freeze", "oncall")
        kept = {name: getattr(new, name) for name in reread}
        if self.settings.alerts and new.alerts:  # who listens, listens where he does
            kept["alerts"] = new.alerts
        self.settings = self.settings.model_copy(update=kept)
        self._reloaded()
        log.info("configuration reloaded", version=self.settings.version)

    async def _open(self, closing: AsyncExitStack) -> None:
        """Open all, in the reverse order of closing: the way in for Slack is last."""
        for name, file in exposed(self._environ).items():
            log.warning("every user here can read a secret", name=name, file=file)
        clients = await open_clients(
            closing,
            self.settings,
            self._secrets,
            self.metrics,
            now=clock_of(self._environ),
            poll_s=self._poll_s,
        )
        alone = not is_postgres(self.settings.database)
        audit_log = AuditLog(clients.ledger, alone)
        closing.push_async_callback(audit_log.close)
        audit_log.start()
        health = await health_of(closing, self.settings, clients.ledger, self.metrics)
        me = await introduce(clients.idem, self.metrics.slack_called)
        services = services_of(
            clients,
            me,
            lambda: self.settings,
            self._secrets,
            self.metrics,
            poll_s=self._poll_s,
        )
        closing.push_async_callback(services.rotas.close)
        approvals = Approvals(services)
        restarts = Restarts.of(services, approvals, clients.engine.right_to_act)
        restarts.register()
        closing.push_async_callback(restarts.stop, STORIES_WITHIN_S)
        listeners = listeners_of(services, restarts, approvals, self._tasks, me.team_id)
        app = app_of(clients.poster, me)
        register(app, listeners, services)
        await note_configuration(services, me, "start")
        self._reloaded = lambda: self._use(services, me)
        closing.push_async_callback(services.wakeups.close)
        await services.wakeups.start()
        await restarts.look_ahead()
        clients.engine.launch()  # resumes what was recorded
        closing.push_async_callback(self._tasks.finish, LISTENERS_WITHIN_S)
        maintenance = Maintenance(
            services,
            restarts,
            clients.engine,
            listeners.app_home,
            listeners.freezes,
            retention_s=self.settings.retention,
        )
        closing.push_async_callback(maintenance.close)
        maintenance.start()
        await open_alerts(closing, services, self._secrets, clients.network)
        servers = Servers(
            app,
            clients.idem,
            services,
            self._secrets,
            health,
            network=clients.network,
            fail=self._fail,
        )
        await servers.open(closing)

    def _use(self, services: Services, me: BotIdentity) -> None:
        """Put reloaded settings to use everywhere."""
        services.cloud.use(self.settings.endpoints)
        noted = patiently(lambda: note_configuration(services, me, "reload"))
        self._tasks.start(noted, "configuration")

    def _fail(self, why: str) -> None:
        """Stop, and say why when all is closed."""
        self._failure = why
        self.stop()


async def note_configuration(services: Services, me: BotIdentity, why: str) -> None:
    """Put the version of the rules in force on record; it was the bot's act."""
    entry = Entry(
        kind="configuration",
        team_id=me.team_id,
        user_id=me.user_id,
        rule_version=services.settings().version,
        detail=why,
    )
    await services.ledger.note(entry)
