"""When the message is edited while an instance reboots.

A slow Slack must not slow down the looks, so an edit runs beside them; one that fails
is made up for by the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import attrs
import structlog

from bot.errors import BotError
from bot.model import Record, usual_s
from bot.restarts.message import Messages
from bot.slack.messages.outcome import Seen

log = structlog.get_logger()

# Seconds between two edits of one message, if those of others leave room for them.
EDIT_EVERY_S = 15.0
EDIT_NEAR_END_S = 5.0
EDIT_LEAST_S = 1.0
NEAR_END = 0.75  # of the usual duration


@attrs.define
class Progress:
    """Shows one restart; *durations* of earlier ones and *poll_s* are in seconds."""

    _messages: Messages
    _durations: Sequence[float]
    _poll_s: float
    _next_s: float = 0.0
    _shown: str | None = None  # the status
    _edit: asyncio.Task[None] | None = None

    def show(self, record: Record, status: str, at_s: float) -> None:
        """Edit the message, if that is due and the last edit is through."""
        busy = self._edit is not None and not self._edit.done()
        if busy or at_s < self._next_s or not record.message_ts:
            return
        usual = usual_s(self._durations)
        # After a crash the message stands, mostly as it is to be: that can wait.
        news = at_s < EDIT_EVERY_S if self._shown is None else status != self._shown
        if not self._messages.see(record, Seen(status, at_s, usual), news=news):
            return  # there is no room for an edit now
        self._shown = status
        self._next_s = at_s + self._interval(at_s, usual)
        self._edit = asyncio.create_task(self._draw(record))

    async def close(self) -> None:
        """Stop an edit that is under way: the last word must come after it."""
        if self._edit is not None:
            self._edit.cancel()
            await asyncio.wait([self._edit])

    def _interval(self, at_s: float, usual: float | None) -> float:
        near = usual is not None and at_s > NEAR_END * usual
        most = EDIT_NEAR_END_S if near else EDIT_EVERY_S
        # Short polls mean short restarts: with the usual 10 s it is always *most*.
        return min(max(1.5 * self._poll_s, EDIT_LEAST_S), most)

    async def _draw(self, record: Record) -> None:
        try:
            await self._messages.draw(record)
        except BotError as error:
            log.info("progress not shown", error=str(error))
