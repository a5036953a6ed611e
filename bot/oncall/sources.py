"""Which module asks the source of a line, with which token, and for how long."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

import attrs
import httpx

from bot.config import OnCallSettings, Secrets
from bot.errors import RotaUnreachable
from bot.model import OnCallPerson
from bot.oncall import grafana, pagerduty
from bot.oncall.call import Caller

# Whoever asks waits less. A call that he has given up goes on: to a source far away the
# connection takes most of the time, and the next one who asks finds it made.
LONGEST_CALL_S = 5.0


@attrs.define
class Sources:
    """Asks the source of a line; all of it together takes *within_s* at most."""

    _secrets: Secrets
    _http: httpx.AsyncClient
    _home_team: str
    _now: Callable[[], datetime]
    _within_s: float = LONGEST_CALL_S
    _not_before: dict[str, float] = attrs.field(factory=dict, init=False)

    async def read(
        self, line: str, settings: OnCallSettings
    ) -> tuple[OnCallPerson, ...]:
        """Return who is on call on *line*, as its source says now.

        Raises RotaError.
        """
        caller = self.caller(line, settings)
        try:
            async with asyncio.timeout(self._within_s):
                return await self._asking(caller, settings)
        except TimeoutError:
            raise RotaUnreachable(
                f"{caller.named} did not answer within {self._within_s:g} s."
            ) from None

    def caller(self, line: str, settings: OnCallSettings) -> Caller:
        """Return what makes the calls about *line*."""
        return Caller(line, settings, self._http, self._not_before)

    def _asking(
        self, caller: Caller, settings: OnCallSettings
    ) -> Awaitable[tuple[OnCallPerson, ...]]:
        if settings.source == "pagerduty":
            token = self._secrets.pagerduty_token
            return pagerduty.on_call(caller, token, self._now)
        token = self._secrets.grafana_irm_token
        return grafana.on_call(caller, token, self._home_team, self._now)
