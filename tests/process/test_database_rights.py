"""``check`` and ``run`` ask the same of a PostgreSQL, and say what a DBA has to do."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import psycopg
import pytest
from attrs import frozen

from bot.cli.check.backends import database_line
from bot.ledger import Ledger
from bot.model import State
from tests.support.postgres import Postgres
from tests.support.processes import Site, count

pytestmark = [pytest.mark.postgres, pytest.mark.process]

BOX = "trainer-7"
# What the manual says; a DBA gives the role, or the pool, room for it.
MOST_CONNECTIONS = 9


@frozen
class Base:
    """A database as a DBA gives it away, and the address of the bot's user."""

    dba: str
    bot: str

    def sql(self, statements: str) -> None:
        """Run *statements* as the DBA."""
        with psycopg.connect(self.dba, autocommit=True) as connection:
            connection.execute(statements.encode())


@pytest.fixture
def base(server: Postgres) -> Base:
    """Return an empty database, and a user that may do in it what everybody may."""
    role = f"bot_{uuid4().hex[:8]}"
    dba = server.database()
    base = Base(dba, dba.replace("postgres@", f"{role}@"))
    base.sql(f"CREATE ROLE {role} LOGIN")
    return base


async def refused(base: Base, folder: Path) -> str:
    """Return the one sentence with which ``run`` ends, and check says the same."""
    line = await database_line(base.bot)
    assert line.ok is False
    async with Site(folder, database=base.bot) as site:
        bot = await site.start(wait=False)
        assert await bot.ended() == 2
    (sentence,) = bot.words
    assert line.remedy in sentence
    return line.remedy


async def works(base: Base, folder: Path) -> None:
    """Fail unless ``check`` is content and ``run`` restarts an instance."""
    line = await database_line(base.bot)
    assert line.ok, line
    async with Site(folder, database=base.bot) as site:
        await site.start()
        delivery = await site.ask(BOX)
        await site.seen_rebooting(BOX)
        site.finish_reboot(BOX)
        counted = await count(site, delivery, BOX)
        assert (counted.state, counted.posts) == (State.READY, 1)
    assert str(await database_line(base.bot)).endswith(" answers")


def statements(remedy: str) -> list[str]:
    """Return what a DBA is told to run."""
    return [f"{one};" for one in remedy.partition(": ")[2].split("; ")]


async def test_a_new_user_needs_two_statements(base: Base, tmp_path: Path):
    """Both rights that are lacking are named, and with them all works."""
    remedy = await refused(base, tmp_path)
    first, second = statements(remedy)
    assert first.startswith('GRANT USAGE, CREATE ON SCHEMA "public" TO "bot_')
    assert second.startswith("GRANT CREATE ON DATABASE ")
    base.sql(remedy.partition(": ")[2])
    await works(base, tmp_path)


@pytest.mark.parametrize("lacking", [0, 1])
async def test_one_right_is_not_enough(base: Base, tmp_path: Path, lacking: int):
    """Only what is still lacking is asked for."""
    both = statements((await database_line(base.bot)).remedy)
    base.sql(both[1 - lacking])
    remedy = await refused(base, tmp_path)
    assert remedy.rstrip(";").endswith(both[lacking].rstrip(";"))
    assert both[1 - lacking].rstrip(";") not in remedy


async def test_tables_of_somebody_else(base: Base, tmp_path: Path):
    """Tables that a DBA has made need the rights to read and write them."""
    ledger = Ledger(base.dba)
    ledger.open()
    ledger.close()
    remedy = await refused(base, tmp_path)
    assert "GRANT SELECT, INSERT, UPDATE, DELETE ON" in remedy
    base.sql(remedy.partition(": ")[2])
    await works(base, tmp_path)


async def test_rights_that_are_taken_back_later(base: Base, tmp_path: Path):
    """Once all is made, nothing may be made any more: the bot lives with that."""
    base.sql((await database_line(base.bot)).remedy.partition(": ")[2])
    await works(base, tmp_path)
    role = base.bot.partition("//")[2].partition("@")[0]
    base.sql(f"REVOKE CREATE ON SCHEMA public FROM {role}")
    (tmp_path / "again").mkdir()
    line = await database_line(base.bot)
    assert line.ok, line


async def test_a_name_with_a_space(server: Postgres, base: Base, tmp_path: Path):
    """A database may be called anything, as long as the address is written right."""
    name = f"ml studio {uuid4().hex[:6]}"
    base.sql(f'CREATE DATABASE "{name}"')
    path, _, query = base.dba.partition("?")
    spaced = f"{path.rpartition('/')[0]}/{quote(name)}?{query}"
    await works(Base(spaced, spaced), tmp_path)


async def test_several_hosts(base: Base, tmp_path: Path):
    """Of several hosts, in libpq's own form, the one that answers is taken."""
    several = base.dba.replace("host=", "host=%2Fnowhere,")
    line = await database_line(several)
    assert line.ok, line
    async with Site(tmp_path, database=base.dba) as site:
        site.config.write_text(site.config.read_text().replace(base.dba, several))
        await site.start()
        delivery = await site.ask(BOX)
        await site.seen_rebooting(BOX)
        site.finish_reboot(BOX)
        assert (await count(site, delivery, BOX)).state is State.READY


async def test_how_many_connections_a_replica_holds(base: Base, tmp_path: Path):
    """A DBA can reckon with the number of the manual, also in a rush."""
    most = 0
    ask = (  # besides the server's own workers, such as its autovacuum
        b"SELECT count(*) FROM pg_stat_activity"
        b" WHERE datname = current_database() AND backend_type = 'client backend'"
    )
    async with Site(tmp_path, database=base.dba) as site:
        await site.start()
        with psycopg.connect(base.dba, autocommit=True) as connection:

            async def rush() -> None:
                users = ("ann", "bob", "gina", "carol")
                await asyncio.gather(*(site.ask(BOX, user=u) for u in users * 5))

            rushing = asyncio.create_task(rush())
            while not rushing.done():
                await asyncio.sleep(0.01)
                row = connection.execute(ask).fetchone()
                most = max(most, (row[0] if row else 0) - 1)
    assert 5 < most <= MOST_CONNECTIONS
