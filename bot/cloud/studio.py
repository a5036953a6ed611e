"""Instances of ML Studio, of the old API: one call restarts them.

https://support.huaweicloud.com/intl/en-us/api-modelarts/modelarts_03_0112.html
https://support.huaweicloud.com/intl/en-us/api-modelarts/modelarts_03_0115.html
"""

from __future__ import annotations

from typing import Any

from bot.cloud.api import Call
from bot.cloud.schemas import InstanceAnswer, RestartAnswer
from bot.model import Act, Answer, AutoStop, Instance

NAME = "an instance of ML Studio"


def path(instance_id: str) -> str:
    """Return where an instance is, below its project."""
    return f"demanager/instances/{instance_id}"


def call(act: Act, _auto_stop: AutoStop) -> Call:
    """Return the call that carries out *act*: all have one address."""
    if act is Act.STOP:
        raise ValueError(f"{NAME} is restarted, not stopped")
    return Call("POST", "/action", {"action": str(act)})


def right(act: Act | None) -> str:
    """Return the permission that an *act*, or a look (None), needs."""
    return "action" if act else "get"


def instance(body: dict[str, Any], asked_id: str) -> Instance:
    """Return the instance that *body* describes."""
    return InstanceAnswer.model_validate(body).instance(asked_id)


def answer(body: dict[str, Any]) -> Answer:
    """Return what the answer to an act says."""
    said = RestartAnswer.model_validate(body)
    return Answer(said.previous_state, said.current_status)
