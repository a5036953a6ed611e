"""How a listener answers in private: at once, in a dialog, or later."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Coroutine, Mapping
from typing import Any

import attrs
import structlog
from slack_bolt.context.ack.async_ack import AsyncAck

from bot.errors import SlackBusy, SlackError
from bot.listeners.payloads import Actor
from bot.listeners.tasks import Tasks, in_time
from bot.model import Message
from bot.restarts.services import Services
from bot.slack.messages import replies
from bot.slack.messages.dialogs import refused_view

log = structlog.get_logger()

SAY_AGAIN_AFTER_S = 5.0  # where Slack does not say how long it wants to be left alone


@attrs.frozen
class Submitted:
    """What comes of a dialog: the *answer*, or the *problems* of its fields by id.

    *refused*: it may be sent again, with something else in it.
    """

    answer: Message
    problems: Mapping[str, str] = attrs.field(factory=dict)
    refused: bool = False

    @classmethod
    def wrong(cls, block_id: str, problem: str) -> Submitted:
        """Return that one field holds what cannot be taken."""
        return cls(replies.plain(problem), {block_id: problem})


@attrs.frozen
class Responses:
    """Answers people in private; what Slack does not take is logged."""

    _services: Services
    _tasks: Tasks

    async def whisper(self, actor: Actor, message: Message) -> None:
        """Say *message* to who asked, and to nobody else."""
        try:
            await self._services.slack.whisper(
                message,
                user_id=actor.user_id,
                channel=actor.channel_id,
                response_url=actor.response_url,
            )
        except SlackError as error:
            log.warning("not answered", user=actor.user_id, error=str(error))

    async def typed(
        self, ack: AsyncAck, actor: Actor, work: Coroutine[Any, Any, Message | None]
    ) -> None:
        """Acknowledge a command with its answer, where *work* has it in time.

        What takes longer (reading many instances) follows by the response_url.
        """
        began = time.perf_counter()
        task = self._tasks.start(work, "command")
        answer = await in_time(task)
        if not task.done():
            await ack(**ephemeral(replies.plain("One moment: I am reading it.")))
            self._tasks.start(self._answer_later(actor, task), "answer later")
        elif answer is None:
            await ack()
        else:
            await ack(**ephemeral(self._services.slack.cleaned(answer)))
        self._services.metrics.ack.observe(time.perf_counter() - began)

    async def _answer_later(
        self, actor: Actor, work: asyncio.Task[Message | None]
    ) -> None:
        answer = await work
        if answer is not None:
            await self.whisper(actor, answer)

    async def submitted(
        self,
        ack: AsyncAck,
        actor: Actor,
        work: Coroutine[Any, Any, Submitted],
        view: Mapping[str, Any],
    ) -> None:
        """Acknowledge the dialog *view* with what *work* finds wrong, if it is in time.

        After a refusal it stays with all that was typed. What *work* answers, or finds
        too late, is whispered.
        """
        task = self._tasks.start(work, "submit")
        came = await in_time(task)
        if came is not None and came.problems:
            await ack(response_action="errors", errors=dict(came.problems))
            return
        if came is not None and came.refused:
            await ack(response_action="update", view=refused_view(view, came.answer))
        else:
            await ack()
        self._tasks.start(self._answer(actor, task), "answer")

    async def _answer(self, actor: Actor, work: asyncio.Task[Submitted]) -> None:
        await self.whisper(actor, (await work).answer)


def wait_of(error: Exception) -> str:
    """Return, in words, when to try again what Slack was asked for in vain."""
    wait_s = error.retry_after if isinstance(error, SlackBusy) else None
    return f"{max(1, math.ceil(wait_s or SAY_AGAIN_AFTER_S))} s"


def ephemeral(message: Message) -> dict[str, Any]:
    """Return *message* as an acknowledgement that only the person sees."""
    return {
        "response_type": "ephemeral",
        "text": message.text,
        "blocks": message.blocks or None,
    }
