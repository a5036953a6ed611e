"""The files of a SQLite database: made for the bot alone."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

_SIDES = ("", "-wal", "-shm", "-journal", ".lock")


def make_private(database: Path) -> None:
    """Make the file of a new *database* readable for its owner alone.

    SQLite gives its side files the mode of the database:
    https://www.sqlite.org/src/file?name=src/os_unix.c (findCreateFileMode). One that is
    there already is left as it is; where none can be made, SQLite will say why.
    """
    if not _is_plain(database):
        return
    with suppress(OSError):
        os.close(os.open(database, os.O_RDWR | os.O_CREAT, 0o600))


def exposed(database: Path) -> list[Path]:
    """Return the files of *database* that every user of this machine may read."""
    if not _is_plain(database):
        return []
    sides = [database.with_name(database.name + side) for side in _SIDES]
    return [side for side in sides if side.exists() and for_everybody(side)]


def for_everybody(file: Path) -> bool:
    """Say whether every user of this machine may read *file*."""
    return bool(file.stat().st_mode & stat.S_IROTH)


def _is_plain(database: Path) -> bool:
    """Say whether the database is a file by its name, not in memory or by a URI."""
    return bool(database.name) and not str(database).startswith((":", "file:"))
