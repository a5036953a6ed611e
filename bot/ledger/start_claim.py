"""The start of an instance: who may send it, how it was answered, and its coming up.

A start may be sent again, other than all else (``bot.ledger.send_claim``); so each try
is a claim of its own, and each is in the trail.
"""

from __future__ import annotations

from typing import Any

from bot.ledger.audit import append, entry_of
from bot.ledger.database import Database, in_thread
from bot.ledger.rows import locked, set_fields
from bot.ledger.schema import IS_DOWN, requests
from bot.model import Act, Record, State


@in_thread
def take_start(database: Database, record: Record, life: str) -> bool:
    """Claim the next try of the start for this *life*; say who got it.

    False: somebody else has tried since *record* was read, so what it says of the
    instance may no longer hold.
    """
    request_id, now = record.request.id, database.now()
    taking = (
        requests.update()
        .where(requests.c.id == request_id, requests.c.starts == record.starts)
        .where(requests.c.state == State.RESTARTING)
    )
    values: dict[str, Any] = {
        "start_by": life,
        "start_at": now.timestamp(),
        "start_answered": "",
        "came_up": False,
    }
    if record.request.plan[0] is Act.START and record.sent_at is None:
        values |= {"sent_by": life, "sent_at": now.timestamp()}
    with database.writing() as connection:
        taken = connection.execute(taking.values(starts=record.starts + 1, **values))
        if taken.rowcount:
            append(connection, entry_of(record.request, "starting"), now)
        return bool(taken.rowcount)


@in_thread
def start_answered(
    database: Database,
    /,
    record: Record,
    answer: str,
    *,
    why: str = "",
    **fields: Any,
) -> None:
    """Keep how a try of the start was answered: accepted, refused, busy or lost."""
    fields |= {"start_answered": answer}
    if record.request.plan[0] is Act.START and answer in {"accepted", "lost"}:
        fields["answered"] = answer
    ref = str(fields.get("ref", ""))
    with database.writing() as connection:
        set_fields(connection, record.request.id, fields)
        entry = entry_of(record.request, f"start {answer}", ref=ref, detail=why)
        append(connection, entry, database.now())


@in_thread
def came_back(database: Database, record: Record, status: str) -> bool:
    """Keep that an instance that was left down is so no longer; say who was first."""
    with database.writing() as connection:
        first = connection.execute(
            requests.update()
            .where(IS_DOWN, requests.c.id == record.request.id)
            .where(requests.c.up_again.is_(False))
            .values(up_again=True, last_status=status)
        )
        if first.rowcount:
            request = locked(connection, record.request.id).request
            entry = entry_of(request, "not down any more", detail=status)
            append(connection, entry, database.now())
        return bool(first.rowcount)
