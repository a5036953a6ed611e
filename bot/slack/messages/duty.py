"""Who is on call, as mentions. Pure."""

from __future__ import annotations

from bot.errors import RotaError
from bot.model import Duty, OnCallPerson
from bot.model.rule import line_of
from bot.slack.messages import formatting as t


def on_call(entry: str, known: Duty | RotaError, but: str = "") -> list[str]:
    """Return who is on call by the line *entry*, as mentions with until when.

    The user *but* is left out. What is not known is said instead.
    """
    line = f"the line {t.code(line_of(entry))}"
    if isinstance(known, RotaError):
        return [f"who is on call on {line}, which cannot be read now"]
    others = [one for one in known.people if not but or one.user_id != but]
    if not others:
        return [f"{'nobody else' if known.people else 'nobody'} on {line} now"]
    return list(map(person, others))


def person(one: OnCallPerson) -> str:
    """Return somebody on call as a mention, or by his name, with until when."""
    who = t.mention(one.user_id) if one.user_id else t.said(one.label, 80)
    unknown = "" if one.user_id else ", not known in Slack"
    if one.until is None:
        return f"{who} (on call{unknown})"
    least = "at least " if one.at_least else ""
    return f"{who} (on call{unknown} {least}until {t.date(one.until)})"
