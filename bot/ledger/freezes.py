"""Freezes: begun, ended, and which are in force, over all replicas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bot.errors import FrozenNow
from bot.ledger.audit import Entry, append
from bot.ledger.conflicts import take_turn
from bot.ledger.database import Database, in_thread
from bot.ledger.schema import FREEZE, THAW, freezes, trail
from bot.model import Freeze, Person, Request, frozen_by, utc

TELL_AGAIN_AFTER_S = 30.0  # who began to tell of it longer ago has died


@in_thread
def freeze(database: Database, wanted: Freeze) -> tuple[Freeze, bool]:
    """Begin a freeze and return it; or the one of the same scope that is in force.

    Say, too, whether it is new. The same delivery again returns what it began.
    """
    with database.writing() as connection:
        take_turn(connection, "freezes")
        known = _one(connection, freezes.c.id == wanted.id)
        if found := known or _of_scope(connection, wanted.project, database.now()):
            return found, False
        connection.execute(freezes.insert().values(_row(wanted)))
        until = wanted.until.isoformat(timespec="seconds")
        append(
            connection,
            _entry(wanted, FREEZE, f"until {until}: {wanted.reason}"),
            database.now(),
        )
        return wanted, True


@in_thread
def thaw(
    database: Database, project: str, person: Person, channel_id: str, delivery: str
) -> tuple[Freeze | None, bool]:
    """End the freeze of *project* ("": that of all) and return it; None without one.

    Say, too, whether that is new. The same delivery again returns what it ended.
    """
    with database.writing() as connection:
        take_turn(connection, "freezes")
        if known := _one(connection, freezes.c.thaw_id == delivery):
            return known, False
        found, now = _of_scope(connection, project, database.now()), database.now()
        if found is None:
            return None, False
        ended = replace(found, thawed_at=now, thawed_by=person.user_id)
        row = {
            "thawed_at": now.timestamp(),
            "thawed_by": person.user_id,
            "thawed_in": channel_id,
            "thaw_id": delivery,
        }
        connection.execute(freezes.update().where(freezes.c.id == found.id).values(row))
        entry = _entry(found, THAW, f"of the freeze by {found.user_id}: {found.reason}")
        entry = replace(entry, request_id=delivery).by(person)
        append(connection, entry, now)
        return ended, True


@in_thread
def frozen(database: Database) -> tuple[Freeze, ...]:
    """Return the freezes that are in force now, the one that began first at first."""
    with database.reading() as connection:
        return _in_force(connection, database.now())


@in_thread
def note_once(database: Database, entry: Entry) -> bool:
    """Append *entry*, unless the trail has one of its kind and delivery; say so."""
    same = (trail.c.request_id == entry.request_id) & (trail.c.kind == entry.kind)
    with database.writing() as connection:
        if connection.scalar(sa.select(trail.c.seq).where(same).limit(1)):
            return False
        append(connection, entry, database.now())
        return True


# --- telling of it -------------------------------------------------------------------


@in_thread
def take_telling(database: Database, freeze_id: str = "") -> list[Freeze]:
    """Return what the channel has to be told of now, and by nobody but this caller.

    On demand that of one freeze only. What somebody began to tell and has not told
    since comes again: he has died.
    """
    now = database.now().timestamp()
    thawed = freezes.c.thawed_at.is_not(None)
    untold = freezes.c.told.is_(False) | (thawed & freezes.c.thaw_told.is_(False))
    idle = freezes.c.telling_at.is_(None) | (
        freezes.c.telling_at < now - TELL_AGAIN_AFTER_S
    )
    where = [untold, idle, *([freezes.c.id == freeze_id] if freeze_id else [])]
    with database.reading() as connection:
        if connection.scalar(sa.select(freezes.c.id).where(*where).limit(1)) is None:
            return []
    with database.writing() as connection:
        query = freezes.select().where(*where).with_for_update()
        rows = connection.execute(query.order_by(freezes.c.since)).mappings().all()
        ids = [row["id"] for row in rows]
        taken = freezes.update().where(freezes.c.id.in_(ids))
        connection.execute(taken.values(telling_at=now))
        return [_freeze(row) for row in rows]


@in_thread
def untold_of(database: Database, freeze_id: str) -> tuple[bool, str]:
    """Return whether the beginning of a freeze is still to be told, and the channel
    in which its end is ("": nowhere)."""
    query = freezes.select().where(freezes.c.id == freeze_id)
    with database.reading() as connection:
        row = connection.execute(query).mappings().one()
    ended = row["thawed_at"] is not None and not row["thaw_told"]
    return not row["told"], row["thawed_in"] if ended else ""


@in_thread
def told_of(database: Database, /, freeze_id: str, **flags: bool) -> None:
    """Keep that the channel was told: *told*, *thaw_told*."""
    values = {**flags, "telling_at": None}
    with database.writing() as connection:
        query = freezes.update().where(freezes.c.id == freeze_id)
        connection.execute(query.values(values))


# --- for those who act ---------------------------------------------------------------


def forbid_frozen(connection: sa.Connection, request: Request, now: datetime) -> None:
    """Raise FrozenNow if a freeze forbids *request* its call, in this transaction."""
    freeze = frozen_by(_in_force(connection, now), request.target.project, now)
    if freeze is not None and not request.passes_freezes:
        raise FrozenNow(freeze)


def _in_force(connection: sa.Connection, now: datetime) -> tuple[Freeze, ...]:
    query = (
        freezes.select()
        .where(freezes.c.until > now.timestamp(), freezes.c.thawed_at.is_(None))
        .order_by(freezes.c.since)
    )
    return tuple(_freeze(row) for row in connection.execute(query).mappings())


def _of_scope(connection: sa.Connection, project: str, now: datetime) -> Freeze | None:
    found: Sequence[Freeze] = _in_force(connection, now)
    return next((one for one in found if one.project == project), None)


def _one(connection: sa.Connection, where: sa.ColumnElement[bool]) -> Freeze | None:
    row = connection.execute(freezes.select().where(where)).mappings().first()
    return _freeze(row) if row else None


def _row(freeze: Freeze) -> dict[str, Any]:
    return asdict(freeze) | {
        "since": freeze.since.timestamp(),
        "until": freeze.until.timestamp(),
        "thawed_at": None,
    }


def _freeze(row: sa.RowMapping) -> Freeze:
    thawed_at = row["thawed_at"]
    return Freeze(
        id=row["id"],
        project=row["project"],
        user_id=row["user_id"],
        team_id=row["team_id"],
        channel_id=row["channel_id"],
        reason=row["reason"],
        zone=row["zone"],
        since=utc(row["since"]),
        until=utc(row["until"]),
        thawed_at=None if thawed_at is None else utc(thawed_at),
        thawed_by=row["thawed_by"],
    )


def _entry(freeze: Freeze, kind: str, detail: str) -> Entry:
    return Entry(
        kind=kind,
        request_id=freeze.id,
        team_id=freeze.team_id,
        user_id=freeze.user_id,
        project=freeze.typed,
        detail=detail,
    )
