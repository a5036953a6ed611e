"""Who may do what: gathers the facts and asks ``policy``; every way in asks here.

Commands, clicks, dialogs, the story right before it acts, and ``explain`` all get
their answer from the same two functions, so that none of them can be a way around.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import attrs

from bot.cloud import Cloud, Rank
from bot.config import Settings
from bot.errors import CloudError, RotaError, SlackError, UsageError
from bot.ledger import Ledger
from bot.model import (
    Approval,
    Decision,
    Duty,
    Instance,
    Person,
    Request,
    Target,
    Verdict,
)
from bot.oncall import Rotas
from bot.policy import (
    Facts,
    Groups,
    Question,
    approvers,
    decide,
    is_group,
    lines,
    lines_about,
    may_approve,
    may_freeze,
    not_now,
    outsider,
    references,
    who_may,
)
from bot.policy.cover import Cover, cover
from bot.policy.duties import (
    CLICK_WITHIN_S,
    COMMAND_WITHIN_S,
    STEP_WITHIN_S,
    Duties,
)
from bot.policy.on_call import user_ids
from bot.slack.messages.formatting import mention
from bot.slack.messages.oncall import on_call
from bot.slack.users import Users

# A command has to be answered within 3 s; the name of an instance is worth a part.
NAME_WITHIN_S = 1.0
# A name that could not be had is not asked for again so soon by a mere question.
NAMELESS = timedelta(seconds=5)

Pinned = tuple[tuple[str, str], ...]  # as in Request


@attrs.define(kw_only=True)
class Authorizer:
    """Decides with what is known now; *settings* gives the rules in force."""

    _settings: Callable[[], Settings]
    _users: Users
    _ledger: Ledger
    _cloud: Cloud
    _home_team: str
    _rotas: Rotas = attrs.field(factory=Rotas)
    _now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _names: dict[str, str] = attrs.field(factory=dict, init=False)
    _duties: Duties = attrs.field(
        init=False,
        default=attrs.Factory(lambda self: Duties(self._rotas), takes_self=True),
    )
    _nameless: dict[str, datetime] = attrs.field(factory=dict, init=False)

    def saw(self, target: Target, instance: Instance) -> None:
        """Remember what the cloud calls an instance: rules may name it so."""
        self._names[target.key] = instance.name

    async def decide(
        self,
        question: Question,
        *,
        fresh: bool = False,
        but: str = "",
        ask_cloud: bool = True,
        covered: str = "",
    ) -> Decision:
        """Answer *question*; *but* is the request that asks, *fresh* reads Slack anew.

        Without *ask_cloud* an instance's name there counts only if it is known already.
        Who is on call is read anew for every act; of the line *covered* the person is
        known to have been when it counted.

        Raises SlackError when Slack does not say who somebody is, LedgerError when the
        record cannot be asked: nobody gets past either.
        """
        rules, target = self._settings().rules, self._as_configured(question.target)
        rank = Rank.QUESTION if question.reason is None else Rank.RESTART
        person, groups, duties, last, name, freezes = await asyncio.gather(
            self._users.person(question.user_id, team_id=question.team_id, fresh=fresh),
            self._users.groups(references(rules), fresh=fresh),
            self._duties.read(
                lines_about(rules, target, self._names.get(target.key)),
                live=question.reason is not None,
                within_s=STEP_WITHIN_S if fresh else COMMAND_WITHIN_S,
            ),
            self._ledger.last_restart(target.key, but=but),
            self._name(target, rank if ask_cloud else None),
            self._ledger.frozen(),
        )
        held = {covered: person.ids} if covered else {}
        facts = Facts(
            person=person,
            home_team=self._home_team,
            groups={**groups, **duties, **held},
            name=name,
            last_restart=last.sent_at if last else None,
            now=self._now(),
            freezes=freezes,
            freezers=self._settings().freeze.by,
        )
        decision = decide(rules, replace(question, target=target), facts)
        if decision.verdict is Verdict.ASK and decision.approval is not None:
            return replace(decision, pinned=await self._pinned(decision.approval))
        return decision

    async def _pinned(self, approval: Approval) -> tuple[tuple[str, str], ...]:
        """Return the id that each @handle of *approval* has now.

        A handle may be given to another group while the request waits.
        """
        handles = sorted({r for r in approval.everybody if r.startswith("@")})
        return tuple([(ref, await self._users.group_id(ref) or "") for ref in handles])

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
        self, user_id: str, team_id: str, request: Request
    ) -> Decision:
        """Decide, always with freshly read facts, whether somebody may approve.

        Raises SlackError as ``decide`` does; *request* must need an approval.
        """
        (decision,) = (await self._verdicts(request, {user_id: team_id})).values()
        return decision

    async def verdicts(
        self, request: Request, user_ids: Iterable[str]
    ) -> dict[Person, Decision]:
        """Return whether the approval of each of *user_ids* counts now.

        All is read anew, their groups in one call. Raises SlackError as ``decide``.
        """
        people = dict.fromkeys(user_ids, request.team_id)
        return await self._verdicts(request, people, STEP_WITHIN_S) if people else {}

    async def _verdicts(
        self,
        request: Request,
        people: Mapping[str, str],
        within_s: float = CLICK_WITHIN_S,
    ) -> dict[Person, Decision]:
        """Return whether each of *people* (user id to team) may approve *request*."""
        approval = self._now_of(request)
        groups, requester, asked = await asyncio.gather(
            self._people(approval.by, request.pinned, fresh=True, within_s=within_s),
            self._users.person(request.user_id, team_id=request.team_id),
            asyncio.gather(
                *(
                    self._users.person(u, team_id=t, fresh=True)
                    for u, t in people.items()
                )
            ),
        )
        return {
            person: may_approve(
                approval,
                person=person,
                home_team=self._home_team,
                requester_id=requester.identity,
                groups=groups,
            )
            for person in asked
        }

    async def same(self, user_id: str, other_id: str) -> bool:
        """Say whether two user ids are one person's; raise SlackError as ``decide``."""
        if user_id == other_id:
            return True
        people = (self._users.person(one) for one in (user_id, other_id))
        one, other = await asyncio.gather(*people)
        return one.identity == other.identity

    async def not_now(self, request: Request) -> Decision | None:
        """Return why *request*, whoever asks for it, must wait, else None.

        That is a freeze, or that the window of its rule is closed.
        """
        freezes = await self._ledger.frozen()
        return not_now(request, self._settings().rules, freezes, self._now())

    async def may_freeze(self, user_id: str, team_id: str) -> Decision:
        """Decide, with freshly read facts, whether somebody may freeze and thaw."""
        by = self._settings().freeze.by
        person, groups = await asyncio.gather(
            self._users.person(user_id, team_id=team_id, fresh=True),
            self._people(by, fresh=True, within_s=COMMAND_WITHIN_S),
        )
        return may_freeze(by, person=person, home_team=self._home_team, groups=groups)

    async def cover(self, request: Request) -> Cover:
        """Return by which line the requester is on call now, if he needs one.

        Raises SlackError as ``decide``.
        """
        rule = next((r for r in self._settings().rules if r.name == request.rule), None)
        if rule is None or not lines([rule]):
            return Cover()
        person, groups = await asyncio.gather(
            self._users.person(request.user_id, team_id=request.team_id),
            self._people(rule.who, fresh=True, within_s=CLICK_WITHIN_S),
        )
        return cover(rule, person, groups)

    def _now_of(self, request: Request) -> Approval:
        """Return the approval that *request* needs, as it is by now."""
        if request.approval is None:
            raise AssertionError("nobody has to approve that")
        return request.approval.after(request.age_s(self._now()))

    async def may_still(self, request: Request) -> frozenset[str] | None:
        """Return who could approve *request* now, as far as was read lately.

        As user ids; None means every full member.
        """
        return await self.approvers(
            self._now_of(request),
            requester_id=request.user_id,
            pinned=request.pinned,
        )

    async def approvers(
        self, approval: Approval, *, requester_id: str, pinned: Pinned = ()
    ) -> frozenset[str] | None:
        """Return who could approve, as user ids; None means every full member."""
        groups, requester = await asyncio.gather(
            self._people(approval.by, pinned), self._users.person(requester_id)
        )
        return approvers(approval, requester_ids=requester.ids, groups=groups)

    async def _people(
        self,
        entries: Sequence[str],
        pinned: Pinned = (),
        *,
        fresh: bool = False,
        within_s: float = COMMAND_WITHIN_S,
    ) -> Groups:
        """Return who is in the groups, by the ids that were *pinned*, and on call."""
        ids = dict(pinned)
        named = {ref: ids.get(ref, ref) for ref in entries if is_group(ref)}
        found, duties = await asyncio.gather(
            self._users.groups(named.values(), fresh=fresh),
            self._duties.read(entries, live=fresh, within_s=within_s),
        )
        return {**{ref: found[group] for ref, group in named.items()}, **duties}

    async def mentions(
        self, references: Sequence[str], pinned: Pinned = (), *, but: str = ""
    ) -> list[str]:
        """Return *references* as written in a rule (users, groups, "*") as mentions.

        Of a line it is who is on call, leaving out the user *but*.
        """
        known = dict(pinned)
        duties = await self._duties.read(
            references, live=False, within_s=COMMAND_WITHIN_S
        )
        ready: list[str] = []
        for ref in references:
            if ref in duties:
                ready += on_call(ref, duties[ref], but)
            elif ref.startswith("@"):
                group = known.get(ref) or await self._users.group_id(ref)
                ready.append(mention(group or ref))
            else:
                ready.append(mention(ref))
        return ready

    async def names(self, ids: Sequence[str]) -> dict[str, str]:
        """Return what people and groups are called, as far as Slack tells in time."""

        async def name(slack_id: str) -> str:
            try:
                async with asyncio.timeout(NAME_WITHIN_S):
                    return await self._users.name(slack_id)
            except (SlackError, TimeoutError):
                return slack_id

        return dict(zip(ids, await asyncio.gather(*map(name, ids)), strict=True))

    async def on_call_now(self, line: str) -> Duty | RotaError:
        """Return who is on call by *line*, as a rule names it, or why nobody knows."""
        read = await self._duties.read([line], live=True, within_s=STEP_WITHIN_S)
        return read[line]

    async def asked(self, request: Request) -> list[str]:
        """Return the mentions of those who are asked to approve *request* by now."""
        if request.approval is None:
            return []
        by = self._now_of(request).by
        later = tuple(ref for ref in by if ref not in request.approval.by)
        notified = (*request.approval.notified, *later)
        if not await self._reaches(notified, request.user_id):
            notified = tuple(dict.fromkeys((*notified, *by)))
        return await self.mentions(notified, request.pinned, but=request.user_id)

    async def _reaches(self, references: Sequence[str], but: str) -> bool:
        """Say whether *references* mean anybody but the user *but*, as far as known."""
        duties = await self._duties.read(
            references, live=False, within_s=COMMAND_WITHIN_S
        )
        found = {ref: duties.get(ref) for ref in references}
        return any(
            ref not in duties or (isinstance(duty, Duty) and user_ids(duty) - {but})
            for ref, duty in found.items()
        )

    async def told_of_break_glass(self, request: Request) -> list[str]:
        """Return the mentions of those who must know of a break-glass restart."""
        if request.approval is None or not request.break_glass:
            return []
        return await self.mentions(request.approval.by)

    async def _name(self, target: Target, rank: Rank | None) -> str | None:
        """Return what the cloud calls the instance, if that can be had in time.

        Without it a rule is decided on alias and id, and again, with the name, right
        before the restart.
        """
        own = self._settings().projects.get(target.project)
        listed = own.cloud_name(target.instance_id) if own else ""
        if listed and target.key not in self._names:
            return listed
        patterns = any(rule.instances for rule in self._settings().rules)
        wanted = patterns and target.key not in self._names
        if rank is Rank.QUESTION and self._is_nameless(target.key):
            wanted = False
        if wanted and rank is not None:
            try:
                async with asyncio.timeout(NAME_WITHIN_S):
                    self.saw(target, await self._cloud.read(target, rank=rank))
            except (CloudError, TimeoutError):
                self._nameless[target.key] = self._now()
        return self._names.get(target.key)

    def _is_nameless(self, key: str) -> bool:
        """Say whether the name of an instance could not be had a moment ago."""
        since = self._now() - NAMELESS
        for old in [one for one, at in self._nameless.items() if at <= since]:
            del self._nameless[old]
        return key in self._nameless
