"""What the workflow says in Slack: the announcement before, the last word after.

Steps of the workflow: each returns the seconds to wait before it is tried again, or
None when it is done. What Slack refuses for good is kept in the record as unsaid.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

import attrs
import structlog

from bot.errors import SlackError, SlackRefused
from bot.ledger.retry import patiently
from bot.model import ENDS, UNDER_WAY, Act, Message, Record, State, utc
from bot.restarts.approval import Approvals
from bot.restarts.batch import Batch
from bot.restarts.lifecycle import GIVE_UP_S, LATE_STOP
from bot.restarts.message import Messages
from bot.restarts.owners import Owners
from bot.restarts.retry import few_times, pause
from bot.restarts.services import Services
from bot.restarts.wakeups import Pulse
from bot.slack.messages import approval, replies, restart
from bot.slack.messages import followup as say
from bot.slack.messages import formatting as t
from bot.telemetry import request_log

log = structlog.get_logger()

SILENT = "Slack did not take the message that announces the restart."
TO_SEND = frozenset({State.ASKED, State.APPROVED, State.RESTARTING})
UNSENT = TO_SEND | UNDER_WAY  # before the message


@attrs.frozen
class Notifications:
    """Speaks for the workflows; *pulse* tells the others of a batch what changed."""

    _services: Services
    _messages: Messages
    _approvals: Approvals
    _pulse: Pulse
    _owners: Owners

    # --- before the restart ---------------------------------------------------------

    async def announce(self, request_id: str) -> float | None:
        """Post the message that becomes the transition: it proves the channel.

        Slack is waited for until nothing may be sent any more: no trail, no restart.
        """
        batch = await self._batch(request_id)
        if batch.message_ts:
            return None
        batch = await self._without_late_ones(batch)
        if all(one.state in ENDS for one in batch.records):
            return None
        request = batch.record.request
        try:
            ts = await self._services.slack.post(
                request.channel_id,
                await self._messages.message(batch),
                thread_ts=request.thread_ts,
            )
        except SlackRefused as error:
            await self._end_all(batch, str(error))
            return None
        except SlackError as error:
            log.warning("not announced", error=str(error))
            return pause(error)
        ids = [one.request.id for one in batch.records]
        await patiently(lambda: self._services.ledger.update(*ids, message_ts=ts))
        self._pulse.beat()
        return None

    async def _without_late_ones(self, batch: Batch) -> Batch:
        """End what may not be sent any more, and return what has become of all."""
        late_ones = {
            record.request.id: late
            for record in batch.records
            if record.state in TO_SEND and record.sent_at is None
            if (late := self._services.too_late(attrs.evolve(batch, record=record)))
        }
        for request_id, late in late_ones.items():
            why = f"{SILENT} {late}"
            ledger = self._services.ledger
            await ledger.move(request_id, State.NOT_RESTARTED, detail=why)
        self._pulse.beat()
        return await self._batch(batch.record.request.id) if late_ones else batch

    # --- while it is under way --------------------------------------------------------

    async def interim(self, request_id: str) -> None:
        """Say in the thread what cannot wait for the end: a doubt, or a trouble.

        A Slack that is away holds up nothing: what is stopped has to be started.
        """
        batch = await self._batch(request_id)
        record = batch.record
        doubt = not record.done and record.request.plan[0] is Act.STOP
        told = record.doubt_told if doubt else record.trouble_told
        if told or record.state is not State.RESTARTING:
            return
        kept: dict[str, Any] = {"doubt_told" if doubt else "trouble_told": True}
        try:
            await few_times(lambda: self._say_between(batch, doubt=doubt))
        except SlackError as error:
            log.warning("not said in between", error=str(error))
            kept |= {"unsaid": str(error)} if doubt else {}
        await patiently(lambda: self._services.ledger.update(request_id, **kept))

    async def _say_between(self, batch: Batch, *, doubt: bool) -> None:
        record, request = batch.record, batch.record.request
        since = (record.sent_at or self._services.now()).timestamp()
        if doubt:
            message = say.doubt(
                record, LATE_STOP * self._services.settings().watch.lost
            )
        else:
            message = say.trouble(record, t.date(utc(since + GIVE_UP_S)))
        await self._services.slack.post(
            request.channel_id,
            message,
            thread_ts=request.thread_ts or batch.message_ts,
            broadcast=doubt,
        )

    async def _end_all(self, batch: Batch, why: str) -> None:
        """End all that has not been sent and now will not be."""
        for record in batch.records:
            if record.state in UNSENT:
                await self._services.ledger.move(
                    record.request.id, State.NOT_RESTARTED, detail=why
                )
        self._pulse.beat()

    # --- after it ---------------------------------------------------------------------

    async def say_end(self, request_id: str) -> float | None:
        """Show the end of one of several, and tell it to those who joined it.

        For one that was asked for by itself, ``follow_up`` says it all.
        """
        self._pulse.beat()
        batch = await self._batch(request_id)
        if batch.alone:
            return None
        record = batch.record
        guests = await self._services.ledger.joined(request_id)
        waits = [
            await self._draw(batch),
            *[await self._tell_guest(record, guest) for guest in guests],
        ]
        wait = longest(waits)
        if wait is None and not record.told and record.state is not State.JOINED:
            await self._told(record)
        return wait

    async def follow_up(self, request_id: str) -> float | None:
        """Tell the requester how all of it ended, where it was seen.

        Whoever joined one that was asked for by itself is told together with him.
        """
        batch = await self._batch(request_id)
        record, ledger = batch.record, self._services.ledger
        single = batch.alone and record.state is not State.JOINED
        guests = await ledger.joined(request_id) if single else []
        doubted = record.doubt_told and not record.unsaid
        if single and doubted and record.state is State.UNKNOWN:
            # It was said to all when nobody knew; nothing has come of it since.
            await self._told(record, summed=True)
        elif not record.summed:
            here = [one for one in guests if _same_channel(one, record)]
            wait = await self._tell(batch, here)
            if wait is not None:
                return wait
            if single:
                await self._told(record, summed=True)
            else:
                await patiently(lambda: ledger.update(request_id, summed=True))
        return longest([await self._tell_joined(record, guest) for guest in guests])

    async def show_end(self, request_id: str) -> float | None:
        """Edit the message and the card into what became of it all."""
        batch = await self._batch(request_id)
        await self._owners.after(batch.records)
        carded = bool(batch.asked.card_ts)
        card = await self._approvals.close_card(request_id) if carded else None
        return longest([card, await self._draw(batch)])

    async def _draw(self, batch: Batch) -> float | None:
        """Draw the message, if it stands."""
        try:
            await self._messages.draw(batch.record)
        except SlackError as error:
            return pause(error)
        return None

    async def _tell(self, batch: Batch, here: Sequence[Record]) -> float | None:
        """Say the end where the request was seen: in its thread, or privately.

        The requests that joined it *here*, in its channel, are told together with it.
        """
        record = batch.record
        if batch.alone and record.state is State.JOINED:
            return await self._say_joined(record)
        followers = sorted({one.request.user_id for one in here})
        message = await self._last_word(batch, followers)
        parent = batch.message_ts or batch.asked.card_ts
        if parent:
            with suppress(SlackRefused):
                return await self._reply(record, parent, message)
        waits = [await self._privately(record, message)]
        for one in here:
            mine = say.joined_end(record, one.request.user_id)
            waits.append(await self._privately(one, mine))
        return longest(waits)

    async def _last_word(self, batch: Batch, followers: Sequence[str]) -> Message:
        """Return how it ended, for what people have seen of it."""
        asked, what = batch.asked, t.what_of(batch.records)
        if asked.card_ts and not batch.message_ts:
            return approval.notice(asked, (asked.request.user_id, *followers), what)
        if batch.alone and not batch.message_ts:
            return restart.message(batch.records)
        joined = [one.joined for one in batch.records if one.joined]
        found = await self._services.ledger.known(joined) if joined else []
        hosts = {one.request.id: one for one in found}
        down = [one for one in batch.records if one.state is State.DOWN]
        approvers = await self._approvers(down)
        return say.ended(
            batch.records, followers=followers, hosts=hosts, approvers=approvers
        )

    async def _approvers(self, records: Sequence[Record]) -> list[str]:
        """Return the mentions of those who could approve any of *records*."""
        asked = [one.request.approval for one in records]
        by = [who for approval in asked if approval for who in approval.by]
        return await self._services.authorizer.mentions(by)

    async def _say_joined(self, record: Record) -> float | None:
        """Name the request that was joined; its workflow will tell the end of both."""
        if record.told:
            return None
        host = await self._services.ledger.existing(record.joined)
        return await self._privately(record, replies.joined_already(host))

    async def _tell_guest(self, record: Record, guest: Record) -> float | None:
        """Tell somebody whose request joined one of several how that one ended."""
        if _same_channel(guest, record) and not guest.told:
            message = say.joined_end(record, guest.request.user_id)
            wait = await self._beside(record, guest, message)
            if wait is not None:
                return wait
        return await self._tell_joined(record, guest)

    async def _beside(
        self, record: Record, guest: Record, message: Message
    ) -> float | None:
        """Say *message* to *guest* below the message or the card of *record*."""
        if parent := record.message_ts or record.card_ts:
            with suppress(SlackRefused):
                return await self._reply(record, parent, message)
        return await self._privately(guest, message)

    async def _tell_joined(self, host: Record, guest: Record) -> float | None:
        """Tell somebody who joined from elsewhere; who is here has been mentioned."""
        if guest.told:
            return None
        request = guest.request
        if not _same_channel(guest, host):
            message = say.joined_end(host, request.user_id)
            try:
                await self._services.slack.post(
                    request.channel_id, message, thread_ts=request.thread_ts
                )
            except SlackRefused:
                wait = await self._privately(guest, message)
                if wait is not None:
                    return wait
            except SlackError as error:
                return pause(error)
        await self._mark_told(guest)
        return None

    async def _reply(
        self, record: Record, parent_ts: str, message: Message
    ) -> float | None:
        """Reply below *parent_ts*, or without a thread where that is refused.

        Raises SlackRefused where Slack takes neither.
        """
        request = record.request
        for thread_ts in (request.thread_ts or parent_ts, ""):
            try:
                await self._services.slack.post(
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

    async def _privately(self, record: Record, message: Message) -> float | None:
        request = record.request
        try:
            await self._services.slack.whisper(
                message,
                user_id=request.user_id,
                channel=request.channel_id,
                response_url=request.response_url,
            )
        except SlackRefused as error:
            note = f"{t.sentence(str(error))} Unsaid: {message.text}"[:4000]
            ledger = self._services.ledger
            await patiently(lambda: ledger.update(request.id, unsaid=note))
        except SlackError as error:
            return pause(error)
        return None

    async def _told(self, record: Record, *, summed: bool = False) -> None:
        """Keep that the end has been told, and count how it went."""
        await self._mark_told(record, summed=summed)
        metrics = self._services.metrics
        if record.answered:
            metrics.restarts.labels(str(record.state)).inc()
        if record.state is State.READY and record.duration_s is not None:
            metrics.restart.observe(record.duration_s)
        if record.ended_at:
            late = self._services.now() - record.ended_at
            metrics.told.observe(max(0.0, late.total_seconds()))

    async def _mark_told(self, record: Record, *, summed: bool = False) -> None:
        request_id, ledger = record.request.id, self._services.ledger
        await patiently(lambda: ledger.update(request_id, told=True, summed=summed))
        self._services.metrics.requests.labels(str(record.state)).inc()
        request_log.ended(record, self._services.now())

    async def _batch(self, request_id: str) -> Batch:
        return await Batch.of(self._services.ledger, request_id)


def _same_channel(one: Record, other: Record) -> bool:
    return one.request.channel_id == other.request.channel_id


def longest(waits: Iterable[float | None]) -> float | None:
    """Return the longest of *waits*, in seconds; None if all is done."""
    return max((wait for wait in waits if wait is not None), default=None)
