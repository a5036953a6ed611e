"""A database that is put back from before a restart call: a backup, a snapshot, a copy.

It does not know that the restart was sent. The instance's own timestamp does.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio

from bot.demo.deliveries import Delivery
from bot.model import State
from tests.support.postgres import Postgres
from tests.support.processes import Running, Site, until

pytestmark = pytest.mark.process
BOX, GATED = "trainer-7", "gated-1"
# Killed right there, so that this is what the copy holds.
SENDING = pytest.param(BOX, "before:send", id="before the send")
ANNOUNCING = pytest.param(BOX, "before:announce", id="before the message")
APPROVED = pytest.param(GATED, "before:prepare", id="approved")
APPROVED_SENDING = pytest.param(GATED, "before:send", id="approved, before the send")


@pytest_asyncio.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """Return both far sides with a SQLite file; no bot runs yet."""
    async with Site(tmp_path) as ready:
        yield ready


async def killed(site: Site, box: str, point: str) -> Delivery:
    """Ask for a restart, and let the bot die at a point before it is sent."""
    bot = await site.start(module="tests.support.crashing", CRASH=point)
    asking = asyncio.create_task(site.ask(box))
    if box == GATED:
        await site.approve()
    assert await bot.ended() == -signal.SIGKILL
    assert site.posts(box) == 0
    return await asking


async def restarted(site: Site, box: str, delivery: Delivery) -> None:
    """Let the next process carry it out to its end, and stop."""
    begun = time.time()
    bot = await site.start()
    await site.seen_rebooting(box, begun)
    site.finish_reboot(box)
    assert (await site.told(delivery)).state is State.READY
    await stopped(bot)
    assert site.posts(box) == 1


async def stopped(bot: Running) -> None:
    bot.send(signal.SIGTERM)
    assert await bot.ended() == 0


async def nothing_twice(site: Site, box: str, delivery: Delivery) -> None:
    """Start on what was put back: it is told as changed meanwhile, and not sent."""
    said = len(site.said())
    await site.start()
    record = await site.told(delivery)
    assert record.state in {State.NOT_RESTARTED, State.VOIDED}
    assert "changed meanwhile" in record.detail
    assert site.posts(box) == 1
    told = [post.text for post in site.said()[said:]]
    assert any("changed meanwhile" in text for text in told)


@pytest.mark.parametrize(
    ("box", "point"), [SENDING, ANNOUNCING, APPROVED, APPROVED_SENDING]
)
async def test_a_database_file_put_back_sends_nothing_again(
    site: Site, box: str, point: str
) -> None:
    """A copy of the file from before the send is put back after the restart."""
    delivery = await killed(site, box, point)
    copy = site.folder / "copy"
    copy.mkdir()
    for file in site.folder.glob("bot.db*"):
        shutil.copy2(file, copy)
    await restarted(site, box, delivery)
    forget(site)
    for file in site.folder.glob("bot.db*"):
        file.unlink()
    for file in copy.iterdir():
        shutil.copy2(file, site.folder)
    await nothing_twice(site, box, delivery)


async def test_a_file_put_back_at_once_sends_nothing_again(site: Site) -> None:
    """Nor does it where the copy is a moment old: this life has checked nothing."""
    delivery = await killed(site, BOX, "before:send")
    files = {file: file.read_bytes() for file in site.folder.glob("bot.db*")}
    bot = await site.start(module="tests.support.crashing", CRASH="after:Cloud.act")
    assert await bot.ended() == -signal.SIGKILL
    site.finish_reboot(BOX)
    for file in site.folder.glob("bot.db*"):
        file.unlink()
    for file, content in files.items():
        file.write_bytes(content)
    await nothing_twice(site, BOX, delivery)


@pytest.mark.postgres
@pytest.mark.parametrize(("box", "point"), [SENDING, APPROVED])
async def test_a_postgresql_put_back_sends_nothing_again(
    server: Postgres, tmp_path: Path, box: str, point: str
) -> None:
    """Nor does a PostgreSQL that is restored from before the send."""
    async with Site(tmp_path, database=server.database()) as site:
        delivery = await killed(site, box, point)
        forget(site)
        copy = await until(copied(server, site.database))
        await restarted(site, box, delivery)
        forget(site)
        text = site.config.read_text(encoding="utf-8")
        site.config.write_text(text.replace(site.database, copy), encoding="utf-8")
        site.database = copy
        await nothing_twice(site, box, delivery)


def forget(site: Site) -> None:
    """Close the test's own connections to the database."""
    if site._ledger is not None:
        site._ledger.close()
    if site._sql is not None:
        site._sql.dispose()
    site._ledger = site._sql = None


def copied(server: Postgres, database: str) -> Callable[[], str]:
    """Return a try to copy a database, which works once nobody is connected."""
    name = database.partition("@/")[2].partition("?")[0]
    copy = f"{name}copy"

    def look() -> str:
        try:
            with psycopg.connect(server._url("postgres"), autocommit=True) as admin:
                admin.execute(f"CREATE DATABASE {copy} TEMPLATE {name}")
        except psycopg.errors.ObjectInUse:
            return ""
        return database.replace(name, copy)

    return look
