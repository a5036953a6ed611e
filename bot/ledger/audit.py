"""The audit trail: entries that only grow, each with the hash of the one before."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from bot.ledger.database import Database, in_thread
from bot.ledger.schema import trail
from bot.model import Person, Request, canonical

ORIGIN = "0" * 64
BREAK_GLASS = "break-glass"  # the kind of the entry that marks it in the trail
# Any fixed number: the key of the lock that puts the writers of all replicas in a row.
_LOCK = 0x6D6C7374


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the trail, without its place in the chain.

    *digest* is what an approval was asked for or given for (``model.digest``).
    """

    kind: str
    request_id: str = ""
    team_id: str = ""
    user_id: str = ""
    project: str = ""
    instance: str = ""
    instance_id: str = ""
    rule: str = ""
    rule_version: str = ""
    detail: str = ""
    ref: str = ""
    digest: str = ""

    def by(self, person: Person) -> Entry:
        """Return this entry as what *person* did, not the requester."""
        return replace(self, user_id=person.user_id, team_id=person.team_id)


def entry_of(request: Request, kind: str, **more: str) -> Entry:
    """Return an entry of *kind* about *request*; *more* replaces its fields."""
    return Entry(
        **{
            "kind": kind,
            "request_id": request.id,
            "team_id": request.team_id,
            "user_id": request.user_id,
            "project": request.target.project,
            "instance": request.target.instance,
            "instance_id": request.target.instance_id,
            "rule": request.rule,
            "rule_version": request.rule_version,
            **more,
        }
    )


def append(connection: sa.Connection, entry: Entry, at: datetime) -> str:
    """Append *entry* within the caller's transaction and return its hash."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    last = connection.execute(
        sa.select(trail.c.seq, trail.c.hash).order_by(trail.c.seq.desc()).limit(1)
    ).first()
    row = asdict(entry) | {
        "seq": last.seq + 1 if last else 1,
        "at": at.isoformat(timespec="milliseconds"),
        "previous_hash": last.hash if last else ORIGIN,
    }
    row["hash"] = _hash(row)
    connection.execute(trail.insert().values(row))
    return str(row["hash"])


@in_thread
def note(database: Database, entry: Entry) -> str:
    """Append *entry* to the trail and return its hash."""
    with database.writing() as connection:
        return append(connection, entry, database.now())


@in_thread
def entries(
    database: Database, *, since: datetime, project: str = "", instance: str = ""
) -> list[dict[str, Any]]:
    """Return the trail since a time, newest first, as plain JSON values."""
    query = _since(since)
    query = query.where(trail.c.project == project) if project else query
    query = query.where(_about(instance)) if instance else query
    with database.reading() as connection:
        rows = connection.execute(query.order_by(trail.c.seq.desc())).mappings()
        return [dict(row) for row in rows]


@in_thread
def broken_glass(
    database: Database, *, since: datetime, project: str = "", instance: str = ""
) -> int:
    """Return how often an approval was passed by break-glass since a time."""
    query = _since(since).where(trail.c.kind == BREAK_GLASS)
    query = query.where(trail.c.project == project) if project else query
    query = query.where(_about(instance)) if instance else query
    with database.reading() as connection:
        count = sa.select(sa.func.count()).select_from(query.subquery())
        return connection.execute(count).scalar_one()


@in_thread
def digests(database: Database, request_id: str) -> frozenset[str]:
    """Return what the approval of a request was asked for and given for.

    All of these are one and the same, unless somebody has changed the record.
    """
    query = sa.select(trail.c.digest).where(trail.c.request_id == request_id)
    with database.reading() as connection:
        found = connection.execute(query.where(trail.c.digest != "")).scalars()
        return frozenset(found)


@in_thread
def newest_hash(database: Database) -> tuple[int, str]:
    """Return number and hash of the newest entry of the trail (0, "")."""
    query = sa.select(trail.c.seq, trail.c.hash).order_by(trail.c.seq.desc())
    with database.reading() as connection:
        row = connection.execute(query.limit(1)).first()
    return (row.seq, row.hash) if row else (0, "")


@in_thread
def verify(database: Database) -> list[str]:
    """Return a sentence for each entry of the trail that is not as it was."""
    with database.reading() as connection:
        return list(flaws(connection))


def flaws(connection: sa.Connection) -> Iterator[str]:
    """Yield a sentence for each entry that was changed, removed or moved."""
    number, previous = 0, ORIGIN
    for row in connection.execute(sa.select(trail).order_by(trail.c.seq)).mappings():
        if row["seq"] != number + 1:
            yield _missing(number + 1, row["seq"] - 1)
        elif row["previous_hash"] != previous:
            yield f"entry {row['seq']} does not follow the one before it"
        if row["hash"] != _hash(row):
            yield f"entry {row['seq']} ({row['at']}) was changed"
        number, previous = row["seq"], row["hash"]


def _missing(first: int, last: int) -> str:
    if first == last:
        return f"entry {first} is missing"
    return f"entries {first} to {last} are missing"


def _hash(row: Any) -> str:
    """Return the hash over all of *row* but the hash itself."""
    return hashlib.sha256(
        canonical({name: row[name] for name in row if name != "hash"}).encode()
    ).hexdigest()


def _since(since: datetime) -> sa.Select[Any]:
    """Return the query for the entries of the trail since a time."""
    at = since.astimezone(UTC).isoformat(timespec="milliseconds")
    return trail.select().where(trail.c.at >= at)


def _about(instance: str) -> sa.ColumnElement[bool]:
    """Return the condition for entries about an instance, by its name or its id."""
    return sa.or_(
        trail.c.instance == instance,
        sa.func.lower(trail.c.instance_id) == instance.lower(),
    )
