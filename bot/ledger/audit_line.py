"""An entry of the trail as a line of the log. Pure."""

from __future__ import annotations

import json

from bot.ledger.chain import Row
from bot.ledger.schema import trail

LOGGER = "audit"  # what the lines are known by
COLUMNS = tuple(column.name for column in trail.c)


def line_of(row: Row) -> str:
    """Return an entry as one line of JSON: the logger's name and all of its columns.

    It is plain ASCII without a line break, whatever somebody typed.
    """
    return json.dumps({"logger": LOGGER, **{name: row[name] for name in COLUMNS}})
