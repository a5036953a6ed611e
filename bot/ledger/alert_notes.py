"""Notes on incidents: which restarts that were asked for from a card have ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from bot.ledger.alert_tables import FROM_ALERT, alerts, notes
from bot.ledger.conflicts import take_turn
from bot.ledger.database import Database, in_thread
from bot.ledger.rows import records
from bot.ledger.schema import requests
from bot.model import ENDS, Record

WRITE_WITHIN = timedelta(days=1)  # what could not be noted by then is not noted
TRY_AGAIN_AFTER_S = 60.0
MOST = 10  # in one go


@dataclass(frozen=True, slots=True)
class Note:
    """What is to be noted on an *incident*: the end of a request.

    *tries*: how often that was begun before; it may have been done then.
    """

    incident: str
    record: Record
    tries: int


@in_thread
def take_notes(database: Database) -> list[Note]:
    """Return the notes to be written now, and by nobody but this caller.

    What somebody began and has not done since comes again, with what he tried.
    """
    now = database.now()
    due = (
        sa.select(requests.c.id, alerts.c.incident, notes.c.tries)
        .join(alerts, alerts.c.id == requests.c.alert)
        .outerjoin(notes, notes.c.request_id == requests.c.id)
        .where(FROM_ALERT, requests.c.changed_at > (now - WRITE_WITHIN).timestamp())
        .where(requests.c.state.in_(sorted(ENDS)), alerts.c.incident != "")
        .where(
            notes.c.request_id.is_(None)
            | notes.c.done.is_(False)
            & (notes.c.tried_at < now.timestamp() - TRY_AGAIN_AFTER_S)
        )
        .limit(MOST)
    )
    with database.reading() as connection:
        if connection.execute(due).first() is None:
            return []
    with database.writing() as connection:
        take_turn(connection, "notes of incidents")
        found = connection.execute(due).all()
        for request_id, _, tries in found:
            row = {"tries": (tries or 0) + 1, "tried_at": now.timestamp()}
            same = notes.update().where(notes.c.request_id == request_id)
            if not connection.execute(same.values(row)).rowcount:
                connection.execute(notes.insert().values(request_id=request_id, **row))
        ids = [request_id for request_id, *_ in found]
        ended = records(connection, requests.select().where(requests.c.id.in_(ids)))
        by_id = {record.request.id: record for record in ended}
        return [
            Note(incident, by_id[one], tries or 0) for one, incident, tries in found
        ]


@in_thread
def note_written(database: Database, request_id: str, problem: str = "") -> None:
    """Keep that a note was written, or for which *problem* it never will be."""
    with database.writing() as connection:
        query = notes.update().where(notes.c.request_id == request_id)
        connection.execute(query.values(done=True, problem=problem))
