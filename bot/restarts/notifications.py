"""What the story says in Slack: the announcement before, the last word after.

Steps of the story: each returns the seconds to wait before it is tried again, or None
when it is done. What Slack refuses for good is kept in the record as unsaid.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime

import structlog

from bot.errors import SlackBusy, SlackError, SlackRefused
from bot.ledger import Ledger
from bot.ledger.retry import patiently
from bot.model import UNDER_WAY, Message, Record, State
from bot.policy.authorizer import Authorizer
from bot.slack.client import SlackClient
from bot.slack.messages import approval as card
from bot.slack.messages import replies
from bot.slack.messages import restart as say
from bot.slack.messages.formatting import sentence
from bot.telemetry.metrics import Metrics

log = structlog.get_logger()

# Longest and shortest pause between two tries to say the same thing, in seconds.
PATIENCE_S = 60.0
IMPATIENCE_S = 1.0
SILENT = (
    "Slack did not take the message that announces the restart, so nothing was sent to"
    " the cloud. Ask again when Slack works."
)


class Notifications:
    """Speaks for the stories."""

    def __init__(
        self,
        *,
        slack: SlackClient,
        ledger: Ledger,
        authorizer: Authorizer,
        metrics: Metrics,
    ) -> None:
        self._slack = slack
        self._ledger = ledger
        self._authorizer = authorizer
        self._metrics = metrics

    # --- before the restart ---------------------------------------------------------

    async def announce(self, request_id: str) -> float | None:
        """Post the message that becomes the transition: it proves the channel."""
        record = await self._ledger.existing(request_id)
        if record.state not in UNDER_WAY or record.message_ts:
            return None
        request = record.request
        if record.state is State.FOLLOWING:
            message = say.following(record, status_now=record.last_status)
        else:
            mentions = await self._authorizer.told_of_break_glass(request)
            message = say.announcing(record, mentions=mentions)
        try:
            ts = await self._slack.post(
                request.channel_id, message, thread_ts=request.thread_ts
            )
        except SlackRefused as error:
            await self._ledger.move(request_id, State.NOT_RESTARTED, detail=str(error))
            return None
        except SlackError as error:
            log.warning("not announced", error=str(error))
            return pause(error)
        await patiently(lambda: self._ledger.update(request_id, message_ts=ts))
        return None

    async def not_announced(self, request_id: str) -> None:
        """End a request whose channel could not be proven: no trail, no restart."""
        record = await self._ledger.existing(request_id)
        if record.state in UNDER_WAY and not record.message_ts:
            await self._ledger.move(request_id, State.NOT_RESTARTED, detail=SILENT)

    # --- after it ---------------------------------------------------------------------

    async def say_end(self, request_id: str) -> float | None:
        """Tell the requester how it ended, and then all who joined."""
        record = await self._ledger.existing(request_id)
        if record.state is State.JOINED:
            return await self._say_joined(record)
        joined = await self._ledger.joined(request_id)
        if not record.told:
            channel_id = record.request.channel_id
            here = [one for one in joined if one.request.channel_id == channel_id]
            wait = await self._tell(record, here)
            if wait is not None:
                return wait
            await self._told(record)
        waits = [await self._tell_joined(record, other) for other in joined]
        return longest(waits)

    async def show_end(self, request_id: str) -> float | None:
        """Edit the transition and the card into what became of them."""
        record = await self._ledger.existing(request_id)
        waits = [
            await self._edit(record, record.card_ts, card.card_closed(record)),
            await self._edit(record, record.message_ts, await self._ended(record)),
        ]
        return longest(waits)

    async def _ended(self, record: Record) -> Message:
        mentions = await self._authorizer.told_of_break_glass(record.request)
        return say.ended(record, mentions=mentions)

    async def _edit(self, record: Record, ts: str, message: Message) -> float | None:
        if not ts:
            return None
        try:
            await self._slack.update(record.request.channel_id, ts, message)
        except SlackRefused as error:
            log.warning("message not edited", error=str(error))
        except SlackError as error:
            return pause(error)
        return None

    async def _tell(self, record: Record, here: Sequence[Record]) -> float | None:
        """Say the end where the request was seen: in its thread, or privately.

        The requests that joined it *here*, in its channel, are told together with it.
        """
        followers = sorted({one.request.user_id for one in here})
        if record.message_ts:
            parent, message = record.message_ts, say.followup(record, followers)
        elif record.card_ts:
            users = (record.request.user_id, *followers)
            parent, message = record.card_ts, card.notice(record, users)
        else:
            parent, message = "", say.not_restarted(record)
        if parent:
            with suppress(SlackRefused):
                return await self._reply(record, parent, message)
        waits = [await self._privately(record, message)]
        for one in here:
            mine = say.joined_end(record, one.request.user_id)
            waits.append(await self._privately(one, mine))
        return longest(waits)

    async def _say_joined(self, record: Record) -> float | None:
        """Name the request that was joined; its story will tell the end of both."""
        if record.told:
            return None
        host = await self._ledger.existing(record.joined)
        return await self._privately(record, replies.joined_already(host))

    async def _reply(
        self, record: Record, parent_ts: str, message: Message
    ) -> float | None:
        """Reply below *parent_ts*, or without a thread where that is refused.

        Raises SlackRefused where Slack takes neither.
        """
        request = record.request
        for thread_ts in (request.thread_ts or parent_ts, ""):
            try:
                await self._slack.post(
                    request.channel_id,
                    message,
                    thread_ts=thread_ts,
                    broadcast=bool(thread_ts),
                )
            except SlackRefused as error:
                log.warning("reply refused", error=str(error))
                if not thread_ts:
                    raise
            except SlackError as error:
                return pause(error)
            else:
                return None
        raise AssertionError("unreachable")

    async def _tell_joined(self, host: Record, record: Record) -> float | None:
        """Tell somebody who joined from elsewhere; who is here has been mentioned."""
        if record.told:
            return None
        request = record.request
        if request.channel_id != host.request.channel_id:
            message = say.joined_end(host, request.user_id)
            try:
                await self._slack.post(
                    request.channel_id, message, thread_ts=request.thread_ts
                )
            except SlackRefused:
                wait = await self._privately(record, message)
                if wait is not None:
                    return wait
            except SlackError as error:
                return pause(error)
        await patiently(lambda: self._ledger.update(request.id, told=True))
        self._metrics.requests.labels(str(record.state)).inc()
        return None

    async def _privately(self, record: Record, message: Message) -> float | None:
        request = record.request
        try:
            await self._slack.whisper(
                message,
                user_id=request.user_id,
                channel=request.channel_id,
                response_url=request.response_url,
            )
        except SlackRefused as error:
            note = f"{sentence(str(error))} Unsaid: {message.text}"[:4000]
            await patiently(lambda: self._ledger.update(request.id, unsaid=note))
        except SlackError as error:
            return pause(error)
        return None

    async def _told(self, record: Record) -> None:
        await patiently(lambda: self._ledger.update(record.request.id, told=True))
        self._metrics.requests.labels(str(record.state)).inc()
        if record.answered:
            self._metrics.restarts.labels(str(record.state)).inc()
        if record.state is State.READY and record.duration_s is not None:
            self._metrics.restart.observe(record.duration_s)
        if record.ended_at:
            late = datetime.now(UTC) - record.ended_at
            self._metrics.told.observe(max(0.0, late.total_seconds()))


def longest(waits: Iterable[float | None]) -> float | None:
    """Return the longest of *waits*, in seconds; None if all is done."""
    return max((wait for wait in waits if wait is not None), default=None)


def pause(error: SlackError) -> float:
    """Return how long to wait after an error that may pass, in seconds."""
    wait = error.retry_after if isinstance(error, SlackBusy) else IMPATIENCE_S
    return min(max(wait, IMPATIENCE_S), PATIENCE_S)
