"""People in Slack."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in Slack, known by *team_id* and *user_id*; *name* is for reading."""

    user_id: str
    team_id: str
    name: str = ""
    deleted: bool = False
    is_bot: bool = False
    is_guest: bool = False  # restricted, ultra-restricted or only invited
    is_stranger: bool = False  # of another workspace
