"""The HTTP client for all that is not Slack."""

from __future__ import annotations

import attrs
import httpx

from bot.network.routes import DIRECT, Network


@attrs.define
class _Transport(httpx.AsyncBaseTransport):
    """Sends each request the way that the *network* has for it."""

    _network: Network
    _ways: dict[str | None, httpx.AsyncHTTPTransport] = attrs.field(factory=dict)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        proxy = self._network.proxy_for(str(request.url))
        if proxy not in self._ways:
            self._ways[proxy] = self._way(proxy)
        return await self._ways[proxy].handle_async_request(request)

    def _way(self, proxy: str | None) -> httpx.AsyncHTTPTransport:
        tls = True if self._network.tls is None else self._network.tls
        if proxy is None:
            return httpx.AsyncHTTPTransport(verify=tls, trust_env=False)
        to_proxy = self._network.tls if proxy.lower().startswith("https:") else None
        return httpx.AsyncHTTPTransport(
            verify=tls,
            trust_env=False,
            proxy=httpx.Proxy(proxy, ssl_context=to_proxy),
        )

    async def aclose(self) -> None:
        for way in self._ways.values():
            await way.aclose()


def http_client(network: Network = DIRECT) -> httpx.AsyncClient:
    """Return a client that reaches everything as *network* says."""
    return httpx.AsyncClient(transport=_Transport(network), trust_env=False)
