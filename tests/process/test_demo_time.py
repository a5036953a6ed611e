"""In the demo a visitor lets time pass, and the bot believes it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from bot.demo.control_panel import Outside
from bot.demo.deliveries import Delivery
from bot.demo.supervisor import Stage
from tests.process import test_page

pytestmark = [pytest.mark.process, pytest.mark.asyncio(loop_scope="module")]

BERLIN = ZoneInfo("Europe/Berlin")
WITHIN_S = 60.0
browser, page = test_page.browser, test_page.page


@pytest_asyncio.fixture(loop_scope="module")
async def stage() -> AsyncIterator[Stage]:
    """Return the demo's stage with the bot running, at noon in Berlin."""
    one = Stage(speed=20.0)
    Outside(one).mount()
    async with one:
        now = datetime.fromtimestamp(one.now(), UTC).astimezone(BERLIN)
        noon = (now + timedelta(days=1)).replace(hour=12, minute=0, second=0)
        one.jump((noon - now).total_seconds())
        await one.start_bot()
        yield one


async def typed(stage: Stage, text: str, user: str = "ann") -> Delivery:
    return await stage.slack.command(user, "incidents", f"/mlstudio {text}")


async def passes(stage: Stage, hours: float) -> None:
    """Let time pass as the page's buttons do."""
    async with aiohttp.ClientSession() as session:
        url, order = f"{stage.slack.url}/ui/outside", {"jump": hours * 3600}
        headers = {"Origin": stage.slack.url}
        async with session.post(url, json=order, headers=headers) as answer:
            assert answer.ok, await answer.text()


async def ready(stage: Stage, name: str) -> None:
    """Wait until a restart has been told to be ready."""
    await stage.slack.wait_for(
        lambda: any(
            name in post.text and "is ready" in post.text
            for post in stage.slack.messages("incidents")
        ),
        WITHIN_S,
    )


async def test_a_visitor_sees_a_window_open(stage: Stage) -> None:
    """At noon it is closed and says until when; nine hours later it is open."""
    refused = await typed(stage, "restart ml-dev sandbox-2")
    assert "until 20:00 (Europe/Berlin)" in refused.text
    await passes(stage, 9)
    assert "Recorded" in (await typed(stage, "restart ml-dev sandbox-2")).text
    await ready(stage, "sandbox-2")


async def test_a_visitor_sees_a_freeze_end(stage: Stage) -> None:
    """Whoever is shown first may freeze, and it ends when its time has come."""
    assert "Recorded" in (await typed(stage, "freeze ml-prod 2h rollout")).text
    refused = await typed(stage, "restart ml-prod trainer-7", user="bob")
    assert "frozen until 14:0" in refused.text
    await passes(stage, 3)
    assert "Recorded" in (await typed(stage, "restart ml-prod trainer-7")).text
    await ready(stage, "trainer-7")


@pytest.mark.browser
async def test_the_page_lets_time_pass(stage: Stage, page: Page) -> None:
    """A click moves the clock of Slack and the bot, which the page shows."""
    before = stage.now()
    clock = page.locator(".clock")
    await expect(clock).to_contain_text("Slack and the bot:")
    shown = await clock.text_content()
    await page.get_by_role("button", name="+ 1 day").click()
    await stage.slack.wait_for(lambda: stage.now() - before > 86_000)
    await page.wait_for_function(
        "old => document.querySelector('.clock').textContent !== old", arg=shown
    )
