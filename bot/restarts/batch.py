"""What was asked for together: mostly one restart, sometimes several.

Each of them has a request, a claim and a workflow of its own; one of them, the first,
speaks for all: it asks for approval, posts the message, and has the last word.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import attrs

from bot.ledger import Ledger
from bot.model import Record, asked_of


@attrs.frozen
class Batch:
    """All that was asked for together with *record*, in their order, as it is now."""

    record: Record
    records: Sequence[Record]

    @classmethod
    async def of(cls, ledger: Ledger, request_id: str) -> Self:
        """Read the batch of a request that must exist, else raise LedgerError."""
        records = await ledger.asked_with(request_id)
        record = next(one for one in records if one.request.id == request_id)
        return cls(record, records)

    @property
    def id(self) -> str:
        """The id of the one that speaks for all."""
        return self.record.request.speaks

    @property
    def speaks(self) -> bool:
        """Whether *record* is the one that speaks for all."""
        return self.record.request.id == self.id

    @property
    def alone(self) -> bool:
        """Whether *record* was asked for by itself."""
        return len(self.records) == 1

    @property
    def asked(self) -> Record:
        """The one that the approval card is about."""
        return asked_of(self.records)

    @property
    def message_ts(self) -> str:
        """The message that shows all of them, or nothing."""
        return next((one.message_ts for one in self.records if one.message_ts), "")

    @property
    def earlier(self) -> list[Record]:
        """Those whose turn comes before *record*'s."""
        place = self.record.request.place
        return [one for one in self.records if one.request.place < place]
