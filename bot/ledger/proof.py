"""What going through the trail has proven, from which entry to which."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from attrs import define, field

Row = Mapping[str, Any]


@define
class Proof:
    """The entries from *first* to *last* were looked at, and so many *requests*.

    Times are as in the trail (ISO 8601, UTC). Without entries the numbers are 0 and the
    rest is empty. *flaws* has a sentence for each thing that is not as it was written.
    """

    entries: int = 0
    first: int = 0
    last: int = 0
    oldest_at: str = ""
    newest_at: str = ""
    newest_hash: str = ""
    requests: int = 0
    flaws: list[str] = field(factory=list)

    def seen(self, entries: Iterable[Row]) -> Iterator[Row]:
        """Pass *entries* on, oldest first, and keep from where to where they go."""
        for entry in entries:
            if not self.entries:
                self.first, self.oldest_at = entry["seq"], entry["at"]
            self.entries += 1
            self.last, self.newest_at = entry["seq"], entry["at"]
            self.newest_hash = entry["hash"]
            yield entry

    def compared(self, requests: Iterable[Row]) -> Iterator[Row]:
        """Pass *requests* on, and count them."""
        for request in requests:
            self.requests += 1
            yield request
