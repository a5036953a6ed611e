"""What the stories and the listeners share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from bot.app.wires import Me, Wires
from bot.approval import Approvals
from bot.authority import Authority
from bot.bell import Bell
from bot.config import Settings
from bot.listeners.tasks import Tasks
from bot.metrics import Metrics
from bot.people import People


@dataclass(frozen=True, slots=True)
class Parts:
    """One of each; *settings* returns those in force now, which a reload changes."""

    settings: Callable[[], Settings]
    wires: Wires
    me: Me
    metrics: Metrics
    tasks: Tasks
    people: People
    authority: Authority
    approvals: Approvals
    bell: Bell

    @classmethod
    def of(
        cls,
        wires: Wires,
        me: Me,
        *,
        settings: Callable[[], Settings],
        metrics: Metrics,
        tasks: Tasks,
        poll_s: float,
    ) -> Self:
        """Put the shared parts together."""
        people = People(wires.idem, me.team_id, on_call=metrics.slack_called)
        authority = Authority(
            settings=settings,
            people=people,
            ledger=wires.ledger,
            cloud=wires.cloud,
            home_team=me.team_id,
        )
        bell = Bell(wires.ledger, every_s=poll_s)
        approvals = Approvals(
            ledger=wires.ledger,
            chat=wires.chat,
            authority=authority,
            metrics=metrics,
            bell=bell,
        )
        return cls(
            settings, wires, me, metrics, tasks, people, authority, approvals, bell
        )
