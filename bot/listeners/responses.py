"""How a listener answers in private: at once, in a dialog, or later."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog
from slack_bolt.context.ack.async_ack import AsyncAck

from bot.errors import SlackError
from bot.listeners.payloads import Actor
from bot.listeners.tasks import Tasks, in_time
from bot.model import Message
from bot.slack.client import SlackClient
from bot.slack.messages import replies

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Submitted:
    """What comes of a dialog: the *answer*, or the *problems* of its fields by id."""

    answer: Message
    problems: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def wrong(cls, block_id: str, problem: str) -> Submitted:
        """Return that one field holds what cannot be taken."""
        return cls(replies.plain(problem), {block_id: problem})


class Responses:
    """Answers people in private; what Slack does not take is logged."""

    def __init__(self, slack: SlackClient, tasks: Tasks) -> None:
        self._slack = slack
        self._tasks = tasks

    async def whisper(self, actor: Actor, message: Message) -> None:
        """Say *message* to who asked, and to nobody else."""
        try:
            await self._slack.whisper(
                message,
                user_id=actor.user_id,
                channel=actor.channel_id,
                response_url=actor.response_url,
            )
        except SlackError as error:
            log.warning("not answered", user=actor.user_id, error=str(error))

    async def submitted(
        self, ack: AsyncAck, actor: Actor, work: asyncio.Task[Submitted]
    ) -> None:
        """Acknowledge a dialog with what *work* finds wrong, if it does so in time.

        What it answers, or finds too late, is whispered.
        """
        came = await in_time(work)
        if came is not None and came.problems:
            await ack(response_action="errors", errors=dict(came.problems))
            return
        await ack()
        self._tasks.start(self._answer(actor, work), "answer")

    async def _answer(self, actor: Actor, work: asyncio.Task[Submitted]) -> None:
        await self.whisper(actor, (await work).answer)
