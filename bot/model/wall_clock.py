"""What clocks on the wall say: zones, and times as people type and read them. Pure.

Instants are aware and in UTC; whatever is added or compared is an instant, because a
subtraction inside a zone does not see its clocks change.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from bot.model.duration import seconds

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MINUTES_A_DAY = 1440
_TEN_YEARS_S = 3650 * 86400.0
_TIME = re.compile(r"(\d{1,2}):(\d{2})")
_LENGTH = re.compile(r"[\d.]+[a-z]+", re.IGNORECASE)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@cache
def zones() -> frozenset[str]:
    """Return the names of all zones."""
    return frozenset(available_timezones())


def zone(name: str) -> ZoneInfo:
    """Return the zone of a *name*, UTC for one that nobody knows."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # no such file, no file name, a folder
        return ZoneInfo("UTC")


def minutes(text: str) -> int | None:
    """Return the minutes after midnight of "08:30", 1440 for "24:00", else None."""
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    hour, minute = int(match[1]), int(match[2])
    whole = hour * 60 + minute
    return whole if minute < 60 and whole <= MINUTES_A_DAY else None  # noqa: PLR2004


def at_wall(day: date, minute: int) -> datetime:
    """Return the wall time, without a zone, *minute* minutes after midnight."""
    return datetime.combine(day, time()) + timedelta(minutes=minute)


def instants(wall: datetime, place: ZoneInfo) -> list[datetime]:
    """Return when the clocks of *place* show *wall*: once, twice, or never."""
    found = {wall.replace(tzinfo=place, fold=fold).astimezone(UTC) for fold in (0, 1)}
    shown = (at for at in found if at.astimezone(place).replace(tzinfo=None) == wall)
    return sorted(shown)


def shown(at: datetime, name: str, now: datetime) -> str:
    """Return *at* by the clocks of the zone *name*, with the day unless that is today.

    Such as "18:00 (Europe/Berlin)" or "08:00 on Mon 2026-11-30 (Europe/Berlin)".
    """
    place = zone(name)
    local = at.astimezone(place)
    today = local.date() == now.astimezone(place).date()
    day = "" if today else f" on {DAYS[local.weekday()]} {local:%Y-%m-%d}"
    return f"{local:%H:%M}{day} ({name})"


# --- until when ----------------------------------------------------------------------


def is_time(word: str) -> bool:
    """Say whether a typed *word* looks as if it were a clock time."""
    return ":" in word and word[:1].isdigit()


def is_date(word: str) -> bool:
    """Say whether a typed *word* looks as if it were a date."""
    return _DATE.fullmatch(word) is not None


def is_end(word: str) -> bool:
    """Say whether a typed *word* looks as if it were a time, or how long."""
    return is_time(word) or _LENGTH.fullmatch(word) is not None


def until(text: str, name: str, now: datetime) -> datetime:
    """Return the end that *text* names to somebody in the zone *name*.

    It is a duration ("2h"), a clock time (the next one) or a date and a clock time. Of
    an hour that comes twice the later one counts. Raises ValueError, with the sentence
    for who typed it, for one that does not exist or is over.
    """
    *dated, clock = text.replace("T", " ").split() or [""]
    if not dated and not is_time(clock):
        return _later(clock.casefold(), now)
    minute = minutes(clock)
    if minute is None:
        raise ValueError(f"{clock} is no clock time: they go from 00:00 to 24:00")
    place = zone(name)
    if dated:
        return _ending(_day(dated[0]), minute, name, now)
    today = now.astimezone(place).date()
    for day in (today, today + timedelta(days=1)):
        if at_wall(day, minute) > now.astimezone(place).replace(tzinfo=None) or any(
            at > now for at in instants(at_wall(day, minute), place)
        ):
            return _ending(day, minute, name, now)
    return _ending(today + timedelta(days=2), minute, name, now)  # 00:00 of a long day


def _later(length: str, now: datetime) -> datetime:
    """Return when so long has passed; what is absurdly long ends in ten years."""
    found = min(seconds(length), _TEN_YEARS_S)
    if found <= 0:
        raise ValueError(f"{length} is no time at all")
    return now + timedelta(seconds=found)


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"there is no day {text}") from None
    if not 1970 < day.year < 9000:  # noqa: PLR2004 - clocks end somewhere
        raise ValueError(f"{text} is out of all reach")
    return day


def _ending(day: date, minute: int, name: str, now: datetime) -> datetime:
    """Return the last instant of a wall time; raise ValueError where it has none."""
    wall = at_wall(day, minute)
    found = instants(wall, zone(name))
    said = f"{wall:%Y-%m-%d %H:%M} ({name})"
    if not found:
        raise ValueError(
            f"{said} does not exist, because the clocks are put forward then"
        )
    if found[-1] <= now:
        raise ValueError(f"{said} is over already")
    return found[-1]


def jumps(first: datetime, days: int, place: ZoneInfo) -> Iterator[datetime]:
    """Yield, to the second, when the clocks of *place* change within so many days."""
    for number in range(days):
        low = first + timedelta(days=number)
        high = low + timedelta(days=1)
        before = low.astimezone(place).utcoffset()
        if before == high.astimezone(place).utcoffset():
            continue
        while high - low > timedelta(seconds=1):
            middle = low + (high - low) / 2
            same = middle.astimezone(place).utcoffset() == before
            low, high = (middle, high) if same else (low, middle)
        # All changes come at a full second; what is found is less than one after it.
        yield high.replace(microsecond=0)
