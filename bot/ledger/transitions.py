"""Moving a request from state to state, each time with its entry in the trail."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from bot.errors import StateConflict
from bot.ledger.audit import append, entry_of
from bot.ledger.conflicts import busy, host_of, take_turn
from bot.ledger.database import Database, in_thread
from bot.ledger.deliveries import taken
from bot.ledger.rows import locked, set_fields, with_others
from bot.model import ENDS, Instance, Person, Record, State, digest, may_move


@in_thread
def move(
    database: Database,
    /,
    request_id: str,
    state: State,
    *,
    by: Person | None = None,
    delivery: str = "",
    only_from: State | None = None,
    **fields: Any,
) -> Record:
    """Move a request to *state*, set *fields* of its record, and return it.

    *by* is who decided that, where it was not the bot. A request that is in *state*
    already comes back unchanged (a step that runs again). Raises StateConflict
    where TRANSITIONS forbids it, where it is in another state than *only_from*, or
    where Slack's *delivery* has moved another one (that one's record comes with it),
    InstanceBusy where another request is under way for the instance. Whatever cancels
    one of a batch, or lets it expire, does so to all of it that waits for approval.
    """
    with database.writing() as connection:
        all_of_it = state in {State.CANCELLED, State.EXPIRED}
        record, others = with_others(connection, request_id, all_of_it)
        if delivery and record.state != state:
            before = taken(connection, delivery, request_id, database.now())
            if before is not None:
                raise StateConflict(locked(connection, before))
        if record.state == state:
            return record
        if not may_move(record, state) or only_from not in {None, record.state}:
            raise StateConflict(record)
        for other in others:
            moved(connection, other, state, fields, database.now(), by)
        try:
            with connection.begin_nested():
                return moved(connection, record, state, fields, database.now(), by)
        except IntegrityError as error:  # the index mlstudio_one_under_way
            raise busy(connection, record.request) from error


@in_thread
def wait_for_approval(
    database: Database, request_id: str, baseline: Instance
) -> Record:
    """Let a request that was asked for wait for approval, and return its record.

    Approval is asked for once: where another request of the instance has come as
    far already, on whichever replica, this one joins it.
    """
    with database.writing() as connection:
        record = locked(connection, request_id)
        if record.state is not State.ASKED:
            return record
        take_turn(connection, record.request.target.key)
        if host := host_of(connection, record.request):
            joined = {"joined": host.request.id}
            return moved(connection, record, State.JOINED, joined, database.now())
        asked = {"baseline": baseline}
        return moved(connection, record, State.PENDING, asked, database.now())


@in_thread
def join(database: Database, request_id: str, host_id: str) -> bool:
    """Let a request join *host_id*, unless that one has ended; say whether."""
    with database.writing() as connection:
        host = locked(connection, host_id)
        if host.state in ENDS:
            return False
        record = locked(connection, request_id)
        if not may_move(record, State.JOINED) and record.state != State.JOINED:
            raise StateConflict(record)
        if record.state != State.JOINED:
            joined = {"joined": host_id}
            moved(connection, record, State.JOINED, joined, database.now())
        return True


@in_thread
def update(database: Database, /, *request_ids: str, **fields: Any) -> None:
    """Set *fields* of requests' records; their state stays as it is."""
    with database.writing() as connection:
        for request_id in request_ids:
            set_fields(connection, request_id, fields)


@in_thread
def keep_card(database: Database, /, ts: str, *request_ids: str, before: str) -> str:
    """Keep which message is the card of requests; return which one it is.

    Where it is another than *before* by now, that one stays: of two copies, the one
    that was kept first.
    """
    with database.writing() as connection:
        # In one order for all, so that two who ask never lock each other out.
        all_of_it = [locked(connection, one) for one in sorted(request_ids)]
        known = next((one.card_ts for one in all_of_it if one.card_ts), "")
        if known != before:
            return known
        for request_id in request_ids:
            set_fields(connection, request_id, {"card_ts": ts})
        return ts


def moved(
    connection: sa.Connection,
    record: Record,
    state: State,
    fields: dict[str, Any],
    now: datetime,
    by: Person | None = None,
) -> Record:
    """Move *record* within *connection*'s transaction, with its trail entry."""
    more: dict[str, Any] = dict(fields)
    if state in ENDS:
        more.setdefault("ended_at", now)
    if by is not None:
        more["decided_by"] = by.user_id
    more |= {"state": state, "changed_at": now}
    set_fields(connection, record.request.id, more)
    after = locked(connection, record.request.id)
    entry = entry_of(
        record.request,
        str(state),
        detail=str(fields.get("detail") or fields.get("joined", "")),
        ref=str(fields.get("ref", "")),
        digest=digest_of(after) if state is State.PENDING else "",
    )
    append(connection, entry.by(by) if by else entry, now)
    return after


def digest_of(record: Record) -> str:
    """Return what an approval of *record* is for."""
    return digest(record.request, record.baseline.status if record.baseline else "")
