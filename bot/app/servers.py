"""The way in for Slack, and the pages that say how the bot is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack

from slack_bolt.app.async_app import AsyncApp

from bot.app.clients import Clients
from bot.config import Secrets, Settings
from bot.errors import BotError, LedgerError
from bot.ledger import Ledger
from bot.restarts.services import Services
from bot.slack.http_mode import HttpMode
from bot.slack.socket_mode import SocketEvents, SocketMode
from bot.telemetry.canary import Canary, Proof, cloud_proofs
from bot.telemetry.health import Health
from bot.telemetry.metrics import Metrics
from bot.telemetry.problems import Problems


class Servers:
    """What is opened last and closed first: the way in for Slack, and the canary."""

    def __init__(
        self, slack: SocketMode | HttpMode, services: Services, health: Health
    ) -> None:
        settings = services.settings()
        self._services = services
        self._health = health
        self._slack_listen = settings.slack.listen
        self._slack = slack
        self._checks = {
            "slack": self._slack.is_connected,
            "database": _answers(services.ledger),
        }
        self._canary: Canary | None = None
        if settings.canary is not None:
            self._canary = Canary(self._proofs, settings.canary)
            self._checks["canary"] = self._canary.is_well

    async def open(self, closing: AsyncExitStack) -> None:
        """Open the way in for Slack; only then can the bot be ready."""
        closing.push_async_callback(self._slack.close)
        if isinstance(self._slack, HttpMode):
            listen = self._slack_listen
            await listening(lambda _: self._slack.start(), listen, "[slack]")
        else:
            await self._slack.start()
        if self._canary is not None:
            closing.push_async_callback(self._canary.close)
            self._canary.start()
        self._health.look_at(self._checks)
        closing.callback(self._health.stop)

    def _proofs(self) -> Mapping[str, Proof]:
        """Return what the canary has to prove now."""
        projects = self._services.settings().projects
        return {
            "slack": self._slack.prove,
            **cloud_proofs(self._services.cloud, projects),
        }


async def health_of(
    closing: AsyncExitStack,
    settings: Settings,
    ledger: Ledger,
    metrics: Metrics,
    problems: Problems,
) -> Health:
    """Return the health pages, served from now on if they are to be served at all.

    A bot that waits for Slack at its start lives, and is not ready.
    """
    checks = {"slack": _not_yet, "database": _answers(ledger)}
    health = Health(checks, metrics, problems=problems.all)
    if settings.server is not None:
        closing.push_async_callback(health.close)
        await listening(health.start, settings.server.listen, "[server]")
    return health


async def _not_yet() -> bool:
    return False


def way_in(
    app: AsyncApp,
    clients: Clients,
    settings: Settings,
    secrets: Secrets,
    events: SocketEvents,
) -> SocketMode | HttpMode:
    """Return how Slack reaches the bot, not opened yet; *events* are of a socket."""
    slack = settings.slack
    if slack.mode == "socket":
        token = secrets.slack_app_token.get_secret_value()
        return SocketMode(app, token, clients.idem, events, network=clients.network)
    signing = tuple(one.get_secret_value() for one in secrets.slack_signing_secrets)
    return HttpMode(app, signing, slack.listen, public_url=slack.public_url or "")


def _answers(ledger: Ledger) -> Callable[[], Awaitable[bool]]:
    """Return the check whether the database answers."""

    async def database() -> bool:
        try:
            await ledger.ping()
        except LedgerError:
            return False
        return True

    return database


async def listening(
    start: Callable[[str], Awaitable[object]], listen: str, table: str
) -> None:
    """Start to listen; raise BotError, naming the *table*, where that cannot be."""
    try:
        await start(listen)
    except OSError as error:
        raise BotError(
            f"cannot listen on {listen} ({error.strerror}); choose another address in"
            f" {table} listen"
        ) from error
