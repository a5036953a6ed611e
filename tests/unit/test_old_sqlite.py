"""What somebody may rely on whose system brings an SQLite from before 3.42."""

import sqlite3
import time
from contextlib import closing

from bot.restarts.engine import _teach_unixepoch


def test_an_old_sqlite_is_taught_the_time():
    """The engine's tables, whose defaults ask for milliseconds, get them there too."""
    with closing(sqlite3.connect(":memory:")) as database:
        _teach_unixepoch(database, None)
        database.execute(
            "CREATE TABLE t (x, at INTEGER NOT NULL DEFAULT (unixepoch('subsec')*1000))"
        )
        database.execute("INSERT INTO t (x) VALUES (1)")

        ((at, kind),) = database.execute("SELECT at, typeof(at) FROM t")

    assert abs(at / 1000 - time.time()) < 5
    assert kind in {"integer", "real"}
