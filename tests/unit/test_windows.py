"""Windows of rules against a slow, obvious model: every minute, one after the other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.model.wall_clock import DAYS
from bot.model.window import closing, is_open, opening, windows_of

BERLIN = "Europe/Berlin"
ZONES = (BERLIN, "UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")
MINUTE = timedelta(minutes=1)
SPRING, AUTUMN = datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)
A_DAY = 1440


def clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


@st.composite
def texts(draw) -> str:
    """One to three windows as somebody may write them."""

    def one() -> str:
        first, last = draw(st.sampled_from(DAYS)), draw(st.sampled_from(("", *DAYS)))
        begins = draw(st.integers(0, A_DAY - 1))
        near = st.integers(begins - 40, begins + 40)
        ends = draw(st.integers(0, A_DAY) | near.filter(lambda m: 0 <= m <= A_DAY))
        if ends == begins:
            ends = begins + 1
        days = f"{first}-{last}" if last else first
        zone = draw(st.sampled_from(ZONES))
        return f"{days} {clock(begins)}-{clock(ends)} {zone}"

    return "; ".join(one() for _ in range(draw(st.integers(1, 3))))


def by_hand(text: str, at: datetime) -> bool:
    """Say whether a window is open, in the words of the file and in no clever way."""
    for window in text.split(";"):
        days, span, zone = window.split()
        first, _, last = days.partition("-")
        week = [*DAYS, *DAYS]
        start = week.index(first)
        within = week[start : week.index(last or first, start) + 1]
        begins, ends = span.split("-")
        local = at.astimezone(ZoneInfo(zone))
        now, today = f"{local:%H:%M}", DAYS[local.weekday()]
        yesterday = DAYS[local.weekday() - 1]
        if begins < ends:
            found = today in within and begins <= now < ends
        else:  # over midnight
            late = today in within and now >= begins
            found = late or (yesterday in within and now < ends)
        if found:
            return True
    return False


INSTANTS = st.one_of(
    *(
        st.integers(-3 * A_DAY, 2 * A_DAY).map(lambda m, day=day: day + m * MINUTE)
        for day in (SPRING, AUTUMN, datetime(2026, 7, 1, tzinfo=UTC))
    )
)


@given(texts(), INSTANTS, st.integers(0, 59))
@example(f"Sun 02:30-03:30 {BERLIN}", SPRING + 30 * MINUTE, 0)
@example(f"Sun 02:10-02:20 {BERLIN}", SPRING + 30 * MINUTE, 0)
@example(f"Sun 02:10-02:20 {BERLIN}", AUTUMN + 25 * MINUTE, 0)
def test_a_rule_holds_in_the_minutes_that_its_window_names(
    text: str, at: datetime, second: int
) -> None:
    """By the clock on the wall, in any zone, also in the nights when that changes."""
    assert is_open(windows_of(text), at + timedelta(seconds=second)) == by_hand(
        text, at
    )


@given(texts(), INSTANTS)
@example(f"Sun 02:30-03:30 {BERLIN}", SPRING - 30 * MINUTE)
@example(f"Sun 02:10-02:20 {BERLIN}", SPRING - 30 * MINUTE)
@example(f"Sun 02:00-02:30 {BERLIN}", AUTUMN - 30 * MINUTE)
@example(f"Sun 01:45-02:15 {BERLIN}", AUTUMN - 10 * MINUTE)
def test_the_next_change_is_the_first_minute_that_is_different(
    text: str, at: datetime
) -> None:
    """When it opens, or closes, is the very minute at which it does."""
    windows, now_open = windows_of(text), by_hand(text, at)
    found = (closing if now_open else opening)(windows, at)
    minutes = (at + number * MINUTE for number in range(1, 3 * A_DAY))
    first = next((one for one in minutes if by_hand(text, one) != now_open), None)
    if first is not None:
        assert found is not None
        assert found[0] == first
    elif found is not None:
        assert found[0] >= at + 3 * A_DAY * MINUTE


def test_a_window_that_the_clocks_leap_over_opens_a_week_later() -> None:
    """Where its times do not exist this Sunday, it is the Sunday after."""
    found = opening(windows_of(f"Sun 02:10-02:20 {BERLIN}"), SPRING)
    assert found == (datetime(2026, 4, 5, 0, 10, tzinfo=UTC), BERLIN)


def test_what_is_always_open_never_closes() -> None:
    """A rule whose window is the whole week has no end to tell."""
    assert closing(windows_of("Mon-Sun 00:00-24:00 UTC"), SPRING) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Mon-Fry 08:00-18:00 UTC", 'names no day with "Fry"'),
        ("Mon-Fry 08:00-18:00 UTC", 'did you mean "Fri"'),
        ("Mon-Fri 08:00-25:00 UTC", '"25:00" is no clock time'),
        ("Mon-Fri 08:00-24:30 UTC", '"24:30" is no clock time'),
        ("Mon-Fri 08:60-18:00 UTC", '"08:60" is no clock time'),
        ("Mon-Fri 24:00-08:00 UTC", "cannot begin at 24:00"),
        ("Mon-Fri 08:00-08:00 UTC", "is empty"),
        ("Mon-Fri 00:00-00:00 UTC", "is empty"),
        ("Mon-Fri 08:00-18:00 Europe/Berlim", 'did you mean "Europe/Berlin"'),
        ("Mon-Fri 08:00-18:00 Europe", "names no zone"),
        ("Mon-Fri 08:00-18:00 ../../etc/passwd", "names no zone"),
        ("Mon-Fri 08:00-18:00", "must be days, times and a zone"),
        ("Mon-Fri 08:00 UTC", "must name a begin and an end"),
        ("", "holds an empty window"),
        ("Mon-Fri 08:00-18:00 UTC;", "holds an empty window"),
        ("Mon-Fri 08:00-18:00 UTC;; Sat 08:00-12:00 UTC", "holds an empty window"),
    ],
)
def test_a_mistake_is_named(text: str, said: str) -> None:
    """Whoever mistypes a window reads what is wrong with it."""
    with pytest.raises(ValueError, match=r".") as found:
        windows_of(text)
    assert said in str(found.value)
