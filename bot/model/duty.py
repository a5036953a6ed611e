"""Who is on call, as a source has it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class OnCallPerson:
    """Somebody on call: *ref* is the source's id, *label* its name for reading.

    *user_id* is who that is in Slack, None where the map does not know him. The shift
    ends at *until* (UTC); None: the source does not say, or it never ends. *at_least*:
    the source was not asked beyond *until*.
    """

    ref: str
    label: str
    user_id: str | None
    until: datetime | None
    at_least: bool = False


@dataclass(frozen=True, slots=True)
class Duty:
    """Who was on call on the *line* of that name at *read_at* (UTC).

    *source* is said to people: "PagerDuty", "Grafana". No *people*: nobody was.
    """

    line: str
    source: str
    people: tuple[OnCallPerson, ...]
    read_at: datetime
