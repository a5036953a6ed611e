"""The private answers to what people ask: status, list, history, can, oncall."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from datetime import timedelta

import attrs

from bot.errors import CloudError, RotaError
from bot.listeners.freezes import FreezeListeners
from bot.listeners.payloads import Actor
from bot.listeners.status_cache import StatusCache
from bot.model import (
    Decision,
    Duty,
    Instance,
    Kind,
    Message,
    Record,
    StatusClass,
    Target,
    Verdict,
    class_of,
)
from bot.policy import Question
from bot.restarts.services import Services
from bot.slack import command as words
from bot.slack.messages import oncall, queries
from bot.slack.messages.formatting import mention

LIST_READS_AT_ONCE = 5  # reads of instances for one list
LIST_WITHIN_S = 20.0
LAST = 5
HISTORY = 20
GLASS_SINCE = timedelta(days=30)  # as the answer says: messages/queries.py


@attrs.frozen
class QueryListeners:
    """Answers questions; changes nothing."""

    _services: Services
    _statuses: StatusCache
    _freezes: FreezeListeners

    async def status(self, actor: Actor, command: words.Status) -> Message:
        """Return an instance's status now, its last restarts, and who may restart."""
        target = self._services.settings().target(command.project, command.instance)
        instance, problem = await self._read(target)
        decision = await self._would(actor, actor.user_id, target)
        who = self._services.authorizer.who_may(target)
        down = await self._down(target, instance)
        return queries.status(
            queries.Row(target, instance, problem, down),
            records=await self._services.ledger.recent(
                instance_key=target.key, limit=LAST
            ),
            decision=decision,
            who=await self._services.authorizer.mentions(who),
            frozen=await self._freezes.in_words(target.project),
        )

    async def listing(self, command: words.List) -> Message:
        """Return the instances of a project with their status, read side by side."""
        targets = self._services.settings().targets(command.project)
        gate = asyncio.Semaphore(LIST_READS_AT_ONCE)

        async def row(target: Target) -> queries.Row:
            listed = target.kind is Kind.NOTEBOOK  # by one list, asked for together
            async with nullcontext() if listed else gate:
                instance, problem = await self._read(target)
            down = await self._down(target, instance)
            return queries.Row(target, instance, problem, down)

        shown = targets[: queries.MOST_ROWS]
        rows = await asyncio.gather(*map(row, shown))
        project = self._services.settings().project(command.project)
        return queries.listing(
            command.project,
            rows,
            more=len(targets) - len(shown),
            frozen=await self._freezes.in_words(project),
        )

    async def history(self, command: words.History) -> Message:
        """Return the last restarts, of everything or of one project or instance."""
        settings = self._services.settings()
        project = box = key = ""
        if command.project:
            project = settings.project(command.project)
        if command.instance:
            target = settings.target(project, command.instance)
            box, key = target.instance, target.key
        records = await self._services.ledger.recent(
            project=project, instance_key=key, limit=HISTORY
        )
        glass = await self._services.ledger.broken_glass(
            since=self._services.now() - GLASS_SINCE, project=project, instance=key
        )
        return queries.history(records, project=project, box=box, glass=glass)

    async def can(self, actor: Actor, command: words.Can) -> Message:
        """Return the rule that decides for somebody, and why."""
        target = self._services.settings().target(command.project, command.instance)
        user_id = command.user_id or actor.user_id
        decision = await self._would(actor, user_id, target)
        return queries.can(
            decision,
            target,
            person=mention(user_id),
            approvers=await self._approvers(decision),
        )

    async def on_call(self) -> Message:
        """Return who is on call on each line; one that cannot be read says so."""
        lines = self._services.rotas.lines
        found = await asyncio.gather(*map(self._duty, lines))
        return oncall.lines(dict(zip(lines, found, strict=True)))

    async def _duty(self, line: str) -> Duty | str:
        """Return who is on call, or the sentence that says why it is not known."""
        try:
            return await self._services.rotas.now(line)
        except RotaError as error:
            return str(error)

    async def _down(self, target: Target, now: Instance | None) -> Record | None:
        """Return the request that has left it down, unless it is seen up."""
        if now is not None and class_of(now.status) is StatusClass.READY:
            return None
        left = await self._services.ledger.down(target.key)
        return left[-1] if left else None

    async def _would(self, actor: Actor, user_id: str, target: Target) -> Decision:
        """Return what a restart by *user_id* would be told, asked for from here."""
        team_id = actor.team_id if user_id == actor.user_id else ""
        return await self._services.authorizer.decide(
            Question(
                user_id,
                team_id,
                target,
                actor.channel_id,
                reason=None,
                private=actor.private,
            )
        )

    async def _approvers(self, decision: Decision) -> list[str]:
        if decision.verdict is not Verdict.ASK or decision.approval is None:
            return []
        return await self._services.authorizer.mentions(decision.approval.by)

    async def _read(self, target: Target) -> tuple[Instance | None, str]:
        """Return the instance, or the sentence that says why it cannot be read."""
        try:
            async with asyncio.timeout(LIST_WITHIN_S):
                return await self._statuses.read(target), ""
        except CloudError as error:
            return None, str(error)
        except TimeoutError:
            return None, "The cloud did not answer in time."
