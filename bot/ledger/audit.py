"""The audit trail: entries that only grow, each with the hash of the one before."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bot.ledger.schema import trail
from bot.model import Person, Request, canonical

ORIGIN = "0" * 64
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
