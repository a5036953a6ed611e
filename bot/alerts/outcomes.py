"""What became of alerts after a restart, told in that restart's thread."""

from __future__ import annotations

from collections.abc import Sequence

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
        due = await self._services.ledger.take_outcomes()
        alike: dict[tuple[str, str], list[Told]] = {}
        for told in due:
            words = say.became(told.alert, told.restart, told.aftermath)
            alike.setdefault((told.restart.request.id, words), []).append(told)
        for (_, words), same in alike.items():
            try:
                await self._tell(words, same)
            except SlackRefused as error:
                log.warning("thread not told of an alert", error=str(error))
            except SlackError as error:
                log.warning("thread not told of an alert yet", error=str(error))
                continue
            for told in same:
                await self._services.ledger.outcome_told(told)

    async def _tell(self, words: str, same: Sequence[Told]) -> None:
        """Tell the thread of one restart of all alerts that *words* hold for."""
        restart = same[0].restart
        request = restart.request
        thread_ts = request.thread_ts or restart.message_ts
        if not thread_ts:  # it was never shown, so there is nobody to tell
            return
        alerts = [told.alert for told in same]
        message = say.aftermath(words, alerts, request.target.instance)
        await self._services.slack.post(
            request.channel_id, message, thread_ts=thread_ts
        )
