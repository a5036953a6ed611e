"""All that one ledger knows, into a database that knows nothing yet.

The workflow engine's own tables stay behind: what has not ended is begun anew from its
record, as after a crash between record and engine.
"""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from bot.errors import LedgerError
from bot.ledger.database import Database
from bot.ledger.migration import grow
from bot.ledger.schema import metadata, pulse

ROWS_AT_ONCE = 500  # rows


def copy(source: Database, target: Database) -> Mapping[str, int]:
    """Copy every row of *source* into the empty *target*, or none of them.

    Returns how many there are of each table. What *source* lacks of this version's
    columns gets its initial value. Raises LedgerError if *target* is not empty, or if
    either fails.
    """
    try:
        with source.reading() as old, target.engine.begin() as new:
            grow(new)
            there = set(sa.inspect(old).get_table_names())
            tables = [one for one in metadata.sorted_tables if one is not pulse]
            for table in tables:
                _expect_empty(new, table)
            return {
                table.name: _copied(table, old, new)
                for table in tables
                if table.name in there
            }
    except SQLAlchemyError as error:
        cause = " ".join(str(getattr(error, "orig", None) or error).split())
        raise LedgerError(f"nothing was copied: {cause}") from error


def _expect_empty(connection: sa.Connection, table: sa.Table) -> None:
    """Raise LedgerError if *table* has a row."""
    if connection.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first():
        raise LedgerError(
            f"nothing was copied: the table {table.name} of the new database is not"
            " empty; name a database in which no bot has run"
        )


def _copied(table: sa.Table, old: sa.Connection, new: sa.Connection) -> int:
    """Copy the rows of *table*, and return how many there are."""
    known = {column["name"] for column in sa.inspect(old).get_columns(table.name)}
    query = sa.select(*(column for column in table.c if column.name in known))
    number = 0
    for rows in old.execute(query).mappings().partitions(ROWS_AT_ONCE):
        new.execute(table.insert(), [dict(row) for row in rows])
        number += len(rows)
    return number
