"""/livez, /readyz and /metrics on a listener of their own; it only reports.

Apart from Slack's listener, because Bolt's web app would open POST /slack/events here
as well.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress

import attrs
import structlog
from aiohttp import web

from bot.telemetry.metrics import CONTENT_TYPE, Metrics
from bot.web import GuardedServer, Limits

log = structlog.get_logger()

Check = Callable[[], Awaitable[bool]]

_CHECK_WITHIN_S = 2.0  # a probe's patience; a check that takes longer has failed
_FRESH_S = 1.0  # so that many probes cost the database one look
_LAG_EVERY_S = 1.0
_LIMITS = Limits(connections=100, header=2048, body=2048, receive_within_s=5.0)


@attrs.define
class Health:
    """The three pages; *checks* by name say what ready means.

    Set *stopping* when nothing new is taken any more, *watchdog_gave_up* when only a
    new process can help: the first ends readiness, the second liveness. What
    *problems* returns is shown, and ends neither.
    """

    _checks: Mapping[str, Check]
    _metrics: Metrics
    _problems: Callable[[], Sequence[str]] = attrs.field(default=tuple, kw_only=True)
    _limit_s: float = attrs.field(default=_CHECK_WITHIN_S, kw_only=True)
    _fresh_s: float = attrs.field(default=_FRESH_S, kw_only=True)
    _lag_every_s: float = attrs.field(default=_LAG_EVERY_S, kw_only=True)
    _clock: Callable[[], float] = attrs.field(default=time.monotonic, kw_only=True)
    stopping: bool = attrs.field(default=False, init=False)
    watchdog_gave_up: bool = attrs.field(default=False, init=False)
    _looking: asyncio.Lock = attrs.field(factory=asyncio.Lock, init=False)
    _looked_at: float = attrs.field(default=float("-inf"), init=False)
    _results: Mapping[str, bool] = attrs.field(factory=dict, init=False)
    _server: GuardedServer = attrs.field(
        factory=lambda: GuardedServer(_LIMITS), init=False
    )
    _lag: asyncio.Task[None] | None = attrs.field(default=None, init=False)

    async def start(self, listen: str) -> str:
        """Serve on *listen* (``host:port``) and return the address, port 0 resolved.

        Raises OSError when it is taken.
        """
        for path, page in (
            ("/livez", self._livez),
            ("/readyz", self._readyz),
            ("/metrics", self._figures),
        ):
            self._server.add("GET", path, page)
        address = await self._server.start(listen)
        self._lag = asyncio.create_task(self._watch_lag(), name="loop lag")
        return address

    def look_at(self, checks: Mapping[str, Check]) -> None:
        """Let other *checks* say from now on what ready means."""
        self._checks = dict(checks)
        self._looked_at = float("-inf")

    def stop(self) -> None:
        """Be unready from now on: nothing new is taken any more."""
        self.stopping = True

    async def close(self) -> None:
        """Stop serving; may be called twice."""
        if self._lag is not None:
            self._lag.cancel()
            with suppress(asyncio.CancelledError):
                await self._lag
        await self._server.close()

    async def _livez(self, _request: web.Request) -> web.Response:
        live = not self.watchdog_gave_up
        return _answer(good=live, body={"live": live})

    async def _readyz(self, _request: web.Request) -> web.Response:
        results = await self._look()
        ready = all(results.values()) and not self.stopping
        body = {"ready": ready, "stopping": self.stopping, "checks": dict(results)}
        if problems := self._problems():
            body["problems"] = list(problems)
        return _answer(good=ready, body=body)

    async def _figures(self, _request: web.Request) -> web.Response:
        await self._look()  # nobody may be probing /readyz
        return web.Response(
            body=self._metrics.text(), headers={"Content-Type": CONTENT_TYPE}
        )

    async def _look(self) -> Mapping[str, bool]:
        """Return what every check says, at most *fresh_s* old; one look at a time."""
        async with self._looking:
            if self._clock() - self._looked_at >= self._fresh_s:
                names = list(self._checks)
                answers = await asyncio.gather(*map(self._ask, names))
                self._results = dict(zip(names, answers, strict=True))
                self._looked_at = self._clock()
                for name, result in self._results.items():
                    self._metrics.check_ok.labels(name).set(result)
            return self._results

    async def _ask(self, name: str) -> bool:
        """Return what the check *name* says; late or broken means no."""
        try:
            async with asyncio.timeout(self._limit_s):
                return bool(await self._checks[name]())
        except Exception as error:  # noqa: BLE001 a broken check is an answer: no
            log.warning("check_failed", check=name, error=repr(error))
            return False

    async def _watch_lag(self) -> None:
        """Measure how late the loop wakes; one that hangs answers no probe at all."""
        while True:
            due = self._clock() + self._lag_every_s
            await asyncio.sleep(self._lag_every_s)
            self._metrics.loop_lag.set(max(0.0, self._clock() - due))


def _answer(*, good: bool, body: object) -> web.Response:
    return web.json_response(
        body, status=200 if good else 503, headers={"Cache-Control": "no-store"}
    )
