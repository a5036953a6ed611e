"""Scripted ML Studio instances: what each is, and how it behaves when restarted.

No I/O; time comes in as the world's POSIX seconds. Statuses, fields
and refusals are those of https://support.huaweicloud.com/intl/en-us/api-modelarts/modelarts_03_0112.html
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.model import StatusClass, class_of

# Stands in every field that holds a credential: wherever a client lets it through, a
# search for this word finds the leak.
CANARY = "leak-canary-7d1f"

Lasts = float | tuple[float, float]  # fixed, or drawn between the two
# A phase that lasts until somebody has read it, so that no client is too slow for it.
UNTIL_SEEN = math.inf


def lasting(lasts: Lasts, rng: random.Random) -> float:
    """Return how long something takes this time, in seconds."""
    return rng.uniform(*lasts) if isinstance(lasts, tuple) else lasts


_REFUSALS: Mapping[str, tuple[str, str]] = {
    "STOPPED": ("ModelArts.6307", "The instance is stopped."),
    "STARTING": ("ModelArts.6306", "The instance is being started."),
    "STOPPING": ("ModelArts.6308", "The instance is being stopped."),
    "DELETED": ("ModelArts.6309", "The instance does not exist."),
    "FROZEN": ("ModelArts.6326", "The instance is frozen."),
}
_BUSY = ("ModelArts.6357", "The instance is being operated or in the target status.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reboot:
    """What a restart does to an instance; all durations in the world's seconds.

    It passes through *phases*, each of which lasts so long or UNTIL_SEEN, and *ends*.
    Reads show the old state for *stale_s* and then for *stale_looks* reads more.
    *frozen*: its timestamp does not move. No phases
    and frozen is a restart that was accepted and never seen.
    """

    phases: tuple[tuple[str, Lasts], ...] = (("REBOOTING", 8.0),)
    ends: str = "ACTIVE"
    failed_reasons: Mapping[str, Any] | None = None
    stale_s: float = 0.0
    stale_looks: int = 0
    frozen: bool = False

    def agenda(self, now: float, rng: random.Random) -> deque[tuple[float, str]]:
        """Return when which status begins, for a restart at *now*."""
        steps: deque[tuple[float, str]] = deque()
        for word, lasts in self.phases:
            steps.append((now, word))
            now += lasting(lasts, rng)
        steps.append((now, self.ends))
        return steps


@dataclass(frozen=True, slots=True)
class Change:
    """An instance went from one status to another at *at* (the world's seconds)."""

    at: float
    instance_id: str
    previous: str
    current: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What a read shows: the status and ``latest_update_timestamp``."""

    status: str
    updated_ms: int


@dataclass(slots=True, kw_only=True)
class ScriptedInstance:
    """One instance; *error_code* is the one that a healthy read may carry."""

    id: str
    name: str
    owner: str
    status: str = "ACTIVE"
    updated_ms: int = 1_594_888_070_775
    reboot: Reboot = field(default_factory=Reboot)
    sold_out: bool = False
    permitted: bool = True
    error_code: str = ""
    failed_reasons: Mapping[str, Any] | None = None
    _agenda: deque[tuple[float, str]] = field(default_factory=deque)
    _before: Seen | None = None
    _stale_until: float = 0.0
    _stale_looks: int = 0

    @property
    def next_change(self) -> float | None:
        """When its status changes by itself, or None if it does not."""
        return self._agenda[0][0] if self._agenda else None

    @property
    def refusal(self) -> tuple[str, str] | None:
        """Code and text with which the cloud refuses a restart now, or None."""
        if self._agenda:
            return _BUSY
        if self.status in _REFUSALS:
            return _REFUSALS[self.status]
        return _BUSY if class_of(self.status) is StatusClass.BUSY else None

    @property
    def start_refusal(self) -> tuple[str, str] | None:
        """Code and text with which the cloud refuses a start now, or None."""
        if not self._agenda and class_of(self.status) is StatusClass.READY:
            return "ModelArts.6305", "The instance is already running."
        startable = {"STOPPED", "START_FAILED"}
        if self._agenda or self.status not in startable:
            return (
                _BUSY if self.status in startable else _REFUSALS.get(self.status, _BUSY)
            )
        return None

    def start(self, now: float, rng: random.Random) -> tuple[str, str]:
        """Start it; return the status before, and the one now."""
        self.failed_reasons = None
        begun = now + lasting((4.0, 6.0), rng)
        self._agenda = deque([(now, "STARTING"), (begun, self.reboot.ends)])
        return self.status, "STARTING"

    def restart(self, now: float, rng: random.Random) -> tuple[str, str]:
        """Begin a restart; return the status before and the first one after."""
        self._before = Seen(self.status, self.updated_ms)
        self._stale_until = now + self.reboot.stale_s
        self._stale_looks = self.reboot.stale_looks
        self._agenda = self.reboot.agenda(now, rng)
        self.failed_reasons = None
        current = self._agenda[0][1] if self.reboot.phases else "REBOOTING"
        return self.status, current

    def settle(self, now: float) -> list[Change]:
        """Let happen what is due by *now*, and return it."""
        changes = []
        while self._agenda and self._agenda[0][0] <= now:
            changes.append(self._become(*self._agenda.popleft()))
            if not self._agenda:
                self.failed_reasons = self.reboot.failed_reasons
        return changes

    def put(self, status: str, now: float) -> Change:
        """Set the *status* as somebody at the cloud's console does, script or not."""
        self._agenda.clear()
        self._before = self.failed_reasons = None
        return self._become(now, status)

    def look(self, now: float, *, stale: bool = False) -> Seen:
        """Return what a read shows at *now*; *stale*: the state before the restart."""
        if self._before is not None:
            if stale or now < self._stale_until:
                return self._before
            if self._stale_looks > 0:
                self._stale_looks -= 1
                return self._before
        if self.next_change == UNTIL_SEEN:
            # A moment later: while the clock stands still nothing changes.
            self._agenda[0] = (math.nextafter(now, math.inf), self._agenda[0][1])
        return Seen(self.status, self.updated_ms)

    def _become(self, at: float, status: str) -> Change:
        change = Change(at, self.id, self.status, status)
        self.status = status
        if not self.reboot.frozen:
            self.updated_ms = max(self.updated_ms + 1, int(at * 1000))
        return change


def describe(instance: ScriptedInstance, seen: Seen) -> dict[str, Any]:
    """Return the answer to a read, in the documented shape with all its secrets."""
    return {
        "id": instance.id,
        "name": instance.name,
        "description": "",
        "status": seen.status,
        "creation_timestamp": "1594887749962",
        "latest_update_timestamp": str(seen.updated_ms),
        "user": {"id": "15dda26361214ca2a5953917d2f48ffb", "name": instance.owner},
        "flavor": "modelarts.bm.gpu.v100NV32",
        "flavor_details": _flavor(instance),
        "profile": _PROFILE,
        "spec": _spec(instance),
        "workspace": {"id": "0"},
        "pool": {"id": "pool0001", "name": "public", "type": "SYSTEM_DEFINED"},
        "ai_project": {"id": "default-ai-project"},
        "queuing_info": _queue(instance, seen),
        "error_code": instance.error_code,
    }


_PROFILE: Mapping[str, Any] = {
    "id": "mlstudio-pyspark2.4.5-ubuntu16.04",
    "name": "mlstudio-pyspark2.4.5-ubuntu16.04",
    "description": "ML Studio, GPU",
    "de_type": "Notebook",
    "flavor_type": "GPU",
    "labels": None,
    "provision": {
        "type": "Docker",
        "annotations": {"category": "ML Studio", "type": "system"},
        "spec": {
            "engine": "CCE",
            "params": {
                "namespace": "atelier",
                "image_name": "mlstudio-pyspark2.4.5-ubuntu16.04",
                "image_tag": "2.0.5",
                "annotations": None,
            },
        },
    },
}


def _flavor(instance: ScriptedInstance) -> dict[str, Any]:
    return {
        "name": "modelarts.bm.gpu.v100NV32",
        "status": "soldOut" if instance.sold_out else "onSale",
        "type": "GPU",
        "is_permitted": instance.permitted,
        "params": {"CPU": 8, "GPU": 1, "gpu_type": "v100NV32", "memory": "64GiB"},
        "promo_type": "NoDiscount",
        "storage_list": ["obs", "evs"],
    }


def _spec(instance: ScriptedInstance) -> dict[str, Any]:
    secret = {"ssh_private_key": f"{CANARY}-ssh", "access_token": f"{CANARY}-oauth"}
    return {
        "annotations": {
            "target_domain": "https://demo.invalid",
            "url": f"https://demo.invalid/{instance.id}?token={CANARY}",
        },
        "auto_stop": {"enable": False, "duration": 3600, "prompt": True},
        "credential": {"ak": f"{CANARY}-ak", "sk": f"{CANARY}-sk"},
        "custom_script_path": None,
        "extend_params": None,
        "failed_reasons": instance.failed_reasons,
        "log_path": None,
        "repository": {
            "id": "repository0001",
            "branch": "main",
            "type": "GitHub",
            "user_name": instance.owner,
            "user_email": "",
            "connection_info": {
                "protocol": "https",
                "url": "https://demo.invalid/models.git",
                "credential": secret,
            },
        },
        "resource_reserved_timestamp": 0,
        "storage": {
            "type": "evs",
            "location": {"path": "/home/ma-user/work", "volume_size": 5},
        },
    }


def _queue(instance: ScriptedInstance, seen: Seen) -> dict[str, Any] | None:
    if not seen.status.endswith("_QUEUING"):
        return None
    return {
        "id": instance.id,
        "name": instance.name,
        "de_type": "Notebook",
        "status": seen.status,
        "rank": 3,
        "remain_time": 120,
        "begin_timestamp": seen.updated_ms,
        "end_timestamp": seen.updated_ms + 120_000,
    }
