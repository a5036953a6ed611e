"""Who was mentioned while a request waits, and what was said of it: once each.

It is kept after it was said: who dies in between says it twice rather than never.
"""

from __future__ import annotations

import sqlalchemy as sa

from bot.ledger.audit import append, entry_of
from bot.ledger.database import Database, in_thread
from bot.ledger.rows import locked
from bot.ledger.schema import mentions

ASKED_FURTHER = "asked further"  # the kind of an entry in the trail


@in_thread
def mentioned(database: Database, request_id: str) -> frozenset[str]:
    """Return what was said already of a request that waits."""
    query = sa.select(mentions.c.what).where(mentions.c.request_id == request_id)
    with database.reading() as connection:
        return frozenset(connection.scalars(query))


@in_thread
def note_mention(
    database: Database, request_id: str, *whats: str, detail: str = ""
) -> None:
    """Keep that this was said of a request; *detail*, if any, goes into the trail."""
    with database.writing() as connection:
        now = database.now()
        kept = sa.select(mentions.c.what).where(mentions.c.request_id == request_id)
        known = set(connection.scalars(kept))
        new = [what for what in dict.fromkeys(whats) if what not in known]
        for what in new:
            row = {"request_id": request_id, "what": what, "at": now.timestamp()}
            connection.execute(mentions.insert().values(row))
        if new and detail:
            request = locked(connection, request_id).request
            append(connection, entry_of(request, ASKED_FURTHER, detail=detail), now)
