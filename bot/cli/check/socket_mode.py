"""Whether a socket to Slack opens: the app token, and what the network lets through.

A proxy may let the Web API through and not the WebSocket, so one is opened. Slack hands
each delivery to one of an app's sockets, so this one is closed at its first word:
https://docs.slack.dev/apis/events-api/using-socket-mode
"""

from __future__ import annotations

import asyncio

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

from bot.cli.check.line import Line, bad, failed, good, not_asked
from bot.cli.check.slack import mending
from bot.errors import SlackError, SlackRefused, SlackShut
from bot.network import Network, explained
from bot.slack.errors import translated

HELLO_WITHIN_S = 10.0
_LET_THROUGH = (
    "ask who runs the network or its proxy to let WebSockets (wss://) through to"
    " *.slack.com"
)


async def socket_lines(
    client: AsyncWebClient,
    session: aiohttp.ClientSession,
    token: str,
    network: Network,
) -> list[Line]:
    """Return whether the app *token* opens a socket, and whether that says hello."""
    try:
        with translated("apps.connections.open"):
            answer = await client.apps_connections_open(app_token=token)
    except SlackError as error:
        line = _token_line(error, network.way(client.base_url))
        return [line, not_asked("the socket to Slack was", "mend the app token")]
    url = str(answer.get("url", ""))
    what = f"the socket, {network.way(url)},"
    try:
        async with asyncio.timeout(HELLO_WITHIN_S):
            said = await _first_word(session, url, network)
    except aiohttp.WSServerHandshakeError as error:
        why = f"{what} was answered with HTTP {error.status}, not with a WebSocket"
        line = bad(why, _LET_THROUGH)
    except (aiohttp.ClientError, OSError) as error:
        found = explained(error)
        line = bad(f"{what} does not open: {found.what}", found.remedy)
    else:
        line = _said_line(what, said)
    return [good("the app token opens a socket"), line]


def _token_line(error: SlackError, way: str) -> Line:
    remedy = (
        "make one under Basic Information > App-Level Tokens with the scope"
        " connections:write, and switch on Socket Mode"
    )
    if isinstance(error, SlackRefused | SlackShut):
        # Of a refused token Slack's table of errors speaks as of the bot's.
        why = f"Slack refuses SLACK_APP_TOKEN ({error.code})"
        return bad(f"the app token: {why}", remedy)
    return failed("the app token", error, mending(error, remedy), way)


async def _first_word(
    session: aiohttp.ClientSession, url: str, network: Network
) -> str:
    """Return the type of the first message on a new socket, "" where there is none."""
    async with session.ws_connect(
        url, proxy=network.proxy_for(url), ssl=network.tls or True
    ) as socket:
        message = await socket.receive()
        if message.type is not aiohttp.WSMsgType.TEXT:
            return ""
        try:
            return str(message.json()["type"])
        except (ValueError, TypeError, KeyError):
            return ""


def _said_line(what: str, said: str) -> Line:
    if said == "hello":
        return good("the socket opens, and Slack says hello on it")
    if said == "disconnect":
        return bad(
            f"{what} opens, and Slack ends it at once",
            "stop bots of this app that nobody needs: it may have 10 sockets",
        )
    return bad(f"{what} opens, and nothing of Slack comes through it", _LET_THROUGH)
