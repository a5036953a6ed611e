"""Who is on call in the demo: people, schedules and shifts that somebody may move."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

SHIFT_S = 8 * 3600.0


@dataclass(frozen=True, slots=True)
class RotaPerson:
    """Somebody whom both sources know; *slack* is the link to Slack made in IRM."""

    id: str
    name: str
    slack: tuple[str, str] | None = None  # user id, team id

    @property
    def email(self) -> str:
        """What the sources know and the bot must not ask for."""
        return f"{self.name.lower().replace(' ', '.')}@example.com"


@dataclass(frozen=True, slots=True)
class Shift:
    """*person*, by his id, is on call from *start* to *end* (POSIX s; None: ever)."""

    person: str
    start: float
    end: float | None = None

    def holds(self, at: float) -> bool:
        """Say whether it is under way *at* a time."""
        return self.start <= at and (self.end is None or at < self.end)


@dataclass(slots=True)
class Schedule:
    """A schedule; *upgraded*: shift-based, as PagerDuty's are since 2026.

    *policies* are the escalation policies that use it: on none, PagerDuty tells nobody.
    """

    id: str
    name: str
    shifts: list[Shift] = field(default_factory=list)
    policies: tuple[str, ...] = ("PPOLICY1",)
    upgraded: bool = False

    def on_call(self, at: float) -> Iterator[Shift]:
        """Yield the shifts that are under way *at* a time."""
        return (shift for shift in self.shifts if shift.holds(at))

    def hand_over(self, person: str, at: float) -> None:
        """Let *person* be on call from now on, alone; "" is nobody."""
        before = [one for one in self.shifts if one.start < at]
        self.shifts = [
            Shift(one.person, one.start, at) if one.holds(at) else one for one in before
        ]
        if person:
            self.shifts.append(Shift(person, at, at + SHIFT_S))


@dataclass(slots=True)
class Rota:
    """All that both sources know."""

    people: dict[str, RotaPerson]
    schedules: dict[str, Schedule]


def demo_rota(now: float) -> Rota:
    """Return the rota of the demo: Bob is on call, then Carol, then Bob again."""
    people = (
        RotaPerson("PBOB", "Bob Lindqvist", ("U0BOB", "T0HOME")),
        RotaPerson("PCAROL", "Carol Ferrante", ("U0CAROL", "T0HOME")),
        RotaPerson("PGINA", "Gina Sato", ("U0GINA", "T0HOME")),
        RotaPerson("PHUGO", "Hugo Stein"),
    )
    begins = now - now % 3600
    shifts = [
        Shift(person, begins + turn * SHIFT_S, begins + (turn + 1) * SHIFT_S)
        for turn, person in enumerate(("PBOB", "PCAROL") * 150)
    ]
    primary = Schedule("PPRIMARY", "ML primary", shifts)
    return Rota({one.id: one for one in people}, {primary.id: primary})
