"""How far the trail has gone out as lines, and which process writes them.

The numbers of entries become visible in their order: ``audit.append`` holds a lock from
before it reads the newest one until its transaction is committed. So whoever has read
up to an entry has missed none before it.
"""

from __future__ import annotations

from attrs import asdict, frozen
from sqlalchemy.exc import IntegrityError

from bot.ledger import schema
from bot.ledger.chain import Row
from bot.ledger.database import Database, in_thread
from bot.ledger.schema import trail


@frozen
class Cursor:
    """The entry *seq* with its *hash* was the last that went out; 0: none yet.

    *writer* is who writes, "" nobody; *beat* changes as long as he lives.
    """

    seq: int = 0
    hash: str = ""
    writer: str = ""
    beat: int = 0


@in_thread
def cursor(database: Database) -> Cursor:
    """Return how far the trail has gone out."""
    with database.reading() as connection:
        row = connection.execute(schema.cursor.select()).first()
    return Cursor(row.seq, row.hash, row.writer, row.beat) if row else Cursor()


@in_thread
def move_cursor(database: Database, seen: Cursor, to: Cursor) -> bool:
    """Move the cursor from where it was *seen*; say no if it is not there any more."""
    there = [schema.cursor.c[name] == value for name, value in asdict(seen).items()]
    with database.writing() as connection:
        moved = schema.cursor.update().where(*there).values(asdict(to))
        if connection.execute(moved).rowcount:
            return True
        if seen != Cursor():
            return False
        try:  # there was none yet
            with connection.begin_nested():
                connection.execute(schema.cursor.insert().values(id=1, **asdict(to)))
        except IntegrityError:
            return False
        return True


@in_thread
def unwritten(database: Database, seen: Cursor, limit: int) -> list[Row] | None:
    """Return the next *limit* entries behind the cursor, oldest first.

    None if the entry that it names is not there any more, or not the same.
    """
    query = trail.select().where(trail.c.seq >= seen.seq).order_by(trail.c.seq)
    with database.reading() as connection:
        found = connection.execute(query.limit(limit + 1)).mappings()
        rows: list[Row] = [dict(row) for row in found]
    if not seen.seq:
        return rows[:limit]
    if not rows or (rows[0]["seq"], rows[0]["hash"]) != (seen.seq, seen.hash):
        return None
    return rows[1:]
