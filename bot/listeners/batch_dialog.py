"""The confirmation of several restarts: opened, and taken on when it comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import attrs
from slack_bolt.context.ack.async_ack import AsyncAck

from bot.errors import UsageError
from bot.listeners.payloads import Actor, who_submitted
from bot.listeners.requests import RequestListeners
from bot.listeners.responses import Responses, Submitted
from bot.listeners.status_cache import StatusCache
from bot.listeners.wish import Wish
from bot.model import Message, Target
from bot.restarts.services import Services
from bot.slack import command as words
from bot.slack.messages import batch_dialog as dialog
from bot.slack.messages.batch_dialog import Confirmed
from bot.slack.messages.blocks import View
from bot.slack.messages.dialogs import REASON
from bot.slack.messages.queries import would_ask


@attrs.frozen
class BatchDialog:
    """Opens the confirmation and takes what comes back from it."""

    _services: Services
    _requests: RequestListeners
    _responses: Responses
    _statuses: StatusCache

    async def open(
        self, actor: Actor, trigger_id: str, command: words.Several
    ) -> Message | None:
        """Open the confirmation; the trigger lives 3 s. One alone needs none."""
        targets = self._services.settings().several(command.project, command.instances)
        if len(targets) == 1 and len(command.instances) > 1:
            wish = Wish(reason=command.reason, break_glass=command.break_glass)
            return (await self._requests.ask(actor, targets, wish)).answer
        view = await self._view(
            actor,
            targets,
            Confirmed(
                project=targets[0].project,
                instances=tuple(target.instance_id for target in targets),
                channel=actor.channel_id,
                reason=command.reason,
                break_glass=command.break_glass,
                private=actor.private,
            ),
        )
        await self._services.slack.open_view(trigger_id, view)
        return None

    async def _view(
        self, actor: Actor, targets: Sequence[Target], asked: Confirmed
    ) -> View:
        """Return the confirmation, with the statuses that are known in time."""
        asking = (
            self._requests.outlook(actor, target, break_glass=asked.break_glass)
            for target in targets
        )
        statuses, decisions = await asyncio.gather(
            self._statuses.statuses(targets), asyncio.gather(*asking)
        )
        outlooks = [
            (one, would_ask(await self._requests.would_ask(actor, one)))
            for one in decisions
        ]
        return dialog.confirm_view(
            targets,
            outlooks,
            statuses=statuses,
            parallel=self._services.settings().max_parallel,
            asked=asked,
        )

    async def on_submit(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """Ask for what was confirmed; a wrong reason is said in the dialog."""
        asked = dialog.confirmed(body["view"])
        actor = who_submitted(body, asked.channel, private=asked.private)
        await self._responses.submitted(
            ack, actor, self._submit(actor, asked), body["view"]
        )

    async def _submit(self, actor: Actor, asked: Confirmed) -> Submitted:
        """Return the answer to the requests, or the problem of what was confirmed."""
        if refusal := await self._requests.turned_away(actor):
            return Submitted(refusal)
        settings = self._services.settings()
        if not asked.instances:
            return Submitted.wrong(REASON, "Tick at least one instance above.")
        try:
            targets = [settings.target(asked.project, one) for one in asked.instances]
        except UsageError as error:
            return Submitted.wrong(REASON, str(error))
        wish = Wish(
            reason=asked.reason, break_glass=asked.break_glass, go_on=asked.go_on
        )
        return await self._requests.ask(actor, targets, wish, in_dialog=True)
