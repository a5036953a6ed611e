"""The tables of the ledger and the engine that reaches them; no rules live here."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from bot.model import UNDER_WAY, State

metadata = sa.MetaData()

requests = sa.Table(
    "mlstudio_requests",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("project", sa.String(64), nullable=False),
    sa.Column("instance_key", sa.String(64), nullable=False),
    sa.Column("user_id", sa.String(32), nullable=False),
    sa.Column("asked_at", sa.Float, nullable=False),  # POSIX seconds, UTC, as all here
    sa.Column("changed_at", sa.Float, nullable=False),
    sa.Column("request", sa.JSON, nullable=False),
    sa.Column("card_ts", sa.String(32), nullable=False, default=""),
    sa.Column("reminded", sa.Boolean, nullable=False, default=False),
    sa.Column("message_ts", sa.String(32), nullable=False, default=""),
    sa.Column("previous", sa.String(64), nullable=False, default=""),
    sa.Column("current", sa.String(64), nullable=False, default=""),
    sa.Column("last_status", sa.String(64), nullable=False, default=""),
    sa.Column("baseline", sa.JSON, nullable=True),
    sa.Column("seen_other", sa.Boolean, nullable=False, default=False),
    sa.Column("sent_by", sa.String(64), nullable=False, default=""),
    sa.Column("sent_at", sa.Float, nullable=True),
    sa.Column("answered", sa.String(16), nullable=False, default=""),
    sa.Column("ended_at", sa.Float, nullable=True),
    sa.Column("detail", sa.Text, nullable=False, default=""),
    sa.Column("ref", sa.String(128), nullable=False, default=""),
    sa.Column("decided_by", sa.String(32), nullable=False, default=""),
    sa.Column("joined", sa.String(32), nullable=False, default=""),
    sa.Column("told", sa.Boolean, nullable=False, default=False),
    sa.Column("unsaid", sa.Text, nullable=False, default=""),
    sa.Column("duration_s", sa.Float, nullable=True),
    sa.Column("batch", sa.String(32), nullable=False, default="", server_default=""),
    sa.Column(
        "summed", sa.Boolean, nullable=False, default=False, server_default=sa.false()
    ),
    sa.Index("mlstudio_requests_by_batch", "batch"),
    sa.Index("mlstudio_requests_by_instance", "instance_key", "asked_at"),
    sa.Index("mlstudio_requests_by_state", "state", "changed_at"),
    sa.Index("mlstudio_requests_by_joined", "joined"),
)

# One restart per instance at a time, over all replicas: the database itself says no.
_under_way = requests.c.state.in_(sorted(UNDER_WAY))
sa.Index(
    "mlstudio_one_under_way",
    requests.c.instance_key,
    unique=True,
    sqlite_where=_under_way,
    postgresql_where=_under_way,
)

votes = sa.Table(
    "mlstudio_votes",
    metadata,
    sa.Column("request_id", sa.String(32), primary_key=True),
    sa.Column("user_id", sa.String(32), primary_key=True),
    sa.Column("approve", sa.Boolean, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("note", sa.Text, nullable=False, default=""),
)

trail = sa.Table(
    "mlstudio_trail",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", sa.String(40), nullable=False),  # ISO 8601, UTC
    sa.Column("kind", sa.String(24), nullable=False),
    sa.Column("request_id", sa.String(32), nullable=False, default=""),
    sa.Column("team_id", sa.String(32), nullable=False, default=""),
    sa.Column("user_id", sa.String(32), nullable=False, default=""),
    sa.Column("project", sa.String(64), nullable=False, default=""),
    sa.Column("instance", sa.String(64), nullable=False, default=""),
    sa.Column("instance_id", sa.String(64), nullable=False, default=""),
    sa.Column("rule", sa.String(100), nullable=False, default=""),
    sa.Column("rule_version", sa.String(12), nullable=False, default=""),
    sa.Column("detail", sa.Text, nullable=False, default=""),
    sa.Column("ref", sa.String(128), nullable=False, default=""),
    sa.Column("digest", sa.String(64), nullable=False, default=""),  # approved what
    sa.Column("previous_hash", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Index("mlstudio_trail_by_time", "at"),
    sa.Index("mlstudio_trail_by_request", "request_id"),
)

# One row that is written again and again: a database that answers may still be one
# that nothing can be written to.
pulse = sa.Table(
    "mlstudio_pulse",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", sa.Float, nullable=False),
)

# Any fixed number: the key of the lock for whoever changes the tables.
_GROWING = 0x6D6C7467

OPEN = sorted({State.ASKED, State.PENDING, State.APPROVED, *UNDER_WAY})


def url_of(database: str) -> sa.URL:
    """Return the URL of *database* with the driver that this bot brings along."""
    url = sa.make_url(database)
    if url.get_backend_name() == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    return url


def engine_of(database: str) -> sa.Engine:
    """Return an engine that gives up within seconds: a command waits for three."""
    url = url_of(database)
    if url.get_backend_name() == "postgresql":
        return sa.create_engine(
            url,
            pool_size=4,
            pool_pre_ping=True,
            pool_timeout=2,
            connect_args={
                "connect_timeout": 2,
                "options": "-c statement_timeout=2000 -c lock_timeout=2000",
                "keepalives_idle": 5,
                "keepalives_interval": 2,
                "keepalives_count": 3,
            },
        )
    engine = sa.create_engine(url, connect_args={"timeout": 2.0}, pool_timeout=2)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_immediate)
    event.listen(engine, "handle_error", drop_read_only)
    return engine


def drop_read_only(context: sa.ExceptionContext) -> None:
    """Let go of SQLite connections that cannot write.

    One that was opened while the file could only be read stays so for ever, even when
    the file can be written again.
    """
    if "readonly database" in str(context.original_exception):
        context.is_disconnect = True


def grow(connection: sa.Connection) -> None:
    """Add the columns and indexes that a table of an earlier version lacks."""
    if connection.dialect.name == "postgresql":  # replicas may start side by side
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_GROWING)))
    known = sa.inspect(connection).get_columns(requests.name)
    missing = {c.name for c in requests.c} - {column["name"] for column in known}
    for name in sorted(missing):
        column = sa.schema.CreateColumn(requests.c[name])
        sql = str(column.compile(dialect=connection.dialect))
        connection.execute(sa.text(f"ALTER TABLE {requests.name} ADD COLUMN {sql}"))
    for index in requests.indexes:
        index.create(connection, checkfirst=True)


def _prepare_sqlite(connection: Any, _record: object) -> None:
    """Write ahead, and reach the disk before a commit returns."""
    connection.isolation_level = None  # we say BEGIN ourselves
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")


def _begin_immediate(connection: sa.Connection) -> None:
    """Take the write lock at once: a read that turns into a write may find it lost."""
    reading = connection.get_execution_options().get("reading")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
