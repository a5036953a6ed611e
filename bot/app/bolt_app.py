"""Bolt's app, and the listeners that answer what Slack delivers to it."""

from __future__ import annotations

import logging
from typing import Any

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from bot.app.clients import BotIdentity
from bot.app.services import Services
from bot.listeners import register
from bot.listeners.app_home import AppHome
from bot.listeners.approval_buttons import ApprovalButtons
from bot.listeners.batch_dialog import Several
from bot.listeners.commands import Commands
from bot.listeners.queries import QueryListeners
from bot.listeners.refusal_limit import RefusalLimit
from bot.listeners.requests import RequestListeners
from bot.listeners.responses import Responses
from bot.listeners.restart_dialog import RestartDialog
from bot.listeners.status_cache import StatusCache
from bot.restarts import Restarts


def app_of(client: AsyncWebClient, me: BotIdentity) -> AsyncApp:
    """Return Bolt's app, which asks nobody who it is (reference/slack.md 4)."""
    result = AuthorizeResult(
        enterprise_id=me.enterprise_id or None,
        team_id=me.team_id,
        bot_user_id=me.user_id,
        bot_id=me.bot_id,
        bot_token=client.token,
    )

    async def authorize(**_: Any) -> AuthorizeResult:
        return result

    quiet = logging.getLogger("slack_bolt.AsyncApp")
    quiet.addFilter(_is_news)
    return AsyncApp(
        name="mlstudio-bot",  # without one Bolt looks at the file of every module
        logger=quiet,
        client=client,
        authorize=authorize,
        request_verification_enabled=False,  # ours takes two secrets (httpmode)
        # Every listener returns with its ack; otherwise Bolt looks for that each 10 ms.
        process_before_response=True,
    )


def _is_news(record: logging.LogRecord) -> bool:
    """Say whether Bolt tells more than that we chose how it is made."""
    told = record.getMessage()
    return "will be ignored" not in told and not told.startswith("As you gave")


def listen(app: AsyncApp, services: Services, restarts: Restarts) -> AppHome:
    """Make the listeners and connect them with *app*; return what draws home pages."""
    clients = services.clients
    refusals = RefusalLimit(metrics=services.metrics)
    replies = Responses(clients.slack, services.tasks)
    asking = RequestListeners(
        settings=services.settings,
        authorizer=services.authorizer,
        ledger=clients.ledger,
        restarts=restarts,
        tasks=services.tasks,
        refusals=refusals,
        metrics=services.metrics,
    )
    looks = StatusCache(clients.cloud, services.authorizer)
    dialogs = RestartDialog(
        settings=services.settings,
        authorizer=services.authorizer,
        asking=asking,
        slack=clients.slack,
        replies=replies,
        tasks=services.tasks,
        looks=looks,
    )
    several = Several(
        settings=services.settings,
        authorizer=services.authorizer,
        asking=asking,
        ledger=clients.ledger,
        restarts=restarts,
        slack=clients.slack,
        replies=replies,
        tasks=services.tasks,
        looks=looks,
        refusals=refusals,
        metrics=services.metrics,
    )
    home = _home(services)
    register(
        app,
        commands=_commands(services, asking, dialogs, several, replies),
        clicks=_clicks(services, restarts, refusals, replies),
        dialogs=dialogs,
        several=several,
        home=home,
        users=services.users,
        metrics=services.metrics,
    )
    return home


def _commands(
    services: Services,
    asking: RequestListeners,
    dialogs: RestartDialog,
    several: Several,
    replies: Responses,
) -> Commands:
    answering = QueryListeners(
        settings=services.settings,
        authorizer=services.authorizer,
        ledger=services.clients.ledger,
        cloud=services.clients.cloud,
    )
    return Commands(
        authorizer=services.authorizer,
        asking=asking,
        answering=answering,
        dialogs=dialogs,
        several=several,
        replies=replies,
        tasks=services.tasks,
        metrics=services.metrics,
    )


def _clicks(
    services: Services, restarts: Restarts, refusals: RefusalLimit, replies: Responses
) -> ApprovalButtons:
    return ApprovalButtons(
        authorizer=services.authorizer,
        ledger=services.clients.ledger,
        approvals=services.approvals,
        restarts=restarts,
        slack=services.clients.slack,
        replies=replies,
        tasks=services.tasks,
        refusals=refusals,
    )


def _home(services: Services) -> AppHome:
    return AppHome(
        settings=services.settings,
        authorizer=services.authorizer,
        ledger=services.clients.ledger,
        slack=services.clients.slack,
        tasks=services.tasks,
        home_team=services.me.team_id,
    )
