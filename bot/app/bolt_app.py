"""Bolt's app, and the listeners that answer what Slack delivers to it."""

from __future__ import annotations

import logging
from typing import Any

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from bot.app.clients import Me
from bot.app.services import Parts
from bot.listeners import register
from bot.listeners.app_home import Home
from bot.listeners.approval_buttons import Clicks
from bot.listeners.batch_dialog import Several
from bot.listeners.commands import Commands
from bot.listeners.queries import Answering
from bot.listeners.refusal_limit import Refusals
from bot.listeners.requests import Asking
from bot.listeners.responses import Replies
from bot.listeners.restart_dialog import Dialogs
from bot.listeners.status_cache import Looks
from bot.restarts import Restarts


def app_of(client: AsyncWebClient, me: Me) -> AsyncApp:
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


def listen(app: AsyncApp, parts: Parts, restarts: Restarts) -> Home:
    """Make the listeners and connect them with *app*; return what draws home pages."""
    wires = parts.wires
    refusals = Refusals(metrics=parts.metrics)
    replies = Replies(wires.chat, parts.tasks)
    asking = Asking(
        settings=parts.settings,
        authority=parts.authority,
        ledger=wires.ledger,
        restarts=restarts,
        tasks=parts.tasks,
        refusals=refusals,
        metrics=parts.metrics,
    )
    looks = Looks(wires.cloud, parts.authority)
    dialogs = Dialogs(
        settings=parts.settings,
        authority=parts.authority,
        asking=asking,
        chat=wires.chat,
        replies=replies,
        tasks=parts.tasks,
        looks=looks,
    )
    several = Several(
        settings=parts.settings,
        authority=parts.authority,
        asking=asking,
        ledger=wires.ledger,
        restarts=restarts,
        chat=wires.chat,
        replies=replies,
        tasks=parts.tasks,
        looks=looks,
        refusals=refusals,
        metrics=parts.metrics,
    )
    home = _home(parts)
    register(
        app,
        commands=_commands(parts, asking, dialogs, several, replies),
        clicks=_clicks(parts, restarts, refusals, replies),
        dialogs=dialogs,
        several=several,
        home=home,
        people=parts.people,
        metrics=parts.metrics,
    )
    return home


def _commands(
    parts: Parts,
    asking: Asking,
    dialogs: Dialogs,
    several: Several,
    replies: Replies,
) -> Commands:
    answering = Answering(
        settings=parts.settings,
        authority=parts.authority,
        ledger=parts.wires.ledger,
        cloud=parts.wires.cloud,
    )
    return Commands(
        authority=parts.authority,
        asking=asking,
        answering=answering,
        dialogs=dialogs,
        several=several,
        replies=replies,
        tasks=parts.tasks,
        metrics=parts.metrics,
    )


def _clicks(
    parts: Parts, restarts: Restarts, refusals: Refusals, replies: Replies
) -> Clicks:
    return Clicks(
        authority=parts.authority,
        ledger=parts.wires.ledger,
        approvals=parts.approvals,
        restarts=restarts,
        chat=parts.wires.chat,
        replies=replies,
        tasks=parts.tasks,
        refusals=refusals,
    )


def _home(parts: Parts) -> Home:
    return Home(
        settings=parts.settings,
        authority=parts.authority,
        ledger=parts.wires.ledger,
        chat=parts.wires.chat,
        tasks=parts.tasks,
        home_team=parts.me.team_id,
    )
