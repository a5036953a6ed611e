"""The audit trail: its entries, appending one, and reading them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from bot.ledger.chain import ORIGIN, Row, flaws, hash_of
from bot.ledger.database import Database, HasDatabase, in_thread
from bot.ledger.migration import initial
from bot.ledger.proof import Proof
from bot.ledger.reconciliation import differences
from bot.ledger.schema import IS_BREAK_GLASS, requests, trail
from bot.model import Person, Request

ENTRIES_A_PAGE = 500  # entries that are read at once
NAME_LIMIT = 64  # characters of an instance's name: the cloud's may be longer
# Any fixed number: the key of the lock that puts the writers of all replicas in a row.
_TRAIL_LOCK = 0x6D6C7374


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
            "instance": request.target.instance[:NAME_LIMIT],
            "instance_id": request.target.instance_id,
            "rule": request.rule,
            "rule_version": request.rule_version,
            **more,
        }
    )


_LAST = sa.select(trail.c.seq, trail.c.hash).order_by(trail.c.seq.desc()).limit(1)
_ADD = trail.insert()


def append(connection: sa.Connection, entry: Entry, at: datetime) -> str:
    """Append *entry* within the caller's transaction and return its hash."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_TRAIL_LOCK)))
    last = connection.execute(_LAST).first()
    clean = connection.get_execution_options().get("clean", str)
    said = {name: clean(text) for name, text in asdict(entry).items()}
    row = {column.name: initial(column) for column in trail.c} | said
    row |= {
        "seq": last.seq + 1 if last else 1,
        "at": at.isoformat(timespec="milliseconds"),
        "previous_hash": last.hash if last else ORIGIN,
    }
    row["hash"] = hash_of(row)
    connection.execute(_ADD, row)
    return str(row["hash"])


@in_thread
def note(database: Database, entry: Entry) -> str:
    """Append *entry* to the trail and return its hash."""
    with database.writing() as connection:
        return append(connection, entry, database.now())


@in_thread
def entries(
    database: Database,
    *,
    since: datetime,
    project: str = "",
    instance: str = "",
    before: int | None = None,
    limit: int | None = None,
) -> list[dict[str, Any]]:
    """Return the trail since a time, newest first, as plain JSON values.

    Of a long one the newest *limit* entries with a number *before* that one.
    """
    where = _narrowed(since, project, instance)
    where += [trail.c.seq < before] if before is not None else []
    query = trail.select().where(*where).order_by(trail.c.seq.desc()).limit(limit)
    with database.reading() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


async def pages(
    ledger: HasDatabase,
    *,
    since: datetime,
    project: str = "",
    instance: str = "",
    limit: int | None = None,
) -> AsyncIterator[list[dict[str, Any]]]:
    """Yield what ``entries`` returns, ENTRIES_A_PAGE of them at a time."""
    before, left = None, limit
    while left is None or left > 0:
        size = ENTRIES_A_PAGE if left is None else min(ENTRIES_A_PAGE, left)
        page = await entries(
            ledger,
            since=since,
            project=project,
            instance=instance,
            before=before,
            limit=size,
        )
        if page:
            yield page
        if len(page) < size:
            return
        before = page[-1]["seq"]
        left = None if left is None else left - size


@in_thread
def broken_glass(
    database: Database, *, since: datetime, project: str = "", instance: str = ""
) -> int:
    """Return how often an approval was passed by break-glass since a time."""
    query = (
        sa.select(sa.func.count())
        .select_from(trail)
        .where(IS_BREAK_GLASS, *_narrowed(since, project, instance))
    )
    with database.reading() as connection:
        return connection.execute(query).scalar_one()


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
def prove(
    database: Database, beside: Callable[[Iterable[Row]], Iterable[Row]] = iter
) -> Proof:
    """Go through the whole trail and all requests, and say what that proves.

    *beside* is handed all entries, oldest first, and hands them on.
    """
    proof = Proof()
    with database.reading() as connection:
        if connection.dialect.name == "postgresql":  # all as of one moment
            connection.execution_options(isolation_level="REPEATABLE READ")
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")  # it sorts
        rows = proof.seen(_streamed(connection, trail.select(), trail.c.seq))
        proof.flaws += flaws(beside(rows))
        # As Python sorts: PostgreSQL may go by the rules of a language.
        how = "C" if connection.dialect.name == "postgresql" else "BINARY"
        of, by = trail.c.request_id, requests.c.id
        told = trail.select().where(of != "")
        heard = _streamed(connection, told, sa.collate(of, how), trail.c.seq)
        asked = _streamed(connection, requests.select(), sa.collate(by, how))
        proof.flaws += differences(proof.compared(asked), heard)
    return proof


def _streamed(
    connection: sa.Connection, query: sa.Select[Any], *order: sa.ColumnElement[Any]
) -> Iterator[Row]:
    """Yield the rows of *query* in that order, a page of them in memory at a time."""
    query = query.order_by(*order).execution_options(yield_per=ENTRIES_A_PAGE)
    return map(dict, connection.execute(query).mappings())


async def verify(ledger: HasDatabase) -> list[str]:
    """Return a sentence for each thing of trail and requests that is not as it was."""
    return (await prove(ledger)).flaws


def _narrowed(
    since: datetime, project: str, instance: str
) -> list[sa.ColumnElement[bool]]:
    """Return the conditions for entries since a time, of a project or an instance.

    An instance goes by its name or its id.
    """
    at = since.astimezone(UTC).isoformat(timespec="milliseconds")
    where: list[sa.ColumnElement[bool]] = [trail.c.at >= at]
    if project:
        where.append(trail.c.project == project)
    if instance:
        its_id = sa.func.lower(trail.c.instance_id) == instance.lower()
        where.append((trail.c.instance == instance[:NAME_LIMIT]) | its_id)
    return where
