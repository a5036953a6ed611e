"""The Socket Mode connection and its watchdog.

slack_sdk's aiohttp client never asks for a new ticket after a refused handshake and
notices a dropped connection only at its next ping (reference/slack.md section 8).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

import structlog
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import BotError

log = structlog.get_logger()

CONNECT_WITHIN_S = 20.0
PING_EVERY_S = 3.0
LOOK_EVERY_S = 0.5
PATIENCE_S = 2.0  # down for this long: the client gets a new ticket
GIVE_UP_AFTER_S = 90.0


class SocketMode:
    """Keeps one socket to Slack open; *give_up* is called when only a restart helps."""

    def __init__(
        self,
        app: AsyncApp,
        app_token: str,
        client: AsyncWebClient,
        *,
        give_up: Callable[[], None],
        give_up_after_s: float = GIVE_UP_AFTER_S,
    ) -> None:
        self._handler = AsyncSocketModeHandler(
            app,
            app_token,
            logger=logging.getLogger("slack_sdk.socket_mode"),
            web_client=client,
            proxy=client.proxy,
            ping_interval=PING_EVERY_S,
        )
        if client.proxy is None:  # as our client decided for loopback
            self._handler.client.proxy = None
        self._give_up = give_up
        self._give_up_after_s = give_up_after_s
        self._watchdog: asyncio.Task[None] | None = None
        self._reconnecting: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect, or raise BotError saying why Slack does not let us."""
        client = self._handler.client
        try:
            async with asyncio.timeout(CONNECT_WITHIN_S):
                # Asked for here: connect() itself would repeat a refusal for ever.
                client.wss_uri = await client.issue_new_wss_url()
                await client.connect()  # type: ignore[no-untyped-call]
        except SlackApiError as error:
            raise BotError(
                f"Slack refused the socket ({error.response['error']}): SLACK_APP_TOKEN"
                " must be an app-level token (xapp-…) with the scope connections:write"
                " of an app that has Socket Mode switched on"
            ) from error
        except TimeoutError as error:
            raise BotError(
                "the socket to Slack did not open in time; check that the network lets"
                " WebSockets out to Slack"
            ) from error
        self._watchdog = asyncio.create_task(self._watch(), name="socket watchdog")

    async def is_connected(self) -> bool:
        """Say whether the socket is up; un-awaited this would always be true."""
        return await self._handler.client.is_connected()

    async def close(self) -> None:
        """Take nothing new from Slack."""
        for task in (self._watchdog, self._reconnecting):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        await self._handler.client.close()  # type: ignore[no-untyped-call]

    async def _watch(self) -> None:
        """Mend a connection that is down; give up when that does not help."""
        down_since: float | None = None
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if await self.is_connected():
                down_since = None
                continue
            down_since = down_since or time.monotonic()
            down_s = time.monotonic() - down_since
            if down_s > self._give_up_after_s:
                log.error("the socket to Slack stays down", down_s=round(down_s))
                self._give_up()
                return
            self._mend(urgent=down_s > PATIENCE_S)

    def _mend(self, *, urgent: bool) -> None:
        """Start a reconnection, or make one that is under way fetch a new ticket."""
        client = self._handler.client
        if client.connect_operation_lock.locked():
            if urgent:
                client.wss_uri = None
        elif self._reconnecting is None or self._reconnecting.done():
            self._reconnecting = asyncio.create_task(
                self._reconnect(), name="socket reconnect"
            )

    async def _reconnect(self) -> None:
        try:
            await self._handler.client.connect_to_new_endpoint()
        except Exception as error:  # noqa: BLE001 - of any kind: the next look mends it
            log.warning("socket not reopened", error=type(error).__name__)
            await asyncio.sleep(PATIENCE_S)
