"""What is wrong with rules that are right one by one. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase

from bot.cli.check.line import Line, bad, counted, good, skipped
from bot.model import Approval, Rule
from bot.model.rule import line_of
from bot.model.window import windows_of, within
from bot.policy import EVERYBODY, Groups, approvers, members

_USER_ID = re.compile(r"[UW][A-Z0-9]+")
_ADD_APPROVERS = "name more people in its approval.by, or lower approval.needed"


def people_of(
    rules: Iterable[Rule], owners: Iterable[str] = ()
) -> dict[str, list[str]]:
    """Return every user id that *rules* name, with the names of those rules.

    *owners* are the ids in the table of that name.
    """
    named: dict[str, list[str]] = {}
    for rule in rules:
        for entry in sorted({*rule.who, *_approvers_of(rule)}):
            if _USER_ID.fullmatch(entry):
                named.setdefault(entry, []).append(rule.name)
    for owner in owners:
        named.setdefault(owner, ["owners"])
    return named


def rule_lines(rules: Iterable[Rule], projects: Collection[str]) -> Iterator[Line]:
    """Yield for each rule whether it can ever decide; *projects* are all there are."""
    before: list[Rule] = []
    for rule in rules:
        hiders = _at_all_times([r for r in before if _hides(r, rule, projects)], rule)
        before.append(rule)
        if not hiders:
            yield good(f"rule “{rule.name}” can decide")
        else:
            names = " and ".join(f"“{hider.name}”" for hider in hiders)
            one = len(hiders) == 1
            yield bad(
                f"rule “{rule.name}” can never decide: {names}, which"
                f" {'stands' if one else 'stand'} before it,"
                f" {'matches' if one else 'match'} all that it matches"
                + (" whenever its window is open" if rule.when else ""),
                f"move it above {names}, or remove it",
            )
    if not before:
        yield skipped("there are no rules: every restart is refused", "add [[rules]]")


def approval_lines(
    rules: Iterable[Rule], groups: Groups | None, unfit: Collection[str] = ()
) -> Iterator[Line]:
    """Yield for each rule with an approval whether enough people could ever give it.

    *groups* are the members that Slack named (None: not asked), *unfit* the user ids
    that may not act whatever a rule says.
    """
    for rule in rules:
        if rule.approval is None or rule.deny:
            continue
        approval = rule.approval.after(math.inf)
        asks_slack = any(map(_is_group, approval.by))
        if any(map(line_of, approval.by)):
            yield good(f"rule “{rule.name}”: approved by who is on call by then")
        elif groups is None and asks_slack:
            yield skipped(
                f"rule “{rule.name}”: who could approve was not looked up",
                "run the check without --offline",
            )
        else:
            yield _approval_line(rule, approval, groups or {}, unfit)


def _approval_line(
    rule: Rule, approval: Approval, groups: Groups, unfit: Collection[str]
) -> Line:
    could = approvers(approval, requester_ids=(), groups=groups)
    named = f"rule “{rule.name}”"
    if could is None:
        return good(f"{named}: every full member could approve")
    could -= frozenset(unfit)
    needs = f"{named} needs {counted(approval.needed, 'approval')}"
    if len(could) < approval.needed:
        who = "nobody" if not could else f"only {len(could)}"
        return bad(f"{needs}, but {who} could give one", _ADD_APPROVERS)
    # The requester never counts: somebody may be left without enough others.
    alone = sorted(r for r in _requesters(rule, groups) if _too_few(approval, could, r))
    if alone:
        short = f"too few besides the requester when {', '.join(alone)} asks"
        return bad(f"{needs}: {short}", _ADD_APPROVERS)
    people = "person" if len(could) == 1 else "people"
    return good(f"{named}: {len(could)} {people} could approve")


def _too_few(approval: Approval, could: frozenset[str], requester: str) -> bool:
    return len(could - {requester}) < approval.needed


def _requesters(rule: Rule, groups: Groups) -> set[str]:
    """Return who can ask by *rule*, as far as it names them."""
    users = {entry for entry in rule.who if _USER_ID.fullmatch(entry)}
    return users.union(*(members(groups, entry) for entry in rule.who))


def _approvers_of(rule: Rule) -> tuple[str, ...]:
    approval = rule.approval
    if approval is None:
        return ()
    return (*approval.everybody, *approval.notified, *approval.break_glass)


def _is_group(entry: str) -> bool:
    return entry != EVERYBODY and not _USER_ID.fullmatch(entry)


# --- a rule behind another ------------------------------------------------------------


def _hides(first: Rule, second: Rule, projects: Collection[str]) -> bool:
    """Say whether *first* surely matches whatever *second* matches."""
    return (
        _who_within(second, first)
        and _in_projects(second, projects) <= _in_projects(first, projects)
        and _patterns_within(second.instances, first.instances)
        and _patterns_within(second.channels, first.channels)
    )


def _at_all_times(hiders: Sequence[Rule], rule: Rule) -> Sequence[Rule]:
    """Return which of *hiders* match *rule* away whenever it holds; else none.

    One that always holds does so alone, others may share the hours of its window.
    """
    for hider in hiders:
        if hider.when is None or _when_within(rule, [hider]):
            return [hider]
    together = [hider for hider in hiders if hider.when is not None]
    return together if together and _when_within(rule, together) else []


def _when_within(narrow: Rule, wide: Sequence[Rule]) -> bool:
    zone = wide[0].windows[0].zone
    windows = narrow.windows or windows_of(f"Mon-Sun 00:00-24:00 {zone}")
    return within(windows, [window for rule in wide for window in rule.windows])


def _who_within(narrow: Rule, wide: Rule) -> bool:
    if EVERYBODY in wide.who or not wide.who:
        return True  # only a deny rule may name nobody, and then it means everybody
    named = {entry.lower() for entry in narrow.who}
    return bool(named) and named <= {entry.lower() for entry in wide.who}


def _in_projects(rule: Rule, projects: Collection[str]) -> set[str]:
    if rule.projects is None:
        return set(projects)
    return {
        project
        for project in projects
        for pattern in rule.projects
        if fnmatchcase(project.lower(), pattern.lower())
    }


def _patterns_within(
    narrow: Collection[str] | None, wide: Collection[str] | None
) -> bool:
    if wide is None:
        return True
    if narrow is None:
        return "*" in wide
    return all(
        any(_pattern_within(one.lower(), other.lower()) for other in wide)
        for one in narrow
    )


def _pattern_within(narrow: str, wide: str) -> bool:
    """Say whether whatever matches the glob *narrow* surely matches *wide*.

    A ``*`` of *wide* swallows any wildcard of *narrow* as it swallows a letter; what is
    not proven so (sets, ``?``) is taken for different.
    """
    if narrow == wide or not set(narrow) & set("*?["):
        return narrow == wide or fnmatchcase(narrow, wide)
    return (
        not set(narrow + wide) & set("[")
        and "?" not in wide
        and fnmatchcase(narrow, wide)
    )
