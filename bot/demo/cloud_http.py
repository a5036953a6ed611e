"""What the local cloud says over the wire: replies, refusals, faults, and the calls.

The error shapes are those that ``bot.cloud.error_response`` tells apart.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

Kind = Literal[
    "login",
    "projects",
    "read",
    "list",
    "restart",
    "stop",
    "start",
    "lease",
    "flavors",
    "other",
]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: a mapping goes out as JSON, text as it is.

    A ``request_id`` in the body is filled with the call's own when it goes out.
    """

    status: int
    body: Mapping[str, Any] | str
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


class Refused(Exception):
    """The local cloud refuses a call with *reply*."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


def modelarts(status: int, code: str, message: str) -> Reply:
    """Return shape 1, the old instance API's."""
    return Reply(status, {"error_message": message, "error_code": code})


def gateway(status: int, code: str, message: str, **headers: str) -> Reply:
    """Return shape 2, the gateway's."""
    body = {"error_msg": message, "error_code": code, "request_id": ""}
    dashed = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, body, dashed)


def iam(status: int, message: str, title: str) -> Reply:
    """Return shape 3, IAM's."""
    error = {"code": status, "message": message, "title": title}
    return Reply(status, {"error": error})


def html(status: int, title: str) -> Reply:
    """Return shape 4, a load balancer's page."""
    page = f"<html><head><title>{status} {title}</title></head><body></body></html>"
    return Reply(status, page, content_type="text/html")


def login_refused(text: str) -> Reply:
    """Return the gateway's refusal of a token or a signature, for the reason *text*."""
    message = f"Incorrect IAM authentication information: {text}"
    return gateway(401, "APIGW.0301", message)


NOT_PUBLISHED = gateway(
    404, "APIG.0101", "The API does not exist or has not been published."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One way in which a call goes wrong; without any field set it goes right.

    *reply* is sent instead of the true answer, or with *cut* the connection is cut
    instead; either way nothing is done, unless *acts*. *delay_s* comes first, in the
    world's seconds. *stale* shows the state before the last restart, *adds* goes into
    a true answer, *date_shift_s* falsifies the ``Date`` header.
    """

    reply: Reply | None = None
    cut: bool = False
    acts: bool = False
    delay_s: float = 0.0
    stale: bool = False
    adds: Mapping[str, Any] = field(default_factory=dict)
    date_shift_s: float = 0.0

    @property
    def lets_act(self) -> bool:
        """Whether the call is carried out."""
        return self.acts or not (self.cut or self.reply)


NO_FAULT = Fault()
# Faults worth having at hand: for tests, and for a page to offer.
FAULTS: Mapping[str, Fault] = MappingProxyType(
    {
        "throttled": Fault(
            reply=gateway(429, "APIGW.0308", "Throttled.", Retry_After="2")
        ),
        "throttled, no Retry-After": Fault(
            reply=modelarts(429, "ModelArts.6101", "The system is busy.")
        ),
        "internal error": Fault(
            reply=modelarts(500, "ModelArts.6200", "Internal error.")
        ),
        "login refused": Fault(
            reply=iam(401, "The username or password is wrong.", "Unauthorized")
        ),
        "not permitted": Fault(
            reply=modelarts(403, "ModelArts.0112", "Policy does not allow it.")
        ),
        "no capacity": Fault(
            reply=gateway(400, "ModelArts.6360", "There are not enough resources.")
        ),
        "call withdrawn": Fault(reply=NOT_PUBLISHED),
        "HTML 502": Fault(reply=html(502, "Bad Gateway")),
        "empty answer": Fault(reply=Reply(200, ""), acts=True),
        "broken JSON": Fault(reply=Reply(200, '{"status": "ACT'), acts=True),
        "slow": Fault(delay_s=20.0),
        "cut before acting": Fault(cut=True),
        "cut after acting": Fault(cut=True, acts=True),
        "stale": Fault(stale=True),
        "error_code in a true answer": Fault(adds={"error_code": "ModelArts.6360"}),
        "clock an hour behind": Fault(date_shift_s=-3600.0),
    }
)


@dataclass(slots=True, eq=False)
class Planted:
    """A fault that meets the next *left* calls of a *kind* (None = all of them)."""

    kind: Kind
    fault: Fault
    left: int | None


class Faults:
    """The faults that are planted; the oldest of a kind goes first."""

    def __init__(self) -> None:
        self.planted: list[Planted] = []

    def plant(self, kind: Kind, fault: Fault, *, times: int | None = 1) -> Planted:
        """Let *fault* meet the next *times* calls of this *kind*; None = all."""
        planted = Planted(kind, fault, times)
        self.planted.append(planted)
        return planted

    def remove(self, planted: Planted) -> None:
        """Take a fault back; one that is spent is gone already."""
        if planted in self.planted:
            self.planted.remove(planted)

    def clear(self) -> None:
        """Take all faults back."""
        self.planted.clear()

    def take(self, kind: Kind) -> Fault:
        """Return the fault that a call of this *kind* meets now, and count it."""
        planted = next((each for each in self.planted if each.kind == kind), None)
        if planted is None:
            return NO_FAULT
        if planted.left is not None:
            planted.left -= 1
            if planted.left <= 0:
                self.planted.remove(planted)
        return planted.fault


@dataclass(slots=True, eq=False)
class Call:
    """A call that arrived at *at* (real POSIX seconds); *ref* is its request id.

    *status* is None while it is in hand and 0 when it was cut off. *project* and
    *instance* are ids as the caller wrote them.
    """

    at: float
    kind: Kind
    project: str = ""
    instance: str = ""
    status: int | None = None
    fault: Fault = NO_FAULT
    ref: str = field(default_factory=lambda: uuid.uuid4().hex)
