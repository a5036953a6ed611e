"""What is waited for, on one line of a terminal, which the next line replaces."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import TextIO, TypeVar

import attrs

T = TypeVar("T")

_WIDEST = 78
_COUNTED = 2000  # things between two lines that say how many there were
_CLEAR = "\r\x1b[K"  # to the begin of the line, and clear it


def _is_terminal(stream: TextIO | None, environ: Mapping[str, str]) -> bool:
    """Say whether *stream* is a terminal whose line can be written over."""
    return bool(stream and stream.isatty()) and environ.get("TERM") != "dumb"


@attrs.define
class Progress:
    """Writes to stderr if that is a terminal, without colours; else it does nothing."""

    _shows: bool = attrs.field(factory=lambda: _is_terminal(sys.stderr, os.environ))
    _shown: bool = attrs.field(default=False, init=False)

    def show(self, what: str) -> None:
        """Show *what* is being done until something else is, or a line comes."""
        if self._shows:
            sys.stderr.write(f"{_CLEAR}… {what}"[: _WIDEST + len(_CLEAR)])
            sys.stderr.flush()
            self._shown = True

    def counted(self, things: Iterable[T], what: str) -> Iterator[T]:
        """Pass *things* on, and show how many have passed."""
        for number, thing in enumerate(things, 1):
            if number % _COUNTED == 0:
                self.show(f"{number:,} {what}")
            yield thing

    def clear(self) -> None:
        """Make way for a line."""
        if self._shown:
            sys.stderr.write(_CLEAR)
            sys.stderr.flush()
            self._shown = False
