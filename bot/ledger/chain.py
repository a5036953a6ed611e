"""The chain of hashes that shows whether an entry of the trail was changed.

Each entry holds the hash of the one before it. Its own is over the columns that the
trail had when it was written: a list that grows with the trail, version by version.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from bot.ledger.migration import initial
from bot.ledger.schema import trail
from bot.model import canonical

Row = Mapping[str, Any]

ORIGIN = "0" * 64  # what the first entry has for the hash of the one before

# What a hash is over, the first version first. A new column of the trail comes with a
# new version, (*VERSIONS[-1], "its_name"); none of these lists ever changes.
#
# No entry says which version it has: its hash does. The names of the columns are part
# of what is hashed, so an entry fits one version at most, and to claim a shorter list
# for it takes another hash, which the entry after it, and the log, do not have.
VERSIONS: tuple[tuple[str, ...], ...] = (
    (
        *("seq", "at", "kind", "request_id", "team_id", "user_id"),
        *("project", "instance", "instance_id", "rule", "rule_version"),
        *("detail", "ref", "digest", "previous_hash"),
    ),
)


def hash_of(row: Row, columns: Sequence[str] | None = None) -> str:
    """Return the hash of an entry over *columns*: those of the newest version."""
    hashed = {name: row[name] for name in columns or VERSIONS[-1]}
    return hashlib.sha256(canonical(hashed).encode()).hexdigest()


def flaws(rows: Iterable[Row]) -> Iterator[str]:
    """Yield a sentence for each entry that was changed, removed or moved.

    *rows* are all entries of the trail in their order, each with all of its columns.
    """
    number, previous = 0, ORIGIN
    for row in rows:
        if row["seq"] != number + 1:
            yield _missing(number + 1, row["seq"] - 1)
        elif row["previous_hash"] != previous:
            yield f"entry {row['seq']} does not follow the one before it"
        if not is_as_written(row):
            yield f"entry {row['seq']} ({row['at']}) was changed"
        number, previous = row["seq"], row["hash"]


def holds(row: Row, beside: Iterable[Row]) -> bool:
    """Say whether an entry is as written, and linked to those *beside* it."""
    known = {each["seq"]: each for each in beside}
    before, after = known.get(row["seq"] - 1), known.get(row["seq"] + 1)
    previous = before["hash"] if before else (ORIGIN if row["seq"] == 1 else None)
    return (
        row["previous_hash"] == previous
        and (after is None or after["previous_hash"] == row["hash"])
        and is_as_written(row)
    )


def is_as_written(row: Row) -> bool:
    """Say whether the hash is that of the entry in the version that wrote it.

    Columns that came later must be as they were added, if the entry has them: nothing
    vouches for them.
    """
    for columns in reversed(VERSIONS):
        if row.keys() >= {*columns} and row["hash"] == hash_of(row, columns):
            later = {*row} - {*columns, "hash"}
            return all(_is_initial(name, row[name]) for name in later)
    return False


def _is_initial(name: str, value: object) -> bool:
    """Say whether a column holds what it was added with; what is none is ignored."""
    return name not in trail.c or value == initial(trail.c[name])


def _missing(first: int, last: int) -> str:
    if first == last:
        return f"entry {first} is missing"
    return f"entries {first} to {last} are missing"
