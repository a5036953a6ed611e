"""Whom an entry of a rule means: people, groups, who is on call. In doubt, nobody."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from bot.errors import RotaError, SlackError
from bot.model import Approval, Decision, Duty, Person, Rule, Verdict
from bot.model.rule import USER_ID, line_of
from bot.policy.on_call import on_duty, trouble, user_ids

# The members of each group; None: it is gone, empty, or never to be read; a SlackError:
# it cannot be read now, so nothing that hangs on it can be decided now. Of an on-call
# line who is on call, or why that is not known: then nobody is.
Groups = Mapping[str, frozenset[str] | Duty | RotaError | SlackError | None]

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
    return frozenset(filter(is_group, named(rules)))


def lines(rules: Iterable[Rule]) -> frozenset[str]:
    """Return every on-call line that *rules* name, as it is written there."""
    return frozenset(filter(line_of, named(rules)))


def named(rules: Iterable[Rule]) -> frozenset[str]:
    """Return whom *rules* name, as it is written there."""
    return frozenset(
        entry
        for rule in rules
        for entries in (rule.who, *lists_of(rule.approval))
        for entry in entries
    )


def lists_of(approval: Approval | None) -> tuple[tuple[str, ...], ...]:
    if approval is None:
        return ()
    return approval.everybody, approval.break_glass, approval.notified


def is_group(entry: str) -> bool:
    """Say whether *entry* is a group; what is nothing else is one: it fails closed."""
    return entry != EVERYBODY and not (USER_ID.fullmatch(entry) or line_of(entry))


def concerns(rule: Rule, ids: Collection[str], groups: Groups) -> bool:
    """Say whether *rule* names who has *ids*; a deny rule without names means all."""
    return (rule.deny and not rule.who) or lists(rule.who, ids, groups)


def lists(entries: Iterable[str], ids: Collection[str], groups: Groups) -> bool:
    """Say whether *entries* surely name the person who has *ids*."""
    return any(
        entry == EVERYBODY or entry in ids
        if not (is_group(entry) or line_of(entry))
        else not members(groups, entry).isdisjoint(ids)
        for entry in entries
    )


def members(groups: Groups, entry: str) -> frozenset[str]:
    """Return who is surely in the group *entry*, or on call on that line."""
    known = groups.get(entry)
    if isinstance(known, Duty):
        return user_ids(known)
    return known if isinstance(known, frozenset) else frozenset()


@dataclass(frozen=True, slots=True)
class Closed:
    """Why a list refuses everybody whom it may name, in *why*, and what would help.

    *doubt*: who is on call could not be read, which may pass.
    """

    why: str
    remedy: str
    doubt: bool = False

    def refusal(self) -> Decision:
        """Return it as a decision."""
        return Decision(Verdict.DENY, self.why, self.remedy, doubt=self.doubt)


def closed(
    entries: Collection[str], groups: Groups, what: str, glass: Collection[str] = ()
) -> Closed | None:
    """Return why *entries*, which are *what*, refuse everybody not named otherwise.

    That is a group that cannot be read or is empty, or a line on which nobody is on
    call, as far as is known. *glass* are those who may break it. Raises the SlackError
    of a group that cannot be read now: that is no verdict.
    """
    for entry in entries:
        if isinstance(unread := groups.get(entry), SlackError):
            raise unread
    troubles = {
        entry: said
        for entry in sorted(entries)
        if line_of(entry) and (said := trouble(entry, groups.get(entry)))
    }
    if troubles:
        still = [entry for entry in entries if entry not in troubles]
        return Closed(
            " ".join(troubles.values()),
            _who_can(still, glass, groups),
            doubt=any(isinstance(groups.get(one), RotaError) for one in troubles),
        )
    for entry in sorted(entries):
        if is_group(entry) and not groups.get(entry):
            gone = f"I cannot read the user group {entry}"
            empty = f"The user group {entry} has no members"
            why = gone if groups.get(entry) is None else empty
            past = f"so nobody gets past {what} unless named otherwise."
            return Closed(f"{why}, {past}", MEND_GROUP)
    return None


def _who_can(still: Collection[str], glass: Collection[str], groups: Groups) -> str:
    """Return who can although nobody is known to be on call."""
    ways = [in_words(still, groups)] if still else []
    if glass:
        ways.append(f"with --break-glass and a reason {in_words(glass, groups)}")
    if ways:
        return f"Who still can: {'; '.join(ways)}."
    return "Nobody else is named: ask again in a minute, or have the rule changed."


def in_words(entries: Iterable[str], groups: Groups | None = None) -> str:
    """Return *entries* in words; of the lines in *groups* with who is on call."""
    known = groups or {}
    return ", ".join(
        "every full member" if entry == EVERYBODY else on_duty(entry, known.get(entry))
        for entry in entries
    )
