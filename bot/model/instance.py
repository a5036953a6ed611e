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


# --- which one, and what the cloud says of it -------------------------------------


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

    @property
    def key(self) -> str:
        """The unit of conflict: one id is one instance, however it was typed."""
        return self.instance_id.lower()


@dataclass(frozen=True, slots=True)
class Instance:
    """What the cloud says about an instance.

    *updated_ms* is its ``latest_update_timestamp`` in milliseconds: compare it only
    with an earlier value of the same field, never with our own clock.
    """

    id: str
    status: str
    name: str = ""
    updated_ms: int | None = None
    owner: str = ""
    flavor: str = ""
    kept_path: str = ""  # what survives a restart, such as /home/ma-user/work
    failure: str = ""  # spec.failed_reasons in one line
    warning: str = ""  # sold out or not permitted: it might not come back


@dataclass(frozen=True, slots=True)
class Answer:
    """The cloud's answer to a restart: the two statuses in its own words."""

    previous: str
    current: str
    ref: str = ""  # the cloud's request id, for its support
