"""One sign and one word for where something stands, the same in every message. Pure.

The sign is what the eye finds first on a phone; it never stands without its word, which
is read aloud and tells the signs apart for whoever cannot see their colours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.model import Act, Record, State, StatusClass, class_of


@dataclass(frozen=True, slots=True)
class Sign:
    """A *mark* for the eye and the *word* that it stands for, in lower case."""

    mark: str
    word: str

    @property
    def begins(self) -> str:
        """It as a message begins, raw: "✅ Ready"."""
        return f"{self.mark} {self.word[0].upper()}{self.word[1:]}"


RESTARTING, STARTING = Sign("🔄", "restarting"), Sign("🔄", "starting")
CHECKING = Sign("❓", "checking")
PENDING = Sign("⏳", "waits for approval")
CANCELLED = Sign("🚫", "cancelled")
TURN = Sign("⏳", "waits for its turn")
FROZEN, THAWED = Sign("🧊", "frozen"), Sign("☀️", "thawed")
FIRING, RESOLVED = Sign("🔥", "firing"), Sign("✅", "resolved")
NO_DATA = Sign("❓", "data stopped")
RECORDED = Sign("📝", "recorded")
DOWN, UNKNOWN, READY = Sign("🔻", "down"), Sign("❓", "unknown"), Sign("✅", "ready")
REFUSED, FAILED = Sign("⛔", "refused"), Sign("❌", "failed")

_OF_STATE: Mapping[State, Sign] = {
    State.ASKED: Sign("⏳", "asked"),
    State.PENDING: PENDING,
    State.APPROVED: Sign("👍", "approved"),
    State.RESTARTING: RESTARTING,
    State.FOLLOWING: Sign("🔄", "busy already"),
    State.READY: READY,
    State.FAILED: FAILED,
    State.TIMED_OUT: Sign("⌛", "timed out"),
    State.UNKNOWN: UNKNOWN,
    State.DOWN: DOWN,
    State.NOT_RESTARTED: Sign("🚫", "not restarted"),
    State.REFUSED: REFUSED,
    State.DENIED: Sign("⛔", "denied"),
    State.EXPIRED: Sign("⌛", "expired"),
    State.CANCELLED: CANCELLED,
    State.VOIDED: Sign("🚫", "voided"),
    State.JOINED: Sign("🔗", "joined"),
}
_OF_STATUS: Mapping[StatusClass, Sign] = {
    StatusClass.READY: READY,
    StatusClass.BUSY: Sign("🔄", "busy"),
    StatusClass.STOPPED: Sign("⏹️", "stopped"),
    StatusClass.FAILED: FAILED,
    StatusClass.UNKNOWN: UNKNOWN,
}
# What needs somebody comes first.
BY_NEED: Sequence[Sign] = (
    *(DOWN, FAILED, UNKNOWN),
    *(_OF_STATUS[one] for one in (StatusClass.BUSY, StatusClass.STOPPED)),
    READY,
)
# From what is worst on: the sign of many is that of the worst of them.
_WORST: Sequence[State] = (
    *(State.DOWN, State.FAILED, State.UNKNOWN, State.TIMED_OUT, State.REFUSED),
    *(State.DENIED, State.VOIDED, State.NOT_RESTARTED, State.EXPIRED),
    *(State.CANCELLED, State.JOINED, State.READY),
)


def of(record: Record) -> Sign:
    """Return the sign of where a request stands, or how it ended."""
    sign = _OF_STATE[record.state]
    if record.request.wants is Act.START:
        return Sign(sign.mark, sign.word.replace("restart", "start"))
    return sign


def acting(record: Record) -> Sign:
    """Return the sign of what is done about a request now."""
    return STARTING if record.request.wants is Act.START else RESTARTING


def of_status(status: str | None) -> Sign:
    """Return the sign of an instance by the cloud's word; unknown without one."""
    return _OF_STATUS[class_of(status)] if status else UNKNOWN


def of_all(records: Sequence[Record]) -> Sign:
    """Return the sign of many that have ended: ready if all are, else of the worst."""
    states = {record.state for record in records}
    if states == {State.READY}:
        return READY
    worst = next(state for state in _WORST if state in states)
    some = "not all ready" if State.READY in states else "none ready"
    return Sign(_OF_STATE[worst].mark, some)
