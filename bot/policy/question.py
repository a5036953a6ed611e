"""What is asked of policy, and what is known when it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from bot.model import Act, Freeze, Person, Request, Target
from bot.policy.subjects import Groups


@dataclass(frozen=True, slots=True)
class Question:
    """May somebody restart *target*, asked for in *channel_id* for this *reason*?

    Commands, clicks, dialogs, ``can`` and ``explain`` all ask so. None as *channel_id*
    asks about anywhere, None as *reason* takes it as given: for what would be, never
    for an act. *private*: only its members see what is said in that channel.
    """

    user_id: str
    team_id: str
    target: Target
    channel_id: str | None
    reason: str | None = ""
    break_glass: bool = False
    private: bool = False
    wants: Act = Act.RESTART
    urgent: bool = False  # starts one that a restart has left down

    @property
    def verb(self) -> str:
        """What is asked for, as a verb: "restart" or "start"."""
        return str(self.wants)

    @classmethod
    def of(cls, request: Request) -> Self:
        """Return what a *request* asks."""
        return cls(
            request.user_id,
            request.team_id,
            request.target,
            request.channel_id,
            request.reason,
            request.break_glass,
            wants=request.wants,
            urgent=request.urgent,
        )


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known now: the *person* who asks, the *groups* that rules name.

    *home_team* is the bot's workspace. *name* is the cloud's name of the instance;
    without it (None) rules are matched by alias and id alone, so whoever acts must have
    asked again with the name. *freezes* are those in force, *freezers* whom the
    configuration lets end them.
    """

    person: Person
    home_team: str
    groups: Groups
    name: str | None
    last_restart: datetime | None
    now: datetime
    freezes: Sequence[Freeze] = ()
    freezers: Sequence[str] = ()
