"""Asking the ledger: queries that change nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from bot.errors import LedgerError
from bot.ledger.database import Database, HasDatabase, in_thread
from bot.ledger.rows import in_turn, records
from bot.ledger.schema import (
    FREEZE,
    HAS_JOINED,
    IN_BATCH,
    IS_DOWN,
    IS_ENDED,
    IS_OPEN,
    IS_RESTART,
    THAW,
    WAS_SENT,
    requests,
    trail,
)
from bot.model import ENDS, Record, State

# Whoever could not be told by then never will be.
TOLD_WITHIN = timedelta(days=2)
ENOUGH = 20  # restarts that say how long they take
TOLD_BY_STORY = sorted(ENDS - {State.REFUSED, State.JOINED})

# What is asked at every look is put together once: that takes as long as the asking.
_KEY = requests.c.instance_key == sa.bindparam("key")
_ONE = requests.select().where(requests.c.id == sa.bindparam("id"))
_OPEN = requests.select().where(IS_OPEN).order_by(requests.c.asked_at)
_OPEN_HERE = _OPEN.where(_KEY)
_BATCH = requests.select().where(IN_BATCH, requests.c.batch == sa.bindparam("batch"))
_IDS: sa.BindParameter[str] = sa.bindparam("ids", expanding=True)
_KNOWN = requests.select().where(requests.c.id.in_(_IDS))
_JOINED = (
    requests.select()
    .where(HAS_JOINED, requests.c.joined == sa.bindparam("host"))
    .order_by(requests.c.asked_at)
)
_SENT = (
    requests.select()
    .where(_KEY, WAS_SENT, requests.c.id != sa.bindparam("but"))
    .order_by(requests.c.sent_at.desc())
    .limit(1)
)
_DURATIONS = (
    sa.select(requests.c.duration_s)
    .where(_KEY, WAS_SENT, requests.c.state == State.READY)
    .where(requests.c.duration_s.is_not(None))
    .where(requests.c.wants == sa.bindparam("wants"))
    .order_by(requests.c.sent_at.desc())
    .limit(ENOUGH)
)
_IN_FLIGHT = sa.select(sa.func.count()).where(IS_OPEN)


@in_thread
def get(database: Database, request_id: str) -> Record | None:
    """Return the record of a request, or None."""
    return _first(_select(database, _ONE, id=request_id))


async def existing(ledger: HasDatabase, request_id: str) -> Record:
    """Return the record of a request that must exist, else raise LedgerError."""
    record = await get(ledger, request_id)
    if record is None:
        raise LedgerError(f"there is no request {request_id}")
    return record


@in_thread
def pending(database: Database, instance_key: str) -> Record | None:
    """Return the oldest request of an instance that waits for approval, or None."""
    found = _select(database, _OPEN_HERE, key=instance_key)
    return next((one for one in found if one.state is State.PENDING), None)


@in_thread
def last_restart(
    database: Database, instance_key: str, *, but: str = ""
) -> Record | None:
    """Return the latest request of an instance whose restart call may have been
    carried out, leaving out the request *but*."""
    return _first(_select(database, _SENT, key=instance_key, but=but))


@in_thread
def durations(
    database: Database, instance_key: str, wants: str = ""
) -> tuple[float, ...]:
    """Return how long the last restarts took until ready, in seconds, newest first.

    Only restarts that became ready count; *wants* "start": starts.
    """
    about = {"key": instance_key, "wants": wants}
    with database.reading() as connection:
        return tuple(connection.scalars(_DURATIONS, about))


@in_thread
def recent(
    database: Database, *, project: str = "", instance_key: str = "", limit: int
) -> list[Record]:
    """Return the latest restarts and what may become one, newest first.

    What was refused, denied or came to nothing else is in the trail only.
    """
    where: list[sa.ColumnElement[bool]] = [IS_RESTART]
    where += [requests.c.project == project] if project else []
    where += [requests.c.instance_key == instance_key] if instance_key else []
    query = requests.select().where(*where).limit(limit)
    return _select(database, query.order_by(requests.c.asked_at.desc()))


@in_thread
def open_requests(database: Database, instance_key: str = "") -> list[Record]:
    """Return every request, or every one of an instance, that has not ended.

    The oldest is the first.
    """
    if instance_key:
        return _select(database, _OPEN_HERE, key=instance_key)
    return _select(database, _OPEN)


@in_thread
def down(database: Database, instance_key: str = "") -> list[Record]:
    """Return what was left down, or whether an instance was, and is not up again.

    Of several requests that left the same instance down, the latest.
    """
    where = [IS_DOWN, requests.c.up_again.is_(False)]
    where += [requests.c.instance_key == instance_key] if instance_key else []
    # Asked for in order, SQLite reads all that there ever was of the instance.
    found = _select(database, requests.select().where(*where))
    return sorted(found, key=lambda record: record.request.asked_at)


@in_thread
def in_flight(database: Database) -> int:
    """Return how many requests have not ended."""
    with database.reading() as connection:
        return connection.execute(_IN_FLIGHT).scalar_one()


@in_thread
def joined(database: Database, host_id: str) -> list[Record]:
    """Return the requests that joined *host_id*, oldest first."""
    return _select(database, _JOINED, host=host_id)


@in_thread
def batch(database: Database, batch: str) -> list[Record]:
    """Return the requests of a batch in their order."""
    return in_turn(_select(database, _BATCH, batch=batch)) if batch else []


@in_thread
def asked_with(database: Database, request_id: str) -> list[Record]:
    """Return a request and all that were asked for together with it, in their order.

    Raises LedgerError where there is no such request.
    """
    with database.reading() as connection:
        found = records(connection, _ONE, id=request_id)
        if not found:
            raise LedgerError(f"there is no request {request_id}")
        if batch := found[0].request.batch:
            found = records(connection, _BATCH, batch=batch)
    return in_turn(found)


@in_thread
def known(database: Database, request_ids: Sequence[str]) -> list[Record]:
    """Return the records of those requests that are known, in their order."""
    return in_turn(_select(database, _KNOWN, ids=list(request_ids)))


@in_thread
def untold(database: Database) -> list[str]:
    """Return the ids of all requests whose end has not been told by their story."""
    recent = requests.c.changed_at > (database.now() - TOLD_WITHIN).timestamp()
    untold = requests.c.state.in_(TOLD_BY_STORY) & requests.c.told.is_(False)
    speaks = (requests.c.batch == requests.c.id) & requests.c.summed.is_(False)
    # One that was refused at once has no story; one that was refused later has ended.
    untold |= (
        (requests.c.state == State.REFUSED)
        & requests.c.ended_at.is_not(None)
        & requests.c.told.is_(False)
    )
    # Two questions, each of which an index answers.
    ended = IS_ENDED & recent & (untold | speaks)
    query = sa.union_all(
        sa.select(requests.c.id).where(IS_OPEN), sa.select(requests.c.id).where(ended)
    )
    with database.reading() as connection:
        return list(connection.scalars(query))


@in_thread
def news(database: Database, *, since: int) -> tuple[int, frozenset[str]]:
    """Return the number of the newest entry of the trail, and what is new.

    New is each request with an entry after the one numbered *since*, by the id of
    the one that speaks for it; after a freeze or a thaw, each that waits for approval.
    """
    speaks = sa.case((requests.c.batch == "", requests.c.id), else_=requests.c.batch)
    newer = trail.c.seq > since
    query = (
        sa.select(speaks).distinct().join(trail, trail.c.request_id == requests.c.id)
    )
    with database.reading() as connection:
        newest = connection.scalar(sa.select(sa.func.max(trail.c.seq))) or 0
        if newest <= since:
            return newest, frozenset()
        # What comes in between is seen twice, which does no harm.
        found = frozenset(connection.scalars(query.where(newer)))
        turned = trail.select().where(newer, trail.c.kind.in_([FREEZE, THAW]))
        if connection.execute(turned.limit(1)).first():
            pending = sa.select(speaks).where(requests.c.state == State.PENDING)
            found |= frozenset(connection.scalars(pending.where(IS_OPEN)))
        return newest, found


def _first(found: Sequence[Record]) -> Record | None:
    return found[0] if found else None


def _select(
    database: Database, query: sa.Select[Any], **parameters: object
) -> list[Record]:
    with database.reading() as connection:
        return records(connection, query, **parameters)
