"""Pure: who may restart what, and who may approve it; in doubt the answer is no.

Every sentence here is plain text about the person in the third person, so that it
can be shown to the person and to whoever asks about the person.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fnmatch import fnmatchcase

from bot.model import Approval, Decision, Person, Rule, Target, Verdict

Groups = Mapping[str, frozenset[str] | None]

EVERYBODY = "*"
# Letters and a symbol that show as nothing: Hangul fillers, the empty braille cell.
_FILLERS = frozenset("\u115f\u1160\u3164\uffa0\u2800")
_USER_ID = re.compile(r"[UW][A-Z0-9]+")
_SHOWN_RULES = 3  # a remedy is read on a phone
_MEND_GROUP = (
    "Whoever keeps the bot's configuration has to look at that group:"
    " mlstudio-bot check says what is wrong with it."
)
_MEND_RULES = "Whoever keeps the bot's configuration can change that."


@dataclass(frozen=True, slots=True)
class _Case:
    """A request under the rule that matched it."""

    rule: Rule
    person: Person
    target: Target
    reason: str | None
    break_glass: bool
    groups: Groups
    last_restart: datetime | None
    now: datetime

    @property
    def named(self) -> str:
        return f"the rule “{self.rule.name}”"

    @property
    def breaks_glass(self) -> bool:
        """Whether the person breaks the glass of this rule, and is listed for that.

        The list is one of its own: who is on it need not be in *who* as well.
        """
        approval = self.rule.approval
        listed = approval.break_glass if approval else ()
        return self.break_glass and _lists(listed, self.person.user_id, self.groups)

    def decided(
        self,
        verdict: Verdict,
        why: str,
        remedy: str = "",
        *,
        approval: Approval | None = None,
        break_glass: bool = False,
    ) -> Decision:
        name, version = self.rule.name, self.rule.version
        why = why[0].upper() + why[1:]  # no sentence begins with a name
        wants_reason = self.rule.reason == "required" and self.reason is None
        return Decision(
            verdict, why, remedy, name, version, approval, break_glass, wants_reason
        )

    def refused(self, why: str, remedy: str) -> Decision:
        return self.decided(Verdict.DENY, why, remedy)


def references(rules: Iterable[Rule]) -> frozenset[str]:
    """Return every user group that *rules* name, as it is written there."""
    return frozenset(
        entry
        for rule in rules
        for entries in (rule.who, *_approval_lists(rule.approval))
        for entry in entries
        if _is_group(entry)
    )


def decide(
    rules: Sequence[Rule],
    *,
    person: Person,
    home_team: str,
    target: Target,
    name: str | None,
    channel_id: str | None,
    reason: str | None,
    break_glass: bool,
    groups: Groups,
    last_restart: datetime | None,
    now: datetime,
) -> Decision:
    """Say whether *person* may restart *target*: the first rule that matches decides.

    *name* is the cloud's name of the instance; without it (None) rules are matched
    by alias and id alone, so whoever acts must have asked again with the name.
    None as *channel_id* asks about anywhere, None as *reason* takes it as given: for
    questions only, never for an act.
    A group that cannot be read, or is empty, refuses everybody it might have named.
    """
    if refusal := outsider(person, home_team):
        return refusal
    for rule in rules:
        if not (_covers(rule, target, name) and _here(rule, channel_id)):
            continue
        case = _Case(
            rule=rule,
            person=person,
            target=target,
            reason=None if reason is None else explained(reason),
            break_glass=break_glass,
            groups=groups,
            last_restart=last_restart,
            now=now,
        )
        if _concerns(rule, person.user_id, groups) or case.breaks_glass:
            return _apply(case)
        if closed := _closed(rule.who, groups, case.named):
            return case.refused(closed, _MEND_GROUP)
    return _uncovered(rules, target, name)


def may_approve(
    approval: Approval,
    *,
    person: Person,
    home_team: str,
    requester_id: str,
    groups: Groups,
) -> Decision:
    """Say whether *person* may decide on what *requester_id* asked for."""
    by = _names(approval.by)
    if refusal := outsider(person, home_team):
        return refusal
    if person.user_id == requester_id:
        return Decision(
            Verdict.DENY,
            "The requester never counts as an approver.",
            f"Somebody else of {by} has to decide.",
        )
    if _lists(approval.by, person.user_id, groups):
        return Decision(Verdict.ALLOW, f"Approvers are {by}.")
    if closed := _closed(approval.by, groups, "the list of approvers"):
        return Decision(Verdict.DENY, closed, _MEND_GROUP)
    return Decision(
        Verdict.DENY,
        f"This may be approved by {by} only.",
        f"Ask {by} to decide.",
    )


def approvers(
    approval: Approval, *, requester_id: str, groups: Groups
) -> frozenset[str] | None:
    """Return the user ids that could approve, or None for every full member."""
    if EVERYBODY in approval.by:
        return None
    people = {entry for entry in approval.by if not _is_group(entry)}
    return frozenset(
        people.union(*(groups.get(entry) or () for entry in approval.by))
    ) - {requester_id}


def who_may(rules: Iterable[Rule], target: Target, name: str | None) -> tuple[str, ...]:
    """Return whom the rules about *target* name, up to one that forbids it to all."""
    found: dict[str, None] = {}
    for rule in rules:
        if not _covers(rule, target, name):
            continue
        if rule.deny and not rule.who and not rule.channels:
            break
        if not rule.deny:
            found |= dict.fromkeys(rule.who)
    return tuple(found)


def explained(reason: str) -> str:
    """Return *reason*, or nothing where it holds nothing that can be seen."""
    return reason.strip() if any(map(_is_seen, reason)) else ""


def _is_seen(char: str) -> bool:
    """Say whether a character leaves a mark: no blank, joiner, filler, accent alone."""
    return unicodedata.category(char)[0] in "LNPS" and char not in _FILLERS


# --- who --------------------------------------------------------------------------


def outsider(person: Person, home_team: str) -> Decision | None:
    """Return the refusal of whom no rule can let in (contract 4.8), else None."""
    kinds = (
        (person.deleted, "Deactivated accounts"),
        (person.is_bot, "Bots"),
        (person.is_guest, "Guests of the workspace"),
        (
            person.is_stranger or not home_team or person.team_id != home_team,
            "People of another workspace",
        ),
    )
    for applies, kind in kinds:
        if applies:
            return Decision(
                Verdict.DENY,
                f"{kind} may neither restart nor approve anything.",
                "A full member of the bot's own workspace can ask.",
            )
    return None


def _approval_lists(approval: Approval | None) -> tuple[tuple[str, ...], ...]:
    return () if approval is None else (approval.by, approval.break_glass)


def _is_group(entry: str) -> bool:
    """Say whether *entry* is a group; what is no user id is one, so it fails closed."""
    return entry != EVERYBODY and not _USER_ID.fullmatch(entry)


def _concerns(rule: Rule, user_id: str, groups: Groups) -> bool:
    """Say whether *rule* names the person; a deny rule without names means all."""
    return (rule.deny and not rule.who) or _lists(rule.who, user_id, groups)


def _lists(entries: Iterable[str], user_id: str, groups: Groups) -> bool:
    """Say whether *entries* surely name the person."""
    return any(
        user_id in (groups.get(entry) or ())
        if _is_group(entry)
        else entry in (EVERYBODY, user_id)
        for entry in entries
    )


def _closed(entries: Iterable[str], groups: Groups, what: str) -> str:
    """Return why a group among *entries* refuses everybody, or nothing."""
    for entry in sorted(entries):
        if _is_group(entry) and not groups.get(entry):
            trouble = (
                f"I cannot read the user group {entry}"
                if groups.get(entry) is None
                else f"The user group {entry} has no members"
            )
            return f"{trouble}, so nobody gets past {what} unless named otherwise."
    return ""


def _names(entries: Iterable[str]) -> str:
    """Return *entries* in words."""
    return ", ".join(
        "every full member" if entry == EVERYBODY else entry for entry in entries
    )


# --- what and where -----------------------------------------------------------------


def _glob(patterns: Iterable[str] | None, *texts: str) -> bool:
    """Say whether one of *texts* fits one of *patterns* (None: everything fits)."""
    return patterns is None or any(
        fnmatchcase(text.lower(), pattern.lower())
        for pattern in patterns
        for text in texts
    )


def _here(rule: Rule, channel_id: str | None) -> bool:
    """Say whether *rule* holds in a channel; None stands for anywhere."""
    return channel_id is None or _glob(rule.channels, channel_id)


def _covers(rule: Rule, target: Target, name: str | None) -> bool:
    """Say whether *rule* is about *target*, by whichever of its names."""
    known = (target.instance, *target.aliases, target.instance_id)
    return _glob(rule.projects, target.project) and _glob(
        rule.instances, *known, *([] if name is None else [name])
    )


def _uncovered(rules: Iterable[Rule], target: Target, name: str | None) -> Decision:
    """Refuse because no rule matched, and say which rules are about the target."""
    hints = [
        f"Rule “{rule.name}” lets {_names(rule.who)} restart it"
        + (f" in {_names(rule.channels)}." if rule.channels else ".")
        for rule in rules
        if not rule.deny and _covers(rule, target, name)
    ]
    return Decision(
        Verdict.DENY,
        f"No rule allows this restart of {target.instance} in {target.project}.",
        " ".join(hints[:_SHOWN_RULES]) or f"No rule lets anybody. {_MEND_RULES}",
    )


# --- what the rule that matched says --------------------------------------------------


def _apply(case: _Case) -> Decision:
    """Return what the matching rule says; break-glass comes before the cooldown."""
    return (
        _forbidden(case)
        or _unexplained(case)
        or _broken_glass(case)
        or _cooling(case)
        or _asking(case)
        or case.decided(
            Verdict.ALLOW, f"{case.named} lets {_names(case.rule.who)} restart it."
        )
    )


def _forbidden(case: _Case) -> Decision | None:
    if not case.rule.deny:
        return None
    why = f"{case.named} forbids restarting {case.target.instance}."
    return case.refused(why, _MEND_RULES)


def _unexplained(case: _Case) -> Decision | None:
    if case.reason is None:
        return None
    pattern = case.rule.reason_pattern
    matching = f" that matches “{pattern}”" if pattern else ""
    if not case.reason:
        fine = case.rule.reason == "optional"
    else:
        fine = not pattern or re.search(pattern, case.reason) is not None
    if fine:
        return None
    why = f"{case.named} requires a reason{matching}."
    remedy = f"Type a reason{matching}: after the instance, or in the dialog."
    return replace(case.refused(why, remedy), wants_reason=True)


def _broken_glass(case: _Case) -> Decision | None:
    """Decide on break-glass, which means something only where approval is due."""
    approval = case.rule.approval
    if not case.break_glass or approval is None:
        return None
    listed = f"the break-glass list of {case.named}"
    if not _lists(approval.break_glass, case.person.user_id, case.groups):
        return case.refused(
            _closed(approval.break_glass, case.groups, listed)
            or f"Break-glass needs a place on {listed}.",
            f"Without --break-glass, {_names(approval.by)} can approve it.",
        )
    if case.reason == "":
        why = f"{case.named} grants break-glass only with a reason."
        return case.refused(why, "Type a reason after the instance.")
    return case.decided(
        Verdict.ALLOW,
        f"{_names(approval.break_glass)} may break the glass by {case.named}.",
        approval=approval,
        break_glass=True,
    )


def _cooling(case: _Case) -> Decision | None:
    cooldown = case.rule.cooldown
    if cooldown is None or case.last_restart is None:
        return None
    # Another replica's clock may run ahead of ours.
    since = max(0.0, (case.now - case.last_restart).total_seconds())
    if since >= cooldown:
        return None
    return case.refused(
        f"The last restart of {case.target.instance} was {_span(since)} ago, and"
        f" {case.named} wants {_span(cooldown)} between two restarts.",
        f"Ask again in {_span(cooldown - since)}.",
    )


def _asking(case: _Case) -> Decision | None:
    approval = case.rule.approval
    if approval is None:
        return None
    could = approvers(approval, requester_id=case.person.user_id, groups=case.groups)
    if could is not None and len(could) < approval.needed:
        closed = _closed(approval.by, case.groups, "the list of approvers")
        return case.refused(
            f"{case.named} needs {approval.needed} of {_names(approval.by)} to approve,"
            f" and only {len(could)} besides the requester could.",
            f"{closed} {_MEND_GROUP}" if closed else _MEND_RULES,
        )
    return case.decided(
        Verdict.ASK,
        f"{case.named} lets {_names(case.rule.who)} restart it after"
        f" {approval.needed} of {_names(approval.by)} approved.",
        f"The request waits {_span(approval.expires)} for that.",
        approval=approval,
    )


def _span(seconds: float) -> str:
    """Return *seconds* in words, rounded up so that waiting that long is enough."""
    if seconds <= 60:  # noqa: PLR2004
        return f"{math.ceil(seconds)} s"
    minutes = math.ceil(seconds / 60)
    if minutes < 60:  # noqa: PLR2004
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"
