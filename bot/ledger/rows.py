"""Rows of the ledger's tables to the nouns of the model, and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bot.errors import LedgerError
from bot.ledger.schema import IN_BATCH, requests, votes, votes_off
from bot.model import Act, Instance, Kind, Lease, Record, Request, State, Vote, utc


def row_of(request: Request, state: State, now: datetime) -> dict[str, Any]:
    """Return the first row of *request*."""
    return {
        "id": request.id,
        "state": state,
        "project": request.target.project,
        "instance_key": request.target.key,
        "user_id": request.user_id,
        "asked_at": request.asked_at.timestamp(),
        "changed_at": now.timestamp(),
        "request": request.to_json(),
        "batch": request.batch,
        "wants": "start" if request.wants is Act.START else "",
        "alert": request.alert,
    }


def column_values(values: dict[str, Any]) -> dict[str, Any]:
    """Return *values* of a Record's fields as column values."""
    return {name: _plain(value) for name, value in values.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, Instance):
        return asdict(value)
    return value


def records(
    connection: sa.Connection, query: sa.Select[Any], **parameters: object
) -> list[Record]:
    """Return the records that *query* over the requests selects, votes included.

    *parameters* are the values of the query's own, by name.
    """
    rows = connection.execute(query, parameters).mappings().all()
    # Only who needs approval has votes; most never do, and a query saved is time.
    ids = [row["id"] for row in rows if row["request"]["approval"]]
    cast = _votes(connection, ids) if ids else {}
    return [_record(row, cast.get(row["id"], [])) for row in rows]


# What is asked all the time is put together once: that takes as long as the asking.
_IDS: sa.BindParameter[str] = sa.bindparam("ids", expanding=True)
_VOTES = sa.union_all(
    sa.select(  # by name: a later release may add columns to either
        *(votes.c.request_id, votes.c.user_id, votes.c.approve, votes.c.at),
        *(votes.c.note, sa.true().label("counts")),
    ).where(votes.c.request_id.in_(_IDS)),
    sa.select(
        *(votes_off.c.request_id, votes_off.c.user_id, sa.true(), votes_off.c.at),
        *(votes_off.c.why, sa.false()),
    ).where(votes_off.c.request_id.in_(_IDS)),
)


def _votes(
    connection: sa.Connection, ids: Sequence[str]
) -> dict[str, list[tuple[bool, Vote]]]:
    """Return the votes on requests in their order, each with whether it counts."""
    cast_on = connection.execute(_VOTES, {"ids": ids})
    found: dict[str, list[tuple[bool, Vote]]] = {}
    for request_id, user_id, approve, at, note, counts in cast_on:
        vote = Vote(user_id, bool(approve), utc(at), note)
        found.setdefault(request_id, []).append((bool(counts), vote))
    for cast in found.values():
        cast.sort(key=lambda one: one[1].at)
    return found


_TIMES = ("sent_at", "ended_at", "changed_at", "stopped_at", "start_at")
# Fields of a Record that a row holds under the same name, as they are.
_SAME = frozenset(column.name for column in requests.c) & frozenset(
    field.name for field in fields(Record)
) - {"request", "state", "baseline", "path", *_TIMES}


def _record(row: sa.RowMapping, cast: Sequence[tuple[bool, Vote]]) -> Record:
    return Record(
        request=Request.from_json(row["request"]),
        state=State(row["state"]),
        votes=tuple(vote for counts, vote in cast if counts),
        taken_off=tuple(vote for counts, vote in cast if not counts),
        baseline=_instance(row["baseline"]) if row["baseline"] else None,
        path=tuple(row["path"] or ()),
        **_times(row),
        **{name: row[name] for name in _SAME},
    )


def _instance(written: dict[str, Any]) -> Instance:
    """Return the instance that was *written*, by a version with other fields maybe."""
    values = _known(Instance, written)
    if lease := values.get("lease"):
        values["lease"] = Lease(**_known(Lease, lease))
    values["kind"] = Kind(values.get("kind", Kind.STUDIO))
    return Instance(**values)


def _known(noun: type[Instance | Lease], written: dict[str, Any]) -> dict[str, Any]:
    """Return those of the *written* values that *noun* has a field for."""
    return {f.name: written[f.name] for f in fields(noun) if f.name in written}


def _times(row: sa.RowMapping) -> dict[str, Any]:
    return {name: _time(row[name]) for name in _TIMES}


def _time(timestamp: float | None) -> datetime | None:
    return None if timestamp is None else utc(timestamp)


def in_turn(batch: Iterable[Record]) -> list[Record]:
    """Return the records of a batch in the order in which it is carried out."""
    return sorted(batch, key=lambda record: record.request.place)


def together(request_id: str) -> sa.Select[Any]:
    """Return the query for a request and all of its batch, locked as ``BY_ID`` does.

    In the order of their ids, so that two who ask for them never lock each other out.
    """
    its_batch = sa.select(requests.c.batch).where(requests.c.id == request_id)
    same = requests.c.batch == its_batch.scalar_subquery()
    return (
        requests.select()
        .where((requests.c.id == request_id) | (same & IN_BATCH))
        .order_by(requests.c.id)
        .with_for_update()
    )


# One request by its "id", locked for change where the database can.
BY_ID = requests.select().where(requests.c.id == sa.bindparam("id")).with_for_update()
_CHANGE = requests.update().where(requests.c.id == sa.bindparam("of_id"))


def locked(connection: sa.Connection, request_id: str) -> Record:
    """Return a record that must exist, locked for change."""
    found = records(connection, BY_ID, id=request_id)
    if not found:
        raise LedgerError(f"there is no request {request_id}")
    return found[0]


def with_others(
    connection: sa.Connection,
    request_id: str,
    all_of_it: bool = True,  # noqa: FBT001, FBT002
) -> tuple[Record, list[Record]]:
    """Return a record that must exist, and what waits for approval together with it.

    All are locked for change; without *all_of_it* there are no others.
    """
    if not all_of_it:
        return locked(connection, request_id), []
    found = {one.request.id: one for one in records(connection, together(request_id))}
    if request_id not in found:
        raise LedgerError(f"there is no request {request_id}")
    record = found.pop(request_id)
    pending = record.state is State.PENDING
    return record, [one for one in found.values() if pending and one.state == "pending"]


def set_fields(
    connection: sa.Connection, request_id: str, fields: dict[str, Any]
) -> None:
    clean = connection.get_execution_options().get("clean", str)
    values = {
        name: clean(value) if isinstance(value, str) else value
        for name, value in column_values(fields).items()
    }
    connection.execute(_CHANGE, {"of_id": request_id, **values})
