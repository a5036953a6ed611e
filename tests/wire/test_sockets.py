"""A socket to Slack may go again and again, and at worst a new process is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult

from bot.demo.slack_server import LocalSlack
from bot.model import State
from bot.slack.client import clients
from bot.slack.socket_mode import SocketEvents, SocketMode
from tests.support.bot_world import INCIDENTS, Bench

WITHIN_S = 15.0


async def answered(bench: Bench) -> None:
    """Return once a command gets through and is answered."""
    async with asyncio.timeout(WITHIN_S):
        while not (await bench.slack.command("ann", INCIDENTS, "/mlstudio help")).ok:  # noqa: ASYNC110
            await asyncio.sleep(0.1)  # as somebody who types it again


async def test_a_socket_that_goes_again_and_again(bench: Bench) -> None:
    """However often Slack refreshes or drops it, the next command gets through."""
    bench.hold()
    delivery = await bench.ask("restart ml-prod trainer-7")
    await bench.rebooting()
    for number in range(6):
        way = bench.slack.drop_sockets if number % 2 else bench.slack.refresh_sockets
        await way()
        await answered(bench)
    bench.go_on()
    assert (await bench.story(delivery)).state is State.READY
    assert len(bench.followups()) == 1
    assert bench.sent == 1


async def test_a_socket_that_goes_while_no_other_is_to_be_had(bench: Bench) -> None:
    """While Slack refuses every new socket the story goes on; then commands do, too."""
    delivery = await bench.ask("restart ml-prod trainer-7")
    bench.slack.refuse_tickets = True
    await bench.slack.drop_sockets()
    assert (await bench.story(delivery)).state is State.READY
    assert "is ready" in (await bench.wait_for(bench.followups))[0].text
    assert bench.slack.connections == 0
    bench.slack.refuse_tickets = False
    await answered(bench)


@asynccontextmanager
async def watched(
    slack: LocalSlack, give_up: Callable[[], None]
) -> AsyncIterator[SocketMode]:
    """Open a socket that gives up after a second."""

    async def authorize(**_: object) -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=None, team_id="T0HOME", bot_token="x")

    async with aiohttp.ClientSession() as session:
        _, client = clients(slack.bot_token, slack.api_url, session)
        front = SocketMode(
            AsyncApp(authorize=authorize, request_verification_enabled=False),
            slack.app_token,
            client,
            SocketEvents(give_up=give_up),
            give_up_after_s=1.0,
        )
        await front.start()
        try:
            yield front
        finally:
            await front.close()


async def refuse_sockets(slack: LocalSlack) -> None:
    """Give tickets that open no socket."""
    slack.refuse_tickets = True


async def refuse_tickets(slack: LocalSlack) -> None:
    """Give no tickets at all."""
    slack.fail("apps.connections.open", count=None, status=503)


@pytest.mark.parametrize("trouble", [refuse_sockets, refuse_tickets])
async def test_a_socket_that_stays_down_ends_the_process(
    trouble: Callable[[LocalSlack], Awaitable[None]],
) -> None:
    """When nothing helps, the watchdog asks for a new process, and says so once."""
    given_up = asyncio.Event()
    async with LocalSlack() as slack, watched(slack, given_up.set):
        await trouble(slack)
        await slack.drop_sockets()
        await asyncio.wait_for(given_up.wait(), WITHIN_S)


async def test_a_socket_that_comes_back_in_time_ends_nothing() -> None:
    """A short outage is mended without a new process."""
    given_up = asyncio.Event()
    async with LocalSlack() as slack, watched(slack, given_up.set) as front:
        await slack.drop_sockets()
        async with asyncio.timeout(WITHIN_S):
            while not await front.is_connected():  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.05)
        assert not given_up.is_set()
