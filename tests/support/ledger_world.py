"""Requests, people and a clock of one's own, for the tests of the ledger."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from bot.ledger import Entry, Ledger
from bot.model import (
    ENDS,
    TRANSITIONS,
    Approval,
    Instance,
    Person,
    Record,
    Request,
    State,
    Target,
)
from tests.support.bot_world import new_database

HOME = "T0HOME"
NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
ANN, BOB = Person("U0ANN", HOME, "ann"), Person("U0BOB", HOME, "bob")
LEA, LEO = Person("U0LEA", HOME, "lea"), Person("U0LEO", HOME, "leo")
ONE, TWO, THREE = (Approval(by=("@ml-leads",), needed=n) for n in (1, 2, 3))
ACTIVE = Instance("i-1", "ACTIVE", "trainer", updated_ms=5)
_numbers = count(1)


def opened(path: Path, **how: Any) -> Ledger:
    """Return a ledger in the file *path*; a new one has its tables, and nothing else.

    The tables are made and looked through once: that takes longer than most tests.
    """
    ledger = Ledger(f"sqlite:///{path}", **how)
    if path.exists():
        ledger.open()
    else:
        path.write_bytes(new_database())
        ledger.database._inode = path.stat().st_ino  # it was open when it was made
    return ledger


class Clock:
    """A clock that moves only when a test moves it."""

    def __init__(self, at: datetime = NOON) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def ahead(self, **by: float) -> None:
        self.at += timedelta(**by)


def boxed(number: int, project: str = "ml-prod") -> Target:
    """Return the instance with a *number*."""
    return Target(
        project, "a4a5", f"box-{number}", f"ID-{number:08}", (f"box-{number}",)
    )


def asking(name: str = "", **fields: Any) -> Request:
    """Return a request, of an instance of its own unless *fields* say otherwise."""
    number = next(_numbers)
    plain: dict[str, Any] = {
        "id": name or f"request-{number}",
        "team_id": HOME,
        "user_id": ANN.user_id,
        "target": boxed(number),
        "channel_id": "C0INCIDENTS",
        "asked_at": NOON,
        "reason": "stuck",
        "rule": "a lead agrees",
        "rule_version": "0123456789ab",
    }
    return Request(**(plain | fields))


async def step(ledger: Ledger, request: Request, state: State) -> Record:
    """Let *request*, which may go to *state* now, go there as the bot does it."""
    if state is not State.APPROVED:
        fields: dict[str, Any] = {}
        if state is State.PENDING:
            fields["baseline"] = ACTIVE
        return await ledger.move(request.id, state, **fields)
    assert request.approval is not None
    for number in range(request.approval.needed):
        voter = Person(f"U0LEAD{number}", HOME)
        record = await ledger.vote(request.id, voter, approve=True)
    return record


async def brought(ledger: Ledger, request: Request, state: State) -> Record:
    """Record *request* and bring it to *state* by the shortest way there is."""
    if state is State.REFUSED:
        return (await ledger.record(request, refusal="no"))[0]
    record, _ = await ledger.record(request)
    for stage in way(request, state):
        record = await step(ledger, request, stage)
    assert record.state is state
    return record


def way(request: Request, state: State) -> list[State]:
    """Return the states after the first one on the way to *state*."""
    ways: list[list[State]] = [[State.ASKED]]
    for path in ways:
        if path[-1] is state:
            return path[1:]
        if path[-1] not in ENDS:
            ways += [[*path, to] for to in allowed(request, path[-1])]
    raise AssertionError(f"there is no way to {state}")


def allowed(request: Request, state: State) -> list[State]:
    """Return where a request may go: the table, and nobody slips past an approval."""
    found = sorted(TRANSITIONS.get(state, frozenset()))
    if request.waits and state is State.ASKED:
        found.remove(State.RESTARTING)
    if request.approval is None and state is State.PENDING:
        found.remove(State.APPROVED)
    return found


async def trail_of(ledger: Ledger, request: Request | None = None) -> list[Any]:
    """Return the trail, oldest first, on demand of one *request*."""
    found = reversed(await ledger.entries(since=LONG_AGO))
    return [e for e in found if request is None or e["request_id"] == request.id]


async def kinds_of(ledger: Ledger, request: Request) -> list[str]:
    """Return the kinds of a request's entries in the trail, oldest first."""
    return [entry["kind"] for entry in await trail_of(ledger, request)]


async def lines(ledger: Ledger, count: int = 6) -> None:
    """Write so many entries."""
    for number in range(1, count + 1):
        await ledger.note(Entry(kind="note", detail=f"line {number}", user_id="U0ANN"))


@contextmanager
def database(path: Path) -> Iterator[sqlite3.Connection]:
    """Reach into the file, past the ledger."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


async def together(*work: Any) -> list[Any]:
    """Return what each of *work* returns or raises, all begun at once."""
    return await asyncio.gather(*work, return_exceptions=True)
