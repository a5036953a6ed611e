"""Asking the ledger: queries that change nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bot.errors import LedgerError
from bot.ledger.audit import flaws
from bot.ledger.database import Database, in_thread
from bot.ledger.rows import in_turn, records
from bot.ledger.schema import OPEN, requests, trail
from bot.model import ENDS, Record, State

# Whoever could not be told by then never will be.
TOLD_WITHIN = timedelta(days=2)
ENOUGH = 20  # restarts that say how long they take
RESTARTS = sorted({*OPEN, State.READY, State.FAILED, State.TIMED_OUT, State.UNKNOWN})
TOLD_BY_STORY = sorted(ENDS - {State.REFUSED, State.JOINED})

BREAK_GLASS = "break-glass"  # the kind of the entry that marks it in the trail


def _since(since: datetime) -> sa.Select[Any]:
    """Return the query for the entries of the trail since a time."""
    at = since.astimezone(UTC).isoformat(timespec="milliseconds")
    return trail.select().where(trail.c.at >= at)


def _about(instance: str) -> sa.ColumnElement[bool]:
    """Return the condition for entries about an instance, by its name or its id."""
    return sa.or_(
        trail.c.instance == instance,
        sa.func.lower(trail.c.instance_id) == instance.lower(),
    )


class Reading(Database):
    """The ledger as somebody sees it who only asks."""

    @in_thread
    def get(self, request_id: str) -> Record | None:
        """Return the record of a request, or None."""
        return self._first(requests.c.id == request_id)

    async def existing(self, request_id: str) -> Record:
        """Return the record of a request that must exist, else raise LedgerError."""
        record = await self.get(request_id)
        if record is None:
            raise LedgerError(f"there is no request {request_id}")
        return record

    @in_thread
    def pending(self, instance_key: str) -> Record | None:
        """Return the oldest request of an instance that waits for approval, or None."""
        return self._first(
            requests.c.instance_key == instance_key, requests.c.state == State.PENDING
        )

    @in_thread
    def last_restart(self, instance_key: str, *, but: str = "") -> Record | None:
        """Return the latest request of an instance whose restart call may have been
        carried out, leaving out the request *but*."""
        found = self._select(
            requests.c.instance_key == instance_key,
            requests.c.answered != "",
            requests.c.id != but,
            order=requests.c.sent_at.desc(),
            limit=1,
        )
        return found[0] if found else None

    @in_thread
    def durations(self, instance_key: str) -> tuple[float, ...]:
        """Return how long the last restarts took until ready, in seconds, newest first.

        Only restarts that became ready count.
        """
        query = (
            sa.select(requests.c.duration_s)
            .where(requests.c.instance_key == instance_key)
            .where(requests.c.state == State.READY, requests.c.answered != "")
            .where(requests.c.duration_s.is_not(None))
            .order_by(requests.c.ended_at.desc())
            .limit(ENOUGH)
        )
        with self._reader.connect() as connection:
            return tuple(connection.execute(query).scalars())

    @in_thread
    def recent(
        self, *, project: str = "", instance_key: str = "", limit: int
    ) -> list[Record]:
        """Return the latest restarts and what may become one, newest first.

        What was refused, denied or came to nothing else is in the trail only.
        """
        where: list[sa.ColumnElement[bool]] = [requests.c.state.in_(RESTARTS)]
        where += [requests.c.project == project] if project else []
        where += [requests.c.instance_key == instance_key] if instance_key else []
        return self._select(*where, order=requests.c.asked_at.desc(), limit=limit)

    @in_thread
    def open_requests(self, instance_key: str = "") -> list[Record]:
        """Return every request, or every one of an instance, that has not ended.

        The oldest is the first.
        """
        where: list[sa.ColumnElement[bool]] = [requests.c.state.in_(OPEN)]
        where += [requests.c.instance_key == instance_key] if instance_key else []
        return self._select(*where)

    @in_thread
    def in_flight(self) -> int:
        """Return how many requests have not ended."""
        query = sa.select(sa.func.count()).where(requests.c.state.in_(OPEN))
        with self._reader.connect() as connection:
            return connection.execute(query).scalar_one()

    @in_thread
    def joined(self, host_id: str) -> list[Record]:
        """Return the requests that joined *host_id*, oldest first."""
        return self._select(requests.c.joined == host_id)

    @in_thread
    def batch(self, batch: str) -> list[Record]:
        """Return the requests of a batch in their order."""
        return in_turn(self._select(requests.c.batch == batch)) if batch else []

    @in_thread
    def known(self, request_ids: Sequence[str]) -> list[Record]:
        """Return the records of those requests that are known, in their order."""
        return in_turn(self._select(requests.c.id.in_(list(request_ids))))

    @in_thread
    def restless(self, *, before: datetime) -> list[Record]:
        """Return requests that were decided, and nothing has moved since *before*.

        What is shown already does not wait for a decision, but for its turn.
        """
        idle = [State.APPROVED, State.DENIED, State.CANCELLED, State.EXPIRED]
        return self._select(
            requests.c.state.in_(idle),
            requests.c.told.is_(False),
            (requests.c.batch == "") | (requests.c.message_ts == ""),
            # What changed in the future did so before the clock was put back.
            (requests.c.changed_at < before.timestamp())
            | (requests.c.changed_at > self._now().timestamp()),
        )

    @in_thread
    def untold(self) -> list[str]:
        """Return the ids of all requests whose end has not been told by their story."""
        recent = (self._now() - TOLD_WITHIN).timestamp()
        late = requests.c.changed_at > recent
        ended = requests.c.state.in_(TOLD_BY_STORY) & requests.c.told.is_(False)
        speaks = (requests.c.batch == requests.c.id) & requests.c.summed.is_(False)
        query = sa.select(requests.c.id).where(
            requests.c.state.in_(OPEN) | (late & (ended | speaks))
        )
        with self._reader.connect() as connection:
            return list(connection.scalars(query))

    @in_thread
    def news(self, *, since: int) -> tuple[int, frozenset[str]]:
        """Return the number of the newest entry of the trail, and what is new.

        New is each request with an entry after the one numbered *since*, by the id of
        the one that speaks for it.
        """
        speaks = sa.case(
            (requests.c.batch == "", requests.c.id), else_=requests.c.batch
        )
        newer = trail.c.seq > since
        query = (
            sa.select(speaks)
            .distinct()
            .join(trail, trail.c.request_id == requests.c.id)
        )
        with self._reader.connect() as connection:
            newest = connection.scalar(sa.select(sa.func.max(trail.c.seq))) or 0
            if newest <= since:
                return newest, frozenset()
            # What comes in between is seen twice, which does no harm.
            return newest, frozenset(connection.scalars(query.where(newer)))

    @in_thread
    def entries(
        self, *, since: datetime, project: str = "", instance: str = ""
    ) -> list[dict[str, Any]]:
        """Return the trail since a time, newest first, as plain JSON values."""
        query = _since(since)
        query = query.where(trail.c.project == project) if project else query
        query = query.where(_about(instance)) if instance else query
        with self._reader.connect() as connection:
            rows = connection.execute(query.order_by(trail.c.seq.desc())).mappings()
            return [dict(row) for row in rows]

    @in_thread
    def broken_glass(
        self, *, since: datetime, project: str = "", instance: str = ""
    ) -> int:
        """Return how often an approval was passed by break-glass since a time."""
        query = _since(since).where(trail.c.kind == BREAK_GLASS)
        query = query.where(trail.c.project == project) if project else query
        query = query.where(_about(instance)) if instance else query
        with self._reader.connect() as connection:
            count = sa.select(sa.func.count()).select_from(query.subquery())
            return connection.execute(count).scalar_one()

    @in_thread
    def digests(self, request_id: str) -> frozenset[str]:
        """Return what the approval of a request was asked for and given for.

        All of these are one and the same, unless somebody has changed the record.
        """
        query = sa.select(trail.c.digest).where(trail.c.request_id == request_id)
        with self._reader.connect() as connection:
            found = connection.execute(query.where(trail.c.digest != "")).scalars()
            return frozenset(found)

    @in_thread
    def verify(self) -> list[str]:
        """Return a sentence for each entry of the trail that is not as it was."""
        with self._reader.connect() as connection:
            return list(flaws(connection))

    @in_thread
    def newest_hash(self) -> tuple[int, str]:
        """Return number and hash of the newest entry of the trail (0, "")."""
        query = sa.select(trail.c.seq, trail.c.hash).order_by(trail.c.seq.desc())
        with self._reader.connect() as connection:
            row = connection.execute(query.limit(1)).first()
        return (row.seq, row.hash) if row else (0, "")

    def _first(self, *where: sa.ColumnElement[bool]) -> Record | None:
        found = self._select(*where, limit=1)
        return found[0] if found else None

    def _select(
        self,
        *where: sa.ColumnElement[bool],
        order: sa.ColumnElement[Any] | None = None,
        limit: int | None = None,
    ) -> list[Record]:
        query = requests.select().where(*where).limit(limit)
        query = query.order_by(requests.c.asked_at if order is None else order)
        with self._reader.connect() as connection:
            return records(connection, query)
