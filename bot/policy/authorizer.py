"""Who may do what: gathers the facts and asks ``policy``; every way in asks here.

Commands, clicks, dialogs, the story right before it acts, and ``explain`` all get
their answer from the same two functions, so that none of them can be a way around.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import attrs

from bot.cloud import Cloud
from bot.config import Settings
from bot.errors import CloudError, UsageError
from bot.ledger import Ledger
from bot.model import Approval, Decision, Instance, Request, Target
from bot.policy import (
    Facts,
    Groups,
    Question,
    approvers,
    decide,
    may_approve,
    outsider,
    references,
    who_may,
)
from bot.slack.messages.formatting import mention
from bot.slack.users import Users

# A command has to be answered within 3 s; the name of an instance is worth a part.
NAME_WITHIN_S = 1.0


@attrs.define(kw_only=True)
class Authorizer:
    """Decides with what is known now; *settings* gives the rules in force."""

    _settings: Callable[[], Settings]
    _users: Users
    _ledger: Ledger
    _cloud: Cloud
    _home_team: str
    _now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _names: dict[str, str] = attrs.field(factory=dict, init=False)

    def saw(self, target: Target, instance: Instance) -> None:
        """Remember what the cloud calls an instance: rules may name it so."""
        self._names[target.key] = instance.name

    async def decide(
        self, question: Question, *, fresh: bool = False, but: str = ""
    ) -> Decision:
        """Answer *question*; *but* is the request that asks, *fresh* reads Slack anew.

        Raises SlackError when Slack does not say who somebody is, LedgerError when the
        record cannot be asked: nobody gets past either.
        """
        rules, target = self._settings().rules, self._as_configured(question.target)
        person, groups, last, name = await asyncio.gather(
            self._users.person(question.user_id, team_id=question.team_id, fresh=fresh),
            self._users.groups(references(rules), fresh=fresh),
            self._ledger.last_restart(target.key, but=but),
            self._name(target),
        )
        facts = Facts(
            person=person,
            home_team=self._home_team,
            groups=groups,
            name=name,
            last_restart=last.sent_at if last else None,
            now=self._now(),
        )
        return decide(rules, replace(question, target=target), facts)

    def _as_configured(self, target: Target) -> Target:
        """Return *target* with the names that the configuration gives it now.

        A reload may have moved a name to another instance; a rule about that name
        must not decide about this one. The cloud refuses a project that is gone.
        """
        try:
            return self._settings().target(target.project, target.instance_id)
        except UsageError:
            return target

    async def outsider(self, user_id: str, team_id: str) -> Decision | None:
        """Return the refusal of somebody whom no rule can let in, else None."""
        person = await self._users.person(user_id, team_id=team_id)
        return outsider(person, self._home_team)

    def who_may(self, target: Target) -> tuple[str, ...]:
        """Return whom the rules about *target* name, as written there."""
        return who_may(self._settings().rules, target, self._names.get(target.key))

    async def may_approve(
        self, user_id: str, team_id: str, approval: Approval, *, requester_id: str
    ) -> Decision:
        """Decide, always with freshly read facts, whether somebody may approve."""
        person, groups = await asyncio.gather(
            self._users.person(user_id, team_id=team_id, fresh=True),
            self.groups(approval, fresh=True),
        )
        return may_approve(
            approval,
            person=person,
            home_team=self._home_team,
            requester_id=requester_id,
            groups=groups,
        )

    async def approvers(
        self, approval: Approval, *, requester_id: str
    ) -> frozenset[str] | None:
        """Return who could approve, as user ids; None means every full member."""
        groups = await self.groups(approval)
        return approvers(approval, requester_id=requester_id, groups=groups)

    async def groups(self, approval: Approval, *, fresh: bool = False) -> Groups:
        """Return the groups that *approval* names."""
        named = {ref for ref in approval.by if ref.startswith(("@", "S"))}
        return await self._users.groups(named, fresh=fresh)

    async def mentions(self, references: Sequence[str]) -> list[str]:
        """Return *references* as written in a rule (users, groups, "*") as mentions."""
        ids = [
            await self._users.group_id(ref) or ref if ref.startswith("@") else ref
            for ref in references
        ]
        return [mention(one) for one in ids]

    async def told_of_break_glass(self, request: Request) -> list[str]:
        """Return the mentions of those who must know of a break-glass restart."""
        if request.approval is None or not request.break_glass:
            return []
        return await self.mentions(request.approval.by)

    async def _name(self, target: Target) -> str | None:
        """Return what the cloud calls the instance, if that can be had in time.

        Without it a rule is decided on alias and id, and again, with the name, right
        before the restart.
        """
        own = self._settings().projects.get(target.project)
        listed = own.cloud_name(target.instance_id) if own else ""
        if listed and target.key not in self._names:
            return listed
        patterns = any(rule.instances for rule in self._settings().rules)
        if patterns and target.key not in self._names:
            try:
                async with asyncio.timeout(NAME_WITHIN_S):
                    self.saw(target, await self._cloud.read(target))
            except (CloudError, TimeoutError):
                return None
        return self._names.get(target.key)
