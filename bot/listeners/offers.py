"""The buttons that start it, start it now, or restart it anyway.

Each click is a request of who clicked, decided anew like a command; what was asked
before gives no more than the instance, the reason and, on a home page, the channel.
"""

from __future__ import annotations

from typing import Any

import attrs
import structlog
from slack_bolt.context.ack.async_ack import AsyncAck

from bot.errors import BotError, UsageError
from bot.listeners.payloads import Actor, who_clicked
from bot.listeners.requests import RequestListeners
from bot.listeners.responses import Responses
from bot.listeners.tasks import Tasks, in_time
from bot.listeners.wish import Wish
from bot.model import Act, Message, Record, State, request_id
from bot.restarts.services import Services
from bot.slack.messages import replies
from bot.slack.messages.buttons import (
    RESTART_ANYWAY,
    START_NOW,
    names_target,
    target_names,
)

log = structlog.get_logger()

_START = Wish(wants=Act.START)


@attrs.frozen
class Offers:
    """Takes the clicks on what is offered after an end."""

    _services: Services
    _requests: RequestListeners
    _responses: Responses
    _tasks: Tasks

    async def on_click(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """Take a click: recorded before it is acknowledged, and always answered."""
        await in_time(self._tasks.start(self._take(body), "offer"))
        await ack()

    async def _take(self, body: dict[str, Any]) -> None:
        actor, action = who_clicked(body), body["actions"][0]
        with structlog.contextvars.bound_contextvars(
            user=actor.user_id, request=request_id(actor.delivery)
        ):
            answer = await self._answer(actor, action)
            await self._responses.whisper(actor, answer)

    async def _answer(self, actor: Actor, action: dict[str, Any]) -> Message:
        """Ask for what the button offers; say what came of it."""
        value = str(action.get("value") or "")
        try:
            if names_target(value):
                return await self._ask(actor, *target_names(value), _START)
            ended = await self._services.ledger.get(value)
            if ended is None:
                refusal = await self._requests.turned_away(actor)
                return refusal or replies.unknown_request()
            wish = _wish(ended, str(action.get("action_id") or ""))
            old, here = ended.request.target, actor.at(ended.request.channel_id)
            return await self._ask(here, old.project, old.instance_id, wish)
        except UsageError as error:
            refusal = await self._requests.turned_away(actor)
            return refusal or replies.plain(str(error))
        except BotError as error:
            log.warning("click not answered", error=str(error))
            return replies.plain(
                f"I could not find that out: {error}", "Nothing was changed."
            )

    async def _ask(
        self, actor: Actor, project: str, instance_id: str, wish: Wish
    ) -> Message:
        """Ask for *wish* of an instance; raise UsageError where it has no name now."""
        await self._services.names.fresh(project)
        target = self._services.settings().target(project, instance_id)
        return (await self._requests.ask(actor, [target], wish)).answer


def _wish(ended: Record, action_id: str) -> Wish:
    """Return what a button below *ended* asks for."""
    reason = ended.request.reason
    if action_id == RESTART_ANYWAY:
        return Wish(reason=reason, anyway=True)
    down = action_id == START_NOW and ended.state is State.DOWN
    return Wish(reason=reason, wants=Act.START, urgent=down and not ended.up_again)
