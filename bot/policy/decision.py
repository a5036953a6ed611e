"""Who may restart what: the first rule that matches decides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from fnmatch import fnmatchcase

from bot.model import Decision, Person, Rule, Target, Verdict
from bot.policy.rule_outcome import MEND_RULES, Case, explained, ruling
from bot.policy.subjects import (
    MEND_GROUP,
    Groups,
    closed_group,
    concerns,
    in_words,
    outsider,
)

_SHOWN_RULES = 3  # a remedy is read on a phone


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
        if not (covers(rule, target, name) and here(rule, channel_id)):
            continue
        case = Case(
            rule=rule,
            person=person,
            target=target,
            reason=None if reason is None else explained(reason),
            break_glass=break_glass,
            groups=groups,
            last_restart=last_restart,
            now=now,
        )
        if concerns(rule, person.user_id, groups) or case.breaks_glass:
            return ruling(case)
        if closed := closed_group(rule.who, groups, case.named):
            return case.refused(closed, MEND_GROUP)
    return _uncovered(rules, target, name)


def _uncovered(rules: Iterable[Rule], target: Target, name: str | None) -> Decision:
    """Refuse because no rule matched, and say which rules are about the target."""
    hints = [
        f"Rule “{rule.name}” lets {in_words(rule.who)} restart it"
        + (f" in {in_words(rule.channels)}." if rule.channels else ".")
        for rule in rules
        if not rule.deny and covers(rule, target, name)
    ]
    return Decision(
        Verdict.DENY,
        f"No rule allows this restart of {target.instance} in {target.project}.",
        " ".join(hints[:_SHOWN_RULES]) or f"No rule lets anybody. {MEND_RULES}",
    )


def who_may(rules: Iterable[Rule], target: Target, name: str | None) -> tuple[str, ...]:
    """Return whom the rules about *target* name, up to one that forbids it to all."""
    found: dict[str, None] = {}
    for rule in rules:
        if not covers(rule, target, name):
            continue
        if rule.deny and not rule.who and not rule.channels:
            break
        if not rule.deny:
            found |= dict.fromkeys(rule.who)
    return tuple(found)


def covers(rule: Rule, target: Target, name: str | None) -> bool:
    """Say whether *rule* is about *target*, by whichever of its names."""
    known = (target.instance, *target.aliases, target.instance_id)
    return _fits(rule.projects, target.project) and _fits(
        rule.instances, *known, *([] if name is None else [name])
    )


def here(rule: Rule, channel_id: str | None) -> bool:
    """Say whether *rule* holds in a channel; None stands for anywhere."""
    return channel_id is None or _fits(rule.channels, channel_id)


def _fits(patterns: Iterable[str] | None, *texts: str) -> bool:
    """Say whether one of *texts* fits one of *patterns* (None: everything fits)."""
    return patterns is None or any(
        fnmatchcase(text.lower(), pattern.lower())
        for pattern in patterns
        for text in texts
    )
