"""What a database lacks of the tables that this version needs, and adding it.

Tables grow by additions only: no column is ever renamed, narrowed or dropped, so a
replica of the version before goes on working beside the new one.
"""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from attrs import frozen

from bot.ledger.schema import metadata

# Any fixed number: the key of the lock for whoever changes the tables.
_GROWTH_LOCK = 0x6D6C7467
# To fill an index takes longer than a command may wait for an answer.
_PATIENCE = ("SET LOCAL statement_timeout = '10min'", "SET LOCAL lock_timeout = '1min'")


@frozen
class Missing:
    """What a database lacks; ``str`` names it, and nothing missing is false."""

    tables: tuple[sa.Table, ...]
    columns: tuple[sa.Column[Any], ...]  # of tables that are there
    indexes: tuple[sa.Index, ...]  # of tables that are there

    def __bool__(self) -> bool:
        return bool(self.tables or self.columns or self.indexes)

    def __str__(self) -> str:
        return ", ".join(
            [
                *(table.name for table in self.tables),
                *(str(column) for column in self.columns),
                *(f"the index {index.name}" for index in self.indexes),
            ]
        )


def missing(connection: sa.Connection) -> Missing:
    """Return what the database lacks; nothing is changed."""
    found = sa.inspect(connection)
    there = set(found.get_table_names())
    tables, columns, indexes = [], [], []
    for table in metadata.sorted_tables:
        if table.name not in there:
            tables.append(table)
            continue
        known = {column["name"] for column in found.get_columns(table.name)}
        columns += [column for column in table.c if column.name not in known]
        built = {index["name"] for index in found.get_indexes(table.name)}
        indexes += [index for index in table.indexes if index.name not in built]
    indexes.sort(key=lambda index: str(index.name))
    return Missing(tuple(tables), tuple(columns), tuple(indexes))


def grow(connection: sa.Connection) -> None:
    """Add what the database lacks, within the caller's transaction.

    Replicas that start side by side take turns: the second finds nothing missing. On
    SQLite those that write do so anyway.
    """
    if connection.dialect.name == "postgresql":
        for patience in _PATIENCE:
            connection.exec_driver_sql(patience)
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_GROWTH_LOCK)))
    lacking = missing(connection)
    for table in lacking.tables:
        connection.execute(sa.schema.CreateTable(table))
    for column in lacking.columns:
        connection.exec_driver_sql(_adding(column, connection.dialect))
    indexes = [
        *lacking.indexes,
        *(one for table in lacking.tables for one in table.indexes),
    ]
    for index in sorted(indexes, key=_turn):
        index.create(connection)


def _turn(index: sa.Index) -> tuple[bool, str]:
    """Return when to create *index*: those of some rows only come last.

    Of two that would do as well SQLite takes the newer one, and few rows are fewer.
    """
    of_some = index.dialect_options["sqlite"]["where"] is not None
    return of_some, str(index.name)


def initial(column: sa.Column[Any]) -> Any:
    """Return what *column* holds in rows that were written before it was added.

    Its default; without one NULL, or where that is not allowed the empty value of its
    type ("", 0, false, {}).
    """
    if column.default is not None and column.default.is_scalar:
        return column.default.arg  # type: ignore[attr-defined]
    if column.nullable:
        return None
    return {} if isinstance(column.type, sa.JSON) else column.type.python_type()


def _adding(column: sa.Column[Any], dialect: sa.Dialect) -> str:
    """Return the statement that adds *column*, filled with its initial value."""
    added = sa.Column(
        column.name,
        column.type,
        nullable=column.nullable,
        server_default=_server_default(initial(column)),
    )
    sa.Table(column.table.name, sa.MetaData(), added)
    sql = sa.schema.CreateColumn(added).compile(dialect=dialect)
    return f"ALTER TABLE {column.table.name} ADD COLUMN {sql}"


def _server_default(value: Any) -> str | sa.ColumnElement[bool] | sa.TextClause | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return sa.true() if value else sa.false()
    if isinstance(value, dict):
        return json.dumps(value)
    return sa.text(str(value))
