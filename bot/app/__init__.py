"""The composition root: everything is made here, handed down, and closed here.

``Bot.run`` is the life of the process: open, serve until told to stop, close in order;
``Bot._open`` is all that there is, from the database to the way in for Slack.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import attrs
import structlog

from bot.app.about import about
from bot.app.alerts import open_alerts
from bot.app.bolt_app import app_of, listeners_of
from bot.app.clients import BotIdentity, Clients, introduce, open_clients
from bot.app.clock import clock_of
from bot.app.maintenance import Maintenance
from bot.app.reload import compared
from bot.app.self_check import Look, SelfCheck
from bot.app.servers import Servers, health_of, way_in
from bot.app.services import services_of
from bot.app.socket_count import SocketCount
from bot.config import Secrets, Settings, load
from bot.config.redaction import redactor
from bot.config.secrets import exposed
from bot.errors import BotError, ConfigError
from bot.ledger import Entry
from bot.ledger.postgres import is_postgres
from bot.ledger.retry import patiently
from bot.listeners import register
from bot.listeners.tasks import Tasks
from bot.restarts import Restarts
from bot.restarts.approval import Approvals
from bot.restarts.engine import Engine
from bot.restarts.services import Services
from bot.slack.socket_mode import SocketEvents
from bot.telemetry.audit_log import AuditLog
from bot.telemetry.health import Health
from bot.telemetry.metrics import Metrics
from bot.telemetry.problems import Problems

__all__ = ["Bot"]

log = structlog.get_logger()

GAVE_UP = "the socket to Slack stayed down; a new process may do better"

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
    _look: Look | None = attrs.field(default=None, kw_only=True)
    metrics: Metrics = attrs.field(factory=Metrics, init=False)
    _problems: Problems = attrs.field(
        init=False,
        default=attrs.Factory(lambda self: Problems(self.metrics), takes_self=True),
    )
    ready: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _stop: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _failure: str = attrs.field(default="", init=False)
    _tasks: Tasks = attrs.field(factory=Tasks, init=False)
    _reloaded: Callable[[], None] = attrs.field(default=lambda: None, init=False)

    async def run(self) -> None:
        """Serve until ``stop``; raise BotError when it cannot start or go on."""
        async with AsyncExitStack() as closing:
            engine = await self._open(closing)
            self.ready.set()
            replicas = engine.identity.replicas
            log.info("ready", **await about(self.settings, self._path, replicas))
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
            new = load(self._path, self._environ)  # with the secrets that it needs
        except ConfigError as error:
            log.error("configuration not reloaded", problems=list(error.problems))
            old = "the configuration from before is in force: "
            self._problems.tell("reload", [old + one for one in error.problems])
            self.metrics.reload_ok.set(0)
            return
        reload = compared((self.settings, self._secrets), new)
        self.settings = reload.settings
        self._taken()
        self._reloaded()
        tell = log.warning if reload.waiting else log.info
        tell(
            "configuration reloaded",
            version=self.settings.version,
            applied=reload.applied,
            needs_restart=reload.waiting,
        )

    def _taken(self) -> None:
        """Note that the configuration is in force as the file has it."""
        self._problems.tell("reload", [])
        self.metrics.reload_ok.set(1)
        self.metrics.reload_at.set_to_current_time()

    async def _open(self, closing: AsyncExitStack) -> Engine:
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
        health = await health_of(
            closing, self.settings, clients.ledger, self.metrics, self._problems
        )
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
        self._taken()
        self_check = self._self_check(clients, services)
        self._reloaded = lambda: self._use(services, me, self_check)
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
            clients.outage,
            retention_s=self.settings.retention,
        )
        closing.push_async_callback(maintenance.close)
        maintenance.start()
        await open_alerts(closing, services, self._secrets, clients.network)
        replicas = clients.engine.identity.replicas
        events = SocketEvents(
            give_up=partial(self._give_up, health),
            is_back=services.wakeups.slack_back.beat,
            counted=SocketCount(replicas, self.metrics, self._problems).heard,
        )
        slack = way_in(app, clients, self.settings, self._secrets, events)
        servers = Servers(slack, services, health)
        await servers.open(closing)
        if self_check is not None:
            closing.push_async_callback(self_check.close)
            self_check.start()
        return clients.engine

    def _give_up(self, health: Health) -> None:
        """Stop with a failure, so that a supervisor starts a new process."""
        health.watchdog_gave_up = True
        self._fail(GAVE_UP)

    def _self_check(self, clients: Clients, services: Services) -> SelfCheck | None:
        """Return what looks at the configuration while the bot serves, if it is to."""
        if self._look is None:
            return None
        look = partial(self._look, clients, services)
        return SelfCheck(look, self._problems, redactor(self._secrets.hidden))

    def _use(
        self, services: Services, me: BotIdentity, self_check: SelfCheck | None
    ) -> None:
        """Put reloaded settings to use everywhere."""
        services.cloud.use(self.settings.endpoints)
        if self_check is not None:
            self_check.again()
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
