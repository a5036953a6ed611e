"""What is wrong with the lines of a file, in a limited number of sentences. Pure."""

from __future__ import annotations

from attrs import define, field

MOST_FLAWS = 1000  # flaws that are told one by one


@define
class Flaws:
    """Sentences, the first MOST_FLAWS of them; *left_out* counts the others."""

    told: list[str] = field(factory=list)
    left_out: int = 0

    def add(self, sentence: str) -> None:
        """Add a sentence."""
        if len(self.told) < MOST_FLAWS:
            self.told.append(sentence)
        else:
            self.left_out += 1


@define
class Run:
    """Entries that follow each other and have the same flaw, with none between them."""

    flaw: str
    first: int
    last: int
    from_line: int
    to_line: int

    def __str__(self) -> str:
        return self.flaw.format(
            entries=named(self.first, self.last),
            are="is" if self.first == self.last else "are",
            lines=_lines(self.from_line, self.to_line),
        )


OUT_OF_PLACE = "{entries} ({lines}) {are} out of place: behind entry "
DOUBLED = "{entries} {are} doubled, the same each time: again in {lines}"
DIFFERENT = (
    "{entries} {are} doubled, and not the same: again in {lines}; from another"
    " database, or from after it was put back"
)


@define
class Gap:
    """Names the numbers that it is given, those that follow each other together."""

    flaw: str
    flaws: Flaws
    _first: int = field(default=0, init=False)
    _last: int = field(default=0, init=False)

    def add(self, seq: int) -> None:
        """Add a number."""
        if seq != self._last + 1 or not self._first:
            self.close()
            self._first = seq
        self._last = seq

    def close(self) -> None:
        """Name what was added."""
        if self._first:
            are = "is" if self._first == self._last else "are"
            which = f"{named(self._first, self._last)} {are}"
            self.flaws.add(self.flaw.format(which))
        self._first = 0


def named(first: int, last: int) -> str:
    """Return the name of the entries from *first* to *last*."""
    return f"entry {first}" if first == last else f"entries {first} to {last}"


def _lines(first: int, last: int) -> str:
    return f"line {first}" if first == last else f"lines {first} to {last}"
