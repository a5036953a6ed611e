"""Take the README's pictures of the demo's page: ``python -m tests.bench.pictures``.

Each shows the real bot at work; they land in .github/pictures.
"""

import asyncio
import re
import shutil
from pathlib import Path

from playwright.async_api import Page, async_playwright, expect

from bot.demo.control_panel import Outside
from bot.demo.supervisor import Stage

FOLDER = Path(__file__).parents[2] / ".github" / "pictures"
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
READY = re.compile("is ready. Its restart")


async def type_command(page: Page, text: str) -> None:
    """Send a command."""
    composer = page.locator("textarea[role=combobox]").first
    await composer.fill(text)
    await composer.press("Enter")


async def restart(page: Page, stage: Stage) -> None:
    """Picture a restart from the command to its end, with its thread open."""
    await type_command(
        page, "/mlstudio restart ml-prod trainer-7 loss is NaN since noon"
    )
    await expect(page.get_by_text(READY).first).to_be_visible(timeout=40_000)
    await page.get_by_text("1 reply").first.click()
    await page.wait_for_timeout(800)  # the panel slides in
    await page.screenshot(path=FOLDER / "restart.png")
    await page.keyboard.press("Escape")


async def approval(page: Page, stage: Stage) -> None:
    """Picture an approval request as a lead sees it."""
    await type_command(page, "/mlstudio restart ml-prod gated-1 INC-4711 driver hangs")
    await page.locator("label", has_text="Bob Lindqvist").first.click()
    approve = page.get_by_role("button", name="Approve").first
    await expect(approve).to_be_visible(timeout=20_000)
    await page.wait_for_timeout(500)
    card = page.locator("article, li, div.message").filter(has=approve).last
    await card.screenshot(path=FOLDER / "approval.png")


async def main() -> None:
    """Take all pictures on one stage."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    stage = Stage()
    Outside(stage).mount()
    async with stage, async_playwright() as playwright:
        await stage.start_bot()
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=ARGS
        )
        page = await browser.new_page(viewport={"width": 1360, "height": 820})
        await page.goto(stage.slack.url)
        await restart(page, stage)
        await approval(page, stage)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
