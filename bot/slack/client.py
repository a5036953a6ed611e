"""What the bot asks of Slack's Web API: post, edit, whisper, dialogs, home page.

Two clients share one HTTP session: the poster never repeats what may have been
carried out, the other repeats freely because its calls are idempotent.
https://docs.slack.dev/apis/web-api/rate-limits
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from http import HTTPStatus
from typing import Any

import aiohttp
import attrs
import structlog
from slack_sdk.http_retry.async_handler import AsyncRetryHandler
from slack_sdk.http_retry.builtin_async_handlers import (
    AsyncConnectionErrorRetryHandler,
    AsyncRateLimitErrorRetryHandler,
    AsyncServerErrorRetryHandler,
)
from slack_sdk.http_retry.builtin_interval_calculators import (
    FixedValueRetryIntervalCalculator,
)
from slack_sdk.http_retry.interval_calculator import RetryIntervalCalculator
from slack_sdk.http_retry.request import HttpRequest
from slack_sdk.http_retry.response import HttpResponse
from slack_sdk.http_retry.state import RetryState
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.config.redaction import cleaned
from bot.errors import SlackError, SlackRefused
from bot.model import Message
from bot.network import DIRECT, Network
from bot.slack.errors import OnCall, retry_after, translated, unreported

# For the session in the composition root: slack_sdk ignores its own ``timeout`` when
# a session is shared.
TIMEOUT = aiohttp.ClientTimeout(total=15, connect=5)
REPEAT_AFTER_S = 0.4  # an idempotent call that failed for a passing reason
RETRY_AFTER_WITHIN_S = 5.0  # the longest Retry-After that is waited for inside a call
_BLOCKS_REFUSED = frozenset(
    {"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"}
)

log = structlog.get_logger(__name__)


class BriefRateLimit(AsyncRateLimitErrorRetryHandler):
    """Waits out a short 429 inside the call; a long one goes to the caller.

    slack_sdk's own sleeps for as long as Slack says, up to minutes, in which the bot
    could neither stop nor do it durably.
    """

    async def _can_retry_async(
        self,
        *,
        state: RetryState,
        request: HttpRequest,
        response: HttpResponse | None = None,
        error: Exception | None = None,
    ) -> bool:
        throttled = await super()._can_retry_async(
            state=state, request=request, response=response, error=error
        )
        wait = retry_after(response.headers) if response else None
        return throttled and wait is not None and wait <= RETRY_AFTER_WITHIN_S


def clients(
    token: str,
    api_url: str,
    session: aiohttp.ClientSession,
    *,
    network: Network = DIRECT,
    pauses: RetryIntervalCalculator | None = None,
) -> tuple[AsyncWebClient, AsyncWebClient]:
    """Return the clients for posts and for idempotent calls, on one *session*.

    *network* is the way out, *pauses* are the waits between repeats. By default they
    are short: two repeats with slack_sdk's own growing waits (up to 3.5 s) outlast the
    3 s that a command has.
    """
    pauses = pauses or FixedValueRetryIntervalCalculator(REPEAT_AFTER_S)
    brief: list[AsyncRetryHandler] = [BriefRateLimit(max_retry_count=2)]
    poster = _client(token, api_url, session, network, brief)
    repeats: list[AsyncRetryHandler] = [
        AsyncConnectionErrorRetryHandler(2, pauses),
        AsyncServerErrorRetryHandler(2, pauses),
        BriefRateLimit(max_retry_count=2),
    ]
    return poster, _client(token, api_url, session, network, repeats)


def _client(
    token: str,
    api_url: str,
    session: aiohttp.ClientSession,
    network: Network,
    repeats: list[AsyncRetryHandler],
) -> AsyncWebClient:
    """Return a client with *repeats*."""
    client = AsyncWebClient(
        token, api_url, session=session, ssl=network.tls, retry_handlers=repeats
    )
    # Past its maker, which would take HTTPS_PROXY for None.
    client.proxy = network.proxy_for(api_url)
    return client


@attrs.define
class SlackClient:
    """Says things in Slack; every failure is a SlackError."""

    _poster: AsyncWebClient
    _idem: AsyncWebClient
    _http: aiohttp.ClientSession
    _network: Network = attrs.field(default=DIRECT, kw_only=True)
    _on_call: OnCall = attrs.field(default=unreported, kw_only=True)
    _clean: Callable[[str], str] = attrs.field(default=str, kw_only=True)

    def cleaned(self, message: Message) -> Message:
        """Return *message* without any secret; for what does not go out from here."""
        blocks = cleaned(message.blocks, self._clean)
        return replace(message, text=self._clean(message.text), blocks=blocks)

    async def post(
        self,
        channel: str,
        message: Message,
        *,
        thread_ts: str = "",
        broadcast: bool = False,
    ) -> str:
        """Post *message* and return its ts; a reply may also show in the channel.

        After SlackUnknown the message may stand: a repeat may double it.
        """
        message = self.cleaned(message)

        def send(blocks: list[dict[str, Any]]) -> Awaitable[AsyncSlackResponse]:
            return self._poster.chat_postMessage(
                channel=channel,
                text=message.text,
                blocks=blocks or None,
                thread_ts=thread_ts or None,
                reply_broadcast=broadcast or None,
                mrkdwn=False,
                unfurl_links=False,
                unfurl_media=False,
            )

        return str((await self._drawn("chat.postMessage", message, send))["ts"])

    async def update(self, channel: str, ts: str, message: Message) -> None:
        """Replace the message *ts* in *channel*; safe to repeat."""
        message = self.cleaned(message)

        def send(blocks: list[dict[str, Any]]) -> Awaitable[AsyncSlackResponse]:
            # Without ``blocks`` Slack would keep the old ones, buttons included.
            return self._idem.chat_update(
                channel=channel, ts=ts, text=message.text, blocks=blocks
            )

        await self._drawn("chat.update", message, send)

    async def whisper(
        self,
        message: Message,
        *,
        user_id: str,
        channel: str = "",
        response_url: str = "",
    ) -> None:
        """Say *message* to one person only: by *response_url*, else in *channel*, else
        as a direct message.

        A way that failed leads to the next one, even if it may have worked: a private
        answer that stands twice is better than none.
        """
        message = self.cleaned(message)
        if response_url and await self._respond(response_url, message):
            return
        if channel and await self._ephemeral(channel, user_id, message):
            return
        await self.post(user_id, message)

    async def open_view(self, trigger_id: str, view: dict[str, Any]) -> None:
        """Open a dialog; *trigger_id* lives 3 s and works once."""
        opened = self._poster.views_open(
            trigger_id=trigger_id, view=cleaned(view, self._clean)
        )
        await self._call("views.open", opened)

    async def update_view(self, view_id: str, view: dict[str, Any]) -> None:
        """Replace an open dialog."""
        update = self._idem.views_update(
            view_id=view_id, view=cleaned(view, self._clean)
        )
        await self._call("views.update", update)

    async def publish_home(self, user_id: str, view: dict[str, Any]) -> None:
        """Replace the home page of one person."""
        publish = self._idem.views_publish(
            user_id=user_id, view=cleaned(view, self._clean)
        )
        await self._call("views.publish", publish)

    async def permalink(self, channel: str, ts: str) -> str:
        """Return the address of a message."""
        link = self._idem.chat_getPermalink(channel=channel, message_ts=ts)
        return str((await self._call("chat.getPermalink", link))["permalink"])

    async def _call(
        self, method: str, call: Awaitable[AsyncSlackResponse]
    ) -> AsyncSlackResponse:
        """Await *call* and turn its failures into SlackErrors."""
        with translated(method, self._on_call):
            return await call

    async def _drawn(
        self,
        method: str,
        message: Message,
        send: Callable[[list[dict[str, Any]]], Awaitable[AsyncSlackResponse]],
    ) -> AsyncSlackResponse:
        """Send *message*; if Slack refuses its blocks, send its text alone.

        That repeat is safe: a message with refused blocks was not posted.
        """
        try:
            return await self._call(method, send(message.blocks))
        except SlackRefused as error:
            if error.code not in _BLOCKS_REFUSED or not message.blocks:
                raise
            code = error.code
        log.error("blocks_refused", method=method, code=code)
        return await self._call(method, send([]))

    async def _ephemeral(self, channel: str, user_id: str, message: Message) -> bool:
        """Say *message* in *channel* for one person's eyes; tell whether it worked."""

        def send(blocks: list[dict[str, Any]]) -> Awaitable[AsyncSlackResponse]:
            return self._poster.chat_postEphemeral(
                channel=channel,
                user=user_id,
                text=message.text,
                blocks=blocks or None,
            )

        try:
            await self._drawn("chat.postEphemeral", message, send)
        except SlackError as error:
            log.info("whisper_failed", way="postEphemeral", why=str(error))
            return False
        return True

    async def _respond(self, url: str, message: Message) -> bool:
        """Answer an interaction by its response_url, once; tell whether it worked.

        slack_bolt's ``respond()`` sends twice after a cut connection and does not say
        when Slack refuses. The url is a secret: it stays out of the log.
        https://docs.slack.dev/interactivity/handling-user-interaction
        """
        body = {
            "response_type": "ephemeral",
            "replace_original": False,
            "text": message.text,
            "mrkdwn": False,
            "unfurl_links": False,
            **({"blocks": message.blocks} if message.blocks else {}),
        }
        try:
            async with self._http.post(
                url,
                json=body,
                allow_redirects=False,
                proxy=self._network.proxy_for(url),
                ssl=self._network.tls or True,
            ) as answer:
                worked = answer.status == HTTPStatus.OK and _agreed(await answer.text())
                result, why = "ok" if worked else "refused", f"HTTP {answer.status}"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            worked, result, why = False, "unknown", type(error).__name__
        if not worked:
            log.info("whisper_failed", way="response_url", why=why)
        self._on_call("response_url", result)
        return worked


def _agreed(body: str) -> bool:
    """Say whether the *body* of a 200 means success: "ok", or JSON that is ok."""
    return '"ok":false' not in body.replace(" ", "")
