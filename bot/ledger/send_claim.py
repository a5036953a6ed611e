"""The one restart call of a request: who may make it, and how it was answered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bot.ledger.audit import append, entry_of
from bot.ledger.database import Database, in_thread
from bot.ledger.rows import locked, set_fields
from bot.ledger.schema import requests
from bot.model import State


@in_thread
def take_send(database: Database, request_id: str, life: str) -> bool:
    """Claim the one restart call of a request for this *life*; say who got it.

    True: nobody has sent it, and nobody but this caller may. False: it was claimed
    before, so it may have been sent, and must never be sent again.
    """
    now = database.now()
    with database.writing() as connection:
        taken = connection.execute(
            requests.update()
            .where(requests.c.id == request_id, requests.c.sent_by == "")
            .where(requests.c.state == State.RESTARTING)
            .values(sent_by=life, sent_at=now.timestamp())
        )
        if taken.rowcount:
            request = locked(connection, request_id).request
            append(connection, entry_of(request, "sending"), now)
        return bool(taken.rowcount)


@in_thread
def give_back_send(database: Database, request_id: str, life: str, why: str) -> None:
    """Give back a claim whose call was surely not carried out."""
    with database.writing() as connection:
        given = connection.execute(
            requests.update()
            .where(requests.c.id == request_id, requests.c.sent_by == life)
            .where(requests.c.answered == "")
            .values(sent_by="", sent_at=None)
        )
        if given.rowcount:  # else it was given back already, or is not ours
            entry = entry_of(locked(connection, request_id).request, "not sent")
            append(connection, replace(entry, detail=why), database.now())


@in_thread
def answered(
    database: Database, /, request_id: str, answer: str, **fields: Any
) -> None:
    """Keep how the restart call was answered: "accepted" or "lost"."""
    with database.writing() as connection:
        set_fields(connection, request_id, {"answered": answer, **fields})
        request = locked(connection, request_id).request
        ref = str(fields.get("ref", ""))
        append(connection, entry_of(request, answer, ref=ref), database.now())
