"""What the owner of an instance is told directly. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bot.model import Message, Record, State, gives_back
from bot.slack.messages import blocks as b
from bot.slack.messages import formatting as t
from bot.slack.messages import signs
from bot.slack.messages.outcome import ending


def before(records: Sequence[Record]) -> Message:
    """Tell who is about to restart what is theirs, and why."""
    request = records[0].request
    who, what = t.mention(request.user_id), t.what_of(records)
    lost = "Running jobs, kernels and everything outside the work directory are lost."
    between = "It is stopped and started, and may stay down." * gives_back(request.plan)
    return b.message(
        b.marked(
            f"{signs.acting(records[0]).begins}: {what}, which is yours. {who} asked"
            f" for it {t.date(request.asked_at)}."
        ),
        b.words(t.reason(request)),
        b.words(f"{lost} {between}".strip()) if request.wants == "restart" else None,
    )


def after(records: Sequence[Record]) -> Message:
    """Tell how it ended."""
    request = records[0].request
    who, what = t.mention(request.user_id), t.what_of(records)
    return b.message(
        b.marked(
            f"{_sign(records).begins}: the {t.verb(request)} of {what}, which {who}"
            " asked for, has ended."
        ),
        *(_row(record) for record in records),
        b.words(t.reason(request)),
    )


def _sign(records: Sequence[Record]) -> signs.Sign:
    alone = len(records) == 1
    return signs.of(records[0]) if alone else signs.of_all(records)


def _row(record: Record) -> b.Part:
    name = t.code(record.request.target.instance)
    if record.state is State.READY:
        return b.row(name, f"{signs.READY.mark} is ready{t.took(record)}")
    return b.row(name, ending(record))
