"""A rota of one's own: who is on call when, or why nobody can tell. No wire."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bot.config import OnCallSettings
from bot.errors import RotaError, RotaUnreachable
from bot.model import OnCallPerson
from bot.oncall import Rotas

LINE = OnCallSettings(source="pagerduty", schedule=("P1",))


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class FakeRota:
    """Lines by name, each with the user ids (or ``?Name``: unmapped) of today.

    A RotaError in their place is what reading the line meets.
    """

    on_call: dict[str, tuple[str, ...] | RotaError] = field(default_factory=dict)
    until: datetime | None = None
    now: Callable[[], datetime] = _now
    calls: int = 0
    fails_once: bool = False
    delay_s: float = 0.0

    async def read(self, line: str, _: OnCallSettings) -> tuple[OnCallPerson, ...]:
        self.calls += 1
        await asyncio.sleep(self.delay_s)
        found = self.on_call[line]
        if self.fails_once:
            self.fails_once = False
            raise RotaUnreachable("PagerDuty does not answer.")
        if isinstance(found, RotaError):
            raise found
        return tuple(self._person(one) for one in found)

    def _person(self, one: str) -> OnCallPerson:
        known = None if one.startswith("?") else one
        return OnCallPerson(one, one.removeprefix("?"), known, self.until)

    def rotas(self) -> Rotas:
        """Return the port to it."""
        return Rotas(lambda: dict.fromkeys(self.on_call, LINE), self.read, self.now)
