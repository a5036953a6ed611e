"""Tells the owners of instances, in a direct message, what becomes of their work.

Best effort by design: whether an owner could be told holds nothing up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
import structlog

from bot.errors import SlackError
from bot.model import Message, Record
from bot.restarts.services import Services
from bot.slack.messages import owners as say

log = structlog.get_logger()


@attrs.frozen
class Owners:
    """Knows from ``[owners]`` who in Slack an owner of the cloud is."""

    _services: Services

    def of(self, record: Record) -> str:
        """Return the user id of the instance's owner, or nothing."""
        owner = record.baseline.owner if record.baseline else ""
        return self._services.settings().owners.get(owner, "") if owner else ""

    def among(self, records: Sequence[Record]) -> list[str]:
        """Return the user ids of all owners of *records*, each once."""
        return list(dict.fromkeys(filter(None, map(self.of, records))))

    async def before(self, records: Sequence[Record]) -> None:
        """Tell each owner who is about to restart what, and why."""
        await self._tell(records, say.before)

    async def after(self, records: Sequence[Record]) -> None:
        """Tell each owner how it ended."""
        await self._tell(records, say.after)

    async def _tell(
        self, records: Sequence[Record], say_it: Callable[[Sequence[Record]], Message]
    ) -> None:
        for user_id in self.among(records):
            theirs = [one for one in records if self.of(one) == user_id]
            if user_id == theirs[0].request.user_id:
                continue  # he has asked for it himself
            try:
                await self._services.slack.post(user_id, say_it(theirs))
            except SlackError as error:
                log.warning("owner not told", user=user_id, error=str(error))
