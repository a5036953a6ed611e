"""People in Slack."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in Slack, known by *team_id* and *user_id*; *name* is for reading.

    On Enterprise Grid one person may have an id in a workspace and one for all of them,
    *enterprise_id*: https://docs.slack.dev/reference/objects/user-object
    """

    user_id: str
    team_id: str
    name: str = ""
    deleted: bool = False
    is_bot: bool = False
    is_guest: bool = False  # restricted, ultra-restricted or only invited
    is_stranger: bool = False  # of another workspace
    enterprise_id: str = ""

    @property
    def identity(self) -> str:
        """The one id that two ids of the same person have in common."""
        return self.enterprise_id or self.user_id

    @property
    def ids(self) -> frozenset[str]:
        """Every id that a rule or a group may name the person by."""
        return frozenset({self.user_id, self.identity})
