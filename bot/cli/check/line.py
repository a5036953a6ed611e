"""One line of what ``mlstudio-bot check`` found. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bot.errors import BotError

_MARKS = {True: "✓", False: "✗", None: "–"}

Asking = Callable[[str], None]  # told what is being asked now, for whoever waits


@dataclass(frozen=True, slots=True)
class Line:
    """*what* was looked at; *ok* is None where it could not be looked at.

    *remedy* says what to do; every line that is not ok has one.
    """

    ok: bool | None
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        """Return the line as it is printed."""
        return f"{_MARKS[self.ok]} {self.what}" + (f" → {self.remedy}" * (not self.ok))


def good(what: str) -> Line:
    """Return the line of something that is as it should be."""
    return Line(ok=True, what=what)


def bad(what: str, remedy: str) -> Line:
    """Return the line of something that has to be mended."""
    return Line(ok=False, what=what, remedy=remedy)


def failed(what: str, error: BotError, remedy: str, way: str = "") -> Line:
    """Return the line of a call that ended in *error*.

    What the network or the far side said is added, and whom the call asked (*way*);
    what *error* itself knows of a remedy counts more than *remedy*.
    """
    asked = f"asked was {way}, and " if way else ""
    why = f" To be exact: {asked}{error.why}." if error.why else ""
    return bad(f"{what}: {error}{why}", error.remedy or remedy)


def skipped(what: str, remedy: str) -> Line:
    """Return the line of something that was not looked at, and how it would be."""
    return Line(ok=None, what=what, remedy=remedy)


def not_asked(what: str, first: str) -> Line:
    """Return the line of what was not asked because of a ✗ that has to go *first*."""
    return skipped(f"{what} not asked", f"not checked: {first} first")


def counted(number: int, noun: str) -> str:
    """Return *number* with its *noun*, in the plural where it belongs."""
    return f"{number} {noun}" + "s" * (number != 1)


def unheard(what: str) -> None:
    """Tell nobody what is being asked."""
