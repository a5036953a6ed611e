"""The bot as ``python -m bot`` starts it, on a host that gives it trouble.

Signals bring it: AHEAD puts the wall clock an hour ahead and BACK an hour back, as
when a wrong clock is mended (the monotonic one goes on, as on a real host); with
READ_ONLY no connection to a database may write any more, until WRITABLE.
"""

from __future__ import annotations

import signal
import sqlite3
import time

import sqlalchemy as sa
import time_machine

from bot.cli.main import main

HOUR_S = 3600.0
AHEAD, BACK = signal.SIGUSR1, signal.SIGUSR2
READ_ONLY, WRITABLE = signal.SIGRTMIN, signal.SIGRTMAX


def jump_on_signals() -> None:
    """Let signals move the wall clock of this process."""
    clock = time_machine.travel(time.time(), tick=True).start()
    signal.signal(AHEAD, lambda *_: clock.shift(HOUR_S))
    signal.signal(BACK, lambda *_: clock.shift(-HOUR_S))


def lock_on_signals() -> None:
    """Let signals decide whether SQLite may write; it says so as for a disk."""
    read_only = False

    def lock(*_: object) -> None:
        nonlocal read_only
        read_only = True

    def unlock(*_: object) -> None:
        nonlocal read_only
        read_only = False

    def lent(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute(f"PRAGMA query_only = {int(read_only)}")

    signal.signal(READ_ONLY, lock)
    signal.signal(WRITABLE, unlock)
    sa.event.listen(sa.pool.Pool, "checkout", lent)


if __name__ == "__main__":
    jump_on_signals()
    lock_on_signals()
    main()
