"""Who may restart what: the first rule that matches decides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from bot.model import Decision, Rule, Target, Verdict
from bot.policy.question import Facts, Question
from bot.policy.rule_outcome import MEND_RULES, Case, ruling, unread_glass
from bot.policy.subjects import (
    closed,
    concerns,
    in_words,
    lines,
    outsider,
)
from bot.policy.timing import holds, shut, within_freezes

_SHOWN_RULES = 3  # a remedy is read on a phone


def decide(rules: Sequence[Rule], question: Question, facts: Facts) -> Decision:
    """Say whether *question* is answered by yes: the first rule that matches decides.

    A group that cannot be read, or is empty, refuses everybody it might have named.
    Raises the SlackError of one that it hangs on and that cannot be read now.
    """
    if refusal := outsider(facts.person, facts.home_team):
        return refusal
    return within_freezes(_ruled(rules, question, facts), question, facts)


def _ruled(rules: Sequence[Rule], question: Question, facts: Facts) -> Decision:
    """Return what the first rule that matches says, or why none does."""
    target, name, groups = question.target, facts.name, facts.groups
    out_of_time: list[Rule] = []
    for rule in rules:
        if not (covers(rule, target, name) and here(rule, question.channel_id)):
            continue
        case = Case(rule, question, facts)
        if not holds(rule, facts.now):
            if not rule.deny and (
                concerns(rule, facts.person.ids, groups) or case.breaks_glass
            ):
                out_of_time.append(rule)
            continue
        if concerns(rule, facts.person.ids, groups) or case.breaks_glass:
            decision = ruling(case)
            if rule.deny and out_of_time:  # who is banned here may at other times
                return replace(decision, remedy=shut(out_of_time, facts.now).why)
            return decision
        glass = rule.approval.break_glass if rule.approval else ()
        if unread := closed(rule.who, groups, case.named, glass):
            return case.refused(unread.why, unread.remedy, doubt=unread.doubt)
        if question.break_glass and (refusal := unread_glass(case)):
            return refusal
    if out_of_time:
        return shut(out_of_time, facts.now)
    return _uncovered(rules, question, facts)


def _uncovered(rules: Iterable[Rule], question: Question, facts: Facts) -> Decision:
    """Refuse because no rule matched, and say which rules are about the target."""
    target, verb = question.target, question.verb
    hints = [
        f"Rule “{rule.name}” lets {in_words(rule.who, facts.groups)} {verb} it"
        + (f" in {in_words(rule.channels)}" if rule.channels else "")
        + (f", {rule.when}." if rule.when else ".")
        for rule in rules
        if not rule.deny and covers(rule, target, facts.name)
    ]
    return Decision(
        Verdict.DENY,
        f"No rule allows this {verb} of {target.instance} in {target.project}.",
        " ".join(hints[:_SHOWN_RULES]) or f"No rule lets anybody. {MEND_RULES}",
    )


def who_may(rules: Iterable[Rule], target: Target, name: str | None) -> tuple[str, ...]:
    """Return whom the rules about *target* name, up to one that forbids it to all."""
    found: dict[str, None] = {}
    for rule in rules:
        if not covers(rule, target, name):
            continue
        if rule.deny and not (rule.who or rule.channels or rule.when):
            break
        if not rule.deny:
            found |= dict.fromkeys(rule.who)
    return tuple(found)


def lines_about(
    rules: Iterable[Rule], target: Target, name: str | None
) -> frozenset[str]:
    """Return the on-call lines of the rules that may be about *target*.

    *name* is the cloud's; where it is not known yet, any pattern may fit it.
    """
    return lines(
        rule
        for rule in rules
        if covers(rule, target, name)
        or (name is None and _fits(rule.projects, target.project))
    )


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
