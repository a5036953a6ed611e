"""HTTP mode: Slack's signed requests at POST /slack/events, handed on to Bolt."""

from __future__ import annotations

from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.signature import SignatureVerifier

from bot.config import host_port

PATH = "/slack/events"
LARGEST_BYTES = 512 * 1024  # a dialog is at most 250 kB


class HttpMode:
    """Serves Slack on *listen*; one of *signing_secrets* has to fit (rotation)."""

    def __init__(
        self, app: AsyncApp, signing_secrets: tuple[str, ...], listen: str
    ) -> None:
        self._app = app
        self._verifiers = [SignatureVerifier(secret) for secret in signing_secrets]
        self._listen = listen
        server = web.Application(client_max_size=LARGEST_BYTES)
        server.router.add_post(PATH, self._receive)
        self._runner = web.AppRunner(server, access_log=None, shutdown_timeout=3.0)

    async def start(self) -> None:
        """Listen; OSError when the address is taken."""
        await self._runner.setup()
        await web.TCPSite(self._runner, *host_port(self._listen)).start()

    async def is_connected(self) -> bool:
        """Say whether Slack could reach us: while we serve, it could."""
        return bool(self._runner.addresses)

    async def close(self) -> None:
        """Stop listening once the requests in hand are answered."""
        await self._runner.cleanup()

    async def _receive(self, request: web.Request) -> web.Response:
        """Check the signature over the raw body first, then let Bolt route it.

        Slack signs ``v0:timestamp:body`` and wants requests older than five minutes
        refused: https://docs.slack.dev/authentication/verifying-requests-from-slack
        """
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        if not any(self._fits(one, body, headers) for one in self._verifiers):
            return web.json_response(
                {"error": "the signature does not fit"}, status=401
            )
        answer = await self._app.async_dispatch(await to_bolt_request(request))
        return await to_aiohttp_response(answer)

    @staticmethod
    def _fits(
        verifier: SignatureVerifier, body: bytes, headers: dict[str, str]
    ) -> bool:
        try:
            return verifier.is_valid_request(body, headers)
        except ValueError:  # a timestamp that is no number, a body that is no text
            return False
