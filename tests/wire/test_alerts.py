"""What senders of alerts, and those who see their cards, may rely on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from bot.app.clock import VARIABLE
from bot.demo.posts import Post
from bot.model import State
from tests.support.alerts import SECRETS, Senders, ago, alert, bearer, body, signed
from tests.support.bot_world import (
    ANN,
    GATES,
    INCIDENTS,
    OPEN,
    Bench,
    benched,
    buttons,
    free_port,
    text_of,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")
MAP = """
[[alerts.map]]
match = { service = "PSERVICE1", urgency = "high" }
project = "ml-prod"
instance = "gated-1"
"""


class World:
    """One bench for all cases, each of which begins in a minute of its own."""

    def __init__(self, bench: Bench, senders: Senders) -> None:
        self.bench, self.send = bench, senders
        self._ahead = timedelta()
        self._before: set[str] = set()

    def later(self, **by: float) -> None:
        """Move the bot's idea of the time ahead."""
        self._ahead += timedelta(**by)
        file = self.bench.path.parent / "clock"
        file.write_text(str(self._ahead.total_seconds()))

    def now(self) -> datetime:
        """Return what the bot takes for the time."""
        return datetime.now(UTC) + self._ahead

    def begin(self) -> None:
        """Let the limits of the case before be over, and its messages be old."""
        self.later(hours=2)
        self._before = {post.ts for post in self.bench.posts()}

    def posts(self, having: str = "") -> list[Post]:
        """Return what was posted in this case."""
        new = [post for post in self.bench.posts() if post.ts not in self._before]
        return [post for post in new if having in post.text]

    async def wait(self, true: Callable[[], Any]) -> Any:
        """Wait until something is true on either far side."""
        return await self.bench.wait_for(true)

    async def card(self, **how: Any) -> Post:
        """Let an alert fire, and return its card."""
        assert await self.send.alertmanager(alert(**how)) == 202
        return (await self.wait(lambda: self.posts("Firing")))[0]

    def counted(self, source: str, result: str) -> float:
        """Return how often something came of what a source has sent."""
        labels = {"source": source, "result": result}
        registry = self.bench.bot.metrics.registry
        return registry.get_sample_value("mlstudio_alerts_total", labels) or 0.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """One bot for all cases of this file."""
    folder: Path = tmp_path_factory.mktemp("alerts")
    senders = Senders(free_port())
    async with benched(
        folder,
        rules=senders.table(more=MAP) + GATES + OPEN,
        environ={**SECRETS, VARIABLE: str(folder / "clock")},
    ) as bench:
        yield World(bench, senders)


@pytest_asyncio.fixture(loop_scope="module")
async def world(shared: World) -> World:
    """The one bot, with nothing of the case before in the way."""
    shared.begin()
    return shared


# --- the card -------------------------------------------------------------------------


async def test_a_firing_alert_becomes_a_card(world: World) -> None:
    """It says what fires since when, its link, the instance as it is now, the last
    restart, who may restart it, and has the one button; nothing is restarted.
    """
    card = await world.card()
    text = text_of(card)

    assert card.channel_id == INCIDENTS
    for words in (
        "GPUStuck",
        "trainer-7",
        "Alertmanager",
        "No step for 10 min",
        "<https://prometheus.example.com/graph?g0.expr=up|",
        "ACTIVE",
        "No restart of it is on record",
        "<!subteam^",
    ):
        assert words in text
    assert buttons(card) == ["restart_dialog"]
    assert "Restart…" in text
    assert world.bench.sent == 0
    assert not await world.bench.trail("asked")
