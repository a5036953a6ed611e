"""The ledger's database: opened, written by one at a time, on threads of its own."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from bot.errors import LedgerError
from bot.ledger.files import make_private
from bot.ledger.migration import grow
from bot.ledger.schema import engine_of, pulse

P = ParamSpec("P")
R = TypeVar("R")


class HasDatabase(Protocol):
    """The ledger, as far as the functions that are its methods know it."""

    database: Database


def in_thread(
    work: Callable[Concatenate[Database, P], R],
) -> Callable[Concatenate[HasDatabase, P], Coroutine[Any, Any, R]]:
    """Make *work* over a database a method of the ledger: a coroutine.

    It runs on the database's own threads; LedgerError is what the database raised.
    """

    @functools.wraps(work)
    async def run(self: HasDatabase, /, *args: P.args, **kwargs: P.kwargs) -> R:
        database = self.database
        call = functools.partial(work, database, *args, **kwargs)
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(database.threads, call)
        except SQLAlchemyError as error:
            # The statement and its parameters stay out of the message.
            cause = getattr(error, "orig", None) or type(error).__name__
            raise LedgerError(f"the database did not answer: {cause}") from error

    return run


class Database:
    """The tables, and who may use them when; what stands in them is for others.

    *now* tells the time (UTC); whatever is written gets its time from there. *clean*
    takes secrets out of a text.
    """

    def __init__(
        self,
        database: str,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clean: Callable[[str], str] = str,
    ) -> None:
        # Whoever writes within a connection has it at hand there.
        self.engine = engine_of(database).execution_options(clean=clean)
        self._reader = self.engine.execution_options(reading=True)
        self.threads = ThreadPoolExecutor(4, thread_name_prefix="ledger")
        sqlite = self.engine.dialect.name == "sqlite"
        self._turn: AbstractContextManager[Any] = (
            threading.Lock() if sqlite else nullcontext()
        )
        self.now = now
        self._file = Path(self.engine.url.database or "") if sqlite else None
        self._inode: int | None = None

    def open(self) -> None:
        """Add what is missing of the tables, all of it or nothing."""
        if self._file:
            make_private(self._file)
        try:
            with self.engine.begin() as connection:
                grow(connection)
        except SQLAlchemyError as error:
            cause = getattr(error, "orig", None) or error
            where = f" {self._file}" if self._file else ""
            raise LedgerError(
                f"the database{where} cannot be opened: {cause}; the bot has to be able"
                " to read and write it, and a file's folder as well"
            ) from error
        self._inode = self._file.stat().st_ino if self._file else None

    def close(self) -> None:
        """Let go of threads and connections."""
        self.threads.shutdown(wait=True)
        self.engine.dispose()

    def reading(self) -> AbstractContextManager[sa.Connection]:
        """Open a connection that only reads, and waits for no writer."""
        return self._reader.connect()

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Open a transaction that writes; on SQLite our own take turns.

        Who meets SQLite's lock sleeps and tries again, longer each time: among many
        the unlucky one waits for seconds.
        """
        self._in_place()
        with self._turn, self.engine.begin() as connection:
            yield connection

    def _in_place(self) -> None:
        """Raise LedgerError if the file was moved or removed: SQLite would go on.

        What is written to such a file is gone with this process.
        """
        if self._file is None or self._inode is None:
            return
        try:
            same = self._file.stat().st_ino == self._inode
        except OSError:
            same = False
        if not same:
            raise LedgerError(
                f"{self._file} was moved or replaced while the bot ran; put it back or"
                " restart the bot"
            )


@in_thread
def ping(database: Database) -> None:
    """Raise LedgerError unless the database can be written."""
    row = {"id": 1, "at": database.now().timestamp()}
    with database.writing() as connection:
        if not connection.execute(pulse.update().values(row)).rowcount:
            connection.execute(pulse.insert().values(row))
