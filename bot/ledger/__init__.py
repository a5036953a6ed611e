"""The ledger: what was asked, what became of it, and the audit trail of it all.

Everything that moves a request moves it here, in one transaction with its entry in
the trail: where the trail cannot be written, nothing happens. All methods but the
constructor, ``open`` and ``close`` are coroutines and raise LedgerError when the
database cannot be reached within seconds.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from bot.errors import LedgerError, StateConflict
from bot.ledger.hosts import busy, host_of, take_turn
from bot.ledger.reading import BREAK_GLASS, in_thread
from bot.ledger.recording import Recording
from bot.ledger.rows import by_id, column_values, records, together
from bot.ledger.schema import requests, votes
from bot.ledger.trail import Entry, append, entry_of
from bot.model import (
    ENDS,
    Instance,
    Person,
    Record,
    State,
    Vote,
    digest,
    may_move,
)

__all__ = ["BREAK_GLASS", "Entry", "Ledger", "entry_of"]


class Ledger(Recording):
    """All that is known of requests, over all replicas; see the module's docstring."""

    @in_thread
    def note(self, entry: Entry) -> str:
        """Append *entry* to the trail and return its hash."""
        with self._writing() as connection:
            return append(connection, entry, self._now())

    # --- moving -------------------------------------------------------------------

    @in_thread
    def move(
        self,
        /,
        request_id: str,
        state: State,
        *,
        by: Person | None = None,
        **fields: Any,
    ) -> Record:
        """Move a request to *state*, set *fields* of its record, and return it.

        *by* is who decided that, where it was not the bot. A request that is in *state*
        already comes back unchanged (a step that runs again). Raises StateConflict
        where TRANSITIONS forbids it, InstanceBusy where another request is under way
        for the instance. Whatever cancels one of a batch, or lets it expire, does so
        to all of it that waits for approval.
        """
        with self._writing() as connection:
            all_of_it = state in {State.CANCELLED, State.EXPIRED}
            record, others = _with_others(connection, request_id, all_of_it)
            if record.state == state:
                return record
            if not may_move(record, state):
                raise StateConflict(record)
            for other in others:
                self._moved(connection, other, state, fields, by)
            try:
                with connection.begin_nested():
                    return self._moved(connection, record, state, fields, by)
            except IntegrityError as error:  # the index mlstudio_one_under_way
                raise busy(connection, record.request) from error

    @in_thread
    def wait_for_approval(self, request_id: str, baseline: Instance) -> Record:
        """Let a request that was asked for wait for approval, and return its record.

        Approval is asked for once: where another request of the instance has come as
        far already, on whichever replica, this one joins it.
        """
        with self._writing() as connection:
            record = _one(connection, request_id)
            if record.state is not State.ASKED:
                return record
            take_turn(connection, record.request.target.key)
            if host := host_of(connection, record.request):
                joined = {"joined": host.request.id}
                return self._moved(connection, record, State.JOINED, joined)
            asked = {"baseline": baseline}
            return self._moved(connection, record, State.PENDING, asked)

    @in_thread
    def join(self, request_id: str, host_id: str) -> bool:
        """Let a request join *host_id*, unless that one has ended; say whether."""
        with self._writing() as connection:
            host = _one(connection, host_id)
            if host.state in ENDS:
                return False
            record = _one(connection, request_id)
            if not may_move(record, State.JOINED) and record.state != State.JOINED:
                raise StateConflict(record)
            if record.state != State.JOINED:
                self._moved(connection, record, State.JOINED, {"joined": host_id})
            return True

    @in_thread
    def update(self, /, *request_ids: str, **fields: Any) -> None:
        """Set *fields* of requests' records; their state stays as it is."""
        with self._writing() as connection:
            for request_id in request_ids:
                _set(connection, request_id, fields)

    @in_thread
    def vote(self, request_id: str, person: Person, *, approve: bool) -> Record:
        """Count one person's word; enough approvals, or one denial, decide.

        A word on one of a batch counts for all of it that waits for approval. Raises
        StateConflict when it has been decided already or its time is up; a word that
        comes too late for an open request makes it expire.
        """
        with self._writing() as connection:
            record, others = _with_others(connection, request_id)
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
        entry = entry_of(request, kind, digest=_digest(record))
        append(connection, entry.by(person), self._now())
        return self._counted(connection, _one(connection, request.id), person)

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
                _set(connection, one.request.id, {"detail": note})
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

    def _moved(
        self,
        connection: sa.Connection,
        record: Record,
        state: State,
        fields: dict[str, Any],
        by: Person | None = None,
    ) -> Record:
        """Move *record* within *connection*'s transaction, with its trail entry."""
        more: dict[str, Any] = dict(fields)
        if state in ENDS:
            more.setdefault("ended_at", self._now())
        if by is not None:
            more["decided_by"] = by.user_id
        more |= {"state": state, "changed_at": self._now()}
        _set(connection, record.request.id, more)
        moved = _one(connection, record.request.id)
        entry = entry_of(
            record.request,
            str(state),
            detail=str(fields.get("detail") or fields.get("joined", "")),
            ref=str(fields.get("ref", "")),
            digest=_digest(moved) if state is State.PENDING else "",
        )
        append(connection, entry.by(by) if by else entry, self._now())
        return moved

    # --- the one restart call -------------------------------------------------------

    @in_thread
    def take_send(self, request_id: str, life: str) -> bool:
        """Claim the one restart call of a request for this *life*; say who got it.

        True: nobody has sent it, and nobody but this caller may. False: it was claimed
        before, so it may have been sent, and must never be sent again.
        """
        with self._writing() as connection:
            taken = connection.execute(
                requests.update()
                .where(requests.c.id == request_id, requests.c.sent_by == "")
                .where(requests.c.state == State.RESTARTING)
                .values(sent_by=life, sent_at=self._now().timestamp())
            )
            if taken.rowcount:
                request = _one(connection, request_id).request
                append(connection, entry_of(request, "sending"), self._now())
            return bool(taken.rowcount)

    @in_thread
    def give_back_send(self, request_id: str, life: str, why: str) -> None:
        """Give back a claim whose call was surely not carried out."""
        with self._writing() as connection:
            given = connection.execute(
                requests.update()
                .where(requests.c.id == request_id, requests.c.sent_by == life)
                .where(requests.c.answered == "")
                .values(sent_by="", sent_at=None)
            )
            if given.rowcount:  # else it was given back already, or is not ours
                entry = entry_of(_one(connection, request_id).request, "not sent")
                append(connection, replace(entry, detail=why), self._now())

    @in_thread
    def answered(self, /, request_id: str, answer: str, **fields: Any) -> None:
        """Keep how the restart call was answered: "accepted" or "lost"."""
        with self._writing() as connection:
            _set(connection, request_id, {"answered": answer, **fields})
            request = _one(connection, request_id).request
            ref = str(fields.get("ref", ""))
            append(connection, entry_of(request, answer, ref=ref), self._now())


