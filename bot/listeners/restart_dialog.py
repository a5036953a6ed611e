"""The restart dialog: opened, searched, checked, and submitted like a command."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import attrs
import structlog
from slack_bolt.context.ack.async_ack import AsyncAck

from bot.errors import BotError, LedgerError, SlackError, UsageError
from bot.listeners.payloads import Actor, who_clicked, who_submitted
from bot.listeners.requests import DECIDE_WITHIN_S, RequestListeners
from bot.listeners.responses import Responses, Submitted
from bot.listeners.status_cache import StatusCache
from bot.listeners.tasks import Tasks
from bot.listeners.wish import Wish
from bot.model import Decision, Kind, KnownAlert, Target
from bot.restarts.services import Services
from bot.slack import command as words
from bot.slack.messages import alerts, dialogs, queries, replies
from bot.slack.messages.blocks import Part, View
from bot.slack.messages.buttons import alert_of, target_names
from bot.slack.messages.dialogs import Opened, opened

log = structlog.get_logger()

SEARCH_WITHIN_S = 0.5  # a select and a submission have to be answered within 3 s


@attrs.frozen
class RestartDialog:
    """Opens the restart dialog and takes what comes back from it."""

    _services: Services
    _requests: RequestListeners
    _responses: Responses
    _tasks: Tasks
    _statuses: StatusCache

    async def open(
        self, actor: Actor, trigger_id: str, command: words.Restart, alert: str = ""
    ) -> None:
        """Open the dialog with what was typed already; the trigger lives 3 s.

        *alert* is the one from whose card it is opened.
        """
        settings = self._services.settings()
        project = command.project
        if project and project not in settings.projects:
            project = settings.project(project)
        fields = dialogs.Filled(project, command.instance, command.reason)
        where = Opened(
            actor.channel_id,
            actor.thread_ts,
            command.break_glass,
            actor.private,
            alert,
        )
        view = await self._view(actor, fields, where)
        await self._services.slack.open_view(trigger_id, view)

    async def on_button(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """Open the dialog for the instance of a button, or of a search."""
        await ack()
        self._tasks.start(self._open_for_button(body), "dialog")

    async def _open_for_button(self, body: dict[str, Any]) -> None:
        actor = who_clicked(body)
        action = body["actions"][0]
        option = action.get("selected_option") or {}  # of a search
        value = str(action.get("value") or option.get("value"))
        try:
            project, instance = target_names(value)
            await self._services.names.fresh(project)
            target = self._services.settings().target(project, instance)
        except UsageError as error:
            refusal = await self._requests.turned_away(actor)
            mistake = refusal or replies.plain(str(error))
            await self._responses.whisper(actor, mistake)
            return
        alert = await self._alert(alert_of(value))
        command = words.Restart(
            project=project,
            instance=target.instance,
            reason=alerts.reason(alert) if alert else "",
        )
        trigger_id = str(body["trigger_id"])
        await self._open(actor, trigger_id, command, alert.id if alert else "")

    async def _alert(self, alert_id: str) -> KnownAlert | None:
        """Return the alert from whose card somebody asks; he may ask without it."""
        try:
            return await self._services.ledger.alert(alert_id) if alert_id else None
        except LedgerError as error:
            log.warning("the alert of a card is not known", error=str(error))
            return None

    async def on_shortcut(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """Open the dialog from a shortcut; one on a message answers in its thread."""
        await ack()
        self._tasks.start(self._open_for_shortcut(body), "dialog")

    async def _open_for_shortcut(self, body: dict[str, Any]) -> None:
        message = body.get("message") or {}
        actor = who_clicked(body)
        if message:
            actor = _in_thread(actor, message)
        reason = await self._link(actor, message)
        command = words.Restart(reason=reason)
        await self._open(actor, str(body["trigger_id"]), command)

    async def _open(
        self, actor: Actor, trigger_id: str, command: words.Restart, alert: str = ""
    ) -> None:
        """Open the dialog, but not for somebody whom no rule can let in."""
        try:
            refusal = await self._requests.turned_away(actor)
            if refusal is None:
                await self.open(actor, trigger_id, command, alert)
                return
        except BotError as error:
            refusal = replies.plain(str(error))
        await self._responses.whisper(actor, refusal)

    async def _link(self, actor: Actor, message: dict[str, Any]) -> str:
        """Return the address of the message that a shortcut was used on."""
        if not message:
            return ""
        try:
            return await self._services.slack.permalink(
                actor.channel_id, str(message["ts"])
            )
        except SlackError as error:
            log.info("no link to the message", error=str(error))
            return ""

    async def on_change(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """Draw the dialog anew for another project, or say which rule will decide."""
        await ack()
        self._tasks.start(self._redraw(body), "dialog")

    async def _redraw(self, body: dict[str, Any]) -> None:
        view, actor = body["view"], _asker(body)
        try:
            if await self._services.authorizer.outsider(actor.user_id, actor.team_id):
                return
            drawn = await self._view(actor, dialogs.filled(view), opened(view))
            await self._services.slack.update_view(str(view["id"]), drawn)
        except SlackError as error:
            log.info("dialog not redrawn", error=str(error))

    async def on_options(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """Answer the search for an instance from the configuration."""
        project = dialogs.project_of(str(body.get("block_id") or ""))
        targets = await self._targets(_asker(body), project)
        statuses = await self._statuses.statuses(targets)
        names = [target.instance for target in targets]
        await ack(
            options=dialogs.options(names, str(body.get("value") or ""), statuses)
        )

    async def _targets(self, actor: Actor, project: str) -> list[Target]:
        """Return what there is to choose from, to whom names may be told in time."""
        try:
            async with asyncio.timeout(DECIDE_WITHIN_S):
                outsider = await self._services.authorizer.outsider(
                    actor.user_id, actor.team_id
                )
        except (SlackError, TimeoutError) as error:
            why = str(error) or "no answer in time"
            log.warning("who searches is not known", error=why)
            return []
        await self._services.names.fresh(project, within_s=SEARCH_WITHIN_S)
        known = outsider is None and project in self._services.settings().projects
        return self._services.settings().targets(project) if known else []

    async def on_submit(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """Ask for what the dialog says; what is wrong is said in the dialog."""
        work = self._submit(_asker(body), body["view"])
        await self._responses.submitted(ack, _asker(body), work, body["view"])

    async def _submit(self, actor: Actor, view: dict[str, Any]) -> Submitted:
        """Return the answer to the request, or the problems of its fields."""
        if refusal := await self._requests.turned_away(actor):
            return Submitted(refusal)
        fields = dialogs.filled(view)
        if not actor.channel_id:
            problem = "Choose the channel that the restart is shown in."
            return Submitted.wrong(dialogs.CHANNEL, problem)
        await self._services.names.fresh(fields.project, within_s=SEARCH_WITHIN_S)
        try:
            target = self._services.settings().target(fields.project, fields.instance)
        except UsageError as error:
            block = dialogs.instance_block(fields.project)
            return Submitted.wrong(block, str(error))
        where = opened(view)
        wish = Wish(
            reason=fields.reason, break_glass=where.break_glass, alert=where.alert
        )
        return await self._requests.ask(actor, [target], wish, in_dialog=True)

    async def _view(self, actor: Actor, fields: dialogs.Filled, where: Opened) -> View:
        """Return the dialog with the rule that will decide as its hint."""
        settings, instance = self._services.settings(), fields.instance
        hint: tuple[Part, ...] = ()
        decision: Decision | None = None
        own = settings.projects.get(fields.project)
        kind = own.kind if own else Kind.STUDIO
        if fields.project and instance:
            try:
                target = settings.target(fields.project, instance)
                kind = target.kind
                decision = await self._requests.outlook(
                    actor, target, break_glass=where.break_glass
                )
            except BotError as error:
                hint, instance = dialogs.hints(str(error)), ""
            else:
                asked = await self._requests.would_ask(actor, decision)
                said = queries.outlook(decision)
                hint = dialogs.hints(said, queries.would_ask(asked))
        return dialogs.restart_view(
            sorted(settings.projects),
            replace(fields, instance=instance),
            decision=decision,
            hint=hint,
            where=where,
            kind=kind,
        )


def _asker(body: dict[str, Any]) -> Actor:
    """Return who uses a dialog, and where it was opened or is to speak."""
    view = body["view"]
    where = opened(view)
    channel_id = where.channel or dialogs.filled(view).channel
    return who_submitted(body, channel_id, where.thread, private=where.private)


def _in_thread(actor: Actor, message: dict[str, Any]) -> Actor:
    return replace(actor, thread_ts=str(message.get("thread_ts") or message["ts"]))
