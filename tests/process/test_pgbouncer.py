"""Behind PgBouncer the bot works where sessions are its own, and refuses elsewhere."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psycopg
import pytest

from bot.cli.check.backends import database_line
from bot.ledger import Ledger
from bot.ledger.preconditions import has_sessions
from bot.model import State
from tests.support.pgbouncer import is_installed, pgbouncer
from tests.support.postgres import Postgres
from tests.support.processes import Site, count

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.process,
    pytest.mark.skipif(
        not is_installed(), reason="there is no pgbouncer: apt-get install pgbouncer"
    ),
]

BOX = "trainer-7"
REMEDY = "pool_mode = session, or PostgreSQL's own address"


async def test_transaction_mode_is_refused_at_the_start(
    server: Postgres, tmp_path: Path
):
    """A bot that would share its locks with others does not start, and says why."""
    with pgbouncer(server.database(), "transaction") as database:
        async with Site(tmp_path, database=database) as site:
            bot = await site.start(wait=False)
            assert await bot.ended() == 2
    (sentence,) = [word for word in bot.words if not word.startswith("{")]
    assert "PgBouncer" in sentence
    assert REMEDY in sentence
    assert "Traceback" not in "".join(bot.words)


@pytest.mark.parametrize("mode", ["transaction", "statement"])
@pytest.mark.parametrize("more", ["", "server_round_robin = 1"])
async def test_check_refuses_what_run_refuses(server: Postgres, mode: str, more: str):
    """``check`` has an ✗ and the remedy, however the pooler deals its sessions out."""
    database = server.database()
    with pgbouncer(database, mode, more) as pooled:
        for others in range(4):  # so many sessions it has to deal
            await _warm(pooled, others)
            line = await database_line(pooled)
            assert line.ok is False
            assert REMEDY in line.remedy


async def _warm(pooled: str, number: int) -> None:
    """Let so many clients ask at the same time: so many sessions stay in the pool."""

    async def sleep() -> None:
        async with await psycopg.AsyncConnection.connect(
            pooled, autocommit=True
        ) as connection:
            await connection.execute("SELECT pg_sleep(0.05)")

    await asyncio.gather(*(sleep() for _ in range(number)))


async def test_sessions_of_a_busy_server_are_told_apart(server: Postgres):
    """Who connects directly, or to a pool of sessions, is never taken for pooled."""
    database = server.database()
    with pgbouncer(database, "session") as pooled:
        for address in (database, pooled):
            found = await asyncio.gather(*(has_sessions(address) for _ in range(8)))
            assert all(found)


async def test_two_replicas_behind_a_pool_of_sessions(server: Postgres, tmp_path: Path):
    """With ``pool_mode = session`` all works, with what PgBouncer has as defaults."""
    with pgbouncer(server.database(), "session") as database:
        assert (await database_line(database)).ok
        async with Site(tmp_path, database=database) as site:
            await site.start()
            await site.start()
            delivery = await site.ask(BOX)
            await site.seen_rebooting(BOX)
            site.finish_reboot(BOX)
            counted = await count(site, delivery, BOX)
            assert (counted.state, counted.posts) == (State.READY, 1)


async def test_what_is_set_is_set_behind_a_pooler_too(server: Postgres):
    """Timeouts and durability hold in a session that a pooler has used before."""
    with pgbouncer(server.database(), "session", "default_pool_size = 1") as database:
        for _ in range(2):
            ledger = Ledger(database)
            ledger.open()
            with ledger.database.engine.connect() as connection:
                shown = [
                    connection.exec_driver_sql(f"SHOW {name}").scalar()
                    for name in ("synchronous_commit", "statement_timeout")
                ]
            ledger.close()
            assert shown == ["on", "2s"]
