"""HTTP mode: Slack's signed requests at POST /slack/events, handed on to Bolt."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable

import attrs
import httpx
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.signature import SignatureVerifier

from bot.errors import BotError
from bot.web import GuardedServer, Limits

PATH = "/slack/events"
LARGEST_BYTES = 512 * 1024  # a dialog is at most 250 kB
# A signature is good for 300 s either way of our clock, so it is remembered twice that.
REMEMBERED_S = 600.0
SIGNED_WITHIN_S = 300.0
_TIMESTAMP = re.compile(r"[0-9]{1,12}")
_SIGNATURE = re.compile(r"v0=[0-9a-f]{64}")
OWN_REQUEST_WITHIN_S = 10.0
REPEATED = "I have received this already; it counts once."
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - not to listen on


class HttpMode:
    """Serves Slack on *listen*; one of *signing_secrets* has to fit (rotation).

    *public_url* is where Slack sends to, if that is known here.
    """

    def __init__(
        self,
        app: AsyncApp,
        signing_secrets: tuple[str, ...],
        listen: str,
        *,
        public_url: str = "",
    ) -> None:
        self._app = app
        self._verifiers = [SignatureVerifier(secret) for secret in signing_secrets]
        self._listen = listen
        self._public_url = public_url
        self._received = Received()
        self._server = GuardedServer(Limits(body=LARGEST_BYTES))
        self._server.add("POST", PATH, self._receive, _at_a_glance)

    async def start(self) -> None:
        """Listen; OSError when the address is taken."""
        await self._server.start(self._listen)

    async def is_connected(self) -> bool:
        """Say whether Slack could reach us: while we serve, it could."""
        return bool(self._server.address)

    async def prove(self) -> None:
        """Prove what can be proven of the way from Slack to us; raise BotError.

        We send what Slack sends when it verifies an address (``url_verification``,
        signed), and Bolt has to return the challenge. With *public_url* that goes the
        way that Slack's requests go: name, certificate, proxy, ingress, a replica.
        Without it only our own listener is proven. Not proven: that Slack has this
        address and the same signing secret; for that, watch
        mlstudio_last_delivery_timestamp_seconds.
        """
        url, challenge = self._public_url or self._own_url(), secrets.token_hex(16)
        body = json.dumps({"type": "url_verification", "challenge": challenge})
        at = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "X-Slack-Request-Timestamp": at,
            "X-Slack-Signature": self._verifiers[0].generate_signature(
                timestamp=at, body=body
            )
            or "",
        }
        try:
            async with httpx.AsyncClient(trust_env=bool(self._public_url)) as http:
                answer = await http.post(
                    url, content=body, headers=headers, timeout=OWN_REQUEST_WITHIN_S
                )
        except httpx.HTTPError as error:
            raise BotError(f"{url} does not answer ({type(error).__name__})") from error
        if not answer.is_success or challenge not in answer.text:
            raise BotError(
                f"{url} answered a signed request of ours with {answer.status_code} and"
                " not as this bot does"
            )

    def _own_url(self) -> str:
        """Return the address of our own listener."""
        host, _, port = self._server.address.rpartition(":")
        if not port:
            raise BotError("nothing listens for Slack")
        return f"http://{_ANYWHERE.get(host, host)}:{port}{PATH}"

    async def close(self) -> None:
        """Stop listening once the requests in hand are answered."""
        await self._server.close()

    async def _receive(self, request: web.Request) -> web.Response:
        """Check the signature over the raw body first, then let Bolt route it.

        Slack signs ``v0:timestamp:body`` and wants requests older than five minutes
        refused: https://docs.slack.dev/authentication/verifying-requests-from-slack
        A request that comes again within that time is a replay: it does nothing and
        learns nothing. (One restart for one ``trigger_id`` is the ledger's rule, over
        all replicas.)
        """
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        if not any(self._fits(one, body, headers) for one in self._verifiers):
            return _unsigned()
        if not self._received.is_new(headers["x-slack-signature"]):
            return web.Response(text=REPEATED)
        try:
            asked = await to_bolt_request(request)
            is_request = isinstance(asked.body, dict)
        except (ValueError, TypeError, AttributeError):  # neither JSON nor a form
            is_request = False
        if not is_request:
            return web.json_response({"error": "the body makes no sense"}, status=400)
        return await to_aiohttp_response(await self._app.async_dispatch(asked))

    @staticmethod
    def _fits(
        verifier: SignatureVerifier, body: bytes, headers: dict[str, str]
    ) -> bool:
        try:
            return verifier.is_valid_request(body, headers)
        # A timestamp that is no number, a body that is no text, a signature of
        # characters that cannot be compared.
        except (ValueError, TypeError):
            return False


def _at_a_glance(request: web.Request) -> web.Response | None:
    """Refuse, before its body is read, what cannot be signed, or is too old."""
    at = request.headers.get("X-Slack-Request-Timestamp", "")
    signature = request.headers.get("X-Slack-Signature", "")
    if not (_TIMESTAMP.fullmatch(at) and _SIGNATURE.fullmatch(signature)):
        return _unsigned()
    return _unsigned() if abs(time.time() - int(at)) > SIGNED_WITHIN_S else None


def _unsigned() -> web.Response:
    return web.json_response({"error": "the signature does not fit"}, status=401)


@attrs.define
class Received:
    """The signatures of the last minutes; only who has the secret can add to them."""

    _clock: Callable[[], float] = time.monotonic
    _seen: dict[str, float] = attrs.field(factory=dict, init=False)  # as they came

    def is_new(self, signature: str) -> bool:
        """Say whether *signature* comes for the first time, and remember it."""
        now = self._clock()
        while self._seen:
            oldest = next(iter(self._seen))
            if now - self._seen[oldest] < REMEMBERED_S:
                break
            del self._seen[oldest]
        if signature in self._seen:
            return False
        self._seen[signature] = now
        return True
