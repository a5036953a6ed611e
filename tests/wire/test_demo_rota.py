"""Whoever tries the demo can hand the shift over, and see the rota fail."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from bot.config import load
from bot.demo.control_panel import Outside
from bot.demo.supervisor import Stage
from bot.errors import RotaDenied, RotaUnreachable
from bot.network import http_client
from bot.oncall import Rotas, rotas


class Demo:
    """A stage without a bot: its page, and the port as the bot would have it."""

    def __init__(self, stage: Stage, page: aiohttp.ClientSession, port: Rotas) -> None:
        self._stage = stage
        self._page = page
        self._port = port
        self._url = f"{stage.slack.url}/ui/outside"

    async def send(self, **order: Any) -> int:
        """Send what a button of the page sends; return the HTTP status."""
        async with self._page.post(self._url, json=order) as answer:
            return answer.status

    async def shown(self) -> list[str]:
        """Return who is on call on the first schedule, as the page shows it."""
        async with self._page.get(self._url) as answer:
            return list((await answer.json())["rota"][0]["on_call"])

    async def on_call(self) -> list[str | None]:
        """Return who is on call, as the bot would read it."""
        return [one.user_id for one in (await self._port.now("primary")).people]


@pytest.fixture
async def demo(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Demo]:
    monkeypatch.setattr(rotas, "APART_S", 0.0)
    stage = Stage()
    Outside(stage).mount()
    async with stage, aiohttp.ClientSession() as page, http_client() as http:
        settings, secrets = load(stage._config, stage._secrets())
        port = Rotas.of(
            lambda: settings,
            secrets,
            http,
            home_team="T0HOME",
            now=lambda: datetime.fromtimestamp(stage.now(), UTC),
        )
        yield Demo(stage, page, port)


async def test_a_shift_is_handed_over_on_the_page(demo: Demo) -> None:
    """The next one, somebody whom the map does not know, nobody, and by itself."""
    assert await demo.on_call() == ["U0BOB"]
    await demo.send(rota={"schedule": "PPRIMARY", "person": "PGINA"})
    assert await demo.on_call() == ["U0GINA"]
    assert await demo.shown() == ["PGINA"]
    await demo.send(rota={"schedule": "PPRIMARY", "person": "PHUGO"})
    assert await demo.on_call() == [None]
    await demo.send(rota={"schedule": "PPRIMARY", "person": ""})
    assert await demo.on_call() == []


async def test_shifts_end_as_the_world_s_time_passes(demo: Demo) -> None:
    """Whoever lets eight hours pass meets the next one, by the bot's clock, too."""
    await demo.send(jump=8 * 3600)

    assert await demo.on_call() == ["U0CAROL"]


@pytest.mark.parametrize(
    "order",
    [{"schedule": "PNONE", "person": "PBOB"}, {"schedule": "PPRIMARY"}, "x", None],
)
async def test_an_odd_order_changes_nothing(demo: Demo, order: Any) -> None:
    """What names no schedule or nobody is refused."""
    assert await demo.send(rota=order) == 400
    assert await demo.on_call() == ["U0BOB"]


async def test_the_rota_breaks_and_heals_on_the_page(demo: Demo) -> None:
    """Away, or refusing the bot: the two that rules have to bear."""
    await demo.send(fault="rota_down", on=True)
    with pytest.raises(RotaUnreachable):
        await demo.on_call()
    await demo.send(fault="rota_down", on=False)
    await demo.send(fault="rota_denied", on=True)
    with pytest.raises(RotaDenied):
        await demo.on_call()
    await demo.send(fault="rota_denied", on=False)

    assert await demo.on_call() == ["U0BOB"]
