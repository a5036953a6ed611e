"""Writing down what is asked for, once for each delivery, one or several at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from bot.errors import LedgerError
from bot.ledger.audit import append, entry_of
from bot.ledger.conflicts import host_of
from bot.ledger.database import Database, in_thread
from bot.ledger.rows import BY_ID, in_turn, records, row_of
from bot.ledger.schema import BREAK_GLASS, requests
from bot.model import Record, Request, State


@in_thread
def record(
    database: Database,
    request: Request,
    *,
    refusal: str = "",
    deadline: datetime | None = None,
) -> tuple[Record, bool]:
    """Record *request* and return its record, and whether it is new.

    The same delivery twice is one request: the second time its record comes back
    as it is. A *refusal* ends it at once. One that must wait for another request
    of the same instance joins that one. After *deadline* nothing is recorded and
    LedgerError raised: the person has been told so already.
    """
    with database.writing() as connection:
        if known := records(connection, BY_ID, id=request.id):
            return known[0], False
        host = None if refusal else host_of(connection, request)
        try:
            with connection.begin_nested():
                _insert(connection, request, host, database.now(), refusal)
        except IntegrityError:  # another replica was quicker with this delivery
            return records(connection, BY_ID, id=request.id)[0], False
        _note(connection, request, host, database.now(), refusal)
        _in_time(database.now(), deadline)
        return records(connection, BY_ID, id=request.id)[0], True


@in_thread
def record_all(
    database: Database, several: Sequence[Request], *, deadline: datetime | None = None
) -> tuple[list[Record], bool]:
    """Record *several* requests as one batch, all or none, as ``record`` does.

    The first one that is not taken care of by another request already speaks for
    all. A delivery whose requests are known, even if only some, comes back as it is.
    """
    ids = requests.c.id.in_([request.id for request in several])
    known = requests.select().where(ids)
    with database.writing() as connection:
        if found := records(connection, known):
            return in_turn(found), False
        # In an order of their own, so that two batches never wait for each other.
        by_key = sorted(several, key=lambda request: request.target.key)
        hosts = {one.id: host_of(connection, one) for one in by_key}
        batch = _speaker(several, hosts)
        members = [replace(one, batch=batch) for one in several]
        try:
            with connection.begin_nested():
                for one in members:
                    _insert(connection, one, hosts[one.id], database.now())
                if all(hosts.values()):  # there is nothing to be said but theirs
                    connection.execute(requests.update().where(ids).values(summed=True))
        except IntegrityError:
            return in_turn(records(connection, known)), False
        for one in members:
            _note(connection, one, hosts[one.id], database.now())
        _in_time(database.now(), deadline)
        return in_turn(records(connection, known)), True


def _insert(
    connection: sa.Connection,
    request: Request,
    host: Record | None,
    now: datetime,
    refusal: str = "",
) -> None:
    """Write *request*, which joins *host* if there is one."""
    state = State.JOINED if host else State.ASKED
    row = row_of(request, State.REFUSED if refusal else state, now)
    clean = connection.get_execution_options().get("clean", str)
    row["request"] = {**row["request"], "reason": clean(request.reason)}
    row |= {"detail": clean(refusal), "joined": host.request.id if host else ""}
    connection.execute(requests.insert(), row)


def _note(
    connection: sa.Connection,
    request: Request,
    host: Record | None,
    now: datetime,
    refusal: str = "",
) -> None:
    """Write the entries of the trail for what was written."""
    said = refusal or (f"joined {host.request.id}" if host else request.reason)
    kind = "refused" if refusal else ("joined" if host else "asked")
    append(connection, entry_of(request, kind, detail=said), now)
    if kind == "asked" and request.break_glass:
        glass = entry_of(request, BREAK_GLASS, detail=request.reason)
        append(connection, glass, now)
    if kind == "asked" and request.passes:
        passing = entry_of(request, "passes a freeze", detail=request.passes)
        append(connection, passing, now)


def _in_time(now: datetime, deadline: datetime | None) -> None:
    """Raise LedgerError after *deadline*: nothing stays written."""
    if deadline is not None and now > deadline:
        raise LedgerError("the database answered too late")


def _speaker(several: Sequence[Request], hosts: dict[str, Record | None]) -> str:
    """Return the id of the request that speaks for all."""
    own = (request.id for request in several if hosts[request.id] is None)
    return next(own, several[0].id)
