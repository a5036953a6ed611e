"""The restart dialog: opened, searched, checked, and submitted like a command."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import structlog

from bot import command as words
from bot.authority import Authority
from bot.chat import Chat
from bot.config import Settings
from bot.errors import BotError, ChatError, LedgerError, UsageError
from bot.listeners.acks import Ack
from bot.listeners.asking import Asker, Asking
from bot.listeners.clicks import clicker_of
from bot.listeners.looks import Looks
from bot.listeners.tasks import Tasks, in_time
from bot.messages import answers, views
from bot.messages.target import target_names
from bot.model import Message, Target, Verdict, canonical

log = structlog.get_logger()


class Dialogs:
    """Opens the restart dialog and takes what comes back from it."""

    def __init__(
        self,
        *,
        settings: Callable[[], Settings],
        authority: Authority,
        asking: Asking,
        chat: Chat,
        tasks: Tasks,
        looks: Looks,
    ) -> None:
        self._settings = settings
        self._authority = authority
        self._asking = asking
        self._chat = chat
        self._tasks = tasks
        self._looks = looks

    async def open_restart(
        self, asker: Asker, trigger_id: str, command: words.Restart
    ) -> None:
        """Open the dialog with what was typed already; the trigger lives 3 s."""
        settings = self._settings()
        project = command.project
        if project and project not in settings.projects:
            project = settings.project(project)
        view = await self._view(
            asker, project, command.instance, command.reason, _metadata(asker)
        )
        await self._chat.open_view(trigger_id, view)

    async def on_button(self, ack: Ack, body: dict[str, Any]) -> None:
        """Open the dialog for the instance of a list's button."""
        await ack()
        self._tasks.start(self._open_for_button(body), "dialog")

    async def _open_for_button(self, body: dict[str, Any]) -> None:
        asker = clicker_of(body)
        try:
            project, instance = target_names(str(body["actions"][0].get("value")))
            target = self._settings().target(project, instance)
            command = words.Restart(project=project, instance=target.instance)
            await self.open_restart(asker, str(body["trigger_id"]), command)
        except BotError as error:
            await self._whisper(asker, answers.plain(str(error)))

    async def on_shortcut(self, ack: Ack, body: dict[str, Any]) -> None:
        """Open the dialog from a shortcut; one on a message answers in its thread."""
        await ack()
        self._tasks.start(self._open_for_shortcut(body), "dialog")

    async def _open_for_shortcut(self, body: dict[str, Any]) -> None:
        message = body.get("message") or {}
        asker = clicker_of(body)
        if message:
            asker = _in_thread(asker, message)
        reason = await self._link(asker, message)
        try:
            await self.open_restart(
                asker, str(body["trigger_id"]), words.Restart(reason=reason)
            )
        except BotError as error:
            await self._whisper(asker, answers.plain(str(error)))

    async def _link(self, asker: Asker, message: dict[str, Any]) -> str:
        """Return the address of the message that a shortcut was used on."""
        if not message:
            return ""
        try:
            return await self._chat.permalink(asker.channel_id, str(message["ts"]))
        except ChatError as error:
            log.info("no link to the message", error=str(error))
            return ""

    async def on_change(self, ack: Ack, body: dict[str, Any]) -> None:
        """Draw the dialog anew for another project, or say which rule will decide."""
        await ack()
        self._tasks.start(self._redraw(body), "dialog")

    async def _redraw(self, body: dict[str, Any]) -> None:
        view, asker = body["view"], _asker(body)
        fields = views.filled(view)
        drawn = await self._view(
            asker,
            fields.project,
            fields.instance,
            fields.reason,
            str(view.get("private_metadata") or ""),
        )
        try:
            await self._chat.update_view(str(view["id"]), drawn)
        except ChatError as error:
            log.info("dialog not redrawn", error=str(error))

    async def on_options(self, ack: Ack, body: dict[str, Any]) -> None:
        """Answer the search for an instance from the configuration."""
        project = views.project_of(str(body.get("block_id") or ""))
        asker = _asker(body)
        outsider = await self._authority.outsider(asker.user_id, asker.team_id)
        targets: list[Target] = []
        if outsider is None and project in self._settings().projects:
            targets = self._settings().targets(project)
        statuses = await self._looks.statuses(targets)
        names = [target.instance for target in targets]
        await ack(options=views.options(names, str(body.get("value") or ""), statuses))

    async def on_submit(self, ack: Ack, body: dict[str, Any]) -> None:
        """Ask for what the dialog says; what is wrong is said in the dialog."""
        fields, asker = views.filled(body["view"]), _asker(body)
        work = self._tasks.start(self._submit(asker, fields), "submit")
        answer = await in_time(work)
        if not work.done() or answer is None:
            await ack()
            self._tasks.start(self._answer_later(asker, work), "answer later")
            return
        problem, message = answer
        if problem:
            await ack(response_action="errors", errors=problem)
            return
        await ack()
        self._tasks.start(self._whisper(asker, message), "answer")

    async def _answer_later(
        self, asker: Asker, work: asyncio.Task[tuple[dict[str, str], Message]]
    ) -> None:
        """Say in private what came too late to be said in the dialog."""
        _, message = await work
        await self._whisper(asker, message)

    async def _submit(
        self, asker: Asker, fields: views.Filled
    ) -> tuple[dict[str, str], Message]:
        """Return the problem of each field, or the answer to the request."""
        block = views.instance_block(fields.project)
        if not asker.channel_id:
            problem = "Choose the channel that the restart is shown in."
            return {views.CHANNEL: problem}, answers.plain(problem)
        try:
            target = self._settings().target(fields.project, fields.instance)
        except UsageError as error:
            return {block: str(error)}, answers.plain(str(error))
        with suppress(ChatError, LedgerError):  # said, and recorded, by what follows
            decision = await self._authority.decide(
                asker.user_id,
                asker.team_id,
                target,
                channel_id=asker.channel_id,
                reason=fields.reason,
            )
            if decision.verdict is Verdict.DENY and decision.wants_reason:
                problem = f"{decision.why} {decision.remedy}".strip()
                return {views.REASON: problem}, answers.refusal(decision, target)
        answer = await self._asking.restart(
            asker, fields.project, fields.instance, reason=fields.reason
        )
        return {}, answer

    async def _view(
        self, asker: Asker, project: str, instance: str, reason: str, metadata: str
    ) -> views.View:
        """Return the dialog with the rule that will decide as its hint."""
        settings = self._settings()
        hint, required = "", False
        if project and instance:
            try:
                target = settings.target(project, instance)
                decision = await self._authority.decide(
                    asker.user_id,
                    asker.team_id,
                    target,
                    channel_id=asker.channel_id,
                    reason=None,
                )
            except BotError as error:
                hint = str(error)
                instance = ""
            else:
                hint = answers.outlook(decision)
                required = decision.wants_reason
        return views.restart_view(
            sorted(settings.projects),
            project=project,
            instance=instance,
            reason=reason,
            reason_required=required,
            hint=hint,
            ask_channel=not _where(metadata).get("channel"),
            metadata=metadata,
        )

    async def _whisper(self, asker: Asker, message: Message) -> None:
        try:
            await self._chat.whisper(
                message,
                user_id=asker.user_id,
                channel=asker.channel_id,
                response_url=asker.response_url,
            )
        except ChatError as error:
            log.warning("not answered", error=str(error))


def _metadata(asker: Asker) -> str:
    """Return what has to come back with the dialog: where to speak."""
    return canonical({"channel": asker.channel_id, "thread": asker.thread_ts})


def _asker(body: dict[str, Any]) -> Asker:
    """Return who uses a dialog, and where it was opened.

    The dialog's own id is the delivery: one that comes back twice is one request.
    """
    view, user = body["view"], body["user"]
    where = _where(str(view.get("private_metadata") or ""))
    return Asker(
        user_id=str(user["id"]),
        team_id=str(user.get("team_id") or (body.get("team") or {}).get("id") or ""),
        channel_id=where.get("channel") or views.filled(view).channel,
        delivery=f"view {view['id']}",
        thread_ts=where.get("thread") or "",
    )


def _where(metadata: str) -> dict[str, str]:
    """Return where a dialog was opened, from its *metadata*."""
    return dict(json.loads(metadata)) if metadata else {}


def _in_thread(asker: Asker, message: dict[str, Any]) -> Asker:
    return replace(asker, thread_ts=str(message.get("thread_ts") or message["ts"]))
