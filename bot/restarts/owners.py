"""Tells the owners of instances, in a direct message, what becomes of their work.

Best effort by design: whether an owner could be told holds nothing up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import attrs
import structlog

from bot.errors import SlackError
from bot.ledger.retry import patiently
from bot.model import ENDS, Message, Record
from bot.restarts.services import Services
from bot.slack.messages import owners as say

log = structlog.get_logger()

OWNERS_WITHIN_S = 5.0  # it must not hold up the act


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
        under_way = [one for one in records if one.state not in ENDS]
        await self._tell(under_way, say.before, 1)

    async def after(self, records: Sequence[Record]) -> None:
        """Tell each owner who was told before how it ended."""
        told = [one for one in records if one.owner_told]
        await self._tell(told, say.after, 2)

    async def _tell(
        self,
        records: Sequence[Record],
        say_it: Callable[[Sequence[Record]], Message],
        told: int,
    ) -> None:
        """Tell the owners of *records* once; *told* is what then is on record."""
        due = [one for one in records if one.owner_told < told]
        for user_id in self.among(due):
            theirs = [one for one in due if self.of(one) == user_id]
            if user_id != theirs[0].request.user_id:  # he need not tell himself
                await self._say(user_id, say_it(theirs))
                await self._keep([one.request.id for one in theirs], told)

    async def _say(self, user_id: str, message: Message) -> None:
        try:
            async with asyncio.timeout(OWNERS_WITHIN_S):
                await self._services.slack.post(user_id, message)
        except (SlackError, TimeoutError) as error:
            log.warning("owner not told", user=user_id, error=str(error))

    async def _keep(self, request_ids: Sequence[str], told: int) -> None:
        ledger = self._services.ledger
        await patiently(lambda: ledger.update(*request_ids, owner_told=told))
