"""Who is on call: on a card, in an answer, or line by line for whoever asks. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from bot.errors import RotaError
from bot.model import Duty, Message, OnCallPerson
from bot.model.rule import line_of
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
    return b.words(duty) if isinstance(duty, str) else b.marked(duty_line(name, duty))


def duty_line(name: str, duty: Duty | str) -> str:
    """Return who is on call on a line, as markup, or the sentence why nobody knows."""
    if isinstance(duty, str):
        return t.said(duty)
    whose = f"{t.code(name)} ({duty.source})"
    if not duty.people:
        return f"{whose}: nobody is on call."
    return f"{whose}: {t.together([_person(one) for one in duty.people])}."


def _person(person: OnCallPerson) -> str:
    """Return who it is, as a mention where the map knows him, and until when."""
    unmapped = f"{t.code(person.label)} (not in the map of people)"
    who = t.mention(person.user_id) if person.user_id else unmapped
    return " ".join(filter(None, (who, _until(person))))


def on_call(entry: str, known: Duty | RotaError, but: str = "") -> list[str]:
    """Return who is on call by the line *entry*, as mentions with until when.

    The user *but* is left out. What is not known is said instead.
    """
    line = f"the line {t.code(line_of(entry))}"
    if isinstance(known, RotaError):
        return [f"{line} (cannot be read now)"]
    others = [one for one in known.people if not but or one.user_id != but]
    if not others:
        who = "nobody else" if known.people else "nobody"
        return [f"{line} ({who} on call now)"]
    return [_on_call(one) for one in others]


def _on_call(one: OnCallPerson) -> str:
    """Return somebody on call as a mention, or by his name, with until when."""
    who = t.mention(one.user_id) if one.user_id else t.said(one.label, 80)
    unknown = "" if one.user_id else ", not known in Slack"
    until = _until(one)
    return f"{who} (on call{unknown}{' ' * bool(until)}{until})"


def _until(one: OnCallPerson) -> str:
    """Return until when, or nothing."""
    if one.until is None:
        return ""
    return f"{'at least ' * one.at_least}until {t.date(one.until)}"
