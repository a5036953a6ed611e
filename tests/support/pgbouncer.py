"""A real PgBouncer before a PostgreSQL of a test, with what it brings as defaults."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import psycopg

PROGRAM = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
STARTS_WITHIN_S = 10.0
PORT = 6432  # names the socket; nothing listens on a port
SETTINGS = """
[databases]
* = host={server} user=postgres
[pgbouncer]
unix_socket_dir = {folder}
listen_port = {port}
auth_type = any
pool_mode = {mode}
{more}
"""


def is_installed() -> bool:
    """Say whether there is a PgBouncer (Debian's package pgbouncer) to try with."""
    return Path(PROGRAM).exists()


@contextmanager
def pgbouncer(database: str, mode: str, more: str = "") -> Iterator[str]:
    """Run a PgBouncer before *database* and yield the address to use instead."""
    folder = Path(tempfile.mkdtemp(prefix="pgb-"))
    folder.chmod(0o777)
    (server,) = parse_qs(urlsplit(database).query)["host"]
    settings = folder / "pgbouncer.ini"
    text = SETTINGS.format(
        server=server, folder=folder, port=PORT, mode=mode, more=more
    )
    settings.write_text(text, encoding="utf-8")
    # It refuses to be root; the server's folder is open to its owner alone.
    owner = {"user": Path(server).owner()} if os.geteuid() == 0 else {}
    process = subprocess.Popen(
        [PROGRAM, "-q", str(settings)], stderr=subprocess.DEVNULL, **owner
    )
    name = urlsplit(database).path.lstrip("/")
    url = (
        f"postgresql://postgres@/{name}?host={quote(str(folder), safe='')}&port={PORT}"
    )
    try:
        _wait_for(url)
        yield url
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(url: str) -> None:
    """Return when the pooler answers."""
    end = time.monotonic() + STARTS_WITHIN_S
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return
