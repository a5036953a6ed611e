"""Log lines that repeat: the first few are written, the others counted."""

from __future__ import annotations

import copy
import logging
import threading
import time
from collections.abc import Hashable

import attrs

MOST_ALIKE = 5  # lines that are the same ...
ALIKE_WITHIN_S = 60.0  # ... within so many seconds
_KINDS = 500  # different lines that are remembered
_PASSING = frozenset({"timestamp", "exc_info"})  # what the same line has anew each time


@attrs.define
class _Seen:
    since: float
    count: int = 1
    last: logging.LogRecord | None = None  # the last one that was not written


@attrs.define
class Repeats:
    """A filter of *handler*: whoever causes a line again and again fills no disk.

    Lines of the bot are the same if all their fields are, lines of a library if their
    unfilled text is. A minute after the first one, one line tells how many were left
    out, with the fields of the last.
    """

    _handler: logging.Handler
    _seen: dict[Hashable, _Seen] = attrs.field(factory=dict, init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether to write *record*."""
        key, now = _key(record), time.monotonic()
        with self._lock:
            seen = self._seen.get(key)
            if seen is None or (
                now - seen.since >= ALIKE_WITHIN_S and seen.last is None
            ):
                self._forget()
                self._seen[key] = _Seen(now)
                return True
            seen.count += 1
            if seen.count <= MOST_ALIKE:
                return True
            if seen.last is None:
                left_s = max(0.0, seen.since + ALIKE_WITHIN_S - now)
                timer = threading.Timer(left_s, self._tell, (key,))
                timer.daemon = True
                timer.start()
            seen.last = record
            return False

    def _tell(self, key: Hashable) -> None:
        """Write how many lines were left out."""
        with self._lock:
            seen = self._seen.pop(key, None)
        if seen is not None and seen.last is not None:
            self._handler.handle(_counted(seen.last, seen.count - MOST_ALIKE))

    def _forget(self) -> None:
        """Of too many lines forget those that nothing is owed for."""
        if len(self._seen) < _KINDS:
            return
        self._seen = {k: one for k, one in self._seen.items() if one.last is not None}


def _key(record: logging.LogRecord) -> Hashable:
    """Return what the same line has in common, whenever it is written."""
    said = record.msg
    if isinstance(said, dict):
        fields = {name: value for name, value in said.items() if name not in _PASSING}
        said = sorted((str(name), repr(value)) for name, value in fields.items())
    return record.name, record.levelno, str(said)


def _counted(record: logging.LogRecord, left_out: int) -> logging.LogRecord:
    """Return *record* as the line that stands for *left_out* like it."""
    told = copy.copy(record)
    if isinstance(record.msg, dict):
        told.msg = {**record.msg, "left_out": left_out}
    else:
        told.msg, told.args = f"{record.getMessage()} (left out: {left_out})", ()
    return told
