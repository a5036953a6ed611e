"""The words of approvers: counted once for each of them; enough, or one no, decide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime

import sqlalchemy as sa

from bot.errors import StateConflict
from bot.ledger.audit import append, entry_of
from bot.ledger.chain import holds
from bot.ledger.database import Database, in_thread
from bot.ledger.deliveries import taken
from bot.ledger.rows import locked, records, set_fields, together, with_others
from bot.ledger.schema import trail, votes, votes_off
from bot.ledger.transitions import digest_of, moved
from bot.model import Person, Record, State, Vote

APPROVAL = "approval"  # the kind of its entry in the trail
TAKEN_OFF = "approval taken off"


@in_thread
def vote(
    database: Database,
    request_id: str,
    person: Person,
    *,
    approve: bool,
    delivery: str = "",
    beside: str = "",
) -> Record:
    """Count one person's word; enough approvals, or one denial, decide.

    A word on one of a batch counts for all of it that waits for approval. Raises
    StateConflict when it has been decided already or its time is up; a word that
    comes too late for an open request makes it expire. Slack's *delivery* of a click
    counts the first time only. *beside* goes into its entry in the trail.
    """
    with database.writing() as connection:
        record, others = with_others(connection, request_id)
        expires = record.request.expires_at
        if record.state != State.PENDING:
            raise StateConflict(record)
        now = database.now()
        if delivery and taken(connection, delivery, request_id, now) is not None:
            return record
        if expires is None or now < expires:
            word = Vote(person.user_id, approve, now)
            for other in others:
                _voted(connection, other, person, word, beside)
            return _voted(connection, record, person, word, beside)
        for other in others:
            moved(connection, other, State.EXPIRED, {}, now)
        record = moved(connection, record, State.EXPIRED, {}, now)
    raise StateConflict(record)


def _voted(
    connection: sa.Connection, record: Record, person: Person, word: Vote, beside: str
) -> Record:
    """Store *person*'s word on a request that is open, and what follows from it."""
    request = record.request
    _cast(connection, request.id, word)
    kind = APPROVAL if word.approve else "denial"
    entry = entry_of(request, kind, digest=digest_of(record), detail=beside)
    append(connection, entry.by(person), word.at)
    return _counted(connection, locked(connection, request.id), person, word.at)


@in_thread
def take_off(database: Database, request_id: str, lost: Mapping[str, str]) -> Record:
    """Take the approvals of *lost* (user id to why) off, and return the record.

    What was approved with them, a batch as a whole, waits for approval again; what
    stands otherwise stays as it is (a step that runs again).
    """
    with database.writing() as connection:
        now = database.now()
        for one in records(connection, together(request_id)):
            if one.state is State.APPROVED:
                for word in one.votes:
                    if why := lost.get(word.user_id):
                        _take_off(connection, one, replace(word, at=now, note=why))
                moved(connection, one, State.PENDING, {}, now)
        return locked(connection, request_id)


def _take_off(connection: sa.Connection, record: Record, word: Vote) -> None:
    """Let an approval count no more, for the reason in its note."""
    request = record.request
    mine = (votes.c.request_id == request.id) & (votes.c.user_id == word.user_id)
    connection.execute(votes.delete().where(mine))
    row = {"request_id": request.id, "user_id": word.user_id, "why": word.note}
    connection.execute(votes_off.insert().values(row | {"at": word.at.timestamp()}))
    giver = Person(word.user_id, request.team_id)
    entry = entry_of(request, TAKEN_OFF, detail=word.note).by(giver)
    append(connection, entry, word.at)


@in_thread
def approvers_on_trail(database: Database, request_id: str) -> dict[str, str]:
    """Return who approved a request by the trail alone, with what stands beside it.

    By user id, the latest last. The table of votes can be written by whoever reaches
    the database; an entry of the trail counts only if it is as written and linked to
    those beside it, and none of the same person that was taken off does.
    """
    cast = trail.select().where(
        trail.c.request_id == request_id, trail.c.kind.in_([APPROVAL, TAKEN_OFF])
    )
    with database.reading() as connection:
        found = connection.execute(cast.order_by(trail.c.seq)).mappings().all()
        near = {row["seq"] + step for row in found for step in (-1, 0, 1)}
        about = trail.select().where(trail.c.seq.in_(sorted(near)))
        beside = connection.execute(about).mappings().all() if found else []
    known = [dict(row) for row in beside]
    standing: dict[str, str] = {}
    for row in found:
        standing.pop(row["user_id"], None)
        if row["kind"] == APPROVAL and holds(dict(row), known):
            standing[row["user_id"]] = row["detail"]
    return standing


@in_thread
def explain_denial(
    database: Database, request_id: str, person: Person, note: str
) -> bool:
    """Add the reason to somebody's denial; say whether there was one of his."""
    with database.writing() as connection:
        denied = [
            one
            for one in records(connection, together(request_id))
            if (one.state, one.decided_by) == (State.DENIED, person.user_id)
        ]
        note = connection.get_execution_options().get("clean", str)(note)
        word = Vote(person.user_id, approve=False, at=database.now(), note=note)
        for one in denied:
            _cast(connection, one.request.id, word)
            set_fields(connection, one.request.id, {"detail": note})
            entry = entry_of(one.request, "denial explained", detail=note)
            append(connection, entry.by(person), word.at)
        return any(one.request.id == request_id for one in denied)


def _counted(
    connection: sa.Connection, record: Record, person: Person, now: datetime
) -> Record:
    """Move a pending request on as soon as its votes decide it."""
    if any(not vote.approve for vote in record.votes):
        return moved(connection, record, State.DENIED, {}, now, person)
    if record.is_approved:
        return moved(connection, record, State.APPROVED, {}, now)
    return record


def _cast(connection: sa.Connection, request_id: str, word: Vote) -> None:
    """Store *word*; a later one of the same person replaces it: one counts once."""
    mine = (votes.c.request_id == request_id) & (votes.c.user_id == word.user_id)
    connection.execute(votes.delete().where(mine))
    row = asdict(word) | {"request_id": request_id, "at": word.at.timestamp()}
    connection.execute(votes.insert().values(row))
