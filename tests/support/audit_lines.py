"""Lines of a trail without a database, for what is proven by them alone."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from bot.ledger.audit_line import COLUMNS, LOGGER, line_of
from bot.ledger.chain import ORIGIN, hash_of
from bot.ledger.line_proof import LineProof

Row = dict[str, Any]


def chained(number: int, **columns: str) -> list[Row]:
    """Return so many entries as the bot would have written them."""
    rows: list[Row] = []
    for seq in range(1, number + 1):
        row: Row = dict.fromkeys(COLUMNS, "") | columns
        row |= {"seq": seq, "at": f"2025-03-01T12:00:{seq % 60:02}.000+00:00"}
        row |= {"kind": "note", "detail": f"number {seq}"}
        row["previous_hash"] = rows[-1]["hash"] if rows else ORIGIN
        rows.append(row | {"hash": hash_of(row)})
    return rows


def written(rows: Iterable[Row]) -> list[bytes]:
    """Return entries as the lines of a file."""
    return [f"{line_of(row)}\n".encode() for row in rows]


def raw(row: Row) -> bytes:
    """Return anything as a line of the trail's logger."""
    return json.dumps({"logger": LOGGER, **row}).encode() + b"\n"


def flaws_of(lines: Iterable[bytes], since: str = "") -> list[str]:
    """Return what the lines of a file have for flaws."""
    proof = LineProof(since)
    proof.hear(lines)
    return proof.flaws.told


def audit_lines(words: Iterable[str]) -> list[Row]:
    """Return the entries among the lines of a log, without the logger's name."""
    said = [json.loads(word) for word in words if word.startswith("{")]
    return [line for line in said if line.pop("logger", None) == LOGGER]
