"""The nouns of the bot, frozen and without I/O; every other module speaks in them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

# --- time ---------------------------------------------------------------------

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def seconds(text: object) -> float:
    """Return the seconds that a duration such as ``"500ms"`` or ``"7d"`` names.

    Raises ValueError, with a sentence for the person, for anything else.
    """
    match = _DURATION.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        raise ValueError(
            'write a duration as a number and a unit, such as "500ms", "10s", "15m",'
            ' "2h" or "7d"'
        )
    return float(match[1]) * _UNITS[match[2]]


def _seconds(value: object) -> object:
    """Accept seconds that a validated model holds already, else a duration."""
    return value if isinstance(value, float) else seconds(value)


Seconds = Annotated[float, BeforeValidator(_seconds), Field(gt=0)]


def utc(timestamp: float) -> datetime:
    """Return the aware UTC time of a POSIX *timestamp* in seconds."""
    return datetime.fromtimestamp(timestamp, UTC)


# --- statuses of an instance (reference/modelarts.md section 4) ------------------


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


# --- who and what ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in Slack, known by *team_id* and *user_id*; *name* is for reading."""

    user_id: str
    team_id: str
    name: str = ""
    deleted: bool = False
    is_bot: bool = False
    is_guest: bool = False  # restricted, ultra-restricted or only invited
    is_stranger: bool = False  # of another workspace


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
    """What the cloud says about an instance (reference/modelarts.md section 2).

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


# --- policy ----------------------------------------------------------------------

_STRICT = ConfigDict(extra="forbid", frozen=True, strict=True)


class Approval(BaseModel):
    """Who else has to agree: *needed* different people out of *by* within *expires*."""

    model_config = _STRICT

    by: Annotated[tuple[str, ...], Field(min_length=1, strict=False)]
    needed: Annotated[int, Field(ge=1)] = 1
    expires: Seconds = 1800.0
    break_glass: Annotated[tuple[str, ...], Field(strict=False)] = ()


class Rule(BaseModel):
    """One entry of ``[[rules]]``; omitted lists match everything (contract 3)."""

    model_config = _STRICT

    name: Annotated[str, Field(min_length=1, max_length=100)]
    who: Annotated[tuple[str, ...], Field(strict=False)] = ()
    projects: Annotated[tuple[str, ...], Field(min_length=1, strict=False)] | None = (
        None
    )
    instances: Annotated[tuple[str, ...], Field(min_length=1, strict=False)] | None = (
        None
    )
    channels: Annotated[tuple[str, ...], Field(min_length=1, strict=False)] | None = (
        None
    )
    reason: Annotated[str, Field(pattern="^(required|optional)$")] = "optional"
    reason_pattern: str | None = None
    cooldown: Seconds | None = None
    deny: bool = False
    approval: Approval | None = None

    @model_validator(mode="after")
    def _someone(self) -> Self:
        """Refuse a rule that names nobody: only ``deny`` may leave *who* out."""
        if not self.who and not self.deny:
            raise ValueError(
                'who is empty; name somebody, or "*" for every full member'
            )
        return self

    @property
    def version(self) -> str:
        """Twelve hex digits that change whenever anything in the rule changes."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]


class Verdict(StrEnum):
    """What policy says about a request."""

    ALLOW = "allow"
    ASK = "approval"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Decision:
    """What policy decided, by which rule and why; a refusal is a value, not an error.

    *why* is one sentence, *remedy* what would help (may be empty). *approval* is set
    for ASK, and for an ALLOW by break-glass (its approvers are told). *wants_reason*:
    the rule wants one, and none that fits was given.
    """

    verdict: Verdict
    why: str
    remedy: str = ""
    rule: str = ""
    rule_version: str = ""
    approval: Approval | None = None
    break_glass: bool = False
    wants_reason: bool = False


