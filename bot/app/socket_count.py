"""How many sockets of our app Slack knows, and whether all of them are ours.

Slack deals deliveries out among all sockets of an app. Two bots with the same tokens
and different databases would each get a part of the commands and clicks:
https://docs.slack.dev/apis/events-api/using-socket-mode
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs
import structlog

from bot.errors import BotError
from bot.telemetry.metrics import Metrics
from bot.telemetry.problems import Problems

log = structlog.get_logger()

EACH = 1  # sockets of one replica


@attrs.frozen
class SocketCount:
    """Compares Slack's count with the replicas of our database."""

    _replicas: Callable[[], Awaitable[int]]
    _metrics: Metrics
    _problems: Problems

    async def heard(self, sockets: int) -> None:
        """Take note that Slack has counted so many *sockets*, ours included."""
        self._metrics.sockets.set(sockets)
        try:
            replicas = await self._replicas()
        except BotError as error:
            log.info("replicas not counted", error=str(error))
            return
        expected = replicas * EACH
        self._metrics.sockets_expected.set(expected)
        self._problems.tell(
            "sockets", [_split(sockets, expected, replicas)] * (sockets > expected)
        )


def _split(sockets: int, expected: int, replicas: int) -> str:
    """Return the sentence that somebody else has sockets of our app."""
    known = "1 replica" if replicas == 1 else f"{replicas} replicas"
    return (
        f"Slack has {sockets} sockets of this app open and {expected} expected, for"
        f" this database knows {known}: another bot with the same tokens and another"
        " database gets a part of the commands and clicks → stop the other one, or give"
        " it an app of its own; one that was lost a minute ago may still be counted"
    )
