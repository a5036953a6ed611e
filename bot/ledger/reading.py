"""Asking the ledger: queries that change nothing, and the threads that run them."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Concatenate, ParamSpec, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from bot.errors import LedgerError
from bot.ledger.rows import records
from bot.ledger.schema import OPEN, engine_of, metadata, requests, trail
from bot.ledger.trail import flaws
from bot.model import UNDER_WAY, Record, State

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound="Reading")


def in_thread(
    work: Callable[Concatenate[S, P], R],
) -> Callable[Concatenate[S, P], Coroutine[Any, Any, R]]:
    """Run *work* on the ledger's own threads and map what the database raises."""

    @functools.wraps(work)
    async def run(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        call = functools.partial(work, self, *args, **kwargs)
        try:
            return await asyncio.get_running_loop().run_in_executor(self.threads, call)
        except SQLAlchemyError as error:
            # The statement and its parameters stay out of the message.
            cause = getattr(error, "orig", None) or type(error).__name__
            raise LedgerError(f"the database did not answer: {cause}") from error

    return run


class Reading:
    """The ledger as somebody sees it who only asks."""

    def __init__(
        self, database: str, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._engine = engine_of(database)
        self._reader = self._engine.execution_options(reading=True)
        self.threads = ThreadPoolExecutor(4, thread_name_prefix="ledger")
        self._now = now

    def open(self) -> None:
        """Create the tables that are missing."""
        try:
            metadata.create_all(self._engine)
        except SQLAlchemyError as error:
            cause = getattr(error, "orig", None) or error
            raise LedgerError(f"the database cannot be opened: {cause}") from error

    def close(self) -> None:
        """Let go of threads and connections."""
        self.threads.shutdown(wait=True)
        self._engine.dispose()

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
    def under_way(self, instance_key: str) -> Record | None:
        """Return the request that is under way for an instance, or None."""
        return self._first(
            requests.c.instance_key == instance_key,
            requests.c.state.in_(sorted(UNDER_WAY)),
        )

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
    def durations(self, instance_key: str, limit: int = 20) -> tuple[float, ...]:
        """Return how long the last restarts took until ready, in seconds, newest first.

        Only restarts that became ready count.
        """
        query = (
            sa.select(requests.c.duration_s)
            .where(requests.c.instance_key == instance_key)
            .where(requests.c.state == State.READY, requests.c.answered != "")
            .where(requests.c.duration_s.is_not(None))
            .order_by(requests.c.ended_at.desc())
            .limit(limit)
        )
        with self._reader.connect() as connection:
            return tuple(connection.execute(query).scalars())

    @in_thread
    def recent(
        self, *, project: str = "", instance_key: str = "", user: str = "", limit: int
    ) -> list[Record]:
        """Return the latest requests that were not refused, newest first."""
        where = [requests.c.state != State.REFUSED]
        where += [requests.c.project == project] if project else []
        where += [requests.c.instance_key == instance_key] if instance_key else []
        where += [requests.c.user_id == user] if user else []
        return self._select(*where, order=requests.c.asked_at.desc(), limit=limit)

    @in_thread
    def open_requests(self) -> list[Record]:
        """Return every request that has not ended, oldest first."""
        return self._select(requests.c.state.in_(OPEN))

    @in_thread
    def joined(self, host_id: str) -> list[Record]:
        """Return the requests that joined *host_id*, oldest first."""
        return self._select(requests.c.joined == host_id)

    @in_thread
    def restless(self, *, before: datetime) -> list[Record]:
        """Return requests whose story may need a nudge: asked or decided, and nothing
        has moved since *before*."""
        idle = [State.ASKED, State.APPROVED, State.DENIED, State.CANCELLED]
        return self._select(
            requests.c.state.in_(idle),
            requests.c.told.is_(False),
            requests.c.changed_at < before.timestamp(),
        )

    @in_thread
    def entries(
        self, *, since: datetime, project: str = "", instance: str = ""
    ) -> list[dict[str, Any]]:
        """Return the trail since a time, newest first, as plain JSON values."""
        query = trail.select().where(
            trail.c.at >= since.astimezone(UTC).isoformat(timespec="milliseconds")
        )
        query = query.where(trail.c.project == project) if project else query
        query = query.where(trail.c.instance == instance) if instance else query
        with self._reader.connect() as connection:
            rows = connection.execute(query.order_by(trail.c.seq.desc())).mappings()
            return [dict(row) for row in rows]

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

    @in_thread
    def ping(self) -> None:
        """Raise LedgerError unless the database answers."""
        with self._reader.connect() as connection:
            connection.execute(sa.select(1))

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
