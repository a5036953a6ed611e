"""SQL that is compiled once in a process of tests, and not once for each engine.

Each bench has two engines, and SQLAlchemy compiles what they ask anew for each: a
quarter of what a restart in a bench costs. A process of the bot has one of each.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite as SQLite
from sqlalchemy.util import LRUCache

CACHE: LRUCache[object, object] = LRUCache(2000)


def share_compiled_sql() -> None:
    """Let all SQLite engines that this process makes share what was compiled.

    The cache goes by the dialect, too, of which each engine has its own: all are alike.
    Whoever changes a table clears it, before and after.
    """
    SQLite.__hash__ = lambda _: hash(SQLite)  # type: ignore[method-assign]
    SQLite.__eq__ = lambda _, other: type(other) is SQLite  # type: ignore[method-assign]

    @sa.event.listens_for(sa.Engine, "engine_connect")
    def use(connection: sa.Connection) -> None:
        if type(connection.dialect) is SQLite:
            connection.execution_options(compiled_cache=CACHE)
