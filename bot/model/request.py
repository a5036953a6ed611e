"""Requests, and what becomes of them: votes, the record, the next state."""

from __future__ import annotations

import hashlib
import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Self

from bot.model.duration import utc
from bot.model.instance import Act, Instance, Kind, StatusClass, Target, class_of
from bot.model.plan import plan_of
from bot.model.rule import Approval, Decision


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
    DOWN = "down"  # stopped by us, and not up again
    NOT_RESTARTED = "not restarted"
    REFUSED = "refused"
    DENIED = "denied"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    VOIDED = "voided"
    JOINED = "joined"  # another request restarts this instance; its end is told


_ENDS_OF_WATCH = frozenset(
    {
        State.READY,
        State.FAILED,
        State.TIMED_OUT,
        State.UNKNOWN,
        State.DOWN,
        State.NOT_RESTARTED,
    }
)
_ACTS = frozenset(
    {
        State.RESTARTING,
        State.FOLLOWING,
        State.NOT_RESTARTED,
        State.VOIDED,
        State.JOINED,
        State.REFUSED,  # by a freeze that came since
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
        # Back, where somebody who approved it has lost the right to.
        State.APPROVED: _ACTS | {State.PENDING},
        State.RESTARTING: _ENDS_OF_WATCH | {State.FOLLOWING, State.REFUSED},
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
    passes: str = ""  # the freeze that it goes past, in words
    pinned: tuple[tuple[str, str], ...] = ()  # @handles of approvers, and their ids
    wants: Act = Act.RESTART  # or START
    anyway: bool = False  # though its machine type is sold out
    urgent: bool = False  # starts one that we have left down: "Start now"
    alert: str = ""  # the alert from whose card it was asked for

    @property
    def passes_freezes(self) -> bool:
        """Whether no freeze holds it up: break-glass, or the start of one left down."""
        return self.break_glass or self.urgent

    @property
    def plan(self) -> tuple[Act, ...]:
        """The acts that it takes, in their order."""
        return plan_of(self.target.kind, self.wants)

    def age_s(self, now: datetime) -> float:
        """Return the seconds since it was asked for."""
        return (now - self.asked_at).total_seconds()

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
            passes=decision.passes,
            pinned=decision.pinned,
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        data = asdict(replace(self, approval=None))
        data["asked_at"] = self.asked_at.isoformat()
        approval = self.approval
        data["approval"] = approval and approval.model_dump(
            mode="json", exclude=approval.unused
        )
        return {
            # A replica of the version before does not know what came later.
            name: value
            for name, value in data.items()
            if name not in _LATER or value != _LATER[name]
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the request that ``to_json`` wrote."""
        target = dict(data["target"])
        target["aliases"] = tuple(target["aliases"])
        target["kind"] = Kind(target.get("kind", Kind.STUDIO))
        return cls(
            **{
                **data,
                "target": Target(**target),
                "asked_at": datetime.fromisoformat(data["asked_at"]),
                "approval": data["approval"] and Approval(**data["approval"]),
                "wants": Act(data.get("wants", Act.RESTART)),
                "pinned": tuple(map(tuple, data.get("pinned", ()))),
            }
        )


_LATER: Mapping[str, Any] = MappingProxyType(
    {"passes": "", "wants": Act.RESTART, "anyway": False, "urgent": False, "alert": ""}
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
    taken_off: tuple[Vote, ...] = ()  # approvals that count no more; why is their note
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
    # Of a plan of several acts, or of a start:
    done: int = 0  # acts of the plan whose effect was seen
    path: tuple[str, ...] = ()  # the statuses seen since, as the cloud gave them
    stopped_at: datetime | None = None  # when it was first seen stopped by us
    starts: int = 0  # how often the start was sent
    start_at: datetime | None = None  # ... the last time
    start_answered: str = ""  # ... "accepted", "refused" or "lost"
    came_up: bool = False  # seen on its way up since the last start
    trouble: str = ""  # why the last start did not work
    trouble_told: bool = False
    doubt_told: bool = False  # it was said that nobody knows whether it is stopped
    up_again: bool = False  # it was down, and was seen up since
    owner_told: int = 0  # 1: that it is about to happen, 2: and how it ended

    @property
    def act(self) -> Act | None:
        """The act of the plan that it stands at; None when all have been seen."""
        plan = self.request.plan
        return plan[self.done] if self.done < len(plan) else None

    @property
    def kept_down(self) -> bool:
        """Whether somebody else has stopped what was started."""
        stopped = class_of(self.last_status) is StatusClass.STOPPED
        return self.state is State.FAILED and self.came_up and stopped

    @property
    def is_approved(self) -> bool:
        """Whether as many different people approve as the rule asks for."""
        approval = self.request.approval
        agreed = {vote.user_id for vote in self.votes if vote.approve}
        return approval is not None and len(agreed) >= approval.needed


def may_move(record: Record, state: State) -> bool:
    """Say whether a request may go to *state* from where it stands.

    TRANSITIONS decides, and two things more: nobody slips past an approval, and
    nothing that may have been sent is refused.
    """
    if state is State.RESTARTING and record.request.waits:
        return record.state is State.APPROVED
    if state is State.APPROVED and not record.is_approved:
        return False
    if state is State.REFUSED and record.sent_at is not None:
        return False  # it may have been sent
    return state in TRANSITIONS.get(record.state, frozenset())


def request_id(delivery: str) -> str:
    """Return the request id of a *delivery* (a trigger id): the same, the same id."""
    return hashlib.sha256(delivery.encode()).hexdigest()[:32]


# Characters that may be typed: as many as a field of a Slack dialog takes.
REASON_LIMIT = 3000


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=str)


def canonical(value: object) -> str:
    """Return *value* as JSON that is the same for the same value."""
    return _CANONICAL.encode(value)


def digest(request: Request, status: str) -> str:
    """Return what an approval of *request* is for, as 64 hex digits.

    *status* is what the approvers saw; whatever of all this changes, it is another
    thing, which they have not approved
    (https://cheatsheetseries.owasp.org/cheatsheets/Transaction_Authorization_Cheat_Sheet.html).
    """
    target = request.target
    what = [
        *(request.team_id, request.user_id, request.rule, request.rule_version),
        *(target.project, target.project_id, target.key, class_of(status)),
        *request.pinned,
    ]
    if target.kind is not Kind.STUDIO:  # what was approved before there were kinds
        what.append(target.kind)
    if request.wants is not Act.RESTART:
        what.append(request.wants)
    return hashlib.sha256(canonical(what).encode()).hexdigest()


def asked_of(batch: Sequence[Record]) -> Record:
    """Return the one of a batch whose approval stands for all that is asked for."""
    pending = (one for one in batch if one.state is State.PENDING)
    shown = (one for one in batch if one.card_ts)
    return next(pending, None) or next(shown, None) or batch[0]


USUAL_FROM = 2  # earlier restarts: from the third on, the usual duration is shown


def usual_s(durations: Sequence[float]) -> float | None:
    """Return how many seconds a restart usually takes; None where that is not known."""
    return statistics.median(durations) if len(durations) >= USUAL_FROM else None
