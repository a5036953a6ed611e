"""Take the README's pictures of the demo's page: ``python -m tests.bench.pictures``.

Each shows the real bot at work; they land in .github/pictures. The first one moves.
"""

import asyncio
import io
import re
import shutil
from pathlib import Path

from PIL import Image
from playwright.async_api import Browser, Page, async_playwright, expect

from bot.demo.control_panel import Outside
from bot.demo.supervisor import Stage

FOLDER = Path(__file__).parents[2] / ".github" / "pictures"
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
READY = re.compile("is ready. Its restart")
COMMAND = "/mlstudio restart ml-prod gated-1 INC-4711 driver hangs"
MOST_BYTES = 1_500_000


class Film:
    """A moving picture of a page: one frame at a time, each shown for a while."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.frames: list[Image.Image] = []
        self.shown_ms: list[int] = []

    async def frame(self, shown_ms: int) -> None:
        """Take what the page shows now, to be shown for *shown_ms*."""
        taken = Image.open(io.BytesIO(await self.page.screenshot()))
        self.frames.append(taken.convert("RGB"))
        self.shown_ms.append(shown_ms)

    def save(self, path: Path) -> None:
        """Write it; one that a README loads slowly is a fault."""
        first, *others = (one.quantize(128, dither=0) for one in self.frames)
        first.save(
            path,
            save_all=True,
            append_images=others,
            duration=self.shown_ms,
            loop=0,
            optimize=True,
        )
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise SystemExit(f"{path.name} has {size} bytes, over {MOST_BYTES}")


async def type_command(page: Page, text: str) -> None:
    """Send a command."""
    composer = page.locator("#compose textarea").first
    await composer.fill(text)
    await composer.press("Enter")


async def become(page: Page, name: str) -> None:
    """Choose another person."""
    await page.locator("label", has_text=name).first.click()


async def open_page(browser: Browser, url: str, width: int, height: int) -> Page:
    """Open the demo's page in a window of that size."""
    page = await browser.new_page(viewport={"width": width, "height": height})
    await page.goto(url)
    await expect(page.locator("#side")).to_contain_text("You are")
    return page


async def film(browser: Browser, stage: Stage) -> None:
    """Film an approval and a restart to its end."""
    page = await open_page(browser, stage.slack.url, 1180, 680)
    film = Film(page)
    composer = page.locator("#compose textarea").first
    for end in (9, 25, 33, len(COMMAND)):
        await composer.fill(COMMAND[:end])
        await film.frame(350)
    await composer.press("Enter")
    approve = page.get_by_role("button", name="Approve").first
    await expect(approve).to_be_visible(timeout=20_000)
    await page.wait_for_timeout(400)
    await film.frame(1800)
    await become(page, "Bob Lindqvist")
    await page.wait_for_timeout(400)
    await approve.hover()
    await film.frame(1200)
    await approve.click()
    await expect(page.get_by_text("ACTIVE → REBOOTING").first).to_be_visible()
    for _ in range(3):
        await page.wait_for_timeout(1600)
        await film.frame(900)
    await expect(page.get_by_text(READY).first).to_be_visible(timeout=40_000)
    await page.wait_for_timeout(400)
    await film.frame(3500)
    film.save(FOLDER / "approval.gif")
    await page.close()


async def phone(browser: Browser, stage: Stage) -> None:
    """Picture an approval request as a lead sees it on a phone, by night."""
    await stage.slack.command("ann", "incidents", COMMAND)
    page = await open_page(browser, f"{stage.slack.url}#user=U0BOB", 390, 760)
    await page.emulate_media(color_scheme="dark")
    approve = page.locator("#feed").get_by_role("button", name="Approve").last
    await expect(approve).to_be_visible(timeout=20_000)
    await page.wait_for_timeout(500)
    await page.screenshot(path=FOLDER / "phone.png")
    await page.close()


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
        for take in (film, phone):
            await take(browser, stage)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
