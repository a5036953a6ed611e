"""Freezing and thawing: who may, until when, recorded, and told to the channel."""

from __future__ import annotations

from datetime import timedelta

import attrs
import structlog

from bot.errors import SlackError, SlackRefused, UsageError
from bot.ledger import Entry
from bot.listeners.payloads import Actor
from bot.listeners.refusal_limit import RefusalLimit
from bot.listeners.tasks import Tasks
from bot.model import EVERYTHING, Decision, Freeze, Message, Verdict, request_id
from bot.model.freeze import LONGEST_FREEZE_S
from bot.model.wall_clock import shown, until, zones
from bot.restarts.services import Services
from bot.slack import command as words
from bot.slack.messages import freezes as say
from bot.slack.messages import replies

log = structlog.get_logger()

DIRECT = "D"  # how the id of a direct message begins


@attrs.frozen
class FreezeListeners:
    """Takes freezes and thaws on, and tells their channels until they were told."""

    _services: Services
    _tasks: Tasks
    _refusals: RefusalLimit

    async def freeze(self, actor: Actor, command: words.Freeze) -> Message:
        """Begin a freeze; raise UsageError for what was typed wrong."""
        project = self._project(command.project)
        if refusal := await self._refusal(actor, project, "freeze"):
            return refusal
        now = self._services.now()
        zone = await self._services.users.zone(actor.user_id)
        known = zone in zones()
        zone = zone if known else "UTC"
        try:
            end = until(command.until, zone, now)
        except ValueError as error:
            raise UsageError(f"Nothing was frozen: {error}.") from None
        if end > now + timedelta(seconds=LONGEST_FREEZE_S):
            raise UsageError(
                f"Nothing was frozen: {shown(end, zone, now)} is more than 30 days"
                " ahead, and a freeze lasts 30 days at most."
            )
        wanted = Freeze(
            id=request_id(actor.delivery),
            project=project,
            user_id=actor.user_id,
            team_id=actor.team_id,
            channel_id=actor.channel_id,
            reason=command.reason,
            zone=zone,
            since=now,
            until=end,
        )
        found, new = await self._services.ledger.freeze(wanted)
        if found.id != wanted.id:
            await self._note(actor, project, "freeze", "it is frozen already")
            return say.already(found, now)
        if new:
            self._tasks.start(self.tell(found.id), "tell of a freeze")
        return say.confirmed(found, now, in_utc=not known)

    async def thaw(self, actor: Actor, command: words.Thaw) -> Message:
        """End a freeze; raise UsageError for an unknown project."""
        project = self._project(command.project)
        if refusal := await self._refusal(actor, project, "thaw"):
            return refusal
        ledger = self._services.ledger
        found, new = await ledger.thaw(
            project, actor.person, actor.channel_id, request_id(actor.delivery)
        )
        if found is None:
            await self._note(actor, project, "thaw", "it is not frozen")
            others = [
                one
                for one in await ledger.frozen()
                if not project or not one.project  # what else concerns it
            ]
            return say.not_frozen(project, tuple(others), self._services.now())
        if new:
            self._tasks.start(self.tell(found.id), "tell of a thaw")
        return say.thawed(found)

    async def in_words(self, project: str = "") -> list[str]:
        """Return the freezes in force, on demand for one project, in words."""
        now = self._services.now()
        return [
            one.sentence(now)
            for one in await self._services.ledger.frozen()
            if not project or one.project in {"", project}
        ]

    async def tell(self, freeze_id: str = "") -> None:
        """Tell the channels of what they have not been told yet."""
        for freeze in await self._services.ledger.take_telling(freeze_id):
            await self._tell(freeze)

    async def _tell(self, freeze: Freeze) -> None:
        ledger, now = self._services.ledger, self._services.now()
        begins, ended_in = await ledger.untold_of(freeze.id)
        told = begins and await self._post(
            freeze, freeze.channel_id, say.begun(freeze, now), freeze.user_id
        )
        thaw_told = bool(ended_in) and await self._post(
            freeze, ended_in, say.ended(freeze), freeze.thawed_by
        )
        flags = {"told": told, "thaw_told": thaw_told}
        await ledger.told_of(freeze.id, **{name: True for name in flags if flags[name]})

    async def _post(
        self, freeze: Freeze, channel_id: str, message: Message, user_id: str
    ) -> bool:
        """Tell a channel; say whether that is done, if only as far as possible."""
        slack = self._services.slack
        try:
            try:
                await slack.post(channel_id, message)
            except SlackRefused as error:
                log.warning("freeze not told", error=str(error))
                untold = say.not_told(freeze, str(error))
                await slack.whisper(untold, user_id=user_id, channel=channel_id)
        except SlackRefused as error:
            log.warning("nobody could be told", error=str(error))
        except SlackError as error:
            log.warning("freeze not told yet", error=str(error))
            return False
        return True

    def _project(self, typed: str) -> str:
        """Return the name of the project that was typed, nothing for all of them."""
        if typed.casefold() == EVERYTHING:
            return ""
        return self._services.settings().project(typed)

    async def _refusal(self, actor: Actor, project: str, act: str) -> Message | None:
        """Refuse what somebody may not, or not from where he is; on record."""
        if actor.channel_id.startswith(DIRECT):
            await self._note(actor, project, act, "typed in a direct message")
            return replies.plain(say.FROM_A_CHANNEL)
        decision = self._refusals.limit(
            actor.user_id
        ) or await self._services.authorizer.may_freeze(actor.user_id, actor.team_id)
        if decision.verdict is not Verdict.DENY:
            return None
        await self._note(actor, project, act, decision.why, decision)
        done = "frozen" if act == "freeze" else "thawed"
        return say.refused(decision, project or "Nothing", done)

    async def _note(
        self,
        actor: Actor,
        project: str,
        act: str,
        why: str,
        decision: Decision | None = None,
    ) -> None:
        """Put a refusal on record, once for a delivery, and count it."""
        entry = Entry(
            kind=f"{act} refused",
            request_id=request_id(actor.delivery),
            project=project or EVERYTHING,
            detail=why,
        )
        if await self._services.ledger.note_once(entry.by(actor.person)) and decision:
            self._refusals.count(actor.user_id, decision, "freeze")
