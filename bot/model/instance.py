"""Instances of the cloud: which one is meant, what the cloud says, what that means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

# --- statuses -------------------------------------------------------------------------
# The words that the pages on listing and on restarting instances name; others may come:
# https://support.huaweicloud.com/intl/en-us/api-modelarts/modelarts_03_0111.html
# https://support.huaweicloud.com/intl/en-us/api-modelarts/modelarts_03_0115.html


class StatusClass(StrEnum):
    """What a status word of the cloud means for somebody who waits."""

    READY = "ready"
    BUSY = "in progress"
    FAILED = "failed"
    STOPPED = "stopped"
    UNKNOWN = "unknown"


_CLASSES = {
    StatusClass.READY: "ACTIVE RUNNING",
    StatusClass.BUSY: (
        "REBOOTING STARTING CREATING STOPPING RESTARTING RESIZING CREATE_QUEUING"
        " START_QUEUING INIT SNAPSHOTTING DELETING"
    ),
    StatusClass.FAILED: (
        "CREATE_FAILED START_FAILED DELETED RESIZE_FAILED UNAVAILABLE DELETE_FAILED"
        " ERROR FROZEN"
    ),
    StatusClass.STOPPED: "STOPPED",
}
STATUS_CLASSES: Mapping[str, StatusClass] = MappingProxyType(
    {word: kind for kind, words in _CLASSES.items() for word in words.split()}
)
# Statuses from which a restart is pointless: the instance is gone, leaving or blocked.
HOPELESS = frozenset({"DELETED", "DELETING", "FROZEN", "CREATE_FAILED"})


def class_of(status: str | None) -> StatusClass:
    """Return the class of a *status* word, in capitals or not; else UNKNOWN."""
    return STATUS_CLASSES.get((status or "").upper(), StatusClass.UNKNOWN)


# --- which one, and what is done to it --------------------------------------------


class Kind(StrEnum):
    """Which of the cloud's APIs an instance belongs to."""

    STUDIO = "studio"  # ML Studio, of the old API: it has a restart of its own
    NOTEBOOK = "notebook"  # of the v1 API: it is stopped and started


class Act(StrEnum):
    """One call that changes an instance."""

    RESTART = "restart"  # ML Studio alone
    STOP = "stop"  # a notebook alone
    START = "start"


@dataclass(frozen=True, slots=True)
class Target:
    """One instance of one project, with every name that a rule may match.

    *instance* is what to call it (its alias, else the id as typed), *aliases* all the
    aliases that the configuration gives this id in this project.
    """

    project: str
    project_id: str
    instance: str
    instance_id: str
    aliases: tuple[str, ...] = ()
    kind: Kind = Kind.STUDIO

    @property
    def key(self) -> str:
        """The unit of conflict: one id is one instance, however it was typed."""
        return self.instance_id.lower()


# --- what the cloud says of it ----------------------------------------------------


@dataclass(frozen=True, slots=True)
class Lease:
    """When a notebook stops by itself; all times in milliseconds, as the cloud has it.

    *duration_ms* is the total since *create_ms*, not what is left of it.
    """

    enabled: bool = False
    type: str = ""  # TIMING (at a time) or IDLE (when nothing runs)
    create_ms: int | None = None
    update_ms: int | None = None
    duration_ms: int | None = None

    @property
    def end_ms(self) -> int | None:
        """The planned end, or None where there is none or nobody knows."""
        if not self.enabled or self.create_ms is None or self.duration_ms is None:
            return None
        return self.create_ms + self.duration_ms


@dataclass(frozen=True, slots=True)
class AutoStop:
    """What a start says about when a notebook is to stop by itself.

    A start that says nothing stops it after an hour
    (https://support.huaweicloud.com/intl/en-us/api-modelarts/StartNotebook.html).
    """

    duration_ms: int = -1  # from the start on; -1 = never
    type: str = ""  # "" = as the cloud does it: TIMING


NO_AUTO_STOP = AutoStop()
SHORTEST_MS, LONGEST_MS = 3_600_000, 259_200_000  # the documented range of a duration


@dataclass(frozen=True, slots=True)
class Instance:
    """What the cloud says about an instance.

    *updated_ms* is its own timestamp in milliseconds, a notebook's the later one of its
    lease: compare it only with an earlier value of the same field, never with our own
    clock. *read_ms* is the cloud's clock when it said all this.
    """

    id: str
    status: str
    name: str = ""
    updated_ms: int | None = None
    owner: str = ""
    flavor: str = ""
    kept_path: str = ""  # what survives a restart, such as /home/ma-user/work
    failure: str = ""  # the cloud's reason why it failed, in one line
    warning: str = ""  # sold out or not permitted: it might not come back
    kind: Kind = Kind.STUDIO
    lease: Lease | None = None
    feature: str = ""  # of a notebook; only NOTEBOOK may be stopped and started
    volume_status: str = ""  # of a notebook's disk, such as RESIZING
    pool: str = ""  # the name or id of its own pool; "" = the public one
    read_ms: int | None = None
    sold_out: bool = False  # all machines like its own are taken

    @property
    def volume_busy(self) -> bool:
        """Whether its disk is just being changed: no moment to stop it."""
        return self.volume_status.upper() in _BUSY_VOLUMES


_BUSY_VOLUMES = frozenset({"INITIALIZING", "RESIZING", "DELETING"})


@dataclass(frozen=True, slots=True)
class Answer:
    """The cloud's answer to an act: the two statuses in its own words.

    *previous* is empty for a notebook, whose answer tells only the status now.
    """

    previous: str
    current: str
    ref: str = ""  # the cloud's request id, for its support
