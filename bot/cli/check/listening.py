"""Whether the bot could listen where its configuration says that it does."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping

import httpx

from bot.cli.check.line import Line, bad, good, skipped
from bot.config import Settings, host_port

_ANSWERS_WITHIN_S = 2.0
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - not to listen on


def listeners(settings: Settings) -> Mapping[str, str]:
    """Return each address that the bot listens on, by the key that says so."""
    said = {}
    if settings.slack.mode == "http":
        said["[slack] listen"] = settings.slack.listen
    if settings.server is not None:
        said["[server] listen"] = settings.server.listen
    if settings.alerts is not None:
        said["[alerts] listen"] = settings.alerts.listen
    return said


async def listener_lines(settings: Settings) -> list[Line]:
    """Return for each address whether it is free; nothing stays bound."""
    health = settings.server.listen if settings.server else ""
    said = listeners(settings).items()
    return [await _line(key, address, health) for key, address in said]


async def _line(key: str, address: str, health: str) -> Line:
    """Return whether *address* is free, or the bot's whose pages are at *health*."""
    try:
        # As ``run`` binds it: what is left of closed connections is not in the way.
        server = await asyncio.get_running_loop().create_server(
            asyncio.Protocol, *host_port(address), start_serving=False
        )
    except OSError as error:
        # The loop puts its own words around those of the system.
        number = error.errno or 0
        known = os.strerror(number) if number > 0 else error.strerror
        why = (known or "it failed").lower()
        if health and await _is_a_bot(health):
            return skipped(
                f"{key}: a bot that runs already listens on {address}",
                "stop that one before you start another with this file on this host",
            )
        return bad(
            f"{key}: cannot listen on {address} ({why})",
            "choose another address, or stop what listens there; if it is the bot with"
            " this very file, which runs already, all is well",
        )
    server.close()
    return good(f"{key}: {address} is free")


async def _is_a_bot(address: str) -> bool:
    """Say whether a bot's health pages answer at *address*."""
    host, port = host_port(address)
    host = _ANYWHERE.get(host, host)
    url = (
        f"http://[{host}]:{port}/livez"
        if ":" in host
        else f"http://{host}:{port}/livez"
    )
    try:
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.get(url, timeout=_ANSWERS_WITHIN_S)
        return isinstance(answer.json(), dict) and "live" in answer.json()
    except (httpx.HTTPError, ValueError):
        return False
