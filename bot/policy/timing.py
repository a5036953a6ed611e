"""When: the windows of rules, and freezes; who may begin and end one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from bot.model import Decision, Freeze, Person, Request, Rule, Verdict, frozen_by
from bot.model.wall_clock import shown
from bot.model.window import closing, is_open, opening
from bot.policy.question import Facts, Question
from bot.policy.subjects import (
    Groups,
    closed,
    in_words,
    lists,
    outsider,
)

# --- windows -------------------------------------------------------------------------


def holds(rule: Rule, now: datetime) -> bool:
    """Say whether *rule* matches at this time of the week."""
    return rule.when is None or is_open(rule.windows, now)


def closes(rule: Rule, now: datetime) -> str:
    """Return until when the window of *rule* is open; nothing without one."""
    if rule.when is None:
        return ""
    end = closing(rule.windows, now)
    if end is None:
        return "Its window is open, and never closes."
    return f"Its window is open until {shown(*end, now)}."


def shut(rules: Sequence[Rule], now: datetime) -> Decision:
    """Refuse because the window of each of *rules* is closed; name the next to open."""
    first, opens = rules[0], opening(rules[0].windows, now)
    for rule in rules[1:]:
        other = opening(rule.windows, now)
        if other and (opens is None or other[0] < opens[0]):
            first, opens = rule, other
    window, until = "It does not open within two weeks.", None
    if opens is not None:
        window, until = f"It opens next at {shown(*opens, now)}.", opens[0]
    return Decision(
        Verdict.DENY,
        f"The window of the rule “{first.name}” ({first.when}) is closed. {window}",
        "Ask again when it is open.",
        first.name,
        first.version,
        window=window,
        until=until,
    )


# --- freezes -------------------------------------------------------------------------


def within_freezes(decision: Decision, question: Question, facts: Facts) -> Decision:
    """Return what is left of *decision* while a freeze is in force.

    Break-glass passes it, where the rule grants it, and says so; so does the start of
    one that a restart has left down.
    """
    freeze = frozen_by(facts.freezes, question.target.project, facts.now)
    if freeze is None:
        return decision
    refusal = frozen(freeze, facts.now)
    denied = decision.verdict is Verdict.DENY
    if (decision.break_glass or question.urgent) and not denied:
        return replace(
            decision,
            why=f"{decision.why} It passes the freeze.",
            passes=freeze.sentence(facts.now),
        )
    if denied and question.break_glass:  # why the glass cannot be broken
        return replace(
            decision, remedy=refusal.why, frozen=True, until=refusal.until, window=""
        )
    glass = decision.approval.break_glass if decision.approval else ()
    passing = (
        f" Break-glass passes it, for {in_words(glass, facts.groups)}." if glass else ""
    )
    enders = in_words(facts.freezers, facts.groups)
    ending = f" Who may end it: {enders}." if enders else ""
    return replace(
        refusal,
        remedy=f"{refusal.remedy}{passing}{ending}",
        rule=decision.rule,
        rule_version=decision.rule_version,
        wants_reason=decision.wants_reason and not denied,
    )


def frozen(freeze: Freeze, now: datetime) -> Decision:
    """Return the refusal that *freeze* is."""
    return Decision(
        Verdict.DENY,
        f"{freeze.sentence(now)}.",
        "Ask again when it has ended.",
        frozen=True,
        until=freeze.until,
    )


def not_now(
    request: Request, rules: Sequence[Rule], freezes: Sequence[Freeze], now: datetime
) -> Decision | None:
    """Return why what *request* asks for must wait: a freeze, or its rule's window."""
    freeze = frozen_by(freezes, request.target.project, now)
    if freeze is not None and not request.passes_freezes:
        return frozen(freeze, now)
    named = next((rule for rule in rules if rule.name == request.rule), None)
    return None if named is None or holds(named, now) else shut([named], now)


def may_freeze(
    by: Sequence[str], *, person: Person, home_team: str, groups: Groups
) -> Decision:
    """Say whether *person* may begin and end freezes, which those in *by* may."""
    if refusal := outsider(person, home_team):
        return refusal
    if not by:
        return Decision(
            Verdict.DENY,
            "Nobody may freeze or thaw anything: the configuration names nobody.",
            "Whoever keeps it can name people in [freeze] by.",
        )
    who = in_words(by, groups)
    if lists(by, person.ids, groups):
        return Decision(Verdict.ALLOW, f"Those who may are {who}.")
    if shut_list := closed(by, groups, "the list of those who may freeze"):
        return shut_list.refusal()
    return Decision(Verdict.DENY, f"Only {who} may freeze and thaw.", f"Ask {who}.")
