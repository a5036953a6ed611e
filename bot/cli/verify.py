"""What the trail proves: that of the database, and lines of it that a file has."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO

from attrs import asdict, define

from bot.cli.history import missing_file, opened, shown
from bot.cli.progress import Progress
from bot.config import Settings
from bot.errors import LedgerError, UsageError
from bot.ledger.audit_line import lines_of
from bot.ledger.chain import Row
from bot.ledger.line_proof import LineProof
from bot.ledger.proof import Proof

Json = dict[str, Any]

_UNREADABLE = {
    b"\x1f\x8b": "is compressed: “zcat FILE | mlstudio-bot history --verify -”",
    b"\xff\xfe": "is UTF-16, which no log of the bot is; convert it to UTF-8",
}


async def proven(settings: Settings) -> Proof:
    """Return what going through all of the trail and the requests proves."""
    progress = Progress()
    try:
        with closing(opened(settings)) as ledger:
            newest, _ = await ledger.newest_hash()
            return await ledger.prove(partial(_passing, progress, newest))
    finally:
        progress.clear()


def _passing(progress: Progress, newest: int, rows: Iterable[Row]) -> Iterator[Row]:
    """Pass *rows* on, the whole trail, and show how far one is."""
    yield from progress.counted(rows, f"of {newest:,} entries")
    progress.show("comparing the requests with them")


def as_object(proof: Proof) -> Json:
    """Return *proof* for machines."""
    return {"whole": not proof.flaws, **asdict(proof)}


def proof_lines(proof: Proof) -> Iterator[str]:
    """Yield for people what *proof* proves, and what it cannot."""
    for flaw in proof.flaws:
        yield f"✗ {flaw}"
    if proof.flaws:
        yield f"The trail has {_extent(proof)}."
        return
    if not proof.entries:
        yield "– the trail is empty: nothing was recorded yet, or all of it was removed"
        return
    yield (
        f"✓ from entry {proof.first} to {proof.last} nothing is missing, changed or"
        f" moved; newest {shown(proof.newest_at)}, hash {proof.newest_hash}"
    )
    yield (
        f"✓ the requests ({proof.requests}) stand where the trail leaves them, and were"
        " sent when it says so"
    )
    yield (
        "– not proven: whether the end of both was cut off, or both written anew, by"
        " whoever owns the database; compare it with the lines that were kept elsewhere"
        " (“history --verify FILE”), or the newest entry's hash with the log (“audit"
        " trail”)"
    )


def _extent(proof: Proof | LineProof) -> str:
    """Return how much of the trail there is."""
    if not proof.entries:
        return "no entries"
    return (
        f"{proof.entries} entries, from {proof.first} to {proof.last}; newest"
        f" {shown(proof.newest_at)}, hash {shown(proof.newest_hash)}"
    )


# --- a file of lines ------------------------------------------------------------------


@define
class FileProof:
    """What the lines of *file* prove, and the database beside them.

    Without a database *alone* says why there is none, or *failed* that it did not
    answer.
    """

    file: str
    lines: LineProof
    database: Proof | None = None
    alone: str = ""
    failed: str = ""

    @property
    def flaws(self) -> list[str]:
        """All that is wrong, in sentences."""
        told = [*self.lines.flaws.told]
        if self.lines.flaws.left_out:
            told.append(f"{self.lines.flaws.left_out} more of this kind")
        if not (self.lines.entries or told):
            told.append(f"no line of the trail is among its {self.lines.lines} lines")
        if self.database is not None:
            told += [f"in the database: {flaw}" for flaw in self.database.flaws]
        if self.failed:
            told.append(f"not compared with the database: {self.failed}")
        return told


async def file_proven(
    file: str, settings: Settings | None, alone: str, since: str = ""
) -> FileProof:
    """Return what the lines of *file* ("-": of the input) prove.

    With *settings* they are compared with the database, if there is one. *alone* is why
    there are none; *since* is as in LineProof. UsageError if the file cannot be read.
    """
    proof, progress = FileProof(file, LineProof(since), alone=alone), Progress()
    if settings is not None:
        proof.alone = missing_file(settings)
    try:
        if settings is None or proof.alone:
            _hear(proof, progress)
        else:
            await _compare(proof, settings, progress)
    finally:
        progress.clear()
    return proof


async def _compare(proof: FileProof, settings: Settings, progress: Progress) -> None:
    try:
        with closing(opened(settings)) as ledger:
            # What comes from now on may not be in the file.
            newest, _ = await ledger.newest_hash()
            _hear(proof, progress)

            def beside(rows: Iterable[Row]) -> Iterator[Row]:
                return proof.lines.compare(_passing(progress, newest, rows), newest)

            proof.database = await ledger.prove(beside)
    except LedgerError as error:
        proof.failed = str(error)
        if not proof.lines.lines:
            _hear(proof, progress)


def _hear(proof: FileProof, progress: Progress) -> None:
    with _opened_file(proof.file) as file:
        proof.lines.hear(progress.counted(lines_of(file), "lines"))


@contextmanager
def _opened_file(name: str) -> Iterator[BinaryIO]:
    """Open a file, or the input; raise UsageError for what cannot be read."""
    try:
        with sys.stdin.buffer if name == "-" else Path(name).open("rb") as file:
            begins = file.peek(2)[:2] if isinstance(file, BufferedReader) else b""
            if begins in _UNREADABLE:
                raise UsageError(f"{name} {_UNREADABLE[begins]}")
            yield file
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}") from error


def file_object(proof: FileProof) -> Json:
    """Return *proof* for machines."""
    names = ("entries", "first", "last", "oldest_at", "newest_at", "newest_hash")
    return {
        "whole": not proof.flaws,
        "file": proof.file,
        "lines": proof.lines.lines,
        **{name: getattr(proof.lines, name) for name in names},
        "flaws": proof.flaws,
        "compared": proof.database is not None,
        "not_compared": proof.alone or proof.failed,
        "database": as_object(proof.database) if proof.database else None,
    }


def file_lines(proof: FileProof) -> Iterator[str]:
    """Yield for people what *proof* proves, and what it cannot."""
    for flaw in proof.flaws:
        yield f"✗ {flaw}"
    if proof.flaws:
        yield f"{proof.file} has {_extent(proof.lines)}."
    else:
        yield from _whole(proof)
    if proof.lines.later:
        yield f"– {proof.lines.later} entries have columns of a later version"
    if proof.alone:
        yield f"– not compared with a database: {proof.alone}"
        yield (
            "– not proven: whether its end was cut off, or all of it written anew;"
            " compare the newest entry's number and hash with the database"
        )


def _whole(proof: FileProof) -> Iterator[str]:
    lines = proof.lines
    yield (
        f"✓ {proof.file}: from entry {lines.first} to {lines.last} nothing is missing,"
        f" changed, doubled or out of place; newest {shown(lines.newest_at)}, hash"
        f" {lines.newest_hash}"
    )
    if proof.database is not None:
        yield (
            "✓ the database has the same entries, and its requests"
            f" ({proof.database.requests}) stand where they leave them"
        )
