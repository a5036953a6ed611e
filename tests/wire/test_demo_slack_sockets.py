"""Socket Mode of the local Slack, with the real client."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from slack_bolt.app.async_app import AsyncApp

from bot.demo.slack_server import LocalSlack
from tests.support import slack_world
from tests.support.slack_world import (
    app_of,
    client_of,
    connected,
)

slack, web_session = slack_world.slack, slack_world.web_session


# --- the socket ---------------------------------------------------------------------


def counting_app(slack: LocalSlack) -> tuple[AsyncApp, list[str]]:
    app, seen = app_of(slack), []

    @app.command("/mlstudio")
    async def handle(ack, body) -> None:
        seen.append(body["text"])
        await ack("ok")

    return app, seen


async def test_each_payload_goes_to_exactly_one_connection(slack) -> None:
    """Two connections share the commands; none is lost or doubled."""
    app, seen = counting_app(slack)
    async with connected(slack, app, count=2):
        for number in range(4):
            await slack.command("ann", "incidents", str(number))

    assert seen == ["0", "1", "2", "3"]


@pytest.mark.parametrize("way", ["drop", "refresh"])
async def test_an_app_comes_back_with_a_new_ticket(slack, way) -> None:
    """After a cut or a polite goodbye the app connects anew and commands work."""
    app, seen = counting_app(slack)
    async with connected(slack, app):
        before = len(slack.called("apps.connections.open"))
        if way == "drop":
            await slack.drop_sockets()
        else:
            await slack.refresh_sockets()
        opened = slack.called
        await slack.wait_for(lambda: len(opened("apps.connections.open")) > before)
        await slack.wait_for(lambda: slack.connections == 1)
        delivery = await slack.command("ann", "incidents", "again")

    assert (delivery.text, seen) == ("ok", ["again"])


async def socket(slack: LocalSlack, session: aiohttp.ClientSession) -> Any:
    answer = await client_of(slack, slack.app_token).apps_connections_open(
        app_token=slack.app_token
    )
    return await session.ws_connect(answer["url"])


async def test_the_eleventh_connection_is_sent_away(slack, web_session) -> None:
    """Ten connections are welcomed with their number, an eleventh is not."""
    sockets = [await socket(slack, web_session) for _ in range(10)]
    hellos = [await each.receive_json() for each in sockets]
    one_more = await socket(slack, web_session)
    goodbye = await one_more.receive_json()

    assert [hello["num_connections"] for hello in hellos] == list(range(1, 11))
    assert goodbye["reason"] == "too_many_websockets"
    for each in (*sockets, one_more):
        await each.close()


async def test_a_ticket_works_once_and_can_be_refused(slack, web_session) -> None:
    """A used ticket is dead, and tickets can be refused at the handshake."""
    client = client_of(slack, slack.app_token)
    url = (await client.apps_connections_open(app_token=slack.app_token))["url"]
    await (await web_session.ws_connect(url)).close()
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await web_session.ws_connect(url)
    slack.refuse_tickets = True
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await socket(slack, web_session)


async def test_a_polite_goodbye_warns_first(slack, web_session) -> None:
    """A refresh is announced, then asked for, then the socket closes."""
    open_socket = await socket(slack, web_session)
    await open_socket.receive_json()
    refresh = asyncio.create_task(slack.refresh_sockets())
    reasons = [(await open_socket.receive_json())["reason"] for _ in range(2)]
    end = await open_socket.receive()
    await refresh

    assert reasons == ["warning", "refresh_requested"]
    assert end.type is aiohttp.WSMsgType.CLOSE
