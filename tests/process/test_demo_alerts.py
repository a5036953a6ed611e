"""In the demo a visitor fires an alert and sees what becomes of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from bot.demo.control_panel import Outside
from bot.demo.posts import Post
from bot.demo.supervisor import Stage
from bot.slack.messages.buttons import RESTART_DIALOG

pytestmark = [pytest.mark.process]
WITHIN_S = 60.0


@pytest_asyncio.fixture
async def stage() -> AsyncIterator[Stage]:
    """Return the demo's stage with the bot running."""
    one = Stage(speed=20.0)
    Outside(one).mount()
    async with one:
        await one.start_bot()
        yield one


async def meddle(stage: Stage, **order: Any) -> dict[str, Any]:
    """Send what a button of the panel sends; return what the panel shows then."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{stage.slack.url}/ui/outside", json=order) as answer,
    ):
        assert answer.ok, await answer.text()
        return dict(await answer.json())


async def shown(stage: Stage, *words: str) -> Post:
    """Return the first message in the channel that has all of some words."""

    def found() -> list[Post]:
        posts = stage.slack.messages("incidents")
        return [post for post in posts if all(word in post.text for word in words)]

    return (await stage.slack.wait_for(found, WITHIN_S))[0]


async def until(stage: Stage, true: Callable[[], Any]) -> Any:
    return await stage.slack.wait_for(true, WITHIN_S)


async def test_the_loop_closes(stage: Stage) -> None:
    """Card, Restart…, ready, resolved, and the restart's thread is told, though the
    bot was killed before it could hear the end: the sender repeats it.
    """
    box = stage.cloud.instance("trainer-7").id
    await meddle(stage, alert=stage.cloud.notebook("nb-3").id, on=True)
    state = await meddle(stage, alert=box, on=True)
    firing = {one["alias"] for one in state["instances"] if one["alert"]}
    assert firing == {"trainer-7", "nb-3"}
    await shown(stage, "Firing: TrainingStalled on nb-3", "RUNNING")
    card = await shown(stage, "Firing: TrainingStalled on trainer-7", "ACTIVE")

    await stage.slack.click("ann", card, RESTART_DIALOG)
    view = (await until(stage, lambda: stage.slack.views("ann")))[0]
    await stage.slack.submit("ann", view)
    ready = await shown(stage, "trainer-7", "is ready")

    await meddle(stage, bot="kill")
    await stage.bot_ended()
    state = await meddle(stage, alert=box, on=False)
    assert [one["alias"] for one in state["instances"] if one["alert"]] == ["nb-3"]
    await meddle(stage, bot="start")
    told = await shown(stage, "Cleared", "after the restart (Alertmanager, ")
    assert told.thread_ts == ready.thread_ts
    assert "TrainingStalled on trainer-7" in told.text
    await shown(stage, "Resolved: TrainingStalled on trainer-7")
