"""Who may approve what somebody else has asked for."""

from __future__ import annotations

from collections.abc import Collection

from bot.model import Approval, Decision, Person, Verdict
from bot.model.rule import USER_ID
from bot.policy.subjects import (
    EVERYBODY,
    Groups,
    closed,
    in_words,
    lists,
    members,
    outsider,
)


def may_approve(
    approval: Approval,
    *,
    person: Person,
    home_team: str,
    requester_id: str,
    groups: Groups,
) -> Decision:
    """Say whether *person* may decide on what *requester_id*, an identity, asked for.

    Raises the SlackError of a group that it hangs on and that cannot be read now.
    """
    by = in_words(approval.by, groups)
    if refusal := outsider(person, home_team):
        return refusal
    if requester_id in person.ids:
        return Decision(
            Verdict.DENY,
            "The requester never counts as an approver.",
            f"Somebody else of {by} has to decide.",
        )
    if lists(approval.by, person.ids, groups):
        return Decision(Verdict.ALLOW, f"Approvers are {by}.")
    listed = "the list of approvers"
    if shut := closed(approval.by, groups, listed, approval.break_glass):
        return shut.refusal()
    return Decision(
        Verdict.DENY,
        f"This may be approved by {by} only.",
        f"Ask {by} to decide.",
    )


def approvers(
    approval: Approval, *, requester_ids: Collection[str], groups: Groups
) -> frozenset[str] | None:
    """Return the user ids that could approve, or None for every full member.

    *requester_ids* are those of who asks.
    """
    if EVERYBODY in approval.by:
        return None
    people = set(filter(USER_ID.fullmatch, approval.by))
    return frozenset(
        people.union(*(members(groups, entry) for entry in approval.by))
    ) - frozenset(requester_ids)
