"""Who is on call, in the sentences of policy: who it is, or why nobody can be named."""

from __future__ import annotations

from bot.errors import RotaError
from bot.model import Duty, OnCallPerson
from bot.model.rule import line_of
from bot.model.wall_clock import shown


def user_ids(duty: Duty) -> frozenset[str]:
    """Return who of those on call is known in Slack."""
    return frozenset(one.user_id for one in duty.people if one.user_id)


def on_duty(entry: str, known: object) -> str:
    """Return *entry*, a line as a rule names it, with who that is and until when."""
    if not isinstance(known, Duty):
        return entry
    who = ", ".join(_person(one, known) for one in known.people) or "nobody now"
    return f"{entry} ({who})"


def _person(one: OnCallPerson, duty: Duty) -> str:
    who = one.user_id or f"“{one.label}”, not known in Slack"
    if one.until is None:
        return who
    least = "at least " if one.at_least else ""
    end = shown(one.until, "UTC", duty.read_at).replace("(UTC)", "UTC")
    return f"{who} {least}until {end}"


def trouble(entry: str, known: object) -> str:
    """Return, in a sentence, why the line *entry* names nobody now; "" if it does.

    *known* is its Duty, the RotaError of reading it, or nothing.
    """
    line = line_of(entry)
    if isinstance(known, RotaError):
        return str(known)
    if not isinstance(known, Duty):
        return f"I do not know who is on call on the line “{line}”."
    if not known.people:
        return f"Nobody is on call on the line “{line}” now, says {known.source}."
    if user_ids(known):
        return ""
    names = ", ".join(f"“{one.label}”" for one in known.people)
    return (
        f"On call on the line “{line}”, says {known.source}, is {names}, and the"
        " configuration does not say who that is in Slack."
    )
