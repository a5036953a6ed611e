"""The slash command: parsed, answered within Slack's 3 seconds, in private."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import structlog
from slack_bolt.context.ack.async_ack import AsyncAck

from bot.errors import LedgerError, SlackError, UsageError
from bot.listeners.batch_dialog import Several
from bot.listeners.payloads import Actor, who_typed
from bot.listeners.queries import QueryListeners
from bot.listeners.requests import RequestListeners
from bot.listeners.responses import Responses
from bot.listeners.restart_dialog import RestartDialog
from bot.listeners.tasks import Tasks, in_time
from bot.model import Message, request_id
from bot.policy.authorizer import Authorizer
from bot.slack import command as words
from bot.slack.messages import replies
from bot.telemetry.metrics import Metrics

log = structlog.get_logger()


class Commands:
    """Answers ``/mlstudio …``."""

    def __init__(
        self,
        *,
        authorizer: Authorizer,
        asking: RequestListeners,
        answering: QueryListeners,
        dialogs: RestartDialog,
        several: Several,
        replies: Responses,
        tasks: Tasks,
        metrics: Metrics,
    ) -> None:
        self._authorizer = authorizer
        self._asking = asking
        self._answering = answering
        self._dialogs = dialogs
        self._several = several
        self._replies = replies
        self._tasks = tasks
        self._metrics = metrics

    async def on_command(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """Answer with the acknowledgement where that is possible in time.

        A restart always is: it is acknowledged only after it has been recorded. What
        takes longer (reading many instances) follows by the response_url.
        """
        began = time.perf_counter()
        actor = who_typed(body)
        work = self._tasks.start(self._answer(actor, body), "command")
        answer = await in_time(work)
        if not work.done():
            await ack(**ephemeral(replies.plain("One moment: I am reading it.")))
            self._tasks.start(self._answer_later(actor, work), "answer later")
        elif answer is None:
            await ack()
        else:
            await ack(**ephemeral(answer))
        self._metrics.ack.observe(time.perf_counter() - began)

    async def _answer_later(
        self, actor: Actor, work: asyncio.Task[Message | None]
    ) -> None:
        answer = await work
        if answer is not None:
            await self._replies.whisper(actor, answer)

    async def _answer(self, actor: Actor, body: dict[str, Any]) -> Message | None:
        """Return the answer to a command; None where a dialog is the answer."""
        command = words.parse(str(body.get("text") or ""))
        with structlog.contextvars.bound_contextvars(
            user=actor.user_id, request=request_id(actor.delivery)
        ):
            log.info("command", kind=type(command).__name__.lower())
            try:
                return await self._route(actor, command, str(body["trigger_id"]))
            except (SlackError, LedgerError) as error:
                log.warning("command not answered", error=str(error))
                return replies.plain(
                    f"I could not find that out: {error}", "Nothing was changed."
                )

    async def _route(
        self, actor: Actor, command: words.Command, trigger_id: str
    ) -> Message | None:
        """Carry out a command, or explain its mistake to whom names may be told."""
        try:
            return await self._carry_out(actor, command, trigger_id)
        except UsageError as error:
            outsider = await self._authorizer.outsider(actor.user_id, actor.team_id)
            if outsider is not None:
                return await self._asking.turn_away(actor, outsider)
            return replies.mistake(str(error))

    async def _carry_out(
        self, actor: Actor, command: words.Command, trigger_id: str
    ) -> Message | None:
        if isinstance(command, words.Help):
            return replies.help_text()
        if isinstance(command, words.Mistake) and command.lost:
            return replies.help_text(command.guess, said=command.sentence)
        if isinstance(command, words.Mistake):
            return replies.mistake(command.sentence, command.guess)
        if isinstance(command, words.Restart) and command.project and command.instance:
            return await self._asking.restart(
                actor,
                command.project,
                command.instance,
                reason=command.reason,
                break_glass=command.break_glass,
            )
        outsider = await self._authorizer.outsider(actor.user_id, actor.team_id)
        if outsider is not None:
            return await self._asking.turn_away(actor, outsider)
        if isinstance(command, words.Restart):
            await self._dialogs.open_restart(actor, trigger_id, command)
            return None
        if isinstance(command, words.Several):
            return await self._several.open(actor, trigger_id, command)
        return await self._inform(actor, command)

    async def _inform(self, actor: Actor, command: words.Command) -> Message:
        """Answer a full member's question, or withdraw a request."""
        match command:
            case words.Status():
                return await self._answering.status(actor, command)
            case words.List():
                return await self._answering.listing(command)
            case words.History():
                return await self._answering.history(command)
            case words.Can():
                return await self._answering.can(actor, command)
            case words.Cancel():
                project, instance = command.project, command.instance
                return await self._asking.cancel(actor, project, instance)
            case _:
                raise AssertionError("unreachable")


def ephemeral(message: Message) -> dict[str, Any]:
    """Return *message* as an acknowledgement that only the person sees."""
    return {
        "response_type": "ephemeral",
        "text": message.text,
        "blocks": message.blocks or None,
    }
