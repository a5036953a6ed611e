"""The words of approvers: counted once for each of them; enough, or one no, decide."""

from __future__ import annotations

from dataclasses import asdict

import sqlalchemy as sa

from bot.errors import StateConflict
from bot.ledger.audit import append, entry_of
from bot.ledger.database import in_thread
from bot.ledger.rows import locked, records, set_fields, together, with_others
from bot.ledger.schema import votes
from bot.ledger.transitions import Moving, digest_of
from bot.model import Person, Record, State, Vote


class Voting(Moving):
    """The ledger as somebody sees it who approves or denies."""

    @in_thread
    def vote(self, request_id: str, person: Person, *, approve: bool) -> Record:
        """Count one person's word; enough approvals, or one denial, decide.

        A word on one of a batch counts for all of it that waits for approval. Raises
        StateConflict when it has been decided already or its time is up; a word that
        comes too late for an open request makes it expire.
        """
        with self._writing() as connection:
            record, others = with_others(connection, request_id)
            expires = record.request.expires_at
            if record.state != State.PENDING:
                raise StateConflict(record)
            if expires is None or self._now() < expires:
                for other in others:
                    self._voted(connection, other, person, approve)
                return self._voted(connection, record, person, approve)
            for other in others:
                self._moved(connection, other, State.EXPIRED, {})
            record = self._moved(connection, record, State.EXPIRED, {})
        raise StateConflict(record)

    def _voted(
        self,
        connection: sa.Connection,
        record: Record,
        person: Person,
        approve: bool,  # noqa: FBT001
    ) -> Record:
        """Store a word on a request that is open, and what follows from it."""
        request = record.request
        vote = Vote(person.user_id, approve, self._now())
        _cast(connection, request.id, vote)
        kind = "approval" if approve else "denial"
        entry = entry_of(request, kind, digest=digest_of(record))
        append(connection, entry.by(person), self._now())
        return self._counted(connection, locked(connection, request.id), person)

    @in_thread
    def explain_denial(self, request_id: str, person: Person, note: str) -> bool:
        """Add the reason to somebody's denial; say whether there was one of his."""
        with self._writing() as connection:
            denied = [
                one
                for one in records(connection, together(request_id))
                if (one.state, one.decided_by) == (State.DENIED, person.user_id)
            ]
            vote = Vote(person.user_id, approve=False, at=self._now(), note=note)
            for one in denied:
                _cast(connection, one.request.id, vote)
                set_fields(connection, one.request.id, {"detail": note})
                entry = entry_of(one.request, "denial explained", detail=note)
                append(connection, entry.by(person), self._now())
            return any(one.request.id == request_id for one in denied)

    def _counted(
        self, connection: sa.Connection, record: Record, person: Person
    ) -> Record:
        """Move a pending request on as soon as its votes decide it."""
        if any(not vote.approve for vote in record.votes):
            return self._moved(connection, record, State.DENIED, {}, person)
        if record.is_approved:
            return self._moved(connection, record, State.APPROVED, {})
        return record


def _cast(connection: sa.Connection, request_id: str, vote: Vote) -> None:
    """Store *vote*; a later one of the same person replaces it: one counts once."""
    mine = (votes.c.request_id == request_id) & (votes.c.user_id == vote.user_id)
    connection.execute(votes.delete().where(mine))
    row = asdict(vote) | {"request_id": request_id, "at": vote.at.timestamp()}
    connection.execute(votes.insert().values(row))
