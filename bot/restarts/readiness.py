"""Pure: what has been seen of an instance -> ready or not.

A status is believed only when it cannot be the one from before the restart, which the
cloud shows for a while after it has accepted one ("Readiness" in bot/README.md).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

from bot.model import StatusClass, class_of

_STOPPED_LOOKS = 3  # STOPPED may be a passing phase of a restart


@dataclass(frozen=True, slots=True)
class Look:
    """A successful read: when it was begun, in seconds since the restart call."""

    at_s: float
    status: str
    updated_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the looks since the restart have shown; grows by ``after(look)``.

    *sent* is True when the cloud accepted the restart, None when its answer was
    lost, False when nothing was sent and a restart of somebody else is followed.
    *seen_other*: a look showed another class than ready; *changed*: another class
    than the baseline's; *moved*: the cloud's timestamp passed the baseline's.
    *ready_run* counts ready looks in a row that cannot be the baseline's;
    *outdated*: the latest look carried an older timestamp than an earlier one.
    """

    baseline_status: str
    baseline_updated_ms: int | None
    sent: bool | None
    seen_other: bool = False
    changed: bool = False
    moved: bool = False
    ready_run: int = 0
    stopped_run: int = 0
    newest_ms: int | None = None
    outdated: bool = False

    def after(self, look: Look) -> Self:
        """Return the evidence with *look* added; one from before the call is none."""
        if look.at_s < 0:
            return self
        kind, told = class_of(look.status), bool(look.status)
        stamps = [ms for ms in (self.newest_ms, look.updated_ms) if ms is not None]
        grown = replace(
            self,
            # An answer without a status shows nothing.
            seen_other=self.seen_other or (told and kind is not StatusClass.READY),
            changed=self.changed or (told and self._differs(kind)),
            moved=self.moved or _later(look.updated_ms, self.baseline_updated_ms),
            stopped_run=self.stopped_run + 1 if kind is StatusClass.STOPPED else 0,
            newest_ms=max(stamps, default=None),
            outdated=_later(self.newest_ms, look.updated_ms),
        )
        counts = kind is StatusClass.READY and grown.fresh
        return replace(grown, ready_run=self.ready_run + 1 if counts else 0)

    @property
    def left_ready(self) -> bool:
        """Whether it was seen not ready; who follows another's restart began so."""
        followed = (
            self.sent is False
            and class_of(self.baseline_status) is not StatusClass.READY
        )
        return self.seen_other or followed

    @property
    def fresh(self) -> bool:
        """Whether a ready status can be another one than that of the baseline."""
        return self.left_ready or self.moved

    @property
    def doubtful(self) -> bool:
        """Whether the answer was lost and nothing has shown a restart."""
        left = self.seen_other and class_of(self.baseline_status) is StatusClass.READY
        return self.sent is None and not (self.changed or self.moved or left)

    @property
    def unconfirmed(self) -> bool:
        """Whether ready takes a second look: no other class, or an old timestamp."""
        return not self.left_ready or self.outdated

    def _differs(self, kind: StatusClass) -> bool:
        """Compare with the baseline; where none was kept, only BUSY is a change."""
        if not self.baseline_status:
            return kind is StatusClass.BUSY
        return kind is not class_of(self.baseline_status)


class Phase(StrEnum):
    """How far a restart is, judged by what can be known."""

    GOING_ON = "going on"
    READY = "ready"
    FAILED = "failed"
    STOPPED = "stopped"
    UNCHANGED = "unchanged"  # accepted, but the status never changed: cannot tell
    LOST = "lost"  # the answer was lost and no restart was seen
    TIMED_OUT = "timed out"


@dataclass(frozen=True, slots=True)
class Limits:
    """When a status says enough, in seconds since the restart call.

    Ready is told after *settle_s* at the earliest; what shows no restart is given up
    after *lost_s* where the answer was lost, else after *unchanged_s*, and what has not
    ended after *timeout_s*.
    """

    settle_s: float
    timeout_s: float = math.inf
    lost_s: float = math.inf
    unchanged_s: float = math.inf


def judge(
    evidence: Evidence, look: Look | None, limits: Limits, *, at_s: float
) -> Phase:
    """Return the phase at *at_s* seconds after the restart call.

    *look* is the latest one, already part of *evidence*; None when the read failed,
    which never ends anything before the time limit.
    """
    phase = Phase.GOING_ON
    if look is not None and look.at_s >= 0:
        ended = _ended(evidence, look, limits)
        phase = ended or _undecidable(evidence, look, limits)
    if phase is Phase.GOING_ON and at_s >= limits.timeout_s:
        if look is not None and evidence.ready_run == 1:
            return phase  # as after a long stop of the bot: the second look decides
        return Phase.LOST if evidence.doubtful else Phase.TIMED_OUT
    return phase


def _ended(evidence: Evidence, look: Look, limits: Limits) -> Phase | None:
    """Return the end that *look* shows, if it can be believed."""
    kind = class_of(look.status)
    if kind is StatusClass.READY and evidence.ready_run:
        twice = evidence.ready_run > 1 and look.at_s >= limits.settle_s
        return Phase.READY if twice or not evidence.unconfirmed else None
    if kind is StatusClass.FAILED:
        # The word from before the restart may be a stale one for as long as nothing
        # else was seen; a timestamp moves when the cloud accepts the restart, too.
        same = look.status == evidence.baseline_status and not evidence.changed
        stands = evidence.moved and look.at_s >= limits.unchanged_s
        return None if same and not stands else Phase.FAILED
    return Phase.STOPPED if evidence.stopped_run >= _STOPPED_LOOKS else None


def _undecidable(evidence: Evidence, look: Look, limits: Limits) -> Phase:
    """Return that it cannot be told when nothing has changed for too long."""
    if evidence.doubtful:
        return Phase.LOST if look.at_s >= limits.lost_s else Phase.GOING_ON
    unchanged = not evidence.fresh and look.at_s >= limits.unchanged_s
    return Phase.UNCHANGED if unchanged else Phase.GOING_ON


def _later(one: int | None, other: int | None) -> bool:
    return one is not None and other is not None and one > other
