"""The one approval request of several restarts: its card and its end. Pure.

Like the card of one, it is built from stored requests only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.model import Message, Record, State
from bot.slack.messages import blocks as b
from bot.slack.messages import formatting as t
from bot.slack.messages.approval import (
    asks,
    closing,
    decision,
    losses,
    notes,
    verdict_buttons,
    votes,
)
from bot.slack.messages.batch import count_of, standing, what_of


def card(
    record: Record, records: Sequence[Record], *, approvers: Sequence[str]
) -> Message:
    """Ask the *approvers* (ready mentions) for all of *records* at once.

    *record* is the one whose id the buttons carry.
    """
    place = f"{count_of(records)} in {record.request.target.project}"
    return b.message(
        b.title(f"May {count_of(records)} be restarted?"),
        *asks(record, approvers, what_of(records)),
        *map(_row, records),
        b.words(losses(None)),
        *(_warning(one) for one in records),
        votes(record),
        verdict_buttons(record, place),
    )


def _row(record: Record) -> b.Part:
    """Return one instance with its id and its status."""
    target = record.request.target
    line = f"Instance id {target.instance_id}"
    if record.state is State.PENDING:
        instance = record.baseline
        status = t.status(instance.status) if instance else "could not be read"
        line += f", status now {status}"
    elif record.request.waits or record.state is not State.ASKED:
        line += f", {standing(record)}"
    else:
        line += ", needs no approval itself and is restarted with the others"
    return b.row(t.code(target.instance), line)


def _warning(record: Record) -> b.Part | None:
    """Return the cloud's warning that an instance might not come back."""
    if record.baseline is None or not record.baseline.warning:
        return None
    warning = t.sentence(record.baseline.warning)
    name = record.request.target.instance
    return b.words(f"Warning, {name} might not come back: {warning}")


def card_closed(record: Record, records: Sequence[Record]) -> Message:
    """Draw the card after its end: who decided on all of it, and no buttons."""
    request, decided = record.request, _as_decided(record)
    return b.message(
        b.title(f"Restart of {count_of(records)}: {closing(decided)}"),
        b.marked(
            f"{t.mention(request.user_id)} asked to restart {what_of(records)}"
            f" {t.date(request.asked_at)}."
        ),
        b.marked(decision(decided)),
        b.words(t.reason(request)),
        *notes(decided),
        *map(_id, records),
    )


def _as_decided(record: Record) -> Record:
    """Return *record* as it stood when it was decided on; more may have happened."""
    return replace(record, state=State.APPROVED) if record.is_approved else record


def _id(record: Record) -> b.Part:
    """Return the id of one instance."""
    target = record.request.target
    return b.note(f"{target.instance}: instance id {target.instance_id}")
