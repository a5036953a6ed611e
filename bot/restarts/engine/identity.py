"""Who a process is to the engine: an executor id that no two living ones share."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Protocol

from bot.errors import ConfigError
from bot.ledger.files import make_private


class Identity(Protocol):
    """An executor id that no two living processes share."""

    executor_id: str

    async def take(self) -> None:
        """Become this executor, or raise ConfigError or LedgerError."""

    async def give_back(self) -> None:
        """Be it no longer."""

    async def right_to_act(self, story_id: str) -> None:
        """Return once this process may act for a workflow; never, if another does."""

    async def look_after_peers(self) -> None:
        """Run until cancelled: take over what dead peers have left."""

    async def replicas(self) -> int:
        """Return how many processes use this database now, this one included.

        Raises LedgerError where the database does not tell.
        """


class FileIdentity:
    """The one process that uses a SQLite file: a lock beside it keeps others out."""

    executor_id = "only"

    def __init__(self, database: Path) -> None:
        # By whatever name it is called: a link is no other database.
        real = database.resolve()
        self._database = real
        self._path = real.with_name(real.name + ".lock")
        self._file: int | None = None

    async def take(self) -> None:
        """Lock the file beside the database, or say who is in the way."""
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            make_private(self._database)  # before anything else makes it
        except BlockingIOError:
            raise ConfigError(
                f"another mlstudio-bot already uses this database ({self._path} is"
                " locked); stop it first, or give this one a database of its own"
            ) from None
        except OSError as error:
            raise ConfigError(
                f"{self._path} cannot be written ({error.strerror}); put the database"
                " where the bot may write"
            ) from error

    async def give_back(self) -> None:
        """Unlock the file."""
        if self._file is not None:
            os.close(self._file)

    async def right_to_act(self, story_id: str) -> None:
        """Return at once: there is nobody else."""

    async def look_after_peers(self) -> None:
        """Do nothing: there are none."""

    async def replicas(self) -> int:
        """Return one: the lock keeps others out."""
        return 1
