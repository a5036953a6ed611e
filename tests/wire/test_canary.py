"""What an operator may rely on who switches the canary on: deaf is never "ready"."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from slack_bolt.app.async_app import AsyncApp

from bot.demo.alert_sender import free_port
from bot.demo.cloud_http import Reply
from bot.demo.slack_server import LocalSlack
from bot.errors import BotError, CloudMisfit, SlackShut
from bot.slack import socket_mode
from bot.slack.client import clients
from bot.slack.http_mode import HttpMode
from bot.slack.socket_mode import SocketEvents, SocketMode
from bot.telemetry import health
from bot.telemetry.canary import Canary
from tests.support.bench_fixtures import MakeBench
from tests.support.bot_world import GATES, OPEN, Bench
from tests.support.slack_world import app_of

PATIENCE_S = 8.0
REFUSED = Reply(401, {"error": {"code": 401, "message": "refused"}})


# --- the canary itself ---------------------------------------------------------------


class Proof:
    """Fails as often as *failures* says, counting how often it was asked."""

    def __init__(self, *failures: Exception | None) -> None:
        self.failures = list(failures)
        self.asked = 0

    async def __call__(self) -> None:
        self.asked += 1
        failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            raise failure


def canary(proof: Callable[[], Any], **how: Any) -> Canary:
    return Canary(lambda: {"it": proof}, 60.0, again_s=0.0, **how)


async def test_nothing_is_ready_before_it_is_proven() -> None:
    """Until the first proof has held the bot counts as not ready."""
    one = canary(Proof())
    assert not await one.is_well()

    await one.look()

    assert await one.is_well()


@pytest.mark.parametrize(
    ("failures", "well", "asked", "hurry"),
    [
        ((BotError("a hiccup"),), True, 2, False),
        ((BotError("deaf"), BotError("deaf")), False, 2, True),
        ((OSError("no route"), RuntimeError("?")), False, 2, True),
        ((CloudMisfit("wrong password"),), False, 1, False),
    ],
)
async def test_what_fails_twice_is_believed(failures, well, asked, hurry) -> None:
    """One failure is asked about again at once; a refused login is not, because the
    cloud locks who tries again and again.
    """
    proof = Proof(*failures)
    one = canary(proof)

    assert await one.look() is hurry

    assert await one.is_well() is well
    assert proof.asked == asked


async def test_it_recovers() -> None:
    """The bot is ready again as soon as the proof holds again."""
    one = canary(Proof(CloudMisfit("wrong password")))
    await one.look()
    assert not await one.is_well()

    await one.look()

    assert await one.is_well()


async def test_a_proof_that_hangs_is_none() -> None:
    """What does not answer in time has not proven anything."""
    one = canary(lambda: asyncio.Event().wait(), limit_s=0.02)

    await one.look()

    assert not await one.is_well()


async def test_an_old_proof_is_none() -> None:
    """A canary that has stopped to sing is as bad as one that fails."""
    now = [0.0]
    one = canary(Proof(), clock=lambda: now[0])
    await one.look()
    now[0] = 110.0
    assert await one.is_well()

    now[0] = 1000.0

    assert not await one.is_well()


# --- in the whole bot ----------------------------------------------------------------


async def watched(make_bench: MakeBench, **how: Any) -> tuple[Bench, str]:
    """Return a bench whose canary looks often, and the address of its health pages."""
    server = f"127.0.0.1:{free_port()}"
    rules = f'{GATES}{OPEN}[server]\nlisten = "{server}"'
    bench = await make_bench(head='canary = "0.1s"', rules=rules, **how)
    return bench, f"http://{server}"


async def until_ready(url: str, *, ready: bool, why: str = "canary") -> dict[str, bool]:
    """Return the checks of /readyz once it is *ready*, or once *why* says no."""
    async with asyncio.timeout(PATIENCE_S), aiohttp.ClientSession() as session:
        while True:
            async with session.get(f"{url}/readyz") as answer:
                checks = (await answer.json())["checks"]
                if ready == (answer.status == 200) and (ready or not checks[why]):
                    return dict(checks)
            await asyncio.sleep(0.05)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the canary repeat itself quickly."""
    monkeypatch.setitem(Canary.__init__.__kwdefaults__, "again_s", 0.02)
    monkeypatch.setitem(health.Health.__init__.__kwdefaults__, "fresh_s", 0.05)


@pytest.mark.parametrize("method", ["auth.test", "apps.connections.open"])
async def test_a_token_that_slack_takes_no_more(make_bench, quick, method) -> None:
    """A revoked token, or Socket Mode switched off, ends readiness although the socket
    still stands; readiness comes back by itself.
    """
    bench, url = await watched(make_bench)
    await until_ready(url, ready=True)

    bench.slack.fail(method, error="account_inactive", count=None)
    checks = await until_ready(url, ready=False)
    assert checks == {"slack": True, "database": True, "canary": False}

    bench.slack.heal()
    await until_ready(url, ready=True)


async def test_a_cloud_that_refuses_the_login(make_bench, quick) -> None:
    """A login that the cloud refuses ends readiness, and shows in the figures."""
    bench, url = await watched(make_bench)
    await until_ready(url, ready=True)

    bench.fail("login", times=None, reply=REFUSED)
    bench.cloud.iam.revoke_all()
    await until_ready(url, ready=False)

    async with aiohttp.ClientSession() as session:
        figures = await (await session.get(f"{url}/metrics")).text()
    assert 'mlstudio_check_ok{check="canary"} 0.0' in figures
    assert 'mlstudio_check_ok{check="slack"} 1.0' in figures


