"""An entry of the trail as a line of the log, and back. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from bot.ledger.chain import Row
from bot.ledger.schema import trail

LOGGER = "audit"  # what the lines are known by
COLUMNS = tuple(column.name for column in trail.c)
LONGEST_LINE = 1 << 20  # bytes of a line that are looked at; ours have a few thousand
_TOO_MANY = 1 << 63
_SPACE = b" \t\r\n\xef\xbb\xbf"  # the last three are what Windows begins a file with
_BEGINS = b'{"logger": "audit"'  # as ``line_of`` writes it


def line_of(row: Row) -> str:
    """Return an entry as one line of JSON: the logger's name and all of its columns.

    It is plain ASCII without a line break, whatever somebody typed.
    """
    return json.dumps({"logger": LOGGER, **{name: row[name] for name in COLUMNS}})


def lines_of(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a file, of very long ones the beginning."""
    while line := file.readline(LONGEST_LINE):
        yield line
        while len(line) == LONGEST_LINE and not line.endswith(b"\n"):
            line = file.readline(LONGEST_LINE)


def entry_of_line(line: bytes) -> Row | str | None:
    """Return the entry that *line* holds, or what is wrong with a line of the trail.

    None if it is another one. An entry has a number and two hashes of the right type;
    what else it has is as it stands.
    """
    line = line.lstrip(_SPACE)
    if not line.startswith(b"{") or not (b'"audit"' in line or _is_cut_off(line)):
        return None
    try:
        found: dict[str, Any] = json.loads(line, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        if line.startswith(_BEGINS) or _is_cut_off(line):
            return "is cut off or broken: it is no JSON"
        return None
    if found.pop("logger", None) != LOGGER:
        return None
    if type(found.get("seq")) is not int or not 0 < found["seq"] < _TOO_MANY:
        return "is broken: it has no number (seq)"
    if not all(type(found.get(name)) is str for name in ("hash", "previous_hash")):
        return "is broken: it has no hash"
    return found


def _is_cut_off(line: bytes) -> bool:
    """Say whether *line* ends in the middle of how ours begin."""
    return 1 < len(line) < len(_BEGINS) and _BEGINS.startswith(line)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return *pairs* as an object; what stands twice is a value that fits no hash."""
    found = dict(pairs)
    if len(found) < len(pairs):
        found["hash"] = f"{found.get('hash')}, and a name that stands twice"
    return found
