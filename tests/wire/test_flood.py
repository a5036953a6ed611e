"""Who floods a listener with half a request, or with a large one, starves nobody."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import suppress

import aiohttp
import pytest
from aiohttp import web
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.signature import SignatureVerifier

from bot.demo.alert_sender import free_port
from bot.slack.http_mode import PATH, HttpMode
from bot.telemetry.health import Health
from bot.telemetry.metrics import Metrics
from bot.web import GuardedServer, Limits

FEW = Limits(connections=20, receive_within_s=0.5, body=50_000, small=1000)
COMMAND = "command=%2Fmlstudio&text=status&user_id=U1&trigger_id=1.2.3"


@pytest.fixture
async def server() -> AsyncIterator[GuardedServer]:
    """Serve a page that says how large the body was."""
    server = GuardedServer(FEW)

    async def size(request: web.Request) -> web.Response:
        return web.Response(text=str(len(await request.read())))

    server.add("POST", "/size", size)
    await server.start("127.0.0.1:0")
    yield server
    await server.close()


Pipe = tuple[asyncio.StreamReader, asyncio.StreamWriter]
OPENED: list[asyncio.StreamWriter] = []


@pytest.fixture(autouse=True)
async def close_all() -> AsyncIterator[None]:
    """Close whatever a test has connected."""
    yield
    for writer in OPENED:
        writer.close()
    for writer in OPENED:
        with suppress(ConnectionError):
            await writer.wait_closed()
    OPENED.clear()


async def connected(address: str, data: bytes = b"") -> Pipe:
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    OPENED.append(writer)
    writer.write(data)
    return reader, writer


async def post(address: str, body: bytes, path: str = "/size", **headers: str) -> str:
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"http://{address}{path}", data=body, headers=headers) as answer,
    ):
        return f"{answer.status} {await answer.text()}"


async def ended(pipe: Pipe, within_s: float) -> bytes:
    """Return what came until the other side closed, which has to be in time."""
    async with asyncio.timeout(within_s):
        try:
            return await pipe[0].read()
        except ConnectionError:
            return b""


def head(size: int, path: str = "/size", **headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {size}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@pytest.mark.parametrize(
    "begun", [b"", b"POST /size HTTP/1.1\r\nHost: x\r\n", head(900), head(40_000)]
)
async def test_half_a_request_starves_nobody(server: GuardedServer, begun) -> None:
    """However many connections begin a request and do not go on, a whole one is
    answered at once.
    """
    pipes = [await connected(server.address, begun) for _ in range(10 * 20)]
    began = time.perf_counter()

    answers = [await post(server.address, b"x" * 500) for _ in range(5)]

    assert answers == ["200 500"] * 5
    assert time.perf_counter() - began < 0.4
    for pipe in pipes:
        await ended(pipe, 5)


@pytest.mark.parametrize("begun", [b"POST /size?", head(900), head(40_000) + b"x"])
async def test_a_request_has_to_arrive_in_time(server: GuardedServer, begun) -> None:
    """Neither headers nor a body are waited for longer than the limit says, even if a
    byte comes now and then.
    """
    pipe = await connected(server.address, begun)
    began = time.perf_counter()

    async def drip() -> None:
        while True:
            await asyncio.sleep(0.1)
            pipe[1].write(b"x")

    dripping = asyncio.create_task(drip())

    await ended(pipe, 2)

    assert 0.4 < time.perf_counter() - began < 1.5
    dripping.cancel()


async def test_a_connection_may_be_used_again(server: GuardedServer) -> None:
    """One that is idle between two requests is no half a request."""
    async with aiohttp.ClientSession() as http:
        for _ in range(2):
            url = f"http://{server.address}/size"
            async with http.post(url, data=b"abc") as answer:
                assert await answer.text() == "3"
                assert answer.connection is None or answer.connection.transport
            await asyncio.sleep(0.7)  # longer than a request may take
        assert len(http.connector._conns) == 1


async def test_no_more_connections_than_there_may_be(server: GuardedServer) -> None:
    """The oldest that has not sent a whole request makes room for the next."""
    pipes = [await connected(server.address) for _ in range(25)]
    first = await asyncio.gather(*(ended(pipe, 0.3) for pipe in pipes[:5]))
    assert first == [b""] * 5
    assert len(server._connections._all) <= 20


async def test_a_body_too_large_is_refused_unread(server: GuardedServer) -> None:
    """The length is looked at first; one without a length ends at the limit."""
    pipe = await connected(server.address, head(60_000))
    assert b"413" in await asyncio.wait_for(pipe[0].readline(), 0.3)

    async def pieces():
        for _ in range(60):
            yield b"x" * 1000

    assert (await post(server.address, pieces())).startswith("413")


# --- Slack's listener and the health pages -------------------------------------------


@pytest.fixture
async def slack() -> AsyncIterator[str]:
    """Serve HTTP mode, and return where."""
    who = AuthorizeResult(enterprise_id=None, team_id="T0HOME", bot_token="x")

    async def authorize(**_) -> AuthorizeResult:
        return who

    app = AsyncApp(authorize=authorize, request_verification_enabled=False)

    @app.command("/mlstudio")
    async def answer(ack) -> None:
        await ack("private words")

    address = f"127.0.0.1:{free_port()}"
    mode = HttpMode(app, ("secret",), address)
    await mode.start()
    yield address
    await mode.close()


def signed(body: str, age_s: int = 0) -> dict[str, str]:
    at = str(int(time.time()) - age_s)
    proof = SignatureVerifier("secret").generate_signature(timestamp=at, body=body)
    return {"X-Slack-Request-Timestamp": at, "X-Slack-Signature": str(proof)}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X_Slack_Signature": "v0=" + "0" * 64},
        {"X_Slack_Request_Timestamp": str(int(time.time())), "X_Slack_Signature": "v0"},
        {"X_Slack_Request_Timestamp": "1000", "X_Slack_Signature": "v0=" + "0" * 64},
    ],
)
async def test_what_cannot_be_signed_is_refused_unread(slack: str, headers) -> None:
    """Without a proof of today nobody's 500 kB are read."""
    pipe = await connected(slack, head(500_000, PATH, **headers))
    assert b"401" in await asyncio.wait_for(pipe[0].readline(), 0.5)


async def test_slack_and_the_probes_get_through_a_flood(slack: str) -> None:
    """Amid half-open connections and large bodies with a proof that looks right, what
    Slack signs is answered, and so is /livez.
    """
    health = Health({}, Metrics())
    pages = await health.start("127.0.0.1:0")
    flood = {
        "X_Slack_Request_Timestamp": str(int(time.time())),
        "X_Slack_Signature": "v0=" + "0" * 64,
    }
    begun = [b"POST ", head(500_000, PATH, **flood) + b"x" * 50_000]
    pipes = [await connected(slack, begun[n % 2]) for n in range(300)]
    pipes += [await connected(pages, b"GET /livez HT") for _ in range(150)]
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    began = time.perf_counter()

    answer = await post(slack, COMMAND.encode(), PATH, **signed(COMMAND), **form)
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"http://{pages}/livez") as live,
    ):
        told = json.loads(await live.text())

    assert answer == "200 private words"
    assert told == {"live": True}
    assert time.perf_counter() - began < 1
    await health.close()
