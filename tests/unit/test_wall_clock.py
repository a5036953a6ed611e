"""Until when: what people type, against every minute of the days around it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.model import Freeze, frozen_by
from bot.model.wall_clock import shown, until

BERLIN, HOWE = "Europe/Berlin", "Australia/Lord_Howe"
ZONES = st.sampled_from((BERLIN, HOWE, "America/New_York", "UTC", "Asia/Kathmandu"))
MINUTE = timedelta(minutes=1)
SPRING, AUTUMN = datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)
INSTANTS = st.one_of(
    *(
        st.integers(-2000, 2000).map(lambda m, day=day: day + m * MINUTE)
        for day in (SPRING, AUTUMN, datetime(2026, 7, 1, tzinfo=UTC))
    )
)


@given(ZONES, INSTANTS, st.integers(0, 1439))
@example(BERLIN, SPRING - 60 * MINUTE, 150)  # 02:30 that never comes
@example(BERLIN, AUTUMN - 60 * MINUTE, 150)  # 02:30 that comes twice
@example(BERLIN, AUTUMN + 45 * MINUTE, 150)  # between the two
def test_a_clock_time_is_the_next_one_and_of_two_the_later(
    zone: str, now: datetime, minute: int
) -> None:
    """Found by looking at the clock each minute; one that does not exist is refused."""
    place, typed = ZoneInfo(zone), f"{minute // 60:02}:{minute % 60:02}"
    today = now.astimezone(place).date()
    later = (now + n * MINUTE for n in range(1, 3000))
    shows = [at for at in later if f"{at.astimezone(place):%H:%M}" == typed]
    day = shows[0].astimezone(place).date()
    same_day = [at for at in shows if at.astimezone(place).date() == day]
    tomorrow = today + timedelta(days=1)
    skipped = day not in {today, tomorrow}
    if day == tomorrow and f"{now.astimezone(place):%H:%M}" < typed:
        skipped = True  # it is still to come today, but does not
    if skipped:
        with pytest.raises(ValueError, match="does not exist"):
            until(typed, zone, now)
    else:
        assert until(typed, zone, now) == same_day[-1]


@given(ZONES, INSTANTS, st.integers(1, 29 * 1440))
def test_a_day_and_a_time_is_that_minute(zone: str, now: datetime, ahead: int) -> None:
    """Whatever the clocks do in between, it ends when they show what was typed."""
    wall = (now + ahead * MINUTE).astimezone(ZoneInfo(zone))
    found = until(f"{wall:%Y-%m-%d %H:%M}", zone, now)
    assert f"{found.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}" == (
        f"{wall:%Y-%m-%d %H:%M}"
    )
    assert found >= now + ahead * MINUTE


@given(INSTANTS, st.integers(1, 720))
def test_a_duration_is_that_long_also_when_the_clocks_change(
    now: datetime, hours: int
) -> None:
    """Two hours are two hours: sums are made in UTC."""
    assert until(f"{hours}h", BERLIN, now) == now + timedelta(hours=hours)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", "ml-prod", "ml-dev"]),
            st.integers(0, 60),
            st.integers(1, 60),
            st.none() | st.integers(0, 60),
        ),
        max_size=4,
    ),
    st.sampled_from(["ml-prod", "ml-dev"]),
)
def test_a_project_is_frozen_in_the_minutes_of_its_freezes(
    written: list[tuple[str, int, int, int | None]], project: str
) -> None:
    """From the record to its end, or to the thaw: minute for minute."""
    freezes, minutes = [], set()
    for number, (scope, since, length, thawed) in enumerate(written):
        end = since + length if thawed is None else min(since + length, since + thawed)
        freezes.append((scope, since, length, thawed, number))
        if scope in {"", project}:
            minutes |= set(range(since, end))
    for minute in range(130):
        now = SPRING + minute * MINUTE
        known = [  # what the ledger knows by then
            Freeze(
                id=str(number),
                project=scope,
                user_id="U0BOB",
                team_id="T0",
                channel_id="C0",
                reason="x",
                zone=BERLIN,
                since=SPRING + since * MINUTE,
                until=SPRING + (since + length) * MINUTE,
                thawed_at=(
                    SPRING + (since + thawed) * MINUTE
                    if thawed is not None and since + thawed <= minute
                    else None
                ),
            )
            for scope, since, length, thawed, number in freezes
            if since <= minute
        ]
        found = frozen_by(known, project, now)
        assert (found is not None) == (minute in minutes)


def test_the_day_is_said_unless_it_is_today() -> None:
    """A time is given in its zone; the day only where somebody would err."""
    assert shown(SPRING, BERLIN, SPRING) == "01:00 (Europe/Berlin)"
    assert (
        shown(SPRING + timedelta(days=1), BERLIN, SPRING)
        == "02:00 on Mon 2026-03-30 (Europe/Berlin)"
    )
