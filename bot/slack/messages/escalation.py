"""What is said in the thread of a card while nobody has decided. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bot.model import Message, Record
from bot.slack.messages import blocks as b
from bot.slack.messages import formatting as t
from bot.slack.messages import signs
from bot.slack.messages.approval import deadline


def next_line(
    record: Record,
    after_s: float,
    mentions: Sequence[str],
    troubles: Sequence[str],
    what: str = "",
) -> Message:
    """Ask the people of the next line, *mentions*, who may approve it from now on.

    *troubles*, raw, say of which line nobody is known; *what*, markup, is what they are
    to decide on (default: its place).
    """
    who = t.mention(record.request.user_id)
    asked = (
        f"{signs.PENDING.begins}. {t.together(mentions)}: you may approve this as well"
        f" now. {who} asks to {t.verb(record.request)} {_what(record, what)}, and"
        f" nobody has decided for {t.duration(after_s)}. {deadline(record)}"
    )
    return b.message(
        b.marked(asked) if mentions else None,
        *map(b.ruling, troubles),
        b.words("I look again, and mention who it is as soon as that is known.")
        if troubles
        else None,
    )


def asked_again(
    record: Record, lost: Sequence[str], mentions: Sequence[str], what: str = ""
) -> Message:
    """Say that the approvals of *lost*, user ids, were taken off, and who is asked now.

    *mentions* are those, *what* as in ``next_line``.
    """
    whose = t.together([t.mention(one) for one in lost])
    asked = (
        f"{signs.PENDING.begins}. {t.together(mentions)}: the approval of {whose} does"
        f" not count any more. {t.mention(record.request.user_id)} waits for a decision"
        f" again, to {t.verb(record.request)} {_what(record, what)}. {deadline(record)}"
    )
    return b.message(b.marked(asked))


def _what(record: Record, what: str) -> str:
    return what or t.place(record.request.target)
