"""What became of alerts after a restart, told in that restart's thread."""

from __future__ import annotations

import attrs
import structlog

from bot.alerts.services import Services
from bot.errors import SlackError, SlackRefused
from bot.ledger.alert_outcomes import Told
from bot.slack.messages import alerts as say

log = structlog.get_logger()


@attrs.frozen
class Outcomes:
    """Tells what is due, one replica at a time."""

    _services: Services

    async def look(self) -> None:
        """Tell what is due; what Slack did not take is told half a minute later."""
        for told in await self._services.ledger.take_outcomes():
            try:
                await self._tell(told)
            except SlackRefused as error:
                log.warning("thread not told of an alert", error=str(error))
            except SlackError as error:
                log.warning("thread not told of an alert yet", error=str(error))
                continue
            await self._services.ledger.outcome_told(told)

    async def _tell(self, told: Told) -> None:
        request = told.restart.request
        thread_ts = request.thread_ts or told.restart.message_ts
        if not thread_ts:  # it was never shown, so there is nobody to tell
            return
        message = say.aftermath(
            told.alert, told.restart, told.aftermath, request.target.instance
        )
        await self._services.slack.post(
            request.channel_id, message, thread_ts=thread_ts
        )
