"""The ledger: what was asked, what became of it, and the audit trail of it all.

Everything that moves a request moves it here, in one transaction with its entry in
the trail: where the trail cannot be written, nothing happens. All methods but the
constructor, ``open`` and ``close`` are coroutines and raise LedgerError when the
database cannot be reached within seconds.
"""

from bot.ledger.audit import Entry, append, entry_of
from bot.ledger.database import in_thread
from bot.ledger.queries import BREAK_GLASS
from bot.ledger.send_claim import Claiming

__all__ = ["BREAK_GLASS", "Entry", "Ledger", "entry_of"]


class Ledger(Claiming):
    """All that is known of requests, over all replicas; see the module's docstring."""

    @in_thread
    def note(self, entry: Entry) -> str:
        """Append *entry* to the trail and return its hash."""
        with self._writing() as connection:
            return append(connection, entry, self._now())
