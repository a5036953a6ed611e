"""Pure: a notebook's auto-stop, kept over its stop and start.

A start that says nothing stops the notebook after an hour, so none goes out bare:
https://support.huaweicloud.com/intl/en-us/api-modelarts/StartNotebook.html
"""

from __future__ import annotations

from bot.model import (
    LONGEST_MS,
    NO_AUTO_STOP,
    SHORTEST_MS,
    AutoStop,
    Instance,
    Kind,
    Lease,
    utc,
)

_IDLE = "IDLE"
LONGEST = AutoStop(LONGEST_MS, "TIMING")
_HOUR_MS = 3_600_000
_SAME_MS = 300_000  # a planned end that has moved by less has not moved


def auto_stop_of(before: Instance | None, now_ms: int) -> AutoStop:
    """Return what a start has to say so that the auto-stop stays as it was.

    *now_ms* is the cloud's clock.
    """
    lease = before.lease if before else None
    if lease is None or not lease.enabled:
        return NO_AUTO_STOP
    if lease.type.upper() == _IDLE:
        return AutoStop(lease.duration_ms or SHORTEST_MS, _IDLE)
    if lease.end_ms is None:
        return AutoStop(lease.duration_ms or SHORTEST_MS, "TIMING")
    return AutoStop(max(lease.end_ms - now_ms, SHORTEST_MS), "TIMING")


def renewal_of(
    before: Instance | None, after: Instance, now_ms: int
) -> AutoStop | None:
    """Return what would set the auto-stop as it was, or None where nothing would.

    A renewal counts from *now_ms*, the cloud's clock. It has no documented way to say
    "never", and guessing one could stop what runs.
    """
    old, new = (before.lease if before else None), after.lease
    if old is None or new is None or not old.enabled or _is_same(old, new):
        return None
    wanted, end_ms = auto_stop_of(before, now_ms), new.end_ms
    timed = old.type.upper() != _IDLE and new.type.upper() != _IDLE
    if timed and old.end_ms is not None and end_ms is not None:
        latest_ms = now_ms + wanted.duration_ms + _SAME_MS
        if old.end_ms <= end_ms <= latest_ms:  # no renewal brings it nearer
            return None
    return wanted


def difference(before: Instance | None, after: Instance) -> str:
    """Return in a sentence how the auto-stop is not what it was, or nothing."""
    old, new = (before.lease if before else None), after.lease
    if after.kind is not Kind.NOTEBOOK or (old is None and new is None):
        return ""
    if new is None:
        return "Its auto-stop could not be read after the start; look at it."
    if old is None:
        return f"Its auto-stop could not be read before. {_now(new)}"
    if not old.enabled and new.enabled:
        return f"It had no auto-stop before, which the cloud did not keep. {_now(new)}"
    if old.enabled and not new.enabled:
        return "It had an auto-stop before, which is off now."
    if not old.enabled or _is_same(old, new):
        return ""
    return f"Its auto-stop is not what it was. {_now(new)}"


def told(after: Instance) -> str:
    """Return in a sentence when it stops by itself, or nothing where it does not."""
    return _now(after.lease) if after.lease and after.lease.enabled else ""


def _is_same(old: Lease, new: Lease) -> bool:
    if old.type.upper() != new.type.upper():
        return False
    if old.end_ms is None or new.end_ms is None or old.type.upper() == _IDLE:
        return old.duration_ms == new.duration_ms
    return abs(old.end_ms - new.end_ms) < _SAME_MS


def _now(lease: Lease) -> str:
    """Return when it stops by itself now."""
    if not lease.enabled:
        return "It does not stop by itself now."
    hours = round((lease.duration_ms or 0) / _HOUR_MS, 1)
    if lease.type.upper() == _IDLE:
        return f"It will stop itself when it has been idle for {hours:g} hours."
    if lease.end_ms is None:
        return f"It will stop itself in {hours:g} hours."
    left = (lease.end_ms - (lease.update_ms or lease.create_ms or 0)) / _HOUR_MS
    end = f"{utc(lease.end_ms / 1000):%Y-%m-%d %H:%M} UTC"
    return f"It will stop itself in {round(max(left, 0), 1):g} hours, at {end}."
