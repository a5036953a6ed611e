"""The ledger: what was asked, what became of it, and the audit trail of it all.

Everything that moves a request moves it here, in one transaction with its entry in
the trail: where the trail cannot be written, nothing happens. All methods but the
constructor, ``open`` and ``close`` are coroutines and raise LedgerError when the
database cannot be reached within seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from bot.errors import InstanceBusy, LedgerError, StateConflict
from bot.ledger.reading import Reading, in_thread
from bot.ledger.rows import by_id, column_values, records, row_of
from bot.ledger.schema import requests, votes
from bot.ledger.trail import Entry, append, entry_of
from bot.model import ENDS, UNDER_WAY, Person, Record, Request, State, Vote, may_move

__all__ = ["Entry", "Ledger", "entry_of"]


class Ledger(Reading):
    """All that is known of requests, over all replicas; see the module's docstring."""

    # --- asking -------------------------------------------------------------------

    @in_thread
    def record(
        self, request: Request, *, refusal: str = "", deadline: datetime | None = None
    ) -> tuple[Record, bool]:
        """Record *request* and return its record, and whether it is new.

        The same delivery twice is one request: the second time its record comes back
        as it is. A *refusal* ends it at once. One that must wait for another request
        of the same instance joins that one. After *deadline* nothing is recorded and
        LedgerError raised: the person has been told so already.
        """
        with self._engine.begin() as connection:
            if known := records(connection, by_id(request.id)):
                return known[0], False
            host = None if refusal else _host(connection, request)
            state = State.JOINED if host else State.ASKED
            row = row_of(request, State.REFUSED if refusal else state, self._now())
            row |= {"detail": refusal, "joined": host.request.id if host else ""}
            try:
                with connection.begin_nested():
                    connection.execute(requests.insert().values(row))
            except IntegrityError:  # another replica was quicker with this delivery
                return records(connection, by_id(request.id))[0], False
            said = refusal or (f"joined {host.request.id}" if host else request.reason)
            kind = "refused" if refusal else ("joined" if host else "asked")
            append(connection, entry_of(request, kind, detail=said), self._now())
            if deadline is not None and self._now() > deadline:
                raise LedgerError("the database answered too late")
            return records(connection, by_id(request.id))[0], True

    @in_thread
    def note(self, entry: Entry) -> str:
        """Append *entry* to the trail and return its hash."""
        with self._engine.begin() as connection:
            return append(connection, entry, self._now())

    # --- moving -------------------------------------------------------------------

    @in_thread
    def move(self, /, request_id: str, state: State, **fields: Any) -> Record:
        """Move a request to *state*, set *fields* of its record, and return it.

        A request that is in *state* already comes back unchanged (a step that runs
        again). Raises StateConflict where TRANSITIONS forbids it, InstanceBusy where
        another request is under way for the instance.
        """
        with self._engine.begin() as connection:
            record = _one(connection, request_id)
            if record.state == state:
                return record
            if not may_move(record, state):
                raise StateConflict(record)
            try:
                with connection.begin_nested():
                    return self._moved(connection, record, state, fields)
            except IntegrityError as error:  # the index mlstudio_one_under_way
                raise _busy(connection, record.request) from error

    @in_thread
    def join(self, request_id: str, host_id: str) -> bool:
        """Let a request join *host_id*, unless that one has ended; say whether."""
        with self._engine.begin() as connection:
            host = _one(connection, host_id)
            if host.state in ENDS:
                return False
            record = _one(connection, request_id)
            if record.state != State.JOINED:
                self._moved(connection, record, State.JOINED, {"joined": host_id})
            return True

    @in_thread
    def update(self, /, request_id: str, **fields: Any) -> None:
        """Set *fields* of a request's record; its state stays as it is."""
        with self._engine.begin() as connection:
            _set(connection, request_id, fields)

    @in_thread
    def vote(
        self, request_id: str, person: Person, *, approve: bool, note: str = ""
    ) -> Record:
        """Count one person's word; enough approvals, or one denial, decide.

        Raises StateConflict when it has been decided already or its time is up.
        """
        with self._engine.begin() as connection:
            record = _one(connection, request_id)
            expires = record.request.expires_at
            late = expires is not None and self._now() >= expires
            if record.state != State.PENDING or late:
                raise StateConflict(record)
            vote = Vote(person.user_id, approve, self._now(), note)
            _cast(connection, request_id, vote)
            kind = "approval" if approve else "denial"
            by = {"user_id": person.user_id, "team_id": person.team_id, "detail": note}
            append(connection, entry_of(record.request, kind, **by), self._now())
            return self._counted(connection, _one(connection, request_id), person, note)

    @in_thread
    def explain_denial(self, request_id: str, user_id: str, note: str) -> bool:
        """Add the reason to somebody's denial; say whether there was one of his."""
        with self._engine.begin() as connection:
            found = records(connection, by_id(request_id))
            if not found or found[0].state is not State.DENIED:
                return False
            if found[0].decided_by != user_id:
                return False
            request = found[0].request
            vote = Vote(user_id, approve=False, at=self._now(), note=note)
            _cast(connection, request_id, vote)
            _set(connection, request_id, {"detail": note})
            by = {"user_id": user_id, "detail": note}
            append(connection, entry_of(request, "denial explained", **by), self._now())
            return True

    def _counted(
        self, connection: sa.Connection, record: Record, person: Person, note: str
    ) -> Record:
        """Move a pending request on as soon as its votes decide it."""
        if any(not vote.approve for vote in record.votes):
            fields = {"decided_by": person.user_id, "detail": note}
            return self._moved(connection, record, State.DENIED, fields)
        approval = record.request.approval
        if approval is not None and len(record.votes) >= approval.needed:
            return self._moved(connection, record, State.APPROVED, {})
        return record

    def _moved(
        self,
        connection: sa.Connection,
        record: Record,
        state: State,
        fields: dict[str, Any],
    ) -> Record:
        """Move *record* within *connection*'s transaction, with its trail entry."""
        more: dict[str, Any] = dict(fields)
        if state in ENDS:
            more.setdefault("ended_at", self._now())
        more |= {"state": state, "changed_at": self._now()}
        _set(connection, record.request.id, more)
        entry = entry_of(
            record.request,
            str(state),
            detail=str(fields.get("detail", "")),
            ref=str(fields.get("ref", "")),
        )
        if by := fields.get("decided_by"):
            entry = replace(entry, user_id=by)
        append(connection, entry, self._now())
        return _one(connection, record.request.id)

    # --- the one restart call -------------------------------------------------------

    @in_thread
    def take_send(self, request_id: str, life: str) -> bool:
        """Claim the one restart call of a request for this *life*; say who got it.

        True: nobody has sent it, and nobody but this caller may. False: it was claimed
        before, so it may have been sent, and must never be sent again.
        """
        with self._engine.begin() as connection:
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
        with self._engine.begin() as connection:
            connection.execute(
                requests.update()
                .where(requests.c.id == request_id, requests.c.sent_by == life)
                .values(sent_by="", sent_at=None)
            )
            request = _one(connection, request_id).request
            append(connection, entry_of(request, "not sent", detail=why), self._now())

    @in_thread
    def answered(self, /, request_id: str, answer: str, **fields: Any) -> None:
        """Keep how the restart call was answered: "accepted" or "lost"."""
        with self._engine.begin() as connection:
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


