"""Pure: whether what was asked for makes sense for an instance as it is now."""

from __future__ import annotations

from bot.model import (
    HOPELESS,
    Act,
    Instance,
    Request,
    StatusClass,
    can_start,
    class_of,
    is_stopping,
)
from bot.slack.messages.formatting import status as shown

_FEATURE = "NOTEBOOK"


def unsuitable(request: Request, instance: Instance) -> str:
    """Return why the first act of its plan makes no sense now, or nothing.

    One that is busy is suitable: its end is waited for, and nothing is sent.
    """
    name, first = request.target.instance, request.plan[0]
    if first is Act.RESTART:
        return _to_restart(name, instance.status)
    if first is Act.STOP:
        return _to_stop(name, instance)
    return _to_start(name, instance.status)


def _to_restart(name: str, status: str) -> str:
    if class_of(status) is StatusClass.STOPPED:
        return f"{name} is stopped: it has to be started, not restarted."
    if status in HOPELESS:
        return f"{name} is {shown(status)} and cannot be restarted."
    return ""


def _to_stop(name: str, instance: Instance) -> str:
    """Return why a notebook must not be stopped to be started again, or nothing."""
    status = instance.status
    if instance.feature and instance.feature.upper() != _FEATURE:
        # A free one is deleted some time after it has stopped:
        # https://support.huaweicloud.com/intl/en-us/modelarts_faq/modelarts_05_0237.html
        return (
            f"{name} cannot be restarted: its feature is {shown(instance.feature)}, and"
            " only one of the feature NOTEBOOK may be stopped and started."
        )
    if can_start(status):
        word = "stopped" if class_of(status) is StatusClass.STOPPED else shown(status)
        return f"{name} is {word}: it has to be started, not restarted."
    if is_stopping(status):
        return (
            f"{name} is {shown(status)}: somebody is stopping it just now. When it has"
            " stopped, it has to be started, not restarted."
        )
    if class_of(status) is StatusClass.BUSY and status not in HOPELESS:
        return ""
    if class_of(status) is not StatusClass.READY:
        return f"{name} is {shown(status)} and cannot be restarted."
    if instance.volume_busy:
        return (
            f"The disk of {name} is {instance.volume_status} just now, so it is not"
            " stopped. Ask again when that is over."
        )
    return ""


def _to_start(name: str, status: str) -> str:
    if can_start(status):
        return ""
    if class_of(status) is StatusClass.READY:
        return f"{name} is {shown(status)} already, so nothing has to be started."
    if is_stopping(status):
        return f"{name} is {shown(status)}: it can be started when it has stopped."
    if class_of(status) is StatusClass.BUSY and status not in HOPELESS:
        return ""
    return f"{name} is {shown(status)} and cannot be started."
