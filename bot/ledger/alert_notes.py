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
from bot.model import ENDS, Record, State

WRITE_WITHIN = timedelta(days=1)  # what could not be noted by then is not noted
TRY_AGAIN_AFTER_S = 60.0
MOST_NOTES = 10  # in one go


@dataclass(frozen=True, slots=True)
class Note:
    """What is to be noted on an *incident*: the end of a request, by its id.

    *record* is the request that tells it: another one, where it has joined that.
    *tries*: how often it was begun before; it may have been done then.
    """

    incident: str
    request_id: str
    record: Record
    tries: int


@in_thread
def take_notes(database: Database) -> list[Note]:
    """Return the notes to be written now, and by nobody but this caller.

    What somebody began and has not done since comes again, with what he tried.
    """
    now = database.now()
    host = requests.alias()
    state = sa.func.coalesce(host.c.state, requests.c.state)
    ended_at = sa.func.coalesce(host.c.ended_at, requests.c.ended_at)
    teller = sa.func.coalesce(host.c.id, requests.c.id)
    due = (
        sa.select(requests.c.id, teller, alerts.c.incident, notes.c.tries)
        .join(alerts, alerts.c.id == requests.c.alert)
        .outerjoin(host, host.c.id == requests.c.joined)
        .outerjoin(notes, notes.c.request_id == requests.c.id)
        .where(FROM_ALERT, requests.c.changed_at > (now - WRITE_WITHIN).timestamp())
        .where(state.in_(sorted(ENDS)), alerts.c.incident != "")
        # Whoever was refused at once was told so in private, and has no end.
        .where((state != State.REFUSED) | ended_at.is_not(None))
        .where(
            notes.c.request_id.is_(None)
            | notes.c.done.is_(False)
            & (notes.c.tried_at < now.timestamp() - TRY_AGAIN_AFTER_S)
        )
        .limit(MOST_NOTES)
    )
    with database.reading() as connection:
        if connection.execute(due).first() is None:
            return []
    with database.writing() as connection:
        take_turn(connection, "notes of incidents")
        found = connection.execute(due).all()
        for request_id, *_, tries in found:
            row = {"tries": (tries or 0) + 1, "tried_at": now.timestamp()}
            same = notes.update().where(notes.c.request_id == request_id)
            if not connection.execute(same.values(row)).rowcount:
                connection.execute(notes.insert().values(request_id=request_id, **row))
        ids = [teller_id for _, teller_id, *_ in found]
        ended = records(connection, requests.select().where(requests.c.id.in_(ids)))
        by_id = {record.request.id: record for record in ended}
        return [
            Note(incident, request_id, by_id[teller_id], tries or 0)
            for request_id, teller_id, incident, tries in found
        ]


@in_thread
def note_written(database: Database, request_id: str, problem: str = "") -> None:
    """Keep that a note was written, or for which *problem* it never will be."""
    with database.writing() as connection:
        query = notes.update().where(notes.c.request_id == request_id)
        connection.execute(query.values(done=True, problem=problem))
