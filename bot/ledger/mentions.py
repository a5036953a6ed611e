"""Who was mentioned while a request waits, and what was said of it: once each.

Whoever says it claims that before, and keeps afterwards that it was said. A claim that
is old was a crash in between: then it is said again, twice rather than never.
"""

from __future__ import annotations

import sqlalchemy as sa

from bot.ledger.audit import append, entry_of
from bot.ledger.database import Database, in_thread
from bot.ledger.rows import locked
from bot.ledger.schema import mentions

ASKED_FURTHER = "asked further"  # the kind of an entry in the trail
CLAIM_HOLDS_S = 30.0  # longer than a post takes


@in_thread
def mentioned(database: Database, request_id: str) -> frozenset[str]:
    """Return what was said already of a request that waits."""
    query = sa.select(mentions.c.what).where(
        mentions.c.request_id == request_id, mentions.c.said.is_(True)
    )
    with database.reading() as connection:
        return frozenset(connection.scalars(query))


@in_thread
def claim_mentions(database: Database, request_id: str, *whats: str) -> bool:
    """Claim to say all of that, for a while; say whether nobody else has."""
    with database.writing() as connection:
        locked(connection, request_id)
        now = database.now().timestamp()
        mine = _rows(request_id, whats)
        old = mentions.c.said.is_(False) & (mentions.c.at <= now - CLAIM_HOLDS_S)
        connection.execute(mentions.delete().where(mine, old))
        if connection.execute(sa.select(mentions.c.what).where(mine)).first():
            return False
        rows = [{"request_id": request_id, "what": one, "at": now} for one in whats]
        connection.execute(mentions.insert(), rows)
        return True


@in_thread
def give_back_mentions(database: Database, request_id: str, *whats: str) -> None:
    """Give a claim back: surely nothing was said."""
    unsaid = _rows(request_id, whats) & mentions.c.said.is_(False)
    with database.writing() as connection:
        connection.execute(mentions.delete().where(unsaid))


@in_thread
def note_mentions(
    database: Database, request_id: str, *whats: str, detail: str = ""
) -> None:
    """Keep that all of that was said; *detail*, if any, goes into the trail."""
    with database.writing() as connection:
        said = mentions.update().where(_rows(request_id, whats)).values(said=True)
        connection.execute(said)
        if detail:
            request = locked(connection, request_id).request
            entry = entry_of(request, ASKED_FURTHER, detail=detail)
            append(connection, entry, database.now())


def _rows(request_id: str, whats: tuple[str, ...]) -> sa.ColumnElement[bool]:
    return (mentions.c.request_id == request_id) & mentions.c.what.in_(whats)
