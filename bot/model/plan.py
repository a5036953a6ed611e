"""What is done to an instance for what somebody wants: a plan of acts. Pure.

A restart of ML Studio is one call. A notebook has none: it is stopped and started
(https://support.huaweicloud.com/intl/en-us/api-modelarts/StopNotebook.html), and gives
its machine back in between.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from bot.model.instance import Act, Kind, StatusClass, class_of

_RESTARTS: Mapping[Kind, tuple[Act, ...]] = MappingProxyType(
    {Kind.STUDIO: (Act.RESTART,), Kind.NOTEBOOK: (Act.STOP, Act.START)}
)
# What may be sent again, and then only right after a read that says that it has no
# effect so far; all else is sent once, whatever becomes of it.
REPEATABLE = frozenset({Act.START})


def plan_of(kind: Kind, wants: Act) -> tuple[Act, ...]:
    """Return the acts, in their order, for a restart or a start (*wants*)."""
    return (Act.START,) if wants is Act.START else _RESTARTS[kind]


def gives_back(plan: tuple[Act, ...]) -> bool:
    """Say whether the machine is given back in between and may stay away."""
    return Act.STOP in plan


def can_start(status: str) -> bool:
    """Say whether an instance in this *status* can be started."""
    stopped = class_of(status) is StatusClass.STOPPED
    return stopped or status.upper() == "START_FAILED"


def is_stopping(status: str) -> bool:
    """Say whether an instance is on its way down."""
    return status.upper() == "STOPPING"


def is_starting(status: str) -> bool:
    """Say whether an instance is on its way up.

    Others are as busy, and say nothing of that: one whose image is being saved runs.
    """
    return status.upper() in _STARTING


_STARTING = frozenset(
    {"STARTING", "START_QUEUING", "INIT", "CREATING", "CREATE_QUEUING"}
    | {"REBOOTING", "RESTARTING"}
)
