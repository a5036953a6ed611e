"""The demo's page in a real browser, with the real bot behind it."""

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from bot.demo.control_panel import Outside
from bot.demo.supervisor import Stage
from tests.support import chromium

pytestmark = [
    pytest.mark.browser,
    pytest.mark.process,
    pytest.mark.asyncio(loop_scope="module"),
]
browser = chromium.browser

FAST = 4.0  # the cloud's clock
PATIENCE_MS = 25_000
READY = re.compile("is ready. Its restart")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage() -> AsyncIterator[Stage]:
    """Return the demo's stage with the bot running, the same for all visitors."""
    stage = Stage(speed=FAST)
    Outside(stage).mount()
    async with stage:
        await stage.start_bot()
        yield stage


@pytest_asyncio.fixture(loop_scope="module")
async def page(stage: Stage, browser: Browser) -> AsyncIterator[Page]:
    """Return the demo's page; a script error on it fails the test."""
    page = await browser.new_page(viewport={"width": 1440, "height": 900})
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    await page.goto(stage.slack.url)
    yield page
    await page.close()
    assert errors == []


async def type_command(page: Page, text: str) -> None:
    """Type a command into the composer and send it."""
    composer = page.locator("#compose textarea").first
    await composer.fill(text)
    await composer.press("Enter")


async def is_ready(page: Page, name: str) -> None:
    """Wait until the page says that an instance is ready."""
    await expect(page.get_by_text(READY).filter(has_text=name).first).to_be_visible()


async def become(page: Page, name: str) -> None:
    """Choose another person."""
    await page.locator("label", has_text=name).first.click()


async def test_a_visitor_sees_a_whole_restart(stage: Stage, page: Page) -> None:
    """One key press restarts an instance; the page shows it until it is ready."""
    await type_command(page, "/mlstudio restart ml-prod trainer-7 loss is NaN")

    await expect(page.get_by_text("ACTIVE → REBOOTING").first).to_be_visible()
    await is_ready(page, "trainer-7")
    assert len(stage.cloud.restarts[stage.cloud.instance("trainer-7").id]) == 1


async def test_a_lead_approves_in_the_page(stage: Stage, page: Page) -> None:
    """A gated restart waits until somebody else of the right group clicks Approve."""
    box = stage.cloud.instance("gated-1").id
    await type_command(page, "/mlstudio restart ml-prod gated-1 driver hangs")
    await expect(page.get_by_role("button", name="Approve").first).to_be_visible()
    assert not stage.cloud.restarts[box]

    await become(page, "Bob Lindqvist")
    await page.get_by_role("button", name="Approve").first.click()

    await expect(page.get_by_text("approved by").first).to_be_visible()
    await is_ready(page, "gated-1")
    assert len(stage.cloud.restarts[box]) == 1


async def test_a_killed_bot_loses_nothing(stage: Stage, page: Page) -> None:
    """Killed in the middle and started again in the page, the bot still says ready."""
    stage.cloud.clock.speed = 1.0
    await type_command(page, "/mlstudio restart ml-dev sandbox-1")
    await expect(page.get_by_text("sandbox-1: ACTIVE → REBOOTING")).to_be_visible()

    await page.get_by_role("button", name="Kill it").click()
    await expect(page.get_by_role("button", name="Start it").first).to_be_visible()
    await page.get_by_role("button", name="Start it").first.click()

    await is_ready(page, "sandbox-1")
    stage.cloud.clock.speed = FAST
    assert len(stage.cloud.restarts[stage.cloud.instance("sandbox-1").id]) == 1
    assert stage.starts == 2


async def test_the_dialog_restarts_what_is_chosen(stage: Stage, page: Page) -> None:
    """Without names a dialog opens, in which an instance is searched and restarted."""
    await type_command(page, "/mlstudio restart ml-prod")
    dialog = page.get_by_role("dialog", name="Restart an instance")
    await expect(dialog).to_be_visible()
    instance = dialog.get_by_role("combobox").last
    await instance.fill("stale-3")
    await page.get_by_role("option", name="stale-3").first.click()
    await dialog.get_by_role("button", name="Restart", exact=True).click()

    await is_ready(page, "stale-3")
    assert len(stage.cloud.restarts[stage.cloud.instance("stale-3").id]) == 1


