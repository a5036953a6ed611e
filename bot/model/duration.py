"""Durations as people write them, and points in time."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_TEN_YEARS_S = 3650 * 86400.0  # so that a date can always be reckoned


def seconds(text: object) -> float:
    """Return the seconds that a duration such as ``"500ms"`` or ``"7d"`` names.

    Raises ValueError, with a sentence for the person, for anything else.
    """
    match = _DURATION.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        raise ValueError(
            'write a duration as a number and a unit, such as "500ms", "10s", "15m",'
            ' "2h" or "7d"'
        )
    return float(match[1]) * _UNITS[match[2]]


def _seconds(value: object) -> object:
    """Accept seconds that a validated model holds already, else a duration."""
    return value if isinstance(value, float) else seconds(value)


def _reckonable(length: float) -> float:
    """Check that a duration in seconds is one that can be reckoned with."""
    if length > _TEN_YEARS_S:
        raise ValueError('is too long; the longest is "3650d"')
    return length


Seconds = Annotated[
    float, BeforeValidator(_seconds), Field(gt=0), AfterValidator(_reckonable)
]


def utc(timestamp: float) -> datetime:
    """Return the aware UTC time of a POSIX *timestamp* in seconds."""
    return datetime.fromtimestamp(timestamp, UTC)
