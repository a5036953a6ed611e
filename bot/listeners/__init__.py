"""The Slack side: every command, click, dialog and event, and who answers it.

Listeners parse, decide, record, acknowledge, and return; no exception leaves them
after the acknowledgement, because Bolt would lose it:
https://github.com/slackapi/bolt-python/blob/main/slack_bolt/listener/asyncio_runner.py
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import structlog
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from bot.listeners.app_home import AppHome
from bot.listeners.approval_buttons import ApprovalButtons
from bot.listeners.batch_dialog import BatchDialog
from bot.listeners.commands import Commands
from bot.listeners.freezes import FreezeListeners
from bot.listeners.offers import Offers
from bot.listeners.payloads import stamp_of
from bot.listeners.responses import ephemeral
from bot.listeners.restart_dialog import RestartDialog
from bot.restarts.services import Services
from bot.slack.messages import batch_dialog, dialogs, replies
from bot.slack.messages.app_home import FIND
from bot.slack.messages.approval import APPROVE, DENY
from bot.slack.messages.buttons import (
    RESTART_ANYWAY,
    RESTART_DIALOG,
    START_IT,
    START_NOW,
)
from bot.slack.users import Users

log = structlog.get_logger()

ANYTHING = re.compile(r".*", re.DOTALL)
GLOBAL_SHORTCUT, MESSAGE_SHORTCUT = "restart_instance", "restart_from_message"
COMMAND = re.compile(r"^/mlstudio")
FAULT = (
    "A fault of mine: this was not carried out, and nothing was restarted. Try again;"
    " if it happens again, tell whoever runs the bot."
)


@attrs.frozen
class Listeners:
    """Who answers what Slack delivers, by its kind."""

    commands: Commands
    approval_buttons: ApprovalButtons
    restart_dialog: RestartDialog
    batch_dialog: BatchDialog
    offers: Offers
    app_home: AppHome
    freezes: FreezeListeners


def register(app: AsyncApp, listeners: Listeners, services: Services) -> None:
    """Connect everything that Slack sends with what answers it."""
    commands, clicks = listeners.commands, listeners.approval_buttons
    dialog, several = listeners.restart_dialog, listeners.batch_dialog
    app.middleware(_delivered(services))
    app.error(_on_error)
    app.command(COMMAND)(commands.on_command)
    app.action(APPROVE)(clicks.on_click)
    app.action(DENY)(clicks.on_click)
    app.view(dialogs.DENY)(clicks.on_reason)
    app.action(RESTART_DIALOG)(dialog.on_button)
    app.action(FIND)(dialog.on_button)
    app.options(FIND)(listeners.app_home.on_search)
    for offered in (START_IT, START_NOW, RESTART_ANYWAY):
        app.action(offered)(listeners.offers.on_click)
    app.action(dialogs.PROJECT)(dialog.on_change)
    app.action(dialogs.INSTANCE)(dialog.on_change)
    app.options(dialogs.INSTANCE)(dialog.on_options)
    app.view(dialogs.RESTART)(dialog.on_submit)
    app.shortcut(GLOBAL_SHORTCUT)(dialog.on_shortcut)
    app.shortcut(MESSAGE_SHORTCUT)(dialog.on_shortcut)
    app.view(batch_dialog.CONFIRM)(several.on_submit)
    app.event("app_home_opened")(listeners.app_home.on_opened)
    app.event("subteam_updated")(_forget(services.users))
    app.event("subteam_members_changed")(_forget(services.users))
    # The last ones acknowledge whatever else there is: silence looks like a failure.
    app.command(ANYTHING)(_unknown_command)
    app.action(ANYTHING)(_unknown)
    app.view(ANYTHING)(_unknown)
    app.shortcut(ANYTHING)(_unknown)


def _delivered(services: Services) -> Callable[..., Awaitable[Any]]:
    """Return a middleware that notes when Slack last delivered, and how late."""
    metrics = services.metrics

    async def delivered(
        request: AsyncBoltRequest,
        next: Callable[[], Awaitable[Any]],  # noqa: A002 - Bolt's
    ) -> Any:
        metrics.last_delivery.set_to_current_time()
        if (stamp := stamp_of(request.body, request.headers)) is not None:
            late_s = services.now().timestamp() - stamp
            metrics.arrival.observe(max(0.0, late_s))  # Slack's clock is another one
        return await next()

    return delivered


async def _on_error(
    error: Exception, request: AsyncBoltRequest, response: BoltResponse | None
) -> BoltResponse | None:
    """Log what no listener caught, and tell the person if nothing was said yet.

    A response returned after the acknowledgement would raise in Bolt.
    """
    log.error("listener failed", exc_info=error, kind=request.body.get("type"))
    if response is None:
        return None
    return BoltResponse(status=200, body=FAULT)


def _forget(users: Users) -> Callable[..., Awaitable[None]]:
    """Return a listener that drops what is remembered of a changed group."""

    async def on_group(event: dict[str, Any]) -> None:
        changed = event.get("subteam_id") or (event.get("subteam") or {}).get("id")
        users.forget(str(changed or ""))

    return on_group


async def _unknown_command(ack: AsyncAck, body: dict[str, Any]) -> None:
    log.warning("unknown slash command", command=body.get("command"))
    await ack(**ephemeral(replies.help_text()))


async def _unknown(ack: AsyncAck) -> None:
    log.warning("unknown interaction")
    await ack()
