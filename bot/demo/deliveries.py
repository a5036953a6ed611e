"""Bringing payloads to the app, by socket or by signed POST, and what it answers."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlencode

import aiohttp

from bot.demo.posts import Ephemeral, View
from bot.demo.slack_error import Refusal
from bot.demo.slack_socket_mode import Sockets

Kind = Literal["slash_commands", "interactive", "events_api"]

ANSWERABLE = ("slash_commands", "view_submission", "block_suggestion")
HTTP_OK = 200


@dataclass(slots=True, eq=False)
class Delivery:
    """A payload on its way to the app, and what came of it.

    *seconds* is how long the acknowledgement took, *error* Slack's word for what went
    wrong, *ack* the body of the acknowledgement, *shown* the private message that it
    or the failure left behind, *view* the dialog that was open.
    """

    kind: Kind
    payload: dict[str, Any]
    user_id: str = ""
    channel_id: str = ""
    hook: str = ""
    seconds: float = 0.0
    error: str = ""
    ack: dict[str, Any] = field(default_factory=dict)
    shown: Ephemeral | None = None
    view: View | None = None
    attempts: int = 0

    @property
    def ok(self) -> bool:
        """Whether the app acknowledged it in time."""
        return not self.error

    @property
    def text(self) -> str:
        """The text of the acknowledgement."""
        return str(self.ack.get("text", ""))

    @property
    def blocks(self) -> list[dict[str, Any]]:
        """The blocks of the acknowledgement."""
        return list(self.ack.get("blocks") or [])

    @property
    def answerable(self) -> bool:
        """Whether the acknowledgement may hold an answer."""
        return self.kind in ANSWERABLE or self.payload.get("type") in ANSWERABLE


class Courier:
    """Brings deliveries to the app: by socket, or to *request_url* when that is set.

    *ack_s* is how many seconds the app has to acknowledge.
    """

    def __init__(
        self, sockets: Sockets, signing_secret: str, clock: Callable[[], float]
    ) -> None:
        self.request_url = ""
        self.ack_s = 3.0
        self.session: aiohttp.ClientSession | None = None
        self._sockets = sockets
        self._secret = signing_secret.encode()
        self._clock = clock

    async def bring(self, delivery: Delivery) -> Delivery:
        """Deliver it and wait for the acknowledgement; failures go into ``error``."""
        began = time.monotonic()
        delivery.attempts += 1
        delivery.error = ""
        try:
            delivery.ack = await self._carry(delivery)
        except Refusal as refusal:
            delivery.error = refusal.code
        delivery.seconds = time.monotonic() - began
        return delivery

    async def _carry(self, delivery: Delivery) -> dict[str, Any]:
        if self.request_url:
            return await self._post(delivery)
        retry = {
            "retry_attempt": delivery.attempts - 1,
            "retry_reason": "timeout" if delivery.attempts > 1 else "",
        }
        return await self._sockets.carry(
            delivery.kind,
            delivery.payload,
            answerable=delivery.answerable,
            within_s=self.ack_s,
            more=retry if delivery.kind == "events_api" else {},
        )

    async def _post(self, delivery: Delivery) -> dict[str, Any]:
        """POST it, signed (docs.slack.dev, "Verifying requests from Slack")."""
        if self.session is None:
            raise Refusal("dispatch_failed")
        body, content_type = _encoded(delivery)
        headers = {"Content-Type": content_type, **self.sign(body)}
        if delivery.kind == "events_api" and delivery.attempts > 1:
            headers["X-Slack-Retry-Num"] = str(delivery.attempts - 1)
            headers["X-Slack-Retry-Reason"] = "http_timeout"
        timeout = aiohttp.ClientTimeout(total=self.ack_s)
        try:
            async with self.session.post(
                self.request_url, data=body, headers=headers, timeout=timeout
            ) as response:
                answer = await response.text()
        except TimeoutError:
            raise Refusal("operation_timeout") from None
        except aiohttp.ClientError as error:
            raise Refusal("dispatch_failed") from error
        if response.status != HTTP_OK:
            raise Refusal("dispatch_failed")
        return _parsed(answer) if delivery.answerable else {}

    def sign(self, body: str) -> dict[str, str]:
        """Return the headers that prove that *body* comes from Slack, now."""
        stamp = str(int(self._clock()))
        base = f"v0:{stamp}:{body}".encode()
        digest = hmac.new(self._secret, base, hashlib.sha256).hexdigest()
        return {
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": f"v0={digest}",
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
        }


def _encoded(delivery: Delivery) -> tuple[str, str]:
    """Return the body of an HTTP delivery and its content type."""
    if delivery.kind == "events_api":
        return json.dumps(delivery.payload), "application/json"
    form = delivery.payload
    if delivery.kind == "interactive":
        form = {"payload": json.dumps(form)}
    return urlencode(form), "application/x-www-form-urlencoded"


def _parsed(answer: str) -> dict[str, Any]:
    """Return an HTTP answer as an acknowledgement: JSON, or text to show."""
    if not answer:
        return {}
    try:
        parsed = json.loads(answer)
    except ValueError:
        return {"text": answer}
    return parsed if isinstance(parsed, dict) else {"text": answer}
