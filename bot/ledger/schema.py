"""The tables of the ledger and the engine that reaches them; no rules live here."""

from __future__ import annotations

import re
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from bot.ledger.postgres import is_postgres, postgres_engine
from bot.model import ENDS, UNDER_WAY, State

metadata = sa.MetaData()


# The database knows the defaults, too: a replica of the version before, which does not
# name a new column, goes on writing.
def _text(name: str, length: int | None = None) -> sa.Column[str]:
    kind = sa.String(length) if length else sa.Text()
    return sa.Column(name, kind, nullable=False, default="", server_default="")


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(
        name, sa.Boolean, nullable=False, default=False, server_default=sa.false()
    )


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False, default=0, server_default="0")


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
    _text("card_ts", 32),
    _flag("reminded"),
    _text("message_ts", 32),
    _text("previous", 64),
    _text("current", 64),
    _text("last_status", 64),
    sa.Column("baseline", sa.JSON, nullable=True),
    _flag("seen_other"),
    _text("sent_by", 64),
    sa.Column("sent_at", sa.Float, nullable=True),
    _text("answered", 16),
    sa.Column("ended_at", sa.Float, nullable=True),
    _text("detail"),
    _text("ref", 128),
    _text("decided_by", 32),
    _text("joined", 32),
    _flag("told"),
    _text("unsaid"),
    sa.Column("duration_s", sa.Float, nullable=True),
    _text("batch", 32),
    _flag("summed"),
    _text("wants", 16),  # "start", or nothing: a restart
    _count("done"),
    sa.Column("path", sa.JSON, nullable=True),
    sa.Column("stopped_at", sa.Float, nullable=True),
    _text("start_by", 64),
    _count("starts"),
    sa.Column("start_at", sa.Float, nullable=True),
    _text("start_answered", 16),
    _flag("came_up"),
    _text("trouble"),
    _flag("trouble_told"),
    _flag("doubt_told"),
    _flag("up_again"),
    _count("owner_told"),
    _text("alert", 32),  # from whose card it was asked for
    sa.Index("mlstudio_requests_by_instance", "instance_key", "asked_at"),
    sa.Index("mlstudio_requests_by_project", "project", "asked_at"),
)


def _partial(
    name: str, where: sa.ColumnElement[bool], *columns: Any, unique: bool = False
) -> None:
    """Index *columns* of the rows *where* something holds.

    A query that has the same condition, word for word, reads these rows alone; there is
    no index by state, as SQLite prefers that to one in the order asked for. If the
    condition changes, the index needs a new name: a database of before has the old one.
    """
    sa.Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)


def _word(value: str) -> sa.ColumnElement[str]:
    """Return *value* as it stands in a condition: as a word, not as a parameter."""
    return sa.literal_column(f"'{value}'", sa.String())


def _in_state(*states: State) -> sa.ColumnElement[bool]:
    return requests.c.state.in_([_word(state) for state in sorted(states)])


# What has not ended: few rows, however many there are.
OPEN = {*State} - ENDS
IS_OPEN = _in_state(*OPEN)
_partial(
    "mlstudio_requests_open", IS_OPEN, requests.c.instance_key, requests.c.asked_at
)

IS_ENDED = _in_state(*ENDS)
_partial("mlstudio_requests_over", IS_ENDED, requests.c.changed_at)

# What was restarted, or may be: neither refused nor come to nothing else.
IS_RESTART = _in_state(
    *OPEN, State.READY, State.FAILED, State.TIMED_OUT, State.UNKNOWN, State.DOWN
)
_partial("mlstudio_requests_acted", IS_RESTART, requests.c.asked_at)
_partial(
    "mlstudio_requests_acted_on",
    IS_RESTART,
    requests.c.instance_key,
    requests.c.asked_at,
)

# What was left down, whether it has come up again since or not.
IS_DOWN = _in_state(State.DOWN)
_partial("mlstudio_requests_down", IS_DOWN, requests.c.instance_key)

# Whose restart call was answered, or whose answer was lost.
WAS_SENT = requests.c.answered != _word("")
_partial(
    "mlstudio_requests_sent", WAS_SENT, requests.c.instance_key, requests.c.sent_at
)

IN_BATCH = requests.c.batch != _word("")
_partial("mlstudio_requests_by_batch", IN_BATCH, requests.c.batch)

HAS_JOINED = requests.c.joined != _word("")
_partial("mlstudio_requests_by_joined", HAS_JOINED, requests.c.joined)

# One restart per instance at a time, over all replicas: the database itself says no.
_partial(
    "mlstudio_one_under_way",
    _in_state(*UNDER_WAY),
    requests.c.instance_key,
    unique=True,
)

