"""The real slack_sdk and slack_bolt against the local Slack: parts for its tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.demo.slack_directory import BOT_ID, BOT_USER, HOME_TEAM
from bot.demo.slack_server import LocalSlack

INCIDENTS = "C0INCIDENTS"
BUTTON = {
    "type": "actions",
    "block_id": "vote",
    "elements": [
        {
            "type": "button",
            "action_id": "approve",
            "value": "r1",
            "text": {"type": "plain_text", "text": "Approve"},
        }
    ],
}
DIALOG = {
    "type": "modal",
    "callback_id": "restart",
    "notify_on_close": True,
    "title": {"type": "plain_text", "text": "Restart"},
    "submit": {"type": "plain_text", "text": "Go"},
    "blocks": [
        {
            "type": "input",
            "block_id": "instance",
            "label": {"type": "plain_text", "text": "Instance"},
            "element": {"type": "external_select", "action_id": "pick"},
        },
        {
            "type": "input",
            "block_id": "why",
            "optional": True,
            "label": {"type": "plain_text", "text": "Reason"},
            "element": {"type": "plain_text_input", "action_id": "reason"},
        },
    ],
}
HOME = {"type": "home", "blocks": [{"type": "divider"}]}


@pytest.fixture
async def slack() -> AsyncIterator[LocalSlack]:
    """Return a local Slack that listens."""
    async with LocalSlack() as local:
        yield local


@pytest.fixture
async def web_session() -> AsyncIterator[aiohttp.ClientSession]:
    """Return a session for what is asked without an SDK."""
    async with aiohttp.ClientSession() as session:
        yield session


def section(text: str, **more: Any) -> dict[str, Any]:
    """Return a section block."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}, **more}


def client_of(slack: LocalSlack, token: str | None = None) -> AsyncWebClient:
    token = slack.bot_token if token is None else token
    return AsyncWebClient(token, base_url=slack.api_url, retry_handlers=[])


def app_of(slack: LocalSlack) -> AsyncApp:
    async def authorize() -> AuthorizeResult:
        return AuthorizeResult(
            enterprise_id=None,
            team_id=HOME_TEAM,
            bot_user_id=BOT_USER,
            bot_id=BOT_ID,
            bot_token=slack.bot_token,
        )

    return AsyncApp(
        authorize=authorize,
        client=client_of(slack),
        signing_secret=slack.signing_secret,
    )


@asynccontextmanager
async def connected(
    slack: LocalSlack, app: AsyncApp, count: int = 1
) -> AsyncIterator[list[AsyncSocketModeHandler]]:
    handlers = [
        AsyncSocketModeHandler(app, slack.app_token, ping_interval=0.1)
        for _ in range(count)
    ]
    try:
        for handler in handlers:
            await handler.connect_async()
        await slack.wait_for(lambda: slack.connections == count)
        yield handlers
    finally:
        for handler in handlers:
            await handler.close_async()


async def code_of(call: Any) -> str:
    """Return the error word that a call is refused with."""
    with pytest.raises(SlackApiError) as caught:
        await call
    return str(caught.value.response["error"])


def button(**more: Any) -> dict[str, Any]:
    """Return BUTTON's button, changed."""
    return {**BUTTON["elements"][0], **more}


def actions(*elements: dict[str, Any]) -> dict[str, Any]:
    """Return an actions block."""
    return {"type": "actions", "elements": list(elements)}


def options(count: int) -> list[dict[str, Any]]:
    """Return *count* options."""
    text = {"type": "plain_text", "text": "x"}
    return [{"text": text, "value": str(number)} for number in range(count)]


def dialog_app(slack: LocalSlack) -> tuple[AsyncApp, list[Any]]:
    """Return an app whose command opens DIALOG, and what it has seen."""
    app, seen = app_of(slack), []

    @app.command("/mlstudio")
    async def command(ack, body, client) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=DIALOG)
        try:
            await client.views_open(trigger_id=body["trigger_id"], view=DIALOG)
        except SlackApiError as error:
            seen.append(error.response["error"])

    @app.options("pick")
    async def offer(ack, body) -> None:
        text = {"type": "plain_text", "text": body["value"]}
        await ack(options=[{"text": text, "value": body["value"]}])

    @app.view("restart")
    async def submitted(ack, view) -> None:
        values = view["state"]["values"]
        seen.append(values)
        if values["why"]["reason"]["value"] is None:
            await ack(response_action="errors", errors={"why": "say why"})
        elif values["why"]["reason"]["value"] == "more":
            await ack(response_action="update", view={**DIALOG, "callback_id": "2"})
        else:
            await ack()

    @app.view_closed("restart")
    async def closed(ack) -> None:
        seen.append("closed")
        await ack()

    return app, seen


def opened_twice(slack: LocalSlack) -> bool:
    """Say whether two calls of views.open are done."""
    return [c.status for c in slack.called("views.open")] == [200, 200]
