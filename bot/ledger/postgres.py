"""Connections to PostgreSQL: what is said at their start, and when they are dropped."""

from __future__ import annotations

from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import event

from bot.errors import ConfigError

_READ_ONLY = "25006"  # https://www.postgresql.org/docs/current/errcodes-appendix.html

# libpq heeds all of these itself; a pooler such as PgBouncer refuses to start a
# connection with anything that it does not know, `options` first of all.
_CONNECT = {
    "application_name": "mlstudio-bot",
    "connect_timeout": 2,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    # Of several hosts the primary; a standby, or a primary that was demoted, never.
    "target_session_attrs": "read-write",
}
# What is acknowledged has to survive the server's crash, whatever its default is; one
# that waits for its standbys even longer is left so.
_DURABLE = """SELECT set_config('synchronous_commit', CASE
    WHEN current_setting('synchronous_commit') = 'remote_apply' THEN 'remote_apply'
    ELSE 'on' END, false)"""


def is_postgres(database: str) -> bool:
    """Say whether the address *database* is that of a PostgreSQL."""
    return database.startswith("postgresql")


def connect_args(database: str) -> dict[str, Any]:
    """Return what psycopg connects to *database* with, in libpq's own words.

    What the address says itself counts. Raises ConfigError if it cannot be read.
    """
    try:
        return _CONNECT | conninfo_to_dict(database)
    except psycopg.ProgrammingError as error:
        raise ConfigError(f"database: {str(error).strip()}") from error


def postgres_engine(database: str, *settings: str, **pool: Any) -> sa.Engine:
    """Return an engine whose sessions have the *settings*, such as "lock_timeout=1s".

    *pool* is for SQLAlchemy's pool. They are durable, and writable or dropped.
    """
    # SQLAlchemy reads addresses in a way of its own: without several hosts, for one.
    engine = sa.create_engine(
        "postgresql+psycopg://",
        connect_args=connect_args(database),
        pool_pre_ping=True,
        **pool,
    )

    def prepare(connection: Any, _record: object) -> None:
        connection.autocommit = True
        connection.execute(_DURABLE)
        for setting in settings:
            connection.execute(f"SET {setting}")
        connection.autocommit = False

    event.listen(engine, "connect", prepare)
    event.listen(engine, "handle_error", drop_demoted)
    return engine


def drop_demoted(context: sa.ExceptionContext) -> None:
    """Let go of all connections of a pool as soon as one of them cannot write.

    After a failover they lead to the old primary, and would for ever.
    """
    if getattr(context.original_exception, "sqlstate", None) == _READ_ONLY:
        context.is_disconnect = True
