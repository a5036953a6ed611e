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
from typing import Any, Concatenate, ParamSpec, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from bot.errors import LedgerError
from bot.ledger.schema import engine_of, grow, metadata, pulse

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound="Database")


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


class Database:
    """The tables, and who may use them when; what stands in them is for others."""

    def __init__(
        self, database: str, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._engine = engine_of(database)
        self._reader = self._engine.execution_options(reading=True)
        self.threads = ThreadPoolExecutor(4, thread_name_prefix="ledger")
        sqlite = self._engine.dialect.name == "sqlite"
        self._turn: AbstractContextManager[Any] = (
            threading.Lock() if sqlite else nullcontext()
        )
        self._now = now
        self._file = Path(self._engine.url.database or "") if sqlite else None
        self._inode: int | None = None

    def open(self) -> None:
        """Create the tables, and the columns of a later version, that are missing."""
        try:
            metadata.create_all(self._engine)
            with self._engine.begin() as connection:
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
        self._engine.dispose()

    @in_thread
    def ping(self) -> None:
        """Raise LedgerError unless the database can be written."""
        row = {"id": 1, "at": self._now().timestamp()}
        with self._writing() as connection:
            if not connection.execute(pulse.update().values(row)).rowcount:
                connection.execute(pulse.insert().values(row))

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        """Open a transaction that writes; on SQLite our own take turns.

        Who meets SQLite's lock sleeps and tries again, longer each time: among many
        the unlucky one waits for seconds.
        """
        self._in_place()
        with self._turn, self._engine.begin() as connection:
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
