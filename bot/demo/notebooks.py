"""Scripted notebooks of the v1 API: stopped and started, with a lease and a flavor.

No I/O; time comes in as the world's POSIX seconds. Fields, statuses and refusals are
those of https://support.huaweicloud.com/intl/en-us/api-modelarts/ShowNotebook.html
"""

from __future__ import annotations

import math
import random
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from bot.demo.instances import CANARY, UNTIL_SEEN, Change, Lasts, lasting
from bot.model import LONGEST_MS, SHORTEST_MS

BUSY = ("ModelArts.6357", "The instance is being operated or in the target status.")
NO_CAPACITY = ("ModelArts.6360", "There are not enough resources.")
COMMON_FLAVOR, RARE_FLAVOR = "modelarts.vm.cpu.2u", "modelarts.bm.gpu.v100NV32"


@dataclass(slots=True, kw_only=True)
class ScriptedLease:
    """When a notebook stops by itself: *duration_ms* counts from its creation on."""

    enable: bool = False
    type: str = "TIMING"
    create_ms: int = 1_700_000_000_000
    update_ms: int = 1_700_000_000_000
    duration_ms: int = 0

    def begin(self, now_ms: int, duration_ms: int | None, kind: str) -> None:
        """Count anew from *now_ms* on; a start that says nothing means an hour."""
        asked = SHORTEST_MS if duration_ms is None else duration_ms
        self.enable = asked >= 0
        self.type = kind or "TIMING"
        self.duration_ms = now_ms - self.create_ms + asked if self.enable else 0

    @property
    def ends_at(self) -> float | None:
        """When it stops the notebook (the world's seconds), or None for never."""
        if not self.enable or self.type != "TIMING":
            return None
        return (self.create_ms + self.duration_ms) / 1000

    def to_json(self) -> dict[str, Any]:
        """Return it as the API shows it."""
        return {
            "create_at": self.create_ms,
            "duration": self.duration_ms,
            "enable": self.enable,
            "type": self.type,
            "update_at": self.update_ms,
        }


@dataclass(slots=True, kw_only=True)
class ScriptedNotebook:
    """One notebook; stopping and starting take so long, in the world's seconds.

    *start_refusals* are the code and the text of the next starts that are refused,
    *start_ends* is the status in which the next one ends. *stale_looks*: so many reads
    after an act still show what was before it.
    """

    id: str
    name: str
    owner: str
    status: str = "RUNNING"
    flavor: str = COMMON_FLAVOR
    feature: str = "NOTEBOOK"
    pool: str = ""
    volume_status: str = "AVAILABLE"
    fail_reason: str = ""
    stopping: Lasts = 3.0
    starting: Lasts = (5.0, 7.0)
    start_ends: str = "RUNNING"
    start_refusals: deque[tuple[str, str]] = field(default_factory=deque)
    stale_looks: int = 0
    lease: ScriptedLease = field(default_factory=ScriptedLease)
    _agenda: deque[tuple[float, str]] = field(default_factory=deque)
    _before: str = ""
    _stale: int = 0

    @property
    def updated_ms(self) -> int:
        """When it last changed, in milliseconds."""
        return self.lease.update_ms

    @property
    def next_change(self) -> float | None:
        """When its status changes by itself, or None if it does not."""
        if self._agenda:
            return self._agenda[0][0]
        return self.lease.ends_at if self.status == "RUNNING" else None

    def stop(self, now: float, rng: random.Random) -> tuple[str, str] | None:
        """Stop it; return code and text of the refusal, if it is refused."""
        if self.status != "RUNNING" or self._agenda:
            return BUSY
        self._go(now, "STOPPING", lasting(self.stopping, rng), "STOPPED")
        return None

    def start(
        self, now: float, rng: random.Random, *, lease: tuple[int | None, str]
    ) -> tuple[str, str] | None:
        """Start it with a *lease* (duration in ms, type), or return the refusal."""
        if self.status not in {"STOPPED", "START_FAILED"} or self._agenda:
            return BUSY
        if self.start_refusals:
            return self.start_refusals.popleft()
        self.fail_reason = ""
        self.lease.begin(int(now * 1000), *lease)
        ends, self.start_ends = self.start_ends, "RUNNING"
        self._go(now, "STARTING", lasting(self.starting, rng), ends)
        return None

    def settle(self, now: float) -> list[Change]:
        """Let happen what is due by *now*, and return it."""
        changes = []
        while self._agenda and self._agenda[0][0] <= now:
            changes.append(self._become(*self._agenda.popleft()))
        ends = self.lease.ends_at
        if self.status == "RUNNING" and ends is not None and ends <= now:
            self.lease.enable = False
            self._go(now, "STOPPING", 3.0, "STOPPED")
            changes += self.settle(now)
        return changes

    def put(self, status: str, now: float) -> Change:
        """Set the *status* as somebody at the cloud's console does, script or not."""
        self._agenda.clear()
        self._stale = 0
        return self._become(now, status)

    def look(self, now: float, *, stale: bool = False) -> str:
        """Return the status that a read shows at *now*; *stale*: that of before."""
        if self._before and (stale or self._stale > 0):
            self._stale -= 1
            return self._before
        if self._agenda and self._agenda[0][0] == UNTIL_SEEN:
            self._agenda[0] = (math.nextafter(now, math.inf), self._agenda[0][1])
        return self.status

    def _go(self, now: float, phase: str, lasts: float, end: str) -> None:
        self._before, self._stale = self.status, self.stale_looks
        self._agenda = deque([(now, phase), (now + lasts, end)])

    def _become(self, at: float, status: str) -> Change:
        change = Change(at, self.id, self.status, status)
        self.status = status
        self.lease.update_ms = max(self.lease.update_ms + 1, int(at * 1000))
        if status == "START_FAILED":
            self.fail_reason = self.fail_reason or "Insufficient resources."
        return change


def describe(box: ScriptedNotebook, status: str) -> dict[str, Any]:
    """Return the answer to a read, in the documented shape with all its secrets."""
    return {
        "id": box.id,
        "name": box.name,
        "description": "",
        "status": status,
        "fail_reason": box.fail_reason,
        "feature": box.feature,
        "flavor": box.flavor,
        "action_progress": [],
        "endpoints": [
            {"service": "NOTEBOOK", "uri": f"https://demo.invalid/{CANARY}/{box.id}"}
        ],
        "image": {"id": "image0001", "name": "mlstudio-pyspark2.4.5-ubuntu16.04"},
        "lease": box.lease.to_json(),
        **({"pool": {"id": box.pool, "name": box.pool}} if box.pool else {}),
        "tags": [],
        "token": f"{CANARY}-token",
        "url": f"https://demo.invalid/{CANARY}/{box.id}/lab",
        "user": {"id": owner_id(box.owner), "name": box.owner},
        "volume": {
            "category": "EVS",
            "ownership": "MANAGED",
            "status": box.volume_status,
            "mount_path": "/home/ma-user/work/",
        },
        "workspace_id": "0",
    }


def owner_id(name: str) -> str:
    """Return the 32 hex digits that stand for the user *name*."""
    return name.encode().hex()[:32].ljust(32, "0")


def in_range(duration_ms: int) -> bool:
    """Say whether the API takes this *duration_ms*; -1 is none."""
    return duration_ms == -1 or SHORTEST_MS <= duration_ms <= LONGEST_MS
