"""What the bot cannot do without on a PostgreSQL, and what a DBA does about it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import psycopg
import sqlalchemy as sa
from attrs import frozen
from psycopg import AsyncConnection
from sqlalchemy.exc import SQLAlchemyError

from bot.errors import LedgerError
from bot.ledger.migration import Missing, missing
from bot.ledger.postgres import connect_args
from bot.ledger.schema import engine_of

ANSWERS_WITHIN_S = 15.0
ENGINE_SCHEMA = "dbos"
_TABLE_RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE")
# Neither in turn nor in pairs: a pooler that deals its sessions round shows, too.
_ASKED = (0, 1, 1, 0, 0, 1, 0, 1)
_POOLED = "the database gives a connection no session of its own, as PgBouncer does it"
_SESSIONS = (
    "give the bot pool_mode = session, or PostgreSQL's own address: it holds locks from"
    " one transaction to the next"
)


@frozen
class Unmet:
    """A fault of the database, and its *remedy*; both are parts of a sentence."""

    fault: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.fault}; {self.remedy}"


async def unmet(database: str) -> Unmet | None:
    """Return what keeps the bot from using the PostgreSQL *database*, if anything.

    Raises LedgerError if it cannot be reached.
    """
    try:
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            if not await has_sessions(database):
                return Unmet(f"{_POOLED} in transaction mode", _SESSIONS)
        grants = await asyncio.to_thread(_grants, database)
    except TimeoutError as error:
        raise LedgerError(
            "the database did not answer in time; behind a pooler, is there room for"
            " all connections of the bot?"
        ) from error
    except (psycopg.Error, SQLAlchemyError) as error:
        cause = getattr(error, "orig", None) or error
        words = " ".join(str(cause).split())
        raise LedgerError(f"the database cannot be reached: {words}") from error
    if grants:
        return Unmet(
            "the bot's user lacks rights in its database",
            f"have a DBA run there: {' '.join(grants)}",
        )
    return None


async def has_sessions(database: str) -> bool:
    """Say whether each connection to *database* has a session that stays its own.

    Two idle ones that are answered by one server process have not, nor has one that is
    answered by two. https://www.pgbouncer.org/features.html
    """
    args = connect_args(database)
    async with (
        await AsyncConnection.connect(autocommit=True, **args) as one,
        await AsyncConnection.connect(autocommit=True, **args) as other,
    ):
        answered = {await _process(index, (one, other)) for index in _ASKED}
    return len(answered) == len({process for _, process in answered}) == 2  # noqa: PLR2004


async def _process(index: int, of: tuple[AsyncConnection, ...]) -> tuple[int, int]:
    cursor = await of[index].execute("SELECT pg_backend_pid()")
    row = await cursor.fetchone()
    return index, row[0] if row else 0


def _grants(database: str) -> list[str]:
    """Return the statements that give the bot's user what it lacks."""
    engine = engine_of(database)
    try:
        with engine.connect() as connection:
            return list(lacking_grants(connection))
    finally:
        engine.dispose()


def lacking_grants(connection: sa.Connection) -> Iterator[str]:
    """Yield the statements that give the user of *connection* the rights it lacks.

    To make what is not there yet, and to use what is.
    """
    lacking = missing(connection)
    quoted = connection.dialect.identifier_preparer.quote_identifier
    asked = connection.execute(
        sa.text(
            "SELECT current_user AS who, current_database() AS base,"
            " coalesce(current_schema(), 'public') AS home,"
            " coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)"
            " AS may_make,"
            " has_database_privilege(current_database(), 'CREATE') AS may_make_schemas,"
            " to_regnamespace(:engine) IS NOT NULL AS has_engine"
        ),
        {"engine": ENGINE_SCHEMA},
    ).one()
    who, home = quoted(asked.who), quoted(asked.home)
    if lacking.tables and not asked.may_make:
        yield f"GRANT USAGE, CREATE ON SCHEMA {home} TO {who};"
    if not asked.has_engine and not asked.may_make_schemas:
        yield f"GRANT CREATE ON DATABASE {quoted(asked.base)} TO {who};"
    for table in _foreign(connection, lacking):
        yield f"ALTER TABLE {table} OWNER TO {who};"
    for table in _closed(connection, asked.home, "mlstudio\\_%"):
        yield f"GRANT {', '.join(_TABLE_RIGHTS)} ON {quoted(table)} TO {who};"
    if asked.has_engine:
        yield from _engine_grants(connection, who)


def _foreign(connection: sa.Connection, lacking: Missing) -> Iterator[str]:
    """Yield the tables that have to grow and belong to somebody else."""
    growing = {column.table.name for column in lacking.columns}
    growing |= {
        index.table.name for index in lacking.indexes if index.table is not None
    }
    owned = sa.text(
        "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class"
        " WHERE oid = to_regclass(:table)"
    )
    for table in sorted(growing):
        if not connection.scalar(owned, {"table": table}):
            yield table


def _closed(connection: sa.Connection, schema: str, like: str) -> list[str]:
    """Return the tables of *schema* that the user may not read and write."""
    may = " AND ".join(f"has_table_privilege(c.oid, '{one}')" for one in _TABLE_RIGHTS)
    query = sa.text(
        "SELECT relname FROM pg_class c WHERE relkind IN ('r', 'p')"  # noqa: S608
        f" AND relnamespace = to_regnamespace(:schema) AND relname LIKE :like"
        f" AND NOT ({may}) ORDER BY relname"
    )
    return [*connection.scalars(query, {"schema": schema, "like": like})]


def _engine_grants(connection: sa.Connection, who: str) -> Iterator[str]:
    """Yield what the user lacks of the workflow engine's own schema."""
    inside = sa.text(
        "SELECT has_schema_privilege(:schema, 'USAGE')"
        " AND has_schema_privilege(:schema, 'CREATE')"
    )
    if not connection.scalar(inside, {"schema": ENGINE_SCHEMA}):
        yield f"GRANT USAGE, CREATE ON SCHEMA {ENGINE_SCHEMA} TO {who};"
    if _closed(connection, ENGINE_SCHEMA, "%"):
        rights = ", ".join(_TABLE_RIGHTS)
        yield f"GRANT {rights} ON ALL TABLES IN SCHEMA {ENGINE_SCHEMA} TO {who};"
