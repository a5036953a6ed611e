"""A real standby of a PostgreSQL of a test, and how it becomes the primary."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import psutil
import psycopg

CATCHES_UP_WITHIN_S = 30.0


class Pair:
    """A primary and the standby that follows it."""

    def __init__(self, database: str, folder: Path) -> None:
        (host,) = parse_qs(urlsplit(database).query)["host"]
        base = database.partition("?")[0]
        self._folder = folder
        self.primary = database
        self.standby = f"{base}?host={quote(str(folder), safe='')}"
        self.both = f"{base}?host={quote(f'{host},{folder}', safe=',')}"

    def fail_over(self) -> None:
        """Let the standby become the primary, and the old one take no more writes.

        Its connections stay open and can only read, as a managed service may leave
        them.
        """
        with psycopg.connect(self.primary, autocommit=True) as old:
            old.execute("ALTER SYSTEM SET default_transaction_read_only = on")
            old.execute("SELECT pg_reload_conf()")
            end = _value(old, "SELECT pg_current_wal_flush_lsn()")
        with psycopg.connect(self.standby, autocommit=True) as new:
            caught_up = f"SELECT pg_last_wal_replay_lsn() >= '{end}'"
            until = time.monotonic() + CATCHES_UP_WITHIN_S
            while not _value(new, caught_up):
                assert time.monotonic() < until, "the standby did not catch up"
                time.sleep(0.02)
            new.execute("SELECT pg_promote()")


def _value(connection: psycopg.Connection, query: str) -> Any:
    row = connection.execute(query.encode()).fetchone()
    return row and row[0]


@contextmanager
def standby_of(database: str) -> Iterator[Pair]:
    """Run a standby of the server of *database*."""
    folder = Path(tempfile.mkdtemp(prefix="pgs-"))
    (primary,) = parse_qs(urlsplit(database).query)["host"]
    root = os.geteuid() == 0
    owner = Path(primary).owner()
    if root:
        shutil.chown(folder, owner)
    main = int((Path(primary) / "postmaster.pid").read_text().split()[0])
    programs = Path(psutil.Process(main).exe()).parent

    def run(program: str, *words: str) -> None:
        subprocess.run(
            [programs / program, *words],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **({"user": owner} if root else {}),
        )

    try:
        where = ("-h", primary, "-U", "postgres", "-D", str(folder))
        run("pg_basebackup", *where, "--write-recovery-conf", "--checkpoint=fast")
        (folder / ".s.PGSQL.5432.lock").unlink()  # of the primary's socket
        serve = f"-h '' -k {folder}"
        run(
            "pg_ctl",
            "-D",
            str(folder),
            "-o",
            serve,
            "-l",
            str(folder / "log"),
            "-w",
            "start",
        )
        try:
            yield Pair(database, folder)
        finally:
            run("pg_ctl", "-D", str(folder), "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