async def test_it_changes_nothing(make_bench, quick) -> None:
    """The canary speaks in no channel and touches no instance; what it sends itself
    does not pass for a delivery of Slack's.
    """
    bench, url = await watched(make_bench)
    await until_ready(url, ready=True)

    assert (bench.seen(), bench.sent) == ({}, 0)
    assert bench.looks("read")
    assert bench.bot.metrics.last_delivery._value.get() == 0.0
    await bench.ask("help")
    assert bench.bot.metrics.last_delivery._value.get() > 0.0


async def test_http_mode(make_bench, quick) -> None:
    """In HTTP mode our own listener has to answer a signed request."""
    bench, url = await watched(make_bench, http=True)

    await until_ready(url, ready=True)

    assert bench.bot.metrics.last_delivery._value.get() == 0.0


# --- what each way in can prove ------------------------------------------------------


class Relay:
    """A wire to the local Slack that can be muted without being cut."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._open = asyncio.Event()
        self._open.set()
        self.port = 0

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Relay]:
        tasks: list[asyncio.Task[None]] = []

        async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
            far_reader, far_writer = await asyncio.open_connection(
                "127.0.0.1", self._to
            )
            for one, other in ((reader, far_writer), (far_reader, writer)):
                tasks.append(asyncio.create_task(self._pass_on(one, other)))

        server = await asyncio.start_server(join, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await server.wait_closed()

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            while data := await reader.read(65536):
                await self._open.wait()
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            return
        finally:
            writer.close()

    def mute(self) -> None:
        self._open.clear()

    def speak(self) -> None:
        self._open.set()


@contextlib.asynccontextmanager
async def socket_to(slack: LocalSlack) -> AsyncIterator[SocketMode]:
    async with aiohttp.ClientSession() as session:
        _, client = clients(slack.bot_token, slack.api_url, session)
        front = SocketMode(
            app_of(slack), slack.app_token, client, SocketEvents(give_up=lambda: None)
        )
        await front.start()
        try:
            yield front
        finally:
            await front.close()


async def test_a_mute_socket_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket that stands but carries nothing is no proof, and soon counts as down."""
    monkeypatch.setattr(socket_mode, "PING_EVERY_S", 0.25)
    monkeypatch.setattr(socket_mode, "PONG_WITHIN_S", 0.3)
    async with (
        LocalSlack() as slack,
        Relay(int(slack.url.rpartition(":")[2])).running() as relay,
    ):
        slack.url = f"http://127.0.0.1:{relay.port}"
        async with socket_to(slack) as front:
            await front.prove()
            # The Web API is well; only the socket falls silent.
            monkeypatch.setattr(front, "_web", _WebApi())
            relay.mute()

            with pytest.raises(BotError, match="nothing comes through it"):
                await front.prove()
            async with asyncio.timeout(3):
                while await front.is_connected():  # noqa: ASYNC110 - it tells nobody
                    await asyncio.sleep(0.05)
            relay.speak()


class _WebApi:
    """A Web API that says yes to both questions."""

    async def auth_test(self) -> None:
        pass

    async def apps_connections_open(self, *, app_token: str) -> None:
        assert app_token


def test_a_lost_slack_is_noticed_within_ten_seconds() -> None:
    """Four pings without an answer and the age of a probe stay within 10 s."""
    assert 4 * socket_mode.PING_EVERY_S + health._FRESH_S < 10


async def test_a_client_whose_queue_stands_still() -> None:
    """Frames that arrive and go nowhere are found, although the socket is well."""
    async with LocalSlack() as slack, socket_to(slack) as front:
        processor = front._handler.client.message_processor
        processor.cancel()
        await asyncio.wait([processor])
        socketmode_patience, socket_mode.PONG_WITHIN_S = socket_mode.PONG_WITHIN_S, 0.3
        try:
            with pytest.raises(BotError, match="nothing comes through it"):
                await front.prove()
        finally:
            socket_mode.PONG_WITHIN_S = socketmode_patience


async def test_a_wrong_app_token() -> None:
    """An app token that Slack refuses is named as such."""
    async with LocalSlack() as slack, socket_to(slack) as front:
        slack.fail("apps.connections.open", error="invalid_auth", count=None)

        with pytest.raises(SlackShut):
            await front.prove()


@contextlib.asynccontextmanager
async def listening(secret: str = "s1", **how: Any) -> AsyncIterator[HttpMode]:  # noqa: S107
    app = AsyncApp(token="xoxb-x", request_verification_enabled=False)
    front = HttpMode(app, (secret, "s2"), f"127.0.0.1:{free_port()}", **how)
    await front.start()
    try:
        yield front
    finally:
        await front.close()


async def test_the_public_address_has_to_lead_to_a_bot() -> None:
    """With public_url the proof goes the way that Slack's requests go: to a replica
    with the same signing secret it holds, anywhere else it does not.
    """
    async with listening() as replica, listening(secret="other") as stranger:
        url = replica._own_url()
        async with listening(public_url=url) as front:
            await front.prove()
        async with listening(public_url=stranger._own_url()) as front:
            with pytest.raises(BotError, match="with 401"):
                await front.prove()
        async with listening(public_url=f"{url}/nowhere") as front:
            with pytest.raises(BotError, match="with 404"):
                await front.prove()
        async with listening(public_url="http://127.0.0.1:1/slack/events") as front:
            with pytest.raises(BotError, match="does not answer"):
                await front.prove()


async def test_an_address_that_answers_everything_is_no_bot() -> None:
    """A page that says 200 to all proves nothing: the challenge has to come back."""

    async def yes(_: web.Request) -> web.Response:
        return web.Response(text="It works!")

    app = web.Application()
    app.router.add_post("/slack/events", yes)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    async with listening(public_url=f"http://127.0.0.1:{port}/slack/events") as front:
        with pytest.raises(BotError, match="not as this bot does"):
            await front.prove()
    await runner.cleanup()
