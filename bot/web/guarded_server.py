"""An HTTP server of few pages that looks at the headers before it reads a body."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import nullcontext

import aiohttp
from aiohttp import web

from bot.config import host_port
from bot.web.connections import Connections, Limits

Page = Callable[[web.Request], Awaitable[web.StreamResponse]]
# Returns the refusal of a request whose headers say that its body is not worth reading.
Look = Callable[[web.Request], web.Response | None]

_LINGER_S = 2.0  # so that who was refused early can read why
_DEFAULTS = Limits()


def no_objection(_: web.Request) -> web.Response | None:
    """Refuse nothing by its headers."""
    return None


class GuardedServer:
    """Serves pages within *limits*; each gets a request whose body has been read."""

    def __init__(self, limits: Limits = _DEFAULTS) -> None:
        self._limits = limits
        self._looks: dict[str, Look] = {}
        self._large = asyncio.Semaphore(limits.large_at_once)
        self._app = web.Application(
            client_max_size=limits.body, middlewares=[self._guarded]
        )
        self._runner = web.AppRunner(
            self._app,
            access_log=None,
            max_line_size=limits.header,
            max_field_size=limits.header,
            max_headers=64,
            lingering_time=_LINGER_S,
            read_bufsize=2**13,
            shutdown_timeout=1.0,
        )
        self._connections: Connections | None = None
        self._server: asyncio.Server | None = None

    def add(
        self, method: str, path: str, page: Page, look: Look = no_objection
    ) -> None:
        """Serve *page* at *path*; *look* may refuse by the headers alone."""
        if method == "GET":
            self._app.router.add_get(path, page)  # answers HEAD as well
        else:
            self._app.router.add_route(method, path, page)
        self._looks[path] = look

    async def start(self, listen: str) -> str:
        """Serve on *listen* (``host:port``) and return the address, port 0 resolved.

        Raises OSError when it is taken.
        """
        await self._runner.setup()
        assert self._runner.server is not None  # noqa: S101 - set up above
        self._connections = Connections(self._limits, self._runner.server)
        self._server = await asyncio.get_running_loop().create_server(
            self._connections.new, *host_port(listen)
        )
        return self.address

    @property
    def address(self) -> str:
        """Where it is served, as ``host:port``; empty where it is not."""
        if self._server is None or not self._server.sockets:
            return ""
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    async def close(self) -> None:
        """Stop serving once the requests in hand are answered; may be called twice."""
        if self._server is not None:
            self._server.close()
        await self._runner.cleanup()

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Page) -> web.StreamResponse:
        """Read the body of a request that may have one, then hand it on."""
        connection = self._connections and self._connections.of(request.transport)
        if not connection:
            raise web.HTTPServiceUnavailable
        connection.receiving()
        if request.match_info.http_exception is not None:
            return await handler(request)
        if refusal := self._refusal(request):
            return refusal
        try:
            await self._read(request)
        except (aiohttp.ClientError, web.RequestPayloadError, ConnectionError):
            return web.Response(status=400)  # nobody is there to read it
        connection.received()
        try:
            return await handler(request)
        finally:
            connection.answered()

    def _refusal(self, request: web.Request) -> web.Response | None:
        """Return what the headers alone have to be refused for."""
        if (request.content_length or 0) > self._limits.body:
            return web.Response(status=413, text="The body is too large.")
        resource = request.match_info.route.resource
        look = self._looks.get(resource.canonical if resource else "", no_objection)
        return look(request)

    async def _read(self, request: web.Request) -> None:
        """Read the body, which the request then keeps; too large raises 413."""
        size = request.content_length
        is_small = size is not None and size <= self._limits.small
        empty = not request.can_read_body
        async with nullcontext() if is_small or empty else self._large:
            await request.read()