def _one(connection: sa.Connection, request_id: str) -> Record:
    """Return a record that must exist, locked for change."""
    found = records(connection, by_id(request_id))
    if not found:
        raise LedgerError(f"there is no request {request_id}")
    return found[0]


def _with_others(
    connection: sa.Connection,
    request_id: str,
    all_of_it: bool = True,  # noqa: FBT001, FBT002
) -> tuple[Record, list[Record]]:
    """Return a record that must exist, and what waits for approval together with it.

    All are locked for change; without *all_of_it* there are no others.
    """
    if not all_of_it:
        return _one(connection, request_id), []
    found = {one.request.id: one for one in records(connection, together(request_id))}
    if request_id not in found:
        raise LedgerError(f"there is no request {request_id}")
    record = found.pop(request_id)
    pending = record.state is State.PENDING
    return record, [one for one in found.values() if pending and one.state == "pending"]


def _digest(record: Record) -> str:
    """Return what an approval of *record* is for."""
    return digest(record.request, record.baseline.status if record.baseline else "")


def _set(connection: sa.Connection, request_id: str, fields: dict[str, Any]) -> None:
    query = requests.update().where(requests.c.id == request_id)
    connection.execute(query.values(column_values(fields)))


def _cast(connection: sa.Connection, request_id: str, vote: Vote) -> None:
    """Store *vote*; a later one of the same person replaces it: one counts once."""
    mine = (votes.c.request_id == request_id) & (votes.c.user_id == vote.user_id)
    connection.execute(votes.delete().where(mine))
    row = asdict(vote) | {"request_id": request_id, "at": vote.at.timestamp()}
    connection.execute(votes.insert().values(row))
