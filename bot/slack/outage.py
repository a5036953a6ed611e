"""Whether Slack's Web API is away, and the moment at which it is back.

A socket that is open again says that Slack is back, too; but the Web API may be away
while the socket stands, and in HTTP mode there is none.
"""

from __future__ import annotations

import attrs
import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import SlackError
from bot.slack.errors import OnCall, translated

log = structlog.get_logger()

_FAILED = frozenset({"busy", "unknown"})  # what a refusal is not: Slack has answered


@attrs.define
class Outage:
    """Knows how calls have gone; one that failed makes ``look`` ask Slack itself."""

    _client: AsyncWebClient
    _on_call: OnCall
    _doubtful: bool = attrs.field(default=False, init=False)
    _away: bool = attrs.field(default=False, init=False)

    def called(self, method: str, result: str) -> None:
        """Take note of how a call went, and report it."""
        self._on_call(method, result)
        self._doubtful = self._doubtful or result in _FAILED

    async def look(self) -> bool:
        """Say whether Slack is back, once: it was away at the look before.

        Where one method fails and Slack answers all the same, it is not away.
        """
        if not (self._doubtful or self._away):
            return False
        self._doubtful = False
        try:
            with translated("auth.test", self._on_call):
                await self._client.auth_test()
        except SlackError as error:
            if not self._away:
                log.warning("Slack is away", error=str(error), why=error.why)
            self._away = True
            return False
        was_away, self._away = self._away, False
        if was_away:
            log.info("Slack is back")
        return was_away
