"""The slash command: parsed, answered within Slack's 3 seconds, in private."""

from __future__ import annotations

import asyncio
from typing import Any

import attrs
import structlog
from slack_bolt.context.ack.async_ack import AsyncAck

from bot.cloud import Names
from bot.errors import LedgerError, SlackError, UsageError
from bot.listeners.batch_dialog import BatchDialog
from bot.listeners.cancellations import Cancellations
from bot.listeners.freezes import FreezeListeners
from bot.listeners.payloads import Actor, who_typed
from bot.listeners.queries import QueryListeners
from bot.listeners.quota import Quota
from bot.listeners.requests import RequestListeners
from bot.listeners.responses import Responses
from bot.listeners.restart_dialog import RestartDialog
from bot.model import Message, request_id
from bot.slack import command as words
from bot.slack.messages import replies

log = structlog.get_logger()

HELP_WITHIN_S = 1.0  # what takes longer is left out of it
QUESTIONS = 20  # of one person within a minute
ASKS = (words.Status, words.List, words.History, words.Can, words.OnCall)
TOO_MANY = (
    f"You asked more than {QUESTIONS} questions within a minute, so this one was not"
    " looked up: ask it again in a minute."
)


@attrs.frozen
class Commands:
    """Answers ``/mlstudio …``."""

    _requests: RequestListeners
    _cancellations: Cancellations
    _queries: QueryListeners
    _freezes: FreezeListeners
    _restart_dialog: RestartDialog
    _batch_dialog: BatchDialog
    _responses: Responses
    _names: Names
    _questions: Quota = attrs.field(factory=lambda: Quota(QUESTIONS))

    async def on_command(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """Answer with the acknowledgement where that is possible in time.

        A restart always is: it is acknowledged only after it has been recorded.
        """
        actor = who_typed(body)
        await self._responses.typed(ack, actor, self._answer(actor, body))

    async def _answer(self, actor: Actor, body: dict[str, Any]) -> Message | None:
        """Return the answer to a command; None where a dialog is the answer."""
        command = words.parse(str(body.get("text") or ""))
        with structlog.contextvars.bound_contextvars(
            user=actor.user_id, request=request_id(actor.delivery)
        ):
            log.info("command", kind=type(command).__name__.lower())
            if typed := getattr(command, "project", ""):
                await self._names.fresh(typed)
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
        """Carry out a command of whom names may be told, or explain its mistake."""
        if isinstance(command, ASKS) and not self._questions.use(actor.user_id):
            return replies.plain(TOO_MANY, "Restarts are not held up by that.")
        if not words.for_everybody(command):
            refusal = await self._requests.turned_away(actor)
            if refusal is not None:
                return refusal
        try:
            if isinstance(command, words.Restart) and command.is_whole:
                return await self._requests.typed(actor, command)
            if isinstance(command, words.Start):
                return await self._requests.typed(actor, command)
            return await self._carry_out(actor, command, trigger_id)
        except UsageError as error:
            return replies.mistake(str(error))

    async def _carry_out(
        self, actor: Actor, command: words.Question, trigger_id: str
    ) -> Message | None:
        """Open a dialog, answer a question, withdraw a request, freeze or thaw."""
        match command:
            case words.Help():
                return await self._help(actor)
            case words.Mistake():
                return _explained(command)
            case words.Restart():
                await self._restart_dialog.open(actor, trigger_id, command)
                return None
            case words.Several():
                return await self._batch_dialog.open(actor, trigger_id, command)
            case words.Status() | words.List() | words.History() | words.Can():
                return await self._tell(actor, command)
            case words.OnCall():
                return await self._queries.on_call()
            case words.Cancel():
                return await self._cancellations.cancel(actor, command)
            case words.Freeze():
                return await self._freezes.freeze(actor, command)
            case words.Thaw():
                return await self._freezes.thaw(actor, command)

    async def _tell(
        self,
        actor: Actor,
        question: words.Status | words.List | words.History | words.Can,
    ) -> Message:
        """Answer a question."""
        match question:
            case words.Status():
                return await self._queries.status(actor, question)
            case words.List():
                return await self._queries.listing(question)
            case words.History():
                return await self._queries.history(question)
            case words.Can():
                return await self._queries.can(actor, question)

    async def _help(self, actor: Actor) -> Message:
        """List the commands, and to members what is frozen; that needs no luck."""
        frozen: list[str] = []
        try:
            async with asyncio.timeout(HELP_WITHIN_S):
                if frozen := await self._freezes.in_words():
                    frozen = [] if await self._requests.is_outside(actor) else frozen
        except (SlackError, LedgerError, TimeoutError) as error:
            log.info("help without freezes", error=str(error))
            frozen = []
        return replies.help_text(frozen=frozen)


def _explained(mistake: words.Mistake) -> Message:
    """Say what was wrong, with all commands where not even the command is known."""
    if mistake.lost:
        return replies.help_text(mistake.guess, said=mistake.sentence)
    return replies.mistake(mistake.sentence, mistake.guess)
