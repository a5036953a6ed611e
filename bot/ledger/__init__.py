"""The ledger: what was asked, what became of it, and the audit trail of it all.

Everything that moves a request moves it here, in one transaction with its entry in
the trail: where the trail cannot be written, nothing happens.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from bot.ledger import (
    alert_cards,
    alert_notes,
    alert_outcomes,
    alerts,
    audit,
    database,
    export,
    freezes,
    mentions,
    queries,
    requests,
    send_claim,
    start_claim,
    transitions,
    votes,
)
from bot.ledger.audit import Entry, entry_of
from bot.ledger.schema import BREAK_GLASS

__all__ = ["BREAK_GLASS", "Entry", "Ledger", "entry_of"]


class Ledger:
    """All that is known of requests, over all replicas.

    Its methods stand in the files named here, as functions over one database. All but
    ``open`` and ``close`` are coroutines and raise LedgerError when the database
    cannot be reached within seconds. *clean* takes secrets out of what is written.
    """

    def __init__(
        self,
        url: str,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clean: Callable[[str], str] = str,
    ) -> None:
        self.database = database.Database(url, now=now, clean=clean)

    def open(self) -> None:
        """Make the tables, and what later versions added to them, if missing."""
        self.database.open()

    def close(self) -> None:
        """Let go of threads and connections."""
        self.database.close()

    ping = database.ping

    record = requests.record
    record_all = requests.record_all

    move = transitions.move
    wait_for_approval = transitions.wait_for_approval
    join = transitions.join
    update = transitions.update
    keep_card = transitions.keep_card

    vote = votes.vote
    take_off = votes.take_off
    explain_denial = votes.explain_denial
    approvers_on_trail = votes.approvers_on_trail

    mentioned = mentions.mentioned
    claim_mentions = mentions.claim_mentions
    give_back_mentions = mentions.give_back_mentions
    note_mentions = mentions.note_mentions

    freeze = freezes.freeze
    thaw = freezes.thaw
    frozen = freezes.frozen
    note_once = freezes.note_once
    take_telling = freezes.take_telling
    untold_of = freezes.untold_of
    told_of = freezes.told_of

    take_send = send_claim.take_send
    give_back_send = send_claim.give_back_send
    answered = send_claim.answered
    take_start = start_claim.take_start
    start_answered = start_claim.start_answered
    came_back = start_claim.came_back

    hear = alerts.hear
    alert = alerts.alert
    forget_alerts = alerts.forget_alerts
    take_cards = alert_cards.take_cards
    drawn = alert_cards.drawn
    take_outcomes = alert_outcomes.take_outcomes
    outcome_told = alert_outcomes.outcome_told
    take_notes = alert_notes.take_notes
    note_written = alert_notes.note_written

    get = queries.get
    existing = queries.existing
    pending = queries.pending
    last_restart = queries.last_restart
    durations = queries.durations
    recent = queries.recent
    open_requests = queries.open_requests
    in_flight = queries.in_flight
    down = queries.down
    joined = queries.joined
    batch = queries.batch
    asked_with = queries.asked_with
    known = queries.known
    untold = queries.untold
    news = queries.news

    note = audit.note
    entries = audit.entries
    pages = audit.pages
    broken_glass = audit.broken_glass
    digests = audit.digests
    prove = audit.prove
    verify = audit.verify
    newest_hash = audit.newest_hash

    cursor = export.cursor
    move_cursor = export.move_cursor
    unwritten = export.unwritten
