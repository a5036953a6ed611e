"""What is waited for, on one line of a terminal, which the next line replaces."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TextIO

import attrs

_WIDEST = 78
_CLEAR = "\r\x1b[K"  # to the begin of the line, and clear it


def _is_terminal(stream: TextIO | None, environ: Mapping[str, str]) -> bool:
    """Say whether *stream* is a terminal whose line can be written over."""
    return bool(stream and stream.isatty()) and environ.get("TERM") != "dumb"


@attrs.define
class Progress:
    """Writes to stderr if that is a terminal, without colours; else it does nothing."""

    _shows: bool = attrs.field(factory=lambda: _is_terminal(sys.stderr, os.environ))
    _shown: bool = attrs.field(default=False, init=False)

    def asking(self, what: str) -> None:
        """Show *what* is being asked until something else is, or a line comes."""
        if self._shows:
            sys.stderr.write(f"{_CLEAR}… {what}"[: _WIDEST + len(_CLEAR)])
            sys.stderr.flush()
            self._shown = True

    def clear(self) -> None:
        """Make way for a line."""
        if self._shown:
            sys.stderr.write(_CLEAR)
            sys.stderr.flush()
            self._shown = False
