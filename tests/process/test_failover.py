"""When a standby becomes the primary, the bot goes on with it, by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from bot.cli.check.backends import database_line
from bot.errors import LedgerError
from bot.ledger import Ledger
from bot.model import State
from tests.support.postgres import postgres
from tests.support.processes import Site, count, until
from tests.support.standby import Pair, standby_of

pytestmark = [pytest.mark.postgres, pytest.mark.process]

BOX, GATED = "trainer-7", "gated-1"


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Return a primary with its standby; each test makes one the other."""
    with postgres() as server, standby_of(server.database()) as pair:
        yield pair


@pytest_asyncio.fixture
async def site(pair: Pair, tmp_path: Path) -> AsyncIterator[Site]:
    """Return both far sides, with a bot that knows both servers."""
    async with Site(tmp_path, database=pair.both) as site:
        await site.start()
        yield site


async def test_a_failover_loses_nothing_and_needs_nobody(pair: Pair, site: Site):
    """The old primary stays up and only readable: all goes on with the new one."""
    watched = await site.ask(BOX)
    await site.seen_rebooting(BOX)
    await asyncio.to_thread(pair.fail_over)
    site.database = pair.standby  # the test looks there, too
    (bot,) = site.running
    held_again = "replica lock held again"
    await until(lambda: any(held_again in word for word in bot.words), what=held_again)
    site.finish_reboot(BOX)
    counted = await count(site, watched, BOX)
    assert (counted.state, counted.posts, counted.followups) == (State.READY, 1, 1)

    gated = await site.ask(GATED)  # what is new is taken, too
    await site.approve()
    await site.seen_rebooting(GATED)
    site.finish_reboot(GATED)
    counted = await count(site, gated, GATED)
    assert (counted.state, counted.posts, counted.followups) == (State.READY, 1, 1)


async def test_a_connection_that_cannot_write_is_not_kept(pair: Pair):
    """One write may fail of it; the next one has a connection to the new primary."""
    ledger = Ledger(pair.both)
    ledger.open()
    await ledger.ping()
    await asyncio.to_thread(pair.fail_over)
    with pytest.raises(LedgerError, match="read-only"):
        await ledger.ping()
    await ledger.ping()
    ledger.close()


async def test_check_refuses_a_standby(pair: Pair):
    """A server that can only be read is an ✗, which says to name the primary."""
    assert (await database_line(pair.both)).ok
    line = await database_line(pair.standby)
    assert line.ok is False
    assert "read-only" in line.what or "hot standby" in line.what
    assert "name the primary" in line.remedy