async def test_a_stranger_is_refused_in_private(stage: Stage, page: Page) -> None:
    """Whoever is on no list reads why in private, and nothing is restarted."""
    before = sum(map(len, stage.cloud.restarts.values()))
    await become(page, "Dave Moreau")
    await type_command(page, "/mlstudio restart ml-prod trainer-7")

    await expect(page.get_by_text("Only visible to you").first).to_be_visible()
    await expect(page.get_by_text("No rule").first).to_be_visible()
    assert sum(map(len, stage.cloud.restarts.values())) == before


async def test_a_card_fits_a_phone(stage: Stage, page: Page) -> None:
    """What, who, why, until when, who decides and the buttons are seen at once."""
    await page.set_viewport_size({"width": 390, "height": 800})
    await stage.slack.command(
        "ann", "incidents", "/mlstudio restart ml-prod gated-1 INC-4711 driver hangs"
    )
    await page.goto(f"{stage.slack.url}#user=U0BOB")
    feed = page.locator("#feed")
    approve = feed.get_by_role("button", name="Approve").last
    await expect(approve).to_be_visible()
    for said in ("Waits for approval", "@ann asks", "@ml-leads", "expires", "INC-4711"):
        await expect(feed.get_by_text(said).last).to_be_in_viewport(ratio=1)
    await expect(approve).to_be_in_viewport(ratio=1)
    small = await feed.get_by_text("Instance id:").last.bounding_box()
    button = await approve.bounding_box()
    assert button is not None
    assert small is not None
    assert small["y"] > button["y"]


async def violations(page: Page) -> list[str]:
    """Return what axe-core finds wrong with the page in either theme."""
    found = []
    for theme in ("light", "dark"):
        await page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        answer = await Axe().run(page)
        found += [
            f"{theme}: {one['id']}: {node['html'][:200]}"
            for one in answer.response["violations"]
            for node in one["nodes"]
        ]
    return found


async def test_everybody_can_use_the_page(stage: Stage, page: Page) -> None:
    """A busy channel, a list, completions, a dialog, a thread, the app's home: axe-core
    finds nothing wrong, on a wide screen and on a phone, light and dark.
    """
    await type_command(page, "/mlstudio restart ml-prod trainer-7 loss is NaN")
    await type_command(page, "/mlstudio restart ml-prod night-1 loss is NaN")
    approve = page.get_by_role("button", name="Approve: night-1")
    await expect(approve).to_be_visible()
    await type_command(page, "/mlstudio list ml-prod")
    await expect(page.get_by_text("Instances in ml-prod").first).to_be_visible()
    await is_ready(page, "trainer-7")
    await page.get_by_text("1 reply").last.click()
    await page.locator("#compose textarea").first.fill("/mlstudio re")
    assert await violations(page) == []

    await page.set_viewport_size({"width": 390, "height": 800})
    assert await violations(page) == []
    await page.set_viewport_size({"width": 1440, "height": 900})

    await type_command(page, "/mlstudio restart ml-prod")
    dialog = page.get_by_role("dialog", name="Restart an instance")
    await expect(dialog).to_be_visible()
    await dialog.get_by_role("combobox").last.click()
    await expect(page.get_by_role("option", name="trainer-7").first).to_be_visible()
    assert await violations(page) == []
    await page.keyboard.press("Escape")
    await page.keyboard.press("Escape")

    await page.locator("#side").get_by_text("mlstudio").last.click()
    await expect(page.get_by_text("Your open requests").first).to_be_visible()
    assert await violations(page) == []


async def test_the_page_fits_its_window(page: Page) -> None:
    """Nothing has to be scrolled sideways, on a phone or on a wide screen."""
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    for width in (390, 1440):
        await page.set_viewport_size({"width": width, "height": 844})

        assert await page.evaluate(wide) <= 0, width
