"""A database of an earlier release goes on in a later one, on both databases."""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy as sa

from bot.cli.check.backends import database_line
from bot.ledger import Entry, Ledger, chain
from bot.ledger.migration import missing
from bot.ledger.schema import engine_of, metadata, trail
from bot.model import State
from tests.process.test_ledger_batches import database
from tests.support.compiled_sql import CACHE
from tests.support.ledger_sample import SAMPLES, STATES, load
from tests.support.ledger_world import LEA, Clock, asking, trail_of

__all__ = ["database"]  # a fixture
RELEASES = ["1"]
REPLICAS = 4


@pytest.fixture(params=RELEASES)
def old(request: pytest.FixtureRequest, database: str) -> str:
    """Return a database as a release wrote it."""
    load(database, request.param)
    return database


@contextmanager
def opened(url: str) -> Iterator[Ledger]:
    """Open the ledger in a database, soon after the sample was recorded."""
    clock = Clock()
    clock.ahead(minutes=10)
    ledger = Ledger(url, now=clock)
    with closing(ledger):
        ledger.open()
        yield ledger


@contextmanager
def later_release(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Let each table have columns more, as a later release may; give their names."""
    planted: list[sa.Column[Any]] = []
    for table in metadata.sorted_tables:
        added = [
            sa.Column("later_text", sa.String(9), nullable=False, default="it's 5 %"),
            sa.Column("later_flag", sa.Boolean, nullable=False, default=True),
            sa.Column("later_open", sa.Float, nullable=True),
            sa.Column("later_count", sa.Integer, nullable=False),  # without a default
            sa.Column("later_words", sa.String(9), nullable=False),
            sa.Column("later_data", sa.JSON, nullable=False),
        ]
        if table is not trail:  # nothing writes them in the others by itself
            for column in added[3:]:
                column.default = sa.ColumnDefault(
                    {}
                    if isinstance(column.type, sa.JSON)
                    else column.type.python_type()
                )
                column.default._set_parent(column)
        for column in added:
            table.append_column(column)
        planted += added
    CACHE.clear()
    names = [column.name for column in planted if column.table is trail]
    try:
        with monkeypatch.context() as patch:
            versions = (*chain.VERSIONS, (*chain.VERSIONS[-1], *names))
            patch.setattr(chain, "VERSIONS", versions)
            yield [str(column) for column in planted]
    finally:
        for column in planted:
            column.table._columns.remove(column)
        CACHE.clear()


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Let this be a later release; return the columns that it added."""
    with later_release(monkeypatch) as added:
        yield added


def change(url: str, number: int, **values: str) -> None:
    """Change entry *number* of the trail in the database, past the ledger."""
    engine = engine_of(url)
    with engine.begin() as connection:
        changed = trail.update().where(trail.c.seq == number).values(values)
        assert connection.execute(changed).rowcount == 1
    engine.dispose()


def rows(url: str, columns: str) -> list[Any]:
    """Return these *columns* of the whole trail as they stand in the database."""
    engine = engine_of(url)
    with engine.connect() as connection:
        sql = f"SELECT {columns} FROM mlstudio_trail ORDER BY seq"  # noqa: S608
        found = connection.exec_driver_sql(sql).fetchall()
    engine.dispose()
    return list(found)


async def goes_on(ledger: Ledger) -> None:
    """Let what stood in the sample go on, and something new begin."""
    assert (await ledger.vote("pending", LEA, approve=True)).state is State.PENDING
    assert (await ledger.vote("first", LEA, approve=True)).state is State.APPROVED
    assert (await ledger.existing("second")).state is State.APPROVED
    await ledger.move("approved", State.RESTARTING)
    assert await ledger.take_send("approved", "life-2")
    assert not await ledger.take_send("restarting", "life-2")
    request = asking()
    _, new = await ledger.record(request)
    assert new
    await ledger.ping()
    await ledger.note(Entry("note", detail="of today"))


async def test_the_first_release_is_read_and_goes_on(old: str) -> None:
    """Every request is where it stood, the trail is whole, and both grow."""
    with opened(old) as ledger:
        for name, state in STATES.items():
            assert (await ledger.existing(name)).state is state
        assert len((await ledger.existing("pending")).votes) == 1
        assert await ledger.verify() == []
        await goes_on(ledger)
        assert await ledger.verify() == []


async def test_check_says_what_run_will_add(old: str, later: list[str]) -> None:
    """Before the upgrade ``check`` names each column or table; after it, none."""
    line = await database_line(old)
    assert line.ok
    assert "(the next start adds " in line.what
    said = set(re.findall(r"[\w.]+", line.what))
    assert all({column, column.partition(".")[0]} & said for column in later)

    with opened(old):
        pass

    assert str(await database_line(old)).endswith(" answers")


async def test_a_later_release_takes_the_trail_over(old: str, later: list[str]) -> None:
    """More columns, with a default or without one, change no entry of before."""
    known = ", ".join(chain.VERSIONS[0])
    before = rows(old, known)

    with opened(old) as ledger:
        assert await ledger.verify() == []
        assert rows(old, known) == before
        await goes_on(ledger)
        assert await ledger.verify() == []

    assert rows(old, known)[: len(before)] == before


async def test_a_changed_old_entry_is_found_by_a_later_release(
    old: str, later: list[str]
) -> None:
    """Whatever of an entry of before is changed, the entry is named."""
    with opened(old) as ledger:
        await ledger.note(Entry("note"))
        for name in chain.VERSIONS[0][1:]:  # a changed number is a missing one
            kept = rows(old, name)[6][0]
            change(old, 7, **{name: "x"})
            assert any(
                flaw.startswith("entry 7 (") and flaw.endswith("was changed")
                for flaw in await ledger.verify()
            )
            change(old, 7, **{name: kept})
        assert await ledger.verify() == []


async def test_nothing_is_added_to_an_old_entry(old: str, later: list[str]) -> None:
    """A column that its hash knows nothing of has to be as it was added."""
    with opened(old) as ledger:
        change(old, 7, later_words="x")
        (flaw,) = await ledger.verify()
        assert flaw.startswith("entry 7 (")


async def test_no_shorter_list_hides_a_change(old: str, later: list[str]) -> None:
    """Who empties a later column of a new entry is found, and a hash over the columns
    of before, which would fit, breaks the chain and the hash in the log.
    """
    with opened(old) as ledger:
        await ledger.note(Entry("note", detail="one"))
        await ledger.note(Entry("note", detail="two"))
        one, two = (await trail_of(ledger))[-2:]
        change(old, one["seq"], later_text="")
        (flaw,) = await ledger.verify()
        assert flaw.startswith(f"entry {one['seq']} (")

        change(old, one["seq"], later_text=one["later_text"])
        assert await ledger.verify() == []
        for entry in (one, two):
            shorter = chain.hash_of(entry, chain.VERSIONS[0])
            assert shorter != entry["hash"]
            change(old, entry["seq"], hash=shorter)
        follows = f"entry {two['seq']} does not follow the one before it"
        assert follows in await ledger.verify()
        assert await ledger.newest_hash() != (two["seq"], two["hash"])


async def test_a_replica_of_before_works_on_beside_it(
    old: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While replicas are upgraded one by one, both write one chain."""
    with later_release(monkeypatch), opened(old) as ledger:
        await ledger.note(Entry("note", detail="new"))
    with opened(old) as ledger:
        await goes_on(ledger)
    with later_release(monkeypatch), opened(old) as ledger:
        await ledger.note(Entry("note", detail="new again"))
        assert await ledger.verify() == []


@pytest.mark.postgres  # a second process on a SQLite file is refused
@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
@pytest.mark.parametrize("release", [*RELEASES, ""])
async def test_replicas_that_start_at_once_all_open_it(
    database: str, later: list[str], release: str
) -> None:
    """Whoever is first adds what is missing, once; nobody fails."""
    if release:
        load(database, release)
    start = Barrier(REPLICAS)

    def replica() -> None:
        ledger = Ledger(database)
        start.wait()
        ledger.open()
        ledger.close()

    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(REPLICAS) as threads:
        for _ in range(3):
            starts = [loop.run_in_executor(threads, replica) for _ in range(REPLICAS)]
            await asyncio.gather(*starts)

    engine = engine_of(database)
    with engine.connect() as connection:
        assert not missing(connection)
    engine.dispose()


def test_each_column_of_the_trail_is_vouched_for() -> None:
    """The newest hash is over all columns; those of before are in every later list."""
    assert {*chain.VERSIONS[-1], "hash"} == set(trail.c.keys())
    for before, after in zip(chain.VERSIONS, chain.VERSIONS[1:], strict=False):
        assert after[: len(before)] == before


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("ledger-*.sql.gz")), ids=str)
def test_an_index_keeps_its_meaning(path: Path) -> None:
    """One that changes gets a new name: growing looks at names only."""
    written = gzip.decompress(path.read_bytes()).decode()
    for table in metadata.sorted_tables:
        for index in table.indexes:
            sql = str(sa.schema.CreateIndex(index).compile(_dialect(path)))
            assert f" INDEX {index.name} " not in written or sql.strip() in written


def _dialect(path: Path) -> sa.Engine:
    kind = "sqlite" if "sqlite" in path.name else "postgresql+psycopg"
    return sa.create_engine(f"{kind}://")
