"""Who is on call, line by line, for whoever asks. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from bot.model import Duty, Message, OnCallPerson
from bot.slack.messages import blocks as b
from bot.slack.messages import formatting as t

MOST_LINES = 40  # so that they stay within the 50 blocks of a message


def lines(found: Mapping[str, Duty | str]) -> Message:
    """Answer ``oncall``: of each line who it is, or the sentence why it is unknown."""
    if not found:
        return b.message(
            b.words("The configuration has no line of on-call: no [oncall.NAME].")
        )
    shown = [_line(name, duty) for name, duty in list(found.items())[:MOST_LINES]]
    more = len(found) - len(shown)
    return b.message(
        b.title("On call now"),
        *shown,
        b.note(f"… and {more} more lines.") if more else None,
    )


def _line(name: str, duty: Duty | str) -> b.Part:
    """Return one line; a source's names are foreign text."""
    if isinstance(duty, str):
        return b.words(duty)
    whose = f"{t.code(name)} ({duty.source})"
    if not duty.people:
        return b.marked(f"{whose}: nobody is on call.")
    return b.marked(f"{whose}: {t.together([_person(one) for one in duty.people])}.")


def _person(person: OnCallPerson) -> str:
    """Return who it is, as a mention where the map knows him, and until when."""
    unmapped = f"{t.code(person.label)} (not in the map of people)"
    who = t.mention(person.user_id) if person.user_id else unmapped
    if person.until is None:
        return who
    until = "at least until" if person.at_least else "until"
    return f"{who} {until} {t.date(person.until)}"
