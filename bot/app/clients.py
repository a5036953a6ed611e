"""What reaches the outside, opened in the reverse order of closing; and who we are."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import datetime

import aiohttp
import attrs
import httpx
import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.cloud import Cloud
from bot.config import Secrets, Settings
from bot.config.redaction import redactor
from bot.errors import BotError, SlackError, SlackRefused, SlackShut
from bot.ledger import Ledger
from bot.network import Network, http_client
from bot.restarts.engine import Engine
from bot.slack.client import TIMEOUT, SlackClient, clients
from bot.slack.errors import OnCall, translated
from bot.slack.outage import Outage
from bot.telemetry.metrics import Metrics
from bot.telemetry.traces import Traces, traces_of

log = structlog.get_logger()

INTRODUCE_WAITS_S = (1.0, 2.0, 4.0, 8.0)


@attrs.frozen
class Clients:
    """What reaches the outside; closed last, after all that uses it."""

    poster: AsyncWebClient
    idem: AsyncWebClient
    slack: SlackClient
    outage: Outage
    cloud: Cloud
    ledger: Ledger
    engine: Engine
    network: Network
    traces: Traces
    http: httpx.AsyncClient  # for all that is not Slack
    now: Callable[[], datetime]  # UTC


@attrs.frozen
class BotIdentity:
    """Who Slack says we are; what it does not say is empty."""

    team_id: str
    enterprise_id: str
    user_id: str
    bot_id: str


async def open_clients(
    closing: AsyncExitStack,
    settings: Settings,
    secrets: Secrets,
    metrics: Metrics,
    *,
    now: Callable[[], datetime],
    poll_s: float,
) -> Clients:
    """Open the database and the clients; what fails says why. *now* is in UTC."""
    network = Network.of(os.environ)
    engine = Engine(settings.database, poll_s=poll_s)
    closing.push_async_callback(engine.release)
    await engine.prepare()
    clean = redactor(secrets.hidden)
    ledger = Ledger(settings.database, now=now, clean=clean)
    closing.callback(ledger.close)
    await asyncio.to_thread(ledger.open)
    session = await closing.enter_async_context(aiohttp.ClientSession(timeout=TIMEOUT))
    http = await closing.enter_async_context(http_client(network))
    traces = traces_of(os.environ)
    closing.push_async_callback(traces.close)
    closing.push_async_callback(engine.stop)
    token = secrets.slack_bot_token.get_secret_value()
    poster, idem = clients(token, settings.slack.api_url, session, network=network)
    cloud = Cloud.of(settings, secrets, http, on_call=metrics.cloud_called)
    outage = Outage(idem, metrics.slack_called)
    slack = SlackClient(
        poster, idem, session, network=network, on_call=outage.called, clean=clean
    )
    return Clients(
        poster, idem, slack, outage, cloud, ledger, engine, network, traces, http, now
    )


async def introduce(client: AsyncWebClient, on_call: OnCall) -> BotIdentity:
    """Return who Slack says we are; a token that is refused ends the start."""
    for wait in (*INTRODUCE_WAITS_S, None):
        try:
            with translated("auth.test", on_call):
                answer = await client.auth_test()
            return BotIdentity(
                team_id=str(answer.get("team_id") or ""),
                enterprise_id=str(answer.get("enterprise_id") or ""),
                user_id=str(answer.get("user_id") or ""),
                bot_id=str(answer.get("bot_id") or ""),
            )
        except (SlackRefused, SlackShut) as error:
            raise BotError(f"Slack refused SLACK_BOT_TOKEN: {error}") from error
        except SlackError as error:
            if wait is None:
                raise
            log.warning(
                "Slack not reached yet", error=str(error), why=error.why, wait_s=wait
            )
            await asyncio.sleep(wait)
    raise AssertionError("unreachable")
