"""What the bot has committed outlives the server's crash, whatever its defaults are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio
import sqlalchemy as sa
from dbos import _dbos

from bot.demo.cloud_http import Fault
from bot.ledger import Ledger
from bot.ledger.schema import engine_of
from bot.model import State
from bot.restarts.engine import Engine
from tests.support.postgres import Postgres, postgres
from tests.support.processes import Site, count, until

pytestmark = [pytest.mark.postgres, pytest.mark.process]

BOX = "trainer-7"
# Commits are answered before they are on the disk, and reach it much later.
LAZY = ("synchronous_commit = off", "wal_writer_delay = '10s'")


@pytest.fixture(scope="module")
def lazy() -> Iterator[Postgres]:
    """Return a server that answers before a commit is on the disk."""
    with postgres() as server:
        with psycopg.connect(server.database(), autocommit=True) as connection:
            for setting in LAZY:
                connection.execute(f"ALTER SYSTEM SET {setting}".encode())
            connection.execute("SELECT pg_reload_conf()")
        yield server


async def test_a_claim_outlives_the_crash_of_bot_and_server(
    lazy: Postgres, tmp_path: Path
):
    """Bot and PostgreSQL die right after the restart call: it is not made again."""
    async with Site(tmp_path, database=lazy.database()) as site:
        site.cloud.faults.plant("restart", Fault(delay_s=5.0))
        bot = await site.start()
        delivery = await site.ask(BOX)
        await until(lambda: site.posts(BOX))
        await asyncio.to_thread(lazy.stop)
        await bot.kill()
        await asyncio.to_thread(lazy.start)
        await site.start()
        counted = await count(site, delivery, BOX)
        assert (counted.state, counted.posts) == (State.UNKNOWN, 1)


@pytest_asyncio.fixture
async def engine(lazy: Postgres) -> AsyncIterator[sa.Engine]:
    """Return what a running workflow engine reaches the server with."""
    engine = Engine(lazy.database())
    await engine.prepare()
    engine.launch()
    yield _dbos._get_dbos_instance()._sys_db.engine
    await engine.stop()
    await engine.release()


async def test_the_workflow_engine_is_as_durable(engine: sa.Engine):
    """A finished step is not forgotten either: the engine's sessions wait, too."""
    with engine.connect() as one, engine.connect() as other:
        for connection in (one, other):
            shown = connection.exec_driver_sql("SHOW synchronous_commit").scalar()
            assert shown == "on"


async def test_who_waits_for_more_goes_on_doing_so(lazy: Postgres):
    """Sessions that wait until standbys have replayed a commit are left as they are."""
    ledger = Ledger(lazy.database() + "&options=-c%20synchronous_commit%3Dremote_apply")
    with ledger.database.engine.connect() as connection:
        shown = connection.exec_driver_sql("SHOW synchronous_commit").scalar()
    ledger.close()
    assert shown == "remote_apply"


def test_who_is_frozen_in_a_transaction_locks_nobody_out(lazy: Postgres) -> None:
    """The server ends the session of a replica that goes on with none of its own."""
    engine = engine_of(lazy.database())
    with engine.connect() as connection:
        shown = connection.exec_driver_sql("SHOW idle_in_transaction_session_timeout")
        assert shown.scalar() == "10s"
    engine.dispose()
