"""What a file of the trail's lines proves, without the database. Pure.

Lines are read once, in their order; of an entry that was seen 16 bytes are kept, so a
million of them fit into memory with ease.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from hashlib import blake2b

from attrs import define, field

from bot.ledger.audit_line import entry_of_line
from bot.ledger.chain import ORIGIN, VERSIONS, Row, hash_of, is_as_written
from bot.ledger.line_flaws import (
    DIFFERENT,
    DOUBLED,
    OUT_OF_PLACE,
    Flaws,
    Gap,
    Run,
    named,
)

_SIZE, _ROOM = 16, 64  # bytes of a mark, marks that are kept together
_NONE = bytes(_SIZE)


@define
class Marks:
    """Which entries were seen, and with which hash: 16 bytes that stand for it."""

    _rooms: dict[int, bytearray] = field(factory=dict, init=False)

    def __getitem__(self, seq: int) -> bytes:
        """Return the mark of an entry; zeros for one that was not seen."""
        room = self._rooms.get(seq // _ROOM)
        at = seq % _ROOM * _SIZE
        return bytes(room[at : at + _SIZE]) if room else _NONE

    def __setitem__(self, seq: int, mark: bytes) -> None:
        """Keep the mark of an entry."""
        room = self._rooms.get(seq // _ROOM)
        if room is None:
            room = self._rooms[seq // _ROOM] = bytearray(_ROOM * _SIZE)
        at = seq % _ROOM * _SIZE
        room[at : at + _SIZE] = mark

    def __contains__(self, seq: int) -> bool:
        """Say whether an entry was seen."""
        return self[seq] != _NONE

    def seen(self) -> Iterator[int]:
        """Yield the numbers of the entries that were seen, in their order."""
        for number in sorted(self._rooms):
            for seq in range(number * _ROOM, (number + 1) * _ROOM):
                if seq in self:
                    yield seq


@define
class LineProof:
    """Hears the lines of a file in their order, then says what they prove.

    With *since* (ISO 8601, UTC) older entries are passed over, and what is proven
    begins with the first that is not.
    """

    since: str = ""
    lines: int = 0
    entries: int = 0
    first: int = 0
    last: int = 0
    oldest_at: str = ""
    newest_at: str = ""
    newest_hash: str = ""
    later: int = 0  # entries with columns of a later version, which the hash is over
    flaws: Flaws = field(factory=Flaws)
    # asyncio.run takes the repr of what it returns: of these it would be 100 MB.
    marks: Marks = field(factory=Marks, repr=False)
    _awaited: dict[int, bytes] = field(factory=dict, init=False)  # of the one before
    _last_line: int = field(default=0, init=False)  # that of the entry *last*
    _run: Run | None = field(default=None, init=False)

    def hear(self, lines: Iterable[bytes]) -> None:
        """Take in all *lines*, and say what is missing between them."""
        for line in lines:
            self.lines += 1
            row = entry_of_line(line)
            if isinstance(row, str):
                self.flaws.add(f"line {self.lines} {row}")
            elif row is not None and str(row.get("at")) >= self.since:
                self._hear(row)
        self._end_run()
        self._say_missing()

    def _hear(self, row: Row) -> None:
        seq = row["seq"]
        if not self._is_as_written(row):
            self.flaws.add(f"entry {seq} (line {self.lines}) {_changed(row)}")
            if seq != self.last + 1:
                return  # nobody knows which number it had
        elif seq in self.marks:
            same = self.marks[seq] == mark_of(row["hash"])
            self._add_to_run(DOUBLED if same else DIFFERENT, seq)
            return
        else:
            self._link(row)
        self._keep(row)

    def _is_as_written(self, row: Row) -> bool:
        """Say whether the hash fits, also one over columns of a later version."""
        if is_as_written(row):
            return True
        later = row.keys() - {"hash"}
        if later > set(VERSIONS[-1]) and row["hash"] == hash_of(row, sorted(later)):
            self.later += 1
            return True
        return False

    def _link(self, row: Row) -> None:
        """Compare an entry with those before and behind it, as far as they are here."""
        seq, previous = row["seq"], mark_of(row["previous_hash"])
        if seq == 1:
            self._follow(seq, row["previous_hash"] == ORIGIN)
        elif seq - 1 in self.marks:
            self._follow(seq, self.marks[seq - 1] == previous)
        else:
            self._awaited[seq - 1] = previous
        if (awaited := self._awaited.pop(seq, None)) is not None:
            self._follow(seq + 1, awaited == mark_of(row["hash"]))

    def _follow(self, seq: int, does: bool) -> None:  # noqa: FBT001
        if not does:
            self.flaws.add(f"entry {seq} does not follow the one before it")

    def _keep(self, row: Row) -> None:
        seq = row["seq"]
        self.entries += 1
        self.marks[seq] = mark_of(row["hash"])
        if seq < self.last:
            flaw = f"{OUT_OF_PLACE}{self.last} (line {self._last_line})"
            self._add_to_run(flaw, seq)
        else:
            self._end_run()
            self.last, self._last_line = seq, self.lines
            self.newest_at, self.newest_hash = str(row.get("at")), row["hash"]
        if not self.first or seq < self.first:
            self.first, self.oldest_at = seq, str(row.get("at"))

    def _add_to_run(self, flaw: str, seq: int) -> None:
        run = self._run
        if run and (run.flaw, run.last) == (flaw, seq - 1):
            run.last, run.to_line = seq, self.lines
            return
        self._end_run()
        self._run = Run(flaw, seq, seq, self.lines, self.lines)

    def _end_run(self) -> None:
        if self._run is not None:
            self.flaws.add(str(self._run))
        self._run = None

    def _say_missing(self) -> None:
        before = self.first - 1 if self.since else 0
        for seq in self.marks.seen():
            if seq > before + 1:
                begins = "" if before else f": the file begins with entry {seq}"
                are = "is" if seq == before + 2 else "are"
                missing = named(before + 1, seq - 1)
                self.flaws.add(f"{missing} {are} missing{begins}")
            before = seq

    def compare(self, rows: Iterable[Row], newest: int) -> Iterator[Row]:
        """Pass *rows*, all of the database's trail, on, and say where they differ.

        Entries after the one numbered *newest* may have come after the file.
        """
        lacking = Gap("{} in the database, and not in the file", self.flaws)
        cut = Gap("{} in the file, and not in the database", self.flaws)
        here = self.marks.seen()
        held = next(here, None)
        for row in rows:
            yield row
            seq = row["seq"]
            while held is not None and held < seq:
                cut.add(held)
                held = next(here, None)
            if held == seq:
                if self.marks[seq] != mark_of(row["hash"]):
                    self.flaws.add(f"entry {seq} is not the same in the database")
                held = next(here, None)
            elif seq <= newest and not (self.since and seq < self.first):
                lacking.add(seq)
        while held is not None:
            cut.add(held)
            held = next(here, None)
        lacking.close()
        cut.close()


def mark_of(text: str) -> bytes:
    """Return 16 bytes that stand for a hash, whatever somebody has put in its place."""
    return blake2b(text.encode(errors="surrogatepass"), digest_size=_SIZE).digest()


def _changed(row: Row) -> str:
    """Return what is to be said of an entry that does not fit its hash."""
    names = sorted(row.keys() - {*VERSIONS[-1], "hash"})
    unknown = ", ".join(json.dumps(name)[:40] for name in names[:5])
    if not unknown:
        return "was changed"
    return f"was changed, or by a later version: what is not known here is {unknown}"
