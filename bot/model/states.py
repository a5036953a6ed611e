"""Where a request stands, and what may happen after what: TRANSITIONS."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class State(StrEnum):
    """Where a request stands; see TRANSITIONS for what may follow what."""

    ASKED = "asked"
    PENDING = "pending"
    APPROVED = "approved"
    RESTARTING = "restarting"
    FOLLOWING = "following"  # busy already: nothing is sent, its end is told
    READY = "ready"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    UNKNOWN = "unknown"
    NOT_RESTARTED = "not restarted"
    REFUSED = "refused"
    DENIED = "denied"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    VOIDED = "voided"
    JOINED = "joined"  # another request restarts this instance; its end is told


_ENDS_OF_WATCH = frozenset(
    {State.READY, State.FAILED, State.TIMED_OUT, State.UNKNOWN, State.NOT_RESTARTED}
)
_ACTS = frozenset(
    {
        State.RESTARTING,
        State.FOLLOWING,
        State.NOT_RESTARTED,
        State.VOIDED,
        State.JOINED,
    }
)
TRANSITIONS: Mapping[State, frozenset[State]] = MappingProxyType(
    {
        State.ASKED: _ACTS | {State.PENDING},
        State.PENDING: frozenset(
            {
                State.APPROVED,
                State.DENIED,
                State.EXPIRED,
                State.CANCELLED,
                State.VOIDED,
            }
        ),
        State.APPROVED: _ACTS,
        State.RESTARTING: _ENDS_OF_WATCH | {State.FOLLOWING},
        State.FOLLOWING: _ENDS_OF_WATCH,
    }
)
ENDS = frozenset(State) - frozenset(TRANSITIONS)
# An instance can be under way for one request only (a partial unique index).
UNDER_WAY = frozenset({State.RESTARTING, State.FOLLOWING})
