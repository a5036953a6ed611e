"""Bolt's app, and the listeners that answer what Slack delivers to it."""

from __future__ import annotations

import logging
from typing import Any

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from bot.app.clients import BotIdentity
from bot.listeners import Listeners
from bot.listeners.app_home import AppHome
from bot.listeners.approval_buttons import ApprovalButtons
from bot.listeners.batch_dialog import BatchDialog
from bot.listeners.cancellations import Cancellations
from bot.listeners.commands import Commands
from bot.listeners.freezes import FreezeListeners
from bot.listeners.offers import Offers
from bot.listeners.queries import QueryListeners
from bot.listeners.refusal_limit import RefusalLimit
from bot.listeners.requests import RequestListeners
from bot.listeners.responses import Responses
from bot.listeners.restart_dialog import RestartDialog
from bot.listeners.status_cache import StatusCache
from bot.listeners.tasks import Tasks
from bot.restarts import Restarts
from bot.restarts.approval import Approvals
from bot.restarts.services import Services


def app_of(client: AsyncWebClient, me: BotIdentity) -> AsyncApp:
    """Return Bolt's app, which need not ask Slack about each event who it is."""
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
        request_verification_enabled=False,  # slack/http_mode.py does
        # Every listener returns with its ack; otherwise Bolt looks for that each 10 ms.
        process_before_response=True,
    )


def _is_news(record: logging.LogRecord) -> bool:
    """Say whether Bolt tells more than that we chose how it is made."""
    told = record.getMessage()
    return "will be ignored" not in told and not told.startswith("As you gave")


def listeners_of(
    services: Services,
    restarts: Restarts,
    approvals: Approvals,
    tasks: Tasks,
    home_team: str,
) -> Listeners:
    """Return who answers what Slack delivers; *home_team* is our own workspace."""
    refusals = RefusalLimit(services)
    responses = Responses(services, tasks)
    statuses = StatusCache(services)
    freezes = FreezeListeners(services, tasks, refusals)
    requests = RequestListeners(services, restarts, tasks, refusals)
    restart_dialog = RestartDialog(services, requests, responses, tasks, statuses)
    batch_dialog = BatchDialog(services, requests, responses, statuses)
    return Listeners(
        commands=Commands(
            requests,
            Cancellations(services, restarts, refusals),
            QueryListeners(services, statuses, freezes),
            freezes,
            restart_dialog,
            batch_dialog,
            responses,
            services.names,
        ),
        approval_buttons=ApprovalButtons(
            services, approvals, restarts, responses, tasks, refusals
        ),
        restart_dialog=restart_dialog,
        batch_dialog=batch_dialog,
        offers=Offers(services, requests, responses, tasks),
        app_home=AppHome(services, tasks, freezes, home_team),
        freezes=freezes,
    )
