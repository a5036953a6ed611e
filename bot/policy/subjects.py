"""Whom an entry of a rule means: people, groups, everybody. In doubt, nobody."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from bot.errors import SlackError
from bot.model import Approval, Decision, Person, Rule, Verdict
from bot.model.rule import USER_ID

# The members of each group; None: it is gone, empty, or never to be read; a SlackError:
# it cannot be read now, so nothing that hangs on it can be decided now.
Groups = Mapping[str, frozenset[str] | SlackError | None]

EVERYBODY = "*"
MEND_GROUP = (
    "Whoever keeps the bot's configuration has to look at that group:"
    " mlstudio-bot check says what is wrong with it."
)


def outsider(person: Person, home_team: str) -> Decision | None:
    """Return the refusal of whom no rule can let in, else None."""
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


def references(rules: Iterable[Rule]) -> frozenset[str]:
    """Return every user group that *rules* name, as it is written there."""
    return frozenset(
        entry
        for rule in rules
        for entries in (rule.who, *lists_of(rule.approval))
        for entry in entries
        if is_group(entry)
    )


def lists_of(approval: Approval | None) -> tuple[tuple[str, ...], ...]:
    return () if approval is None else (approval.by, approval.break_glass)


def is_group(entry: str) -> bool:
    """Say whether *entry* is a group; what is no user id is one, so it fails closed."""
    return entry != EVERYBODY and not USER_ID.fullmatch(entry)


def concerns(rule: Rule, ids: Collection[str], groups: Groups) -> bool:
    """Say whether *rule* names who has *ids*; a deny rule without names means all."""
    return (rule.deny and not rule.who) or lists(rule.who, ids, groups)


def lists(entries: Iterable[str], ids: Collection[str], groups: Groups) -> bool:
    """Say whether *entries* surely name the person who has *ids*."""
    return any(
        not members(groups, entry).isdisjoint(ids)
        if is_group(entry)
        else entry == EVERYBODY or entry in ids
        for entry in entries
    )


def members(groups: Groups, entry: str) -> frozenset[str]:
    """Return who is surely in the group *entry*."""
    known = groups.get(entry)
    return known if isinstance(known, frozenset) else frozenset()


def closed_group(entries: Collection[str], groups: Groups, what: str) -> str:
    """Return why a group among *entries* refuses everybody, or nothing.

    Raises the SlackError of one that cannot be read now: that is no verdict.
    """
    for entry in entries:
        if isinstance(unread := groups.get(entry), SlackError):
            raise unread
    for entry in sorted(entries):
        if is_group(entry) and not groups.get(entry):
            trouble = (
                f"I cannot read the user group {entry}"
                if groups.get(entry) is None
                else f"The user group {entry} has no members"
            )
            return f"{trouble}, so nobody gets past {what} unless named otherwise."
    return ""


def in_words(entries: Iterable[str]) -> str:
    """Return *entries* in words."""
    return ", ".join(
        "every full member" if entry == EVERYBODY else entry for entry in entries
    )