def _set(connection: sa.Connection, request_id: str, fields: dict[str, Any]) -> None:
    query = requests.update().where(requests.c.id == request_id)
    connection.execute(query.values(column_values(fields)))


def _cast(connection: sa.Connection, request_id: str, vote: Vote) -> None:
    """Store *vote*; a later one of the same person replaces it: one counts once."""
    mine = (votes.c.request_id == request_id) & (votes.c.user_id == vote.user_id)
    connection.execute(votes.delete().where(mine))
    row = asdict(vote) | {"request_id": request_id, "at": vote.at.timestamp()}
    connection.execute(votes.insert().values(row))


def _busy(connection: sa.Connection, request: Request) -> LedgerError:
    """Return the error that names who is under way for the instance of *request*."""
    other = _other(connection, request, sorted(UNDER_WAY))
    if other is None:  # it ended in this very moment
        return LedgerError("another restart of this instance has just ended")
    return InstanceBusy(other)


def _host(connection: sa.Connection, request: Request) -> Record | None:
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
    query = (
        requests.select()
        .where(requests.c.instance_key == request.target.key)
        .where(requests.c.id != request.id, requests.c.state.in_(sorted(states)))
        .order_by(requests.c.asked_at)
        .limit(1)
        .with_for_update()
    )
    found = records(connection, query)
    return found[0] if found else None
