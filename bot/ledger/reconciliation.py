"""The requests compared with the trail: whether both tell of the same restarts.

Whoever cuts the end of the trail off leaves no gap in it, and whoever changes a request
leaves no trace in it; but what one says and the other does not, shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from sys import intern
from typing import Any

from attrs import define, field

from bot.model import State, utc

Row = Mapping[str, Any]

# The request and its entry are written in one transaction, with two looks at the clock.
SAME_TIME_S = 5.0
_STATES = frozenset(map(str, State))
_ANSWERS = frozenset({"accepted", "lost"})  # to the restart call


@define
class _Told:
    """What the trail says of a request: where it stands, and whether it was sent."""

    user_id: str
    project: str
    instance_id: str
    state: str = ""
    sent_at: tuple[str, ...] = ()
    answers: tuple[str, ...] = ("",)
    last: int = 0  # the number of the newest of its entries


@define
class Reconciliation:
    """Hears all entries of the trail in their order, then judges all requests."""

    _told: dict[str, _Told] = field(factory=dict, init=False)

    def hear(self, entries: Iterable[Row]) -> Iterator[Row]:
        """Pass *entries* on, and remember what they say of requests."""
        for entry in entries:
            # A click may name a request that there never was.
            if entry["request_id"] in self._told or entry["kind"] in _STATES:
                self._hear(entry)
            yield entry

    def _hear(self, entry: Row) -> None:
        # Each row has copies of its own of what is the same in all of them.
        request_id, kind = entry["request_id"], intern(entry["kind"])
        told = self._told.get(request_id)
        if told is None:  # the first is by the requester, later ones may be by others
            told = self._told[request_id] = _Told(
                intern(entry["user_id"]),
                intern(entry["project"]),
                intern(entry["instance_id"]),
            )
        told.last = entry["seq"]
        if kind in _STATES:
            told.state = kind
        elif kind == "sending":
            told.sent_at = (*told.sent_at, entry["at"])
        elif kind == "not sent":
            told.sent_at = ()
        elif kind in _ANSWERS:
            told.answers = (*filter(None, told.answers), kind)

    def flaws(self, requests: Iterable[Row]) -> Iterator[str]:
        """Yield a sentence for each request of which the trail says something else."""
        for request in requests:
            told = self._told.pop(request["id"], None)
            if told is None:
                yield f"the trail says nothing of request {request['id']}"
            else:
                yield from _differences(request, told)
        for request_id, told in self._told.items():
            yield f"request {request_id} is missing, of which entry {told.last} tells"


def _differences(request: Row, told: _Told) -> Iterator[str]:
    """Yield what a request holds that is not as the trail tells it."""
    target = request["request"]["target"]
    pairs = {
        "state": (request["state"], (told.state,)),
        "requester": (request["user_id"], (told.user_id,)),
        "project": (target["project"], (told.project,)),
        "instance": (target["instance_id"], (told.instance_id,)),
        "answer to the restart call": (request["answered"], told.answers),
    }
    entry = f"the trail (of which entry {told.last} is the newest about it)"
    for name, (held, heard) in pairs.items():
        if held not in heard:
            yield (
                f"request {request['id']}: its {name} is “{held}”, in {entry} it is"
                f" “{heard[-1]}”"
            )
    if not _is_among(request["sent_at"], told.sent_at):
        held = utc(request["sent_at"]).isoformat() if request["sent_at"] else "never"
        said = told.sent_at[-1] if told.sent_at else "never"
        yield f"request {request['id']}: it was sent {held}, in {entry} {said}"


def _is_among(held: float | None, heard: Sequence[str]) -> bool:
    """Say whether a time is one of those *heard*, or there is none on either side."""
    if held is None:
        return not heard
    return any(_near(held, at) for at in heard)


def _near(held: float, at: str) -> bool:
    try:
        return abs(held - datetime.fromisoformat(at).timestamp()) <= SAME_TIME_S
    except ValueError:  # the entry was changed, which is a flaw of its own
        return False