votes = sa.Table(
    "mlstudio_votes",
    metadata,
    sa.Column("request_id", sa.String(32), primary_key=True),
    sa.Column("user_id", sa.String(32), primary_key=True),
    sa.Column("approve", sa.Boolean, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    _text("note"),
)

# Approvals that were taken off again: whoever gave them has lost the right to.
votes_off = sa.Table(
    "mlstudio_votes_off",
    metadata,
    sa.Column("request_id", sa.String(32), primary_key=True),
    sa.Column("user_id", sa.String(32), primary_key=True),
    sa.Column("at", sa.Float, primary_key=True),  # when it was taken off
    _text("why"),
)

# Who was mentioned about a request while it waits, and what was said of it: once each.
mentions = sa.Table(
    "mlstudio_mentions",
    metadata,
    sa.Column("request_id", sa.String(32), primary_key=True),  # of who speaks
    sa.Column("what", sa.String(200), primary_key=True),
    sa.Column("at", sa.Float, nullable=False),  # when somebody began to say it
    _flag("said"),
)

# What has had its effect and must have none when it is delivered again.
deliveries = sa.Table(
    "mlstudio_deliveries",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("request_id", sa.String(32), nullable=False),
    sa.Column("at", sa.Float, nullable=False),
)

trail = sa.Table(
    "mlstudio_trail",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", sa.String(40), nullable=False),  # ISO 8601, UTC
    sa.Column("kind", sa.String(24), nullable=False),
    _text("request_id", 32),
    _text("team_id", 32),
    _text("user_id", 32),
    _text("project", 64),
    _text("instance", 64),
    _text("instance_id", 64),
    _text("rule", 100),
    _text("rule_version", 12),
    _text("detail"),
    _text("ref", 128),
    _text("digest", 64),  # approved what
    sa.Column("previous_hash", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Index("mlstudio_trail_by_time", "at"),
    sa.Index("mlstudio_trail_by_request", "request_id"),
)

# One row: up to which entry the trail has gone out as lines, and which process writes
# them. The writer counts *beat* up, so that a dead one is noticed.
cursor = sa.Table(
    "mlstudio_trail_cursor",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    _count("seq"),
    _text("hash", 64),  # of that entry
    _text("writer", 32),
    _count("beat"),
)

# Whether an entry of the trail marks that somebody went past an approval.
BREAK_GLASS = "break-glass"
IS_BREAK_GLASS = trail.c.kind == _word(BREAK_GLASS)
_partial("mlstudio_trail_break_glass", IS_BREAK_GLASS, trail.c.at)

# What the entries are called that tell of a freeze.
FREEZE, THAW = "freeze", "thaw"

# Until when nothing is restarted where, by whom and why; no project means all.
freezes = sa.Table(
    "mlstudio_freezes",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),  # of the delivery
    _text("project", 64),
    _text("user_id", 32),
    _text("team_id", 32),
    _text("channel_id", 32),
    _text("reason"),
    _text("zone", 64),  # of who typed it
    sa.Column("since", sa.Float, nullable=False),
    sa.Column("until", sa.Float, nullable=False),
    _flag("told"),  # in the channel
    sa.Column("thawed_at", sa.Float, nullable=True),
    _text("thawed_by", 32),
    _text("thawed_in", 32),  # the channel
    _text("thaw_id", 32),  # of the delivery
    _flag("thaw_told"),
    sa.Column("telling_at", sa.Float, nullable=True),  # who tells has begun to
    sa.Index("mlstudio_freezes_by_end", "until"),
)

# One row that is written again and again: a database that answers may still be one
# that nothing can be written to.
pulse = sa.Table(
    "mlstudio_pulse",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", sa.Float, nullable=False),
)


def url_of(database: str) -> sa.URL:
    """Return the URL of *database* with the driver that this bot brings along."""
    url = sa.make_url(database)
    if url.get_backend_name() == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    return url


def shown(database: str) -> str:
    """Return an address without the password that it should not hold."""
    return re.sub(r"(//[^/@:]*):[^/@]*@", r"\1:***@", database)


def engine_of(database: str) -> sa.Engine:
    """Return an engine that gives up within seconds: a command waits for three."""
    if is_postgres(database):
        timeouts = (
            *("statement_timeout = '2s'", "lock_timeout = '2s'"),
            # A replica that is frozen in a transaction keeps nobody else from writing.
            "idle_in_transaction_session_timeout = '10s'",
        )
        return postgres_engine(database, *timeouts, pool_size=4, pool_timeout=2)
    url = url_of(database)
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


def _prepare_sqlite(connection: Any, _record: object) -> None:
    """Write ahead, and reach the disk before a commit returns."""
    connection.isolation_level = None  # we say BEGIN ourselves
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")


def _begin_immediate(connection: sa.Connection) -> None:
    """Take the write lock at once: a read that turns into a write may find it lost."""
    reading = connection.get_execution_options().get("reading")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
