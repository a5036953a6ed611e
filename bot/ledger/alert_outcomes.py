"""What the thread of a restart has to be told of alerts, and which replica tells it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from bot.ledger.alert_tables import IS_OPEN, alerts
from bot.ledger.alerts import known_alert
from bot.ledger.database import Database, in_thread
from bot.ledger.rows import BY_ID, records
from bot.ledger.schema import WAS_SENT, requests
from bot.model import Aftermath, KnownAlert, Record, aftermath, utc

TELL_AGAIN_AFTER_S = 30.0  # who began to tell of it longer ago has died
TELL_WITHIN = timedelta(days=1)  # of a restart that was sent longer ago nothing is told
# A restart that was sent a moment before it was heard that the alert had ended may not
# be on record as answered yet.
SETTLES_AFTER = timedelta(minutes=2)
FINAL = frozenset({Aftermath.CLEARED, Aftermath.BEFORE, Aftermath.NO_DATA})
MOST_OUTCOMES = 200  # told in one go, what is the same in one message


@dataclass(frozen=True, slots=True)
class Told:
    """What of an *alert* the thread of *restart* has to be told."""

    alert: KnownAlert
    restart: Record
    aftermath: Aftermath


@in_thread
def take_outcomes(database: Database) -> list[Told]:
    """Return what is to be told now, and by nobody but this caller.

    What somebody began to tell and has not told since comes again.
    """
    with database.reading() as connection:
        due = _Looked.of(connection, database.now())
    if not due.told and not due.settled:
        return []
    with database.writing() as connection:
        due = _Looked.of(connection, database.now(), lock=True)
        settled = alerts.update().where(alerts.c.id.in_(due.settled))
        connection.execute(settled.values(settled=True))
        taken = alerts.update().where(alerts.c.id.in_([one for one, *_ in due.told]))
        connection.execute(taken.values(telling_at=database.now().timestamp()))
        return list(_filled(connection, due.told))


@in_thread
def outcome_told(database: Database, told: Told) -> None:
    """Keep that a thread was told."""
    values = {
        "told_of": told.restart.request.id,
        "told": told.aftermath,
        "telling_at": None,
        "settled": told.aftermath in FINAL,
    }
    with database.writing() as connection:
        query = alerts.update().where(alerts.c.id == told.alert.id)
        connection.execute(query.values(values))


_Due = list[tuple[str, str, Aftermath]]  # alert, request, what is to be told


@dataclass(frozen=True, slots=True)
class _Looked:
    """What one look has found: what is to be told, and of what nothing ever will be."""

    told: _Due
    settled: list[str]

    @classmethod
    def of(
        cls, connection: sa.Connection, now: datetime, *, lock: bool = False
    ) -> _Looked:
        """Look at all alerts of which something may have to be told."""
        sent = _restarts(connection, now)
        over = alerts.c.ended_heard_at < (now - SETTLES_AFTER).timestamp()
        of_these = alerts.c.id.in_(list(sent))
        query = alerts.select().where(IS_OPEN, over | of_these)
        query = query.with_for_update(skip_locked=True) if lock else query
        told: _Due = []
        settled: list[str] = []
        for row in connection.execute(query).mappings():
            due = _due(row, sent.get(row["id"], ()), now)
            if due is not None:
                told += [(row["id"], *due)] if _is_free(row, now) else []
            elif (
                row["ended_heard_at"]
                and now - utc(row["ended_heard_at"]) > SETTLES_AFTER
            ):
                settled.append(row["id"])
        return cls(told[:MOST_OUTCOMES], settled)


_Sent = tuple[str, datetime]  # the request, and when its restart was sent


def _restarts(connection: sa.Connection, now: datetime) -> dict[str, list[_Sent]]:
    """Return the restarts since each open alert began, by the alert, newest first."""
    query = (
        sa.select(alerts.c.id, requests.c.id, requests.c.sent_at)
        .join(requests, requests.c.instance_key == alerts.c.instance_key)
        .where(IS_OPEN, WAS_SENT, requests.c.sent_at >= alerts.c.began)
        .where(requests.c.sent_at > (now - TELL_WITHIN).timestamp())
        .order_by(requests.c.sent_at.desc())
    )
    found: dict[str, list[_Sent]] = {}
    for alert_id, request_id, sent_at in connection.execute(query):
        found.setdefault(alert_id, []).append((request_id, utc(sent_at)))
    return found


def _due(
    row: sa.RowMapping, sent: Iterable[_Sent], now: datetime
) -> tuple[str, Aftermath] | None:
    """Return which restart's thread has to be told what, if anything is new.

    The last restart before the alert ended is meant; where there is none, the last one
    before anybody here knew that it had.
    """
    alert = known_alert(row)
    known_at = utc(row["ended_heard_at"]) if row["ended_heard_at"] else now
    earlier = [one for one in sent if one[1] <= known_at]
    before_end = [
        one for one in earlier if alert.ended is None or one[1] <= alert.ended
    ]
    for request_id, sent_at in (before_end or earlier)[:1]:
        found = aftermath(alert, sent_at, now)
        told = row["told"] if row["told_of"] == request_id else ""
        if found and found != told and told not in FINAL:
            return request_id, found
    return None


def _is_free(row: sa.RowMapping, now: datetime) -> bool:
    """Say whether nobody tells of it just now."""
    since = row["telling_at"]
    return since is None or since < now.timestamp() - TELL_AGAIN_AFTER_S


def _filled(connection: sa.Connection, due: _Due) -> Iterator[Told]:
    """Yield what is due with all that is known of alert and restart."""
    for alert_id, request_id, found in due:
        query = alerts.select().where(alerts.c.id == alert_id)
        row = connection.execute(query).mappings().one()
        (record,) = records(connection, BY_ID, id=request_id)
        yield Told(known_alert(row), record, found)
