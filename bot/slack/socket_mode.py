"""The Socket Mode connection and its watchdog.

slack_sdk's aiohttp client never asks for a new ticket after a refused handshake and
notices a dropped connection only at its next ping.
https://docs.slack.dev/apis/events-api/using-socket-mode
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import attrs
import structlog
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import BotError
from bot.network import DIRECT, Network
from bot.slack.errors import translated

log = structlog.get_logger()

OPEN_WITHIN_S = 20.0
PING_EVERY_S = 2.0  # after four without an answer the socket counts as down
CHECK_EVERY_S = 0.5
NEW_TICKET_AFTER_S = 2.0  # down for this long: the client gets a new ticket
GIVE_UP_AFTER_S = 90.0
PASSING = frozenset({"internal_error", "fatal_error", "service_unavailable"})
PONG_WITHIN_S = 5.0
_LOOK_FOR_PONG_S = 0.05
_MARKER = "mlstudio_marker"


async def uncounted(_sockets: int) -> None:
    """Stand in where nobody counts the sockets."""


@attrs.frozen(kw_only=True)
class SocketEvents:
    """Who hears what of the socket.

    *give_up* is called when only a restart helps, *is_back* when a socket is up that
    was not at the look before; *counted* is told how many sockets of the app Slack
    knows whenever one of ours is opened.
    """

    give_up: Callable[[], None]
    is_back: Callable[[], None] = lambda: None
    counted: Callable[[int], Awaitable[None]] = uncounted


class SocketMode:
    """Keeps one socket to Slack open, and tells *events* of it."""

    def __init__(
        self,
        app: AsyncApp,
        app_token: str,
        client: AsyncWebClient,
        events: SocketEvents,
        *,
        network: Network = DIRECT,
        give_up_after_s: float = GIVE_UP_AFTER_S,
    ) -> None:
        self._handler = AsyncSocketModeHandler(
            app,
            app_token,
            logger=logging.getLogger("slack_sdk.socket_mode"),
            web_client=client,
            ping_interval=PING_EVERY_S,
        )
        self._network = network
        self._app_token = app_token
        self._web = client
        self._markers: dict[str, asyncio.Event] = {}
        self._handler.client.message_listeners.append(self._on_message)
        self._events = events
        self._give_up_after_s = give_up_after_s
        self._watchdog: asyncio.Task[None] | None = None
        self._reconnecting: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect, or raise BotError saying why Slack does not let us."""
        client = self._handler.client
        try:
            async with asyncio.timeout(OPEN_WITHIN_S):
                # Asked for here: connect() itself would repeat a refusal for ever.
                client.wss_uri = await self._ticket()
                client.proxy = self._network.proxy_for(client.wss_uri)
                await client.connect()  # type: ignore[no-untyped-call]
        except SlackApiError as error:
            raise BotError(
                f"Slack refused the socket ({error.response['error']}): SLACK_APP_TOKEN"
                " must be an app-level token (xapp-…) with the scope connections:write"
                " of an app that has Socket Mode switched on"
            ) from error
        except (TimeoutError, OSError, aiohttp.ClientError) as error:
            raise BotError(
                "the socket to Slack did not open in time; check that the network lets"
                ' WebSockets out to Slack ("mlstudio-bot check" opens one and says what'
                " is in the way)"
            ) from error
        self._watchdog = asyncio.create_task(self._watch(), name="socket watchdog")

    async def _ticket(self) -> str:
        """Ask for the socket's address until Slack is through with its own troubles."""
        while True:
            try:
                return await self._handler.client.issue_new_wss_url()
            except SlackApiError as error:
                if error.response["error"] not in PASSING:
                    raise
                log.warning("no socket yet", error=error.response["error"])
            await asyncio.sleep(NEW_TICKET_AFTER_S)

    async def is_connected(self) -> bool:
        """Say whether the socket is up; un-awaited this would always be true."""
        return await self._handler.client.is_connected()

    async def prove(self) -> None:
        """Prove what can be proven of the way from Slack to us; raise BotError.

        Proven: Slack takes both tokens and Socket Mode is switched on (a ticket is
        fetched and not used); the very socket that deliveries come by answers a ping,
        at Slack's end; what arrives on it gets through the client's own queue to its
        listeners. Not proven: that Slack would send. With the scopes that the bot has,
        nothing that it may do makes Slack send it a command, a click or an event; for
        that, watch mlstudio_last_delivery_timestamp_seconds.
        """
        with translated("auth.test"):
            await self._web.auth_test()
        with translated("apps.connections.open"):
            await self._web.apps_connections_open(app_token=self._app_token)
        try:
            async with asyncio.timeout(PONG_WITHIN_S):
                await self._pong()
                await self._through()
        except (TimeoutError, OSError, RuntimeError) as error:
            raise BotError(
                "the socket to Slack is open but nothing comes through it"
            ) from error

    async def _pong(self) -> None:
        """Return when Slack's end of the socket has answered a ping of ours."""
        client, at = self._handler.client, time.time()
        if client.current_session is None:
            raise ConnectionError("no socket")
        # The client's own ping, so that its own reader notes the answer.
        await client.current_session.ping(f"sdk-ping-pong:{at}".encode())
        while (client.last_ping_pong_time or 0.0) < at:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(_LOOK_FOR_PONG_S)

    async def _through(self) -> None:
        """Return when a frame of ours has come out of the client's queue."""
        marker = uuid.uuid4().hex
        seen = self._markers[marker] = asyncio.Event()
        try:
            frame = f'{{"type": "{_MARKER}", "marker": "{marker}"}}'
            await self._handler.client.enqueue_message(frame)
            await seen.wait()
        finally:
            del self._markers[marker]

    async def _on_message(
        self, _client: object, message: dict[str, Any], _raw: str | None = None
    ) -> None:
        """Notice our own marker and Slack's hello; all else is Bolt's."""
        sockets = message.get("num_connections")
        if message.get("type") == "hello" and isinstance(sockets, int):
            await self._events.counted(sockets)
        if message.get("type") == _MARKER:
            seen = self._markers.get(str(message.get("marker")))
            if seen is not None:
                seen.set()

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
        known: object = None  # the socket that was up at the last look
        while True:
            await asyncio.sleep(CHECK_EVERY_S)
            if await self.is_connected():
                down_since = None
                if (session := self._handler.client.current_session) is not known:
                    known = session
                    self._events.is_back()
                continue
            down_since = down_since or time.monotonic()
            down_s = time.monotonic() - down_since
            if down_s > self._give_up_after_s:
                log.error("the socket to Slack stays down", down_s=round(down_s))
                self._events.give_up()
                return
            self._mend(urgent=down_s > NEW_TICKET_AFTER_S)

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
            await asyncio.sleep(NEW_TICKET_AFTER_S)
