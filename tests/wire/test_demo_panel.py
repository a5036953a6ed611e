"""What the demo's page can do to the world outside the bot, with notebooks."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from bot.demo.control_panel import Outside
from bot.demo.supervisor import Stage


class Panel:
    """The panel of a stage without a bot, as the page drives it."""

    def __init__(self, stage: Stage, http: aiohttp.ClientSession) -> None:
        self.stage = stage
        self._http = http
        self._url = f"{stage.slack.url}/ui/outside"

    async def send(self, **order: object) -> int:
        """Send what a button of the page sends; return the HTTP status."""
        async with self._http.post(self._url, json=order) as answer:
            return answer.status

    async def box(self, name: str) -> dict[str, object]:
        """Return what the page shows of an instance."""
        async with self._http.get(self._url) as answer:
            shown = (await answer.json())["instances"]
        return next(one for one in shown if one["alias"] == name)


@pytest.fixture
async def panel() -> AsyncIterator[Panel]:
    """Return the panel; time stands still but for jumps."""
    stage = Stage(speed=0)
    Outside(stage).mount()
    async with stage, aiohttp.ClientSession() as http:
        yield Panel(stage, http)


async def test_a_notebook_is_stopped_and_started_by_hand(panel: Panel) -> None:
    """As somebody at the cloud's console does, with the statuses in between."""
    box = panel.stage.cloud.notebook("nb-3")
    seen = []
    for start in (False, True):
        await panel.send(box=box.id, start=start)
        seen.append((await panel.box("nb-3"))["status"])
        panel.stage.cloud.clock.advance(10)
        panel.stage.cloud._settle()
        seen.append((await panel.box("nb-3"))["status"])

    assert seen == ["STOPPING", "STOPPED", "STARTING", "RUNNING"]
    assert (await panel.box("nb-3"))["notebook"] is True
    assert (await panel.box("trainer-7"))["notebook"] is False


async def test_capacity_is_taken_away_and_given_back(panel: Panel) -> None:
    """While all machines are taken nothing can be started, by hand neither."""
    box = panel.stage.cloud.notebook("nb-3")
    panel.stage.cloud.put("nb-3", "STOPPED")

    await panel.send(fault="no_capacity", on=True)
    await panel.send(box=box.id, start=True)
    assert (await panel.box("nb-3"))["status"] == "STOPPED"

    await panel.send(fault="no_capacity", on=False)
    await panel.send(box=box.id, start=True)
    assert (await panel.box("nb-3"))["status"] == "STARTING"
    rare = panel.stage.cloud.notebook("nb-rare")
    assert panel.stage.cloud.notebooks.is_full(rare)


async def test_there_is_no_such_notebook(panel: Panel) -> None:
    """Nothing happens to what is none."""
    assert await panel.send(box="nothing", start=True) == 400
    studio = panel.stage.cloud.instance("trainer-7")
    assert await panel.send(box=studio.id, start=False) == 400
    assert studio.status == "ACTIVE"


async def test_a_lease_ends_a_notebook(panel: Panel) -> None:
    """The one with a lease stops by itself when that is over."""
    panel.stage.cloud.clock.advance(9 * 3600)
    panel.stage.cloud._settle()

    assert (await panel.box("nb-lease"))["status"] in {"STOPPING", "STOPPED"}
    assert (await panel.box("nb-3"))["status"] == "RUNNING"
