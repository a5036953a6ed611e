"""Socket Mode: tickets, connections, envelopes and their acks.

https://docs.slack.dev/apis/events-api/using-socket-mode
"""

from __future__ import annotations

import asyncio
import json
import secrets
import uuid
from dataclasses import dataclass
from typing import Any

from aiohttp import WSMsgType, web

from bot.demo.slack_directory import APP_ID
from bot.demo.slack_error import Refusal
from bot.demo.slack_workspace import Workspace

MOST_CONNECTIONS = 10
TICKET_S = 30.0  # a ticket opens one connection, soon
_HOST = {"host": "applink-local"}


@dataclass(slots=True, eq=False)
class Connection:
    """One open socket of the app."""

    socket: web.WebSocketResponse
    request: web.Request

    async def send(self, frame: dict[str, Any]) -> None:
        """Send a frame; one that is just going down loses it, as Slack's do."""
        try:
            await self.socket.send_json(frame)
        except ConnectionError:
            self.drop()

    def drop(self) -> None:
        """Cut it without a word."""
        if self.request.transport is not None:
            self.request.transport.abort()


class Sockets:
    """All connections of the app; each payload goes to exactly one, in turn."""

    def __init__(self, workspace: Workspace) -> None:
        self.connections: list[Connection] = []
        self.refuse_tickets = False
        self._workspace = workspace
        self._tickets: dict[str, float] = {}
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}

    def open(self, url: str) -> dict[str, Any]:
        """apps.connections.open: return a ticket for one connection."""
        now = self._workspace.clock()
        self._tickets = {k: t for k, t in self._tickets.items() if now - t < TICKET_S}
        ticket = secrets.token_urlsafe(18)
        self._tickets[ticket] = now
        link = url.replace("http", "ws", 1) + f"/link?ticket={ticket}&app_id={APP_ID}"
        return {"ok": True, "url": link}

    def _admit(self, ticket: str) -> bool:
        made = self._tickets.pop(ticket, None)
        fresh = made is not None and self._workspace.clock() - made < TICKET_S
        return fresh and not self.refuse_tickets

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection until it ends."""
        if not self._admit(request.query.get("ticket", "")):
            return web.Response(status=408, text="the ticket is not valid (any more)")
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        connection = Connection(socket, request)
        if len(self.connections) >= MOST_CONNECTIONS:
            await self._bye(connection, "too_many_websockets")
            return socket
        self.connections.append(connection)
        try:
            await connection.send(self._hello())
            self._workspace.change()
            await self._listen(socket)
        finally:
            if connection in self.connections:
                self.connections.remove(connection)
            self._workspace.change()
        return socket

    def _hello(self) -> dict[str, Any]:
        return {
            "type": "hello",
            # One that was cut may be found so only later.
            "num_connections": sum(not c.socket.closed for c in self.connections),
            "debug_info": {**_HOST, "approximate_connection_time": 3600},
            "connection_info": {"app_id": APP_ID},
        }

    async def _listen(self, socket: web.WebSocketResponse) -> None:
        async for frame in socket:
            if frame.type is not WSMsgType.TEXT:
                continue
            answer = _object(frame.data)
            waiting = self._waiting.get(str(answer.get("envelope_id")))
            if waiting is not None and not waiting.done():
                waiting.set_result(answer.get("payload") or {})

    async def carry(
        self,
        kind: str,
        payload: dict[str, Any],
        *,
        answerable: bool,
        within_s: float,
        more: dict[str, Any],
    ) -> dict[str, Any]:
        """Send a payload to one connection and return the ack's, or refuse.

        *more* are further fields of the envelope.
        """
        connection = self._next()
        envelope = {
            "envelope_id": str(uuid.uuid4()),
            "type": kind,
            "payload": payload,
            "accepts_response_payload": answerable,
            **more,
        }
        waiting = asyncio.get_running_loop().create_future()
        self._waiting[envelope["envelope_id"]] = waiting
        try:
            await connection.send(envelope)
            async with asyncio.timeout(within_s):
                ack: dict[str, Any] = await waiting
        except TimeoutError:
            raise Refusal("operation_timeout") from None
        finally:
            del self._waiting[envelope["envelope_id"]]
        return ack if answerable else {}

    def _next(self) -> Connection:
        """Return the connection whose turn it is, or refuse when there is none."""
        for connection in tuple(self.connections):
            self.connections.remove(connection)
            self.connections.append(connection)
            if not connection.socket.closed:
                return connection
        raise Refusal("dispatch_failed")

    async def refresh(self, warning_s: float = 0.0) -> None:
        """Ask every connection politely to make way for a new one.

        Slack warns about 10 s ahead; *warning_s* is how long ahead it is here.
        """
        old = tuple(self.connections)
        for connection in old:
            await connection.send(_disconnect("warning"))
        if warning_s:
            await asyncio.sleep(warning_s)
        for connection in old:
            if connection in self.connections:
                self.connections.remove(connection)
            await self._bye(connection, "refresh_requested")

    async def _bye(self, connection: Connection, reason: str) -> None:
        await connection.send(_disconnect(reason))
        await connection.socket.close()

    def drop(self) -> None:
        """Cut every connection without a word."""
        for connection in tuple(self.connections):
            connection.drop()

    async def close(self) -> None:
        """Close every connection at the end."""
        for connection in tuple(self.connections):
            await connection.socket.close()


def _disconnect(reason: str) -> dict[str, Any]:
    return {"type": "disconnect", "reason": reason, "debug_info": _HOST}


def _object(data: str) -> dict[str, Any]:
    """Return the object in a frame; what is none (such as keep-alive text) is empty."""
    try:
        parsed = json.loads(data)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}
