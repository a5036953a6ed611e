"""A Web API of Slack in miniature, on loopback: it records calls and plays answers."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web
from slack_sdk.http_retry.builtin_interval_calculators import (
    FixedValueRetryIntervalCalculator,
)
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.client import clients

TOKEN = "xoxb-very-secret"
NO_PAUSES = FixedValueRetryIntervalCalculator(0)
Play = Callable[[web.Request], Awaitable[web.StreamResponse]]


def ok(**data: Any) -> Play:
    """Answer as Slack does when it has done what was asked."""
    return reply(200, {"ok": True, **data})


def refused(code: str, **data: Any) -> Play:
    """Answer as Slack does when it has not."""
    return reply(200, {"ok": False, "error": code, **data})


def reply(status: int, body: Any, **headers: str) -> Play:
    """Answer with *status* and *body*: JSON, or text where it is a string."""

    async def play(_: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(body, str):
            kind = named.pop("Content-Type", "text/html")
            return web.Response(
                status=status, text=body, content_type=kind, headers=named
            )
        return web.json_response(body, status=status, headers=named)

    return play


async def cut(request: web.Request) -> web.StreamResponse:
    """Take the request and cut the connection instead of answering."""
    assert request.transport is not None
    request.transport.abort()
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


async def silent(_: web.Request) -> web.StreamResponse:
    """Take the request and never answer."""
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


def held(until: asyncio.Event, then: Play) -> Play:
    """Answer only once *until* is set."""

    async def play(request: web.Request) -> web.StreamResponse:
        await until.wait()
        return await then(request)

    return play


@dataclass
class TinySlack:
    """The far side: *calls* are what it was asked, *plays* what it answers next.

    The last answer for a method stays in force.
    """

    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    plays: dict[str, list[Play]] = field(default_factory=lambda: defaultdict(list))
    called: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    def play(self, method: str, *answers: Play) -> None:
        """Answer *method* with *answers*, one after another."""
        self.plays[method] = list(answers)

    def asked(self, method: str) -> list[dict[str, Any]]:
        """Return the arguments of all calls of *method*."""
        return [body for name, body in self.calls if name == method]

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Record the call and play its answer."""
        method = request.match_info["method"]
        self.calls.append((method, await _arguments(request)))
        self.called.set()
        answers = self.plays[method] or [ok()]
        play = answers.pop(0) if len(answers) > 1 else answers[0]
        return await play(request)


async def _arguments(request: web.Request) -> dict[str, Any]:
    """Return what was asked, in whichever of the three ways slack_sdk says it."""
    if request.content_type == "application/json":
        return dict(json.loads(await request.text()))
    return {**request.query, **await request.post()}


@asynccontextmanager
async def tiny_slack() -> AsyncIterator[TinySlack]:
    """Serve a TinySlack on a free port of loopback."""
    slack = TinySlack()
    app = web.Application()
    app.router.add_route("*", "/api/{method:.*}", slack.serve)
    # Handlers that never answer must not hold up the end of a test.
    runner = web.AppRunner(app, shutdown_timeout=0.01, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    (address,) = runner.addresses
    slack.url = f"http://127.0.0.1:{address[1]}/api/"
    try:
        yield slack
    finally:
        await runner.cleanup()


@asynccontextmanager
async def connected(
    url: str, *, timeout_s: float = 5.0
) -> AsyncIterator[tuple[AsyncWebClient, AsyncWebClient, aiohttp.ClientSession]]:
    """Yield poster, idempotent client and their session, for *url*."""
    timeout = aiohttp.ClientTimeout(total=timeout_s)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        poster, idem = clients(TOKEN, url, session, pauses=NO_PAUSES)
        yield poster, idem, session
