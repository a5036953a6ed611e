"""A ledger as a release wrote it, kept to be opened by later ones.

``python -m tests.support.ledger_sample`` records ``tests/samples/ledger-<release>-*``
with the code at hand: once for each release that changed the tables, the same bytes
every time. Keep the old ones: somebody's database looks like that.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from bot.ledger import Entry, Ledger
from bot.ledger.schema import engine_of, metadata
from bot.model import State
from tests.support.ledger_world import (
    ANN,
    BOB,
    LEA,
    LEO,
    ONE,
    TWO,
    Clock,
    asking,
    boxed,
    brought,
)

RELEASE = "1"
SAMPLES = Path(__file__).parents[1] / "samples"
DIALECTS = {
    "sqlite": sqlite.dialect(),
    "postgresql": postgresql.dialect(paramstyle="named"),  # a % stays one
}
# What stands in it, by the ids of the requests.
STATES = {
    "asked": State.ASKED,
    "pending": State.PENDING,
    "approved": State.APPROVED,
    "restarting": State.RESTARTING,
    "following": State.FOLLOWING,
    "ready": State.READY,
    "refused": State.REFUSED,
    "denied": State.DENIED,
    "joined": State.JOINED,
    "glass": State.ASKED,
    "first": State.PENDING,  # a batch with the next one
    "second": State.PENDING,
}


async def play(ledger: Ledger, clock: Clock) -> None:
    """Let *ledger*, which is empty, come to hold STATES and their trail."""
    boxes = {name: boxed(number) for number, name in enumerate(STATES, 1)}

    for name in ("asked", "approved", "following"):
        request = asking(name, target=boxes[name], approval=ONE)
        await brought(ledger, request, STATES[name])
        clock.ahead(seconds=20)

    await brought(
        ledger, asking("pending", target=boxes["pending"], approval=TWO), State.PENDING
    )
    await ledger.vote("pending", LEA, approve=True)

    for name in ("ready", "restarting"):
        reason = "“stuck” <&> 50 %; it's :late"
        request = asking(name, target=boxes[name], approval=TWO, reason=reason)
        await brought(ledger, request, State.RESTARTING)
        await ledger.take_send(name, "life-1")
        await ledger.answered(name, "accepted", ref="req-1", previous="ACTIVE")
        clock.ahead(seconds=40)
    await ledger.move("ready", State.READY, duration_s=40.25, detail="", told=True)

    await ledger.record(
        asking("refused", target=boxes["refused"]), refusal="No rule allows it."
    )
    denied = asking("denied", target=boxes["denied"], approval=ONE, user_id="U0BOB")
    await brought(ledger, denied, State.PENDING)
    await ledger.vote("denied", LEO, approve=False)
    await ledger.explain_denial("denied", LEO, "Wait for the training to end.")
    await ledger.record(asking("joined", target=boxes["restarting"]))
    glass = asking("glass", target=boxes["glass"], approval=ONE, break_glass=True)
    await ledger.record(glass)

    batch = [
        asking(name, target=boxes[name], approval=ONE, place=place)
        for place, name in enumerate(("first", "second"))
    ]
    await ledger.record_all(batch)
    for one in batch:
        await ledger.move(one.id, State.PENDING)
    await ledger.note(Entry("not allowed", detail="late").by(BOB))
    await ledger.note(Entry("note", detail="the last one").by(ANN))


def dump(connection: sa.Connection, dialect: sa.Dialect) -> Iterator[str]:
    """Yield what makes the tables behind *connection*, with their rows, anew."""
    for table in metadata.sorted_tables:
        yield str(sa.schema.CreateTable(table).compile(dialect=dialect)).strip()
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            yield str(sa.schema.CreateIndex(index).compile(dialect=dialect)).strip()
        names = list(enumerate(table.c.keys()))
        for row in connection.execute(table.select().order_by(*table.primary_key)):
            values = {name: _literal(table.c[name], row[n]) for n, name in names}
            plain = sa.table(table.name, *map(sa.column, values)).insert()
            compiled = plain.values(values).compile(
                dialect=dialect, compile_kwargs={"literal_binds": True}
            )
            yield str(compiled)


def _literal(column: sa.Column[Any], value: Any) -> sa.ColumnElement[Any]:
    if value is None:
        return sa.null()
    if isinstance(column.type, sa.JSON):
        return sa.literal(json.dumps(value))
    return sa.literal(value, column.type)


def record(path: Path) -> None:
    """Write the samples of this release beside *path*, one for each kind of database.

    *path* is that of the sample but for the kind: ``…/ledger-1``.
    """
    with tempfile.TemporaryDirectory() as folder:
        url, clock = f"sqlite:///{folder}/bot.db", Clock()
        ledger = Ledger(url, now=clock)
        ledger.open()
        asyncio.run(play(ledger, clock))
        ledger.close()
        engine = engine_of(url)
        for name, dialect in DIALECTS.items():
            with engine.connect() as connection:
                sql = ";\n".join([*dump(connection, dialect), ""])
            packed = gzip.compress(sql.encode(), mtime=0)
            path.with_name(f"{path.name}-{name}.sql.gz").write_bytes(packed)
        engine.dispose()


def load(url: str, release: str = RELEASE) -> None:
    """Fill the empty database at *url* with what *release* had written."""
    kind = sa.make_url(url).get_backend_name()
    packed = (SAMPLES / f"ledger-{release}-{kind}.sql.gz").read_bytes()
    sql = gzip.decompress(packed).decode()
    if kind == "sqlite":
        path = sa.make_url(url).database or ""
        Path(path).touch(mode=0o600)  # as the bot makes it
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(sql)
    else:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(sql.encode())


if __name__ == "__main__":
    record(SAMPLES / f"ledger-{RELEASE}")
