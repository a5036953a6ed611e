"""A rota of one's own: both sources on loopback, and the port that asks them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import cache
from typing import Any

import attrs

from bot.config import OnCallSettings, Secrets
from bot.demo.rota import Rota, RotaPerson, Schedule, Shift
from bot.demo.rota_server import LocalRota
from bot.model import Duty
from bot.network import Network, http_client
from bot.oncall import Rotas
from bot.oncall.sources import Sources

NOW = datetime(2026, 3, 29, 0, 30, tzinfo=UTC).timestamp()  # clocks change at 1:00
HOUR = 3600.0
HOME = "T0HOME"


def small_rota() -> Rota:
    """Return a rota of two schedules: Ann is on one, and on the other nobody."""
    people = (
        RotaPerson("PANN", "Ann Okafor", ("U0ANN", HOME)),
        RotaPerson("PBOB", "Bob Lindqvist", ("U0BOB", "T0OTHER")),
        RotaPerson("PHUGO", "Hugo Stein"),
    )
    shifts = [Shift("PANN", NOW - HOUR, NOW + HOUR), Shift("PBOB", NOW + HOUR)]
    schedules = (Schedule("P1", "one", shifts), Schedule("P2", "two"))
    return Rota({one.id: one for one in people}, {one.id: one for one in schedules})


@attrs.define
class RotaWorld:
    """Both sources, and a line of each: ``pd`` and ``irm``."""

    server: LocalRota
    lines: dict[str, OnCallSettings]
    port: Rotas
    at: float = NOW

    def change(self, line: str, **how: Any) -> None:
        """Change the settings of a line."""
        self.lines[line] = self.lines[line].model_copy(update=how)

    async def people(self, line: str) -> list[tuple[str, str | None]]:
        """Return who is on call on a line, each with his Slack id."""
        return [(one.ref, one.user_id) for one in (await self.now(line)).people]

    async def now(self, line: str) -> Duty:
        """Ask the port."""
        return await self.port.now(line)


@cache
def _network() -> Network:
    """Return the way out; to read all certificates takes 30 ms each time."""
    return Network.of({})


@asynccontextmanager
async def rota_world(
    within_s: float = 10.0, **secrets: str
) -> AsyncIterator[RotaWorld]:
    """Open both sources and a port with their tokens, or with other *secrets*."""
    server = LocalRota(small_rota())
    await server.start()
    people = {"PANN": "U0ANN", "PBOB": "U0BOB"}
    lines = {
        "pd": OnCallSettings(
            source="pagerduty", schedule=("P1",), people=people, url=server.url
        ),
        "irm": OnCallSettings(
            source="grafana",
            schedule=("P1",),
            url=server.grafana_url,
            stack=server.stack,
        ),
    }
    tokens = {
        "pagerduty_token": server.pagerduty_token,
        "grafana_irm_token": server.grafana_token,
    }
    async with http_client(_network()) as http:
        world = RotaWorld(server, lines, Rotas())
        server.clock = lambda: world.at

        def now() -> datetime:
            return datetime.fromtimestamp(world.at, UTC)

        given = Secrets.model_validate({**tokens, **secrets})
        sources = Sources(given, http, HOME, now)
        world.port = Rotas(lambda: lines, sources.read, now, within_s)
        try:
            yield world
        finally:
            await world.port.close()
            await server.close()
