"""The windows of a rule: the times of the week in which it holds. Pure.

Written as ``Mon-Fri 08:00-18:00 Europe/Berlin``, several with ``;`` between them. The
clock on the wall decides, the end is no part of a window, and one over midnight belongs
to the day on which it begins.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from bot.model.wall_clock import (
    DAYS,
    MINUTES_A_DAY,
    at_wall,
    instants,
    jumps,
    minutes,
    zone,
    zones,
)

# A weekly window opens within 7 days, or within 14 where the clocks leap over it.
AHEAD_DAYS = 16
_FORM = 'such as "Mon-Fri 08:00-18:00 Europe/Berlin"'


@dataclass(frozen=True, slots=True)
class Window:
    """*days* (Monday is 0) from *begins* to *ends*, in minutes after their midnight.

    *ends* is over 1440 where it is on the next day.
    """

    days: frozenset[int]
    begins: int
    ends: int
    zone: str

    def is_open(self, at: datetime) -> bool:
        """Say whether the clocks of its zone show a time inside it."""
        local = at.astimezone(zone(self.zone))
        day, minute = local.weekday(), local.hour * 60 + local.minute
        today = day in self.days and self.begins <= minute < self.ends
        before = (day - 1) % 7 in self.days and minute < self.ends - MINUTES_A_DAY
        return today or before

    def changes(self, at: datetime) -> Iterator[datetime]:
        """Yield all instants around *at* and later at which it may open or close."""
        place = zone(self.zone)
        first = at.astimezone(place).date() - timedelta(days=2)
        for number in range(AHEAD_DAYS + 2):
            for minute in (self.begins, self.ends):
                yield from instants(
                    at_wall(first + timedelta(days=number), minute), place
                )
        yield from jumps(at - timedelta(days=1), AHEAD_DAYS, place)

    @property
    def week(self) -> frozenset[int]:
        """Its minutes of the week, as clocks that never change show them."""
        length = range(self.ends - self.begins)
        starts = [day * MINUTES_A_DAY + self.begins for day in self.days]
        return frozenset(
            (at + n) % (7 * MINUTES_A_DAY) for at in starts for n in length
        )


def within(narrow: Sequence[Window], wide: Sequence[Window]) -> bool:
    """Say whether *wide* are surely open whenever one of *narrow* is.

    Of different zones that is never sure, unless *wide* never close.
    """
    covered = frozenset().union(*(window.week for window in wide))
    whole = len(covered) == 7 * MINUTES_A_DAY
    zoned = {window.zone for window in (*narrow, *wide)}
    needed = frozenset().union(*(window.week for window in narrow))
    same = len(zoned) == 1 or (whole and len({window.zone for window in wide}) == 1)
    return same and needed <= covered


def is_open(windows: Sequence[Window], at: datetime) -> bool:
    """Say whether one of *windows* is open."""
    return any(window.is_open(at) for window in windows)


def opening(windows: Sequence[Window], at: datetime) -> tuple[datetime, str] | None:
    """Return when one of *windows*, all closed *at* then, opens next, and its zone."""
    found = (
        (change, window.zone)
        for window in windows
        for change in window.changes(at)
        if change > at and window.is_open(change)
    )
    return min(found, default=None)


def closing(windows: Sequence[Window], at: datetime) -> tuple[datetime, str] | None:
    """Return when *windows*, open *at* then, are closed next, and in which zone."""
    found = (
        (change.astimezone(UTC), window.zone)
        for window in windows
        for change in window.changes(at)
        if change > at and not is_open(windows, change)
    )
    return min(found, default=None)


# --- as it is written ----------------------------------------------------------------


@lru_cache
def windows_of(text: str) -> tuple[Window, ...]:
    """Return the windows that *text* names.

    Raises ValueError, with the end of a sentence that says what is wrong.
    """
    return tuple(map(_window, text.split(";")))


def _window(text: str) -> Window:
    words = text.split()
    if not words:
        raise ValueError(
            f"holds an empty window; write days, times and a zone, {_FORM}"
        )
    if len(words) != 3:  # noqa: PLR2004
        raise ValueError(f"must be days, times and a zone, {_FORM}")
    begins, ends = _span(words[1])
    return Window(_days(words[0]), begins, ends, _zone(words[2]))


def _days(text: str) -> frozenset[int]:
    """Return the days of "Wed" or "Sat-Mon"."""
    first, dash, last = text.partition("-")
    begins = _day(first)
    length = (_day(last) - begins) % 7 if dash else 0
    return frozenset((begins + day) % 7 for day in range(length + 1))


def _day(text: str) -> int:
    known = [day.casefold() for day in DAYS]
    if text.casefold() in known:
        return known.index(text.casefold())
    near = difflib.get_close_matches(text[:9].casefold(), known, 1)
    meant = f'; did you mean "{DAYS[known.index(near[0])]}"?' if near else ""
    raise ValueError(
        f'names no day with "{_shown(text)}": they are {", ".join(DAYS)}{meant}'
    )


def _span(text: str) -> tuple[int, int]:
    """Return begin and end of "08:00-18:00" in minutes after midnight."""
    first, dash, last = text.partition("-")
    if not dash:
        raise ValueError(f"must name a begin and an end of the day, {_FORM}")
    begins, ends = _minute(first), _minute(last)
    if begins == MINUTES_A_DAY:
        raise ValueError(
            "cannot begin at 24:00, which is the end of a day: write 00:00"
        )
    if begins == ends:
        raise ValueError(
            f'is empty: "{_shown(text)}" ends when it begins; a whole day is'
            ' "00:00-24:00"'
        )
    return begins, ends if ends > begins else ends + MINUTES_A_DAY


def _minute(text: str) -> int:
    found = minutes(text)
    if found is None:
        raise ValueError(
            f'"{_shown(text)}" is no clock time: they go from 00:00 to 24:00'
        )
    return found


def _zone(text: str) -> str:
    if text in zones():
        return text
    near = difflib.get_close_matches(text[:64], zones(), 1)
    meant = f'; did you mean "{near[0]}"?' if near else ""
    raise ValueError(f'names no zone with "{_shown(text)}"{meant}')


def _shown(text: str) -> str:
    """Return at most 40 harmless characters of a foreign word."""
    return "".join(c if c.isalnum() or c in "._-:+/" else "?" for c in text[:40])
