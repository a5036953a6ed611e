"""Freezes: until when nothing is restarted or started in a project, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from bot.model.wall_clock import shown

EVERYTHING = "all"  # typed instead of a project
LONGEST_FREEZE_S = 30 * 86400.0
FREEZE_REASON_LIMIT = 500  # characters


@dataclass(frozen=True, slots=True)
class Freeze:
    """One freeze, known by the *id* of the delivery that began it; times are UTC.

    No *project* means all of them; *zone* is that of who typed it.
    """

    id: str
    project: str
    user_id: str
    team_id: str
    channel_id: str
    reason: str
    zone: str
    since: datetime
    until: datetime
    thawed_at: datetime | None = None
    thawed_by: str = ""

    @property
    def scope(self) -> str:
        """What is frozen, in words."""
        return self.project or "every project"

    @property
    def typed(self) -> str:
        """What is frozen, as it is typed."""
        return self.project or EVERYTHING

    def in_force(self, at: datetime) -> bool:
        """Say whether it has neither been ended nor come to its end."""
        return self.thawed_at is None and at < self.until

    def sentence(self, now: datetime) -> str:
        """Say who has frozen what until when, and why: raw, without a full stop.

        What somebody typed stands in curly quotes and holds none itself.
        """
        typed = self.reason.replace("“", '"').replace("”", '"')
        what = f"Project {self.project}" if self.project else "Every project"
        return (
            f"{what} is frozen until {shown(self.until, self.zone, now)}"
            f" by {self.user_id}: “{typed}”"
        )


def frozen_by(freezes: Iterable[Freeze], project: str, at: datetime) -> Freeze | None:
    """Return the freeze in force for *project* that lasts longest, or None."""
    found = (
        freeze
        for freeze in freezes
        if freeze.project in {"", project} and freeze.in_force(at)
    )
    return max(found, key=lambda freeze: freeze.until, default=None)