# --- a request and what becomes of it -----------------------------------------------


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


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asked for and what policy said then; it never changes."""

    id: str
    team_id: str
    user_id: str
    target: Target
    channel_id: str
    asked_at: datetime
    reason: str = ""
    break_glass: bool = False
    rule: str = ""
    rule_version: str = ""
    approval: Approval | None = None
    thread_ts: str = ""  # set by the message shortcut: speak in that thread
    response_url: str = ""  # private answers; Slack takes 5 within 30 minutes
    batch: str = ""  # asked for with others: the id of the one that speaks for all
    place: int = 0  # ... and its turn among them
    go_on: bool = False  # ... even if one before it failed

    @property
    def speaks(self) -> str:
        """The id of the request whose story speaks for this one: mostly its own."""
        return self.batch or self.id

    @property
    def waits(self) -> bool:
        """Whether nothing may be restarted before others have agreed."""
        return self.approval is not None and not self.break_glass

    @property
    def expires_at(self) -> datetime | None:
        """When the wait for approval ends (UTC), or None where none is needed."""
        if self.approval is None:
            return None
        return utc(self.asked_at.timestamp() + self.approval.expires)

    def ruled_by(self, decision: Decision) -> Self:
        """Return it with the rule that decided on it."""
        return replace(
            self,
            rule=decision.rule,
            rule_version=decision.rule_version,
            approval=decision.approval,
            break_glass=decision.break_glass,
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        data = asdict(replace(self, approval=None))
        data["asked_at"] = self.asked_at.isoformat()
        data["approval"] = self.approval and self.approval.model_dump(mode="json")
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the request that ``to_json`` wrote."""
        target = dict(data["target"])
        target["aliases"] = tuple(target["aliases"])
        return cls(
            **{
                **data,
                "target": Target(**target),
                "asked_at": datetime.fromisoformat(data["asked_at"]),
                "approval": data["approval"] and Approval(**data["approval"]),
            }
        )


@dataclass(frozen=True, slots=True)
class Vote:
    """One person's word on a pending request."""

    user_id: str
    approve: bool
    at: datetime
    note: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """A request together with all that has become of it so far.

    Times are UTC; *duration_s* runs from the restart call to the end in seconds.
    """

    request: Request
    state: State
    votes: tuple[Vote, ...] = ()
    card_ts: str = ""  # the approval request's message
    message_ts: str = ""  # the transition's message
    previous: str = ""  # the cloud's words for the transition
    current: str = ""
    last_status: str = ""  # the latest status seen
    baseline: Instance | None = None  # read right before the restart
    seen_other: bool = False  # a look since the restart showed another class
    sent_at: datetime | None = None
    answered: str = ""  # of the restart call: "accepted" or "lost"
    ended_at: datetime | None = None
    detail: str = ""  # one sentence on how it ended
    ref: str = ""  # the cloud's request id
    decided_by: str = ""  # user id of who denied or cancelled
    joined: str = ""  # the request that this one joined
    told: bool = False  # its end has been said
    unsaid: str = ""  # what could not be said, and why
    duration_s: float | None = None
    reminded: bool = False  # the approvers were reminded at half of the time
    changed_at: datetime | None = None  # since when it stands where it does
    summed: bool = False  # the end of all that were asked for together has been said

    @property
    def is_approved(self) -> bool:
        """Whether as many different people approve as the rule asks for."""
        approval = self.request.approval
        agreed = {vote.user_id for vote in self.votes if vote.approve}
        return approval is not None and len(agreed) >= approval.needed


def may_move(record: Record, state: State) -> bool:
    """Say whether a request may go to *state* from where it stands.

    TRANSITIONS decides, and one thing more: nobody slips past an approval.
    """
    if state is State.RESTARTING and record.request.waits:
        return record.state is State.APPROVED
    if state is State.APPROVED and not record.is_approved:
        return False
    return state in TRANSITIONS.get(record.state, frozenset())


def request_id(delivery: str) -> str:
    """Return the request id of a *delivery* (a trigger id): the same, the same id."""
    return hashlib.sha256(delivery.encode()).hexdigest()[:32]


# Characters that may be typed: as many as a field of a Slack dialog takes.
REASON_LIMIT = 3000


# --- what is said --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Message:
    """Something to say in Slack: plain *text*, and *blocks* of Block Kit."""

    text: str
    blocks: list[dict[str, Any]] = field(default_factory=list)


def canonical(value: object) -> str:
    """Return *value* as JSON that is the same for the same value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)


def digest(request: Request, status: str) -> str:
    """Return what an approval of *request* is for, as 64 hex digits.

    *status* is what the approvers saw; whatever of all this changes, it is another
    thing, which they have not approved (reference/approvals.md section 3).
    """
    target = request.target
    what = [
        *(request.team_id, request.user_id, request.rule, request.rule_version),
        *(target.project, target.project_id, target.key, class_of(status)),
    ]
    return hashlib.sha256(canonical(what).encode()).hexdigest()
