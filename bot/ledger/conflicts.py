"""Who is in the way: the other open requests of an instance."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import sqlalchemy as sa

from bot.errors import InstanceBusy, LedgerError
from bot.ledger.rows import records
from bot.ledger.schema import IS_OPEN, requests
from bot.model import UNDER_WAY, Record, Request, State

_IN_THE_WAY = (
    requests.select()
    .where(requests.c.instance_key == sa.bindparam("key"), IS_OPEN)
    .where(requests.c.id != sa.bindparam("but"))
    .where(requests.c.state.in_(sa.bindparam("states", expanding=True)))
    .order_by(requests.c.asked_at)
    .limit(1)
    .with_for_update()
)


def busy(connection: sa.Connection, request: Request) -> LedgerError:
    """Return the error that names who is under way for the instance of *request*."""
    other = _other(connection, request, sorted(UNDER_WAY))
    if other is None:  # it ended in this very moment
        return LedgerError("another restart of this instance has just ended")
    return InstanceBusy(other)


def take_turn(connection: sa.Connection, instance_key: str) -> None:
    """Let the transactions that look for a host for one instance go one by one.

    On SQLite those that write do so anyway.
    """
    if connection.dialect.name == "postgresql":
        digest = hashlib.sha256(instance_key.encode()).digest()
        key = int.from_bytes(digest[:8], "big", signed=True)
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))


def host_of(connection: sa.Connection, request: Request) -> Record | None:
    """Return the request that a new one has to join, if any.

    One that needs approval joins one that waits for it already; one that needs none
    waits for nobody but a restart under way.
    """
    states: Sequence[State] = [*UNDER_WAY, State.APPROVED]
    return _other(
        connection, request, [*states, State.PENDING] if request.waits else states
    )


def _other(
    connection: sa.Connection, request: Request, states: Sequence[State]
) -> Record | None:
    found = records(
        connection,
        _IN_THE_WAY,
        key=request.target.key,
        but=request.id,
        states=sorted(states),
    )
    return found[0] if found else None
