"""The requests compared with the trail: whether both tell of the same restarts.

Whoever cuts the end of the trail off leaves no gap in it, and whoever changes a request
leaves no trace in it; but what one says and the other does not, shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import dropwhile, groupby
from operator import itemgetter
from typing import Any

from attrs import define

from bot.model import State, utc

Row = Mapping[str, Any]

# The request and its entry are written in one transaction, with two looks at the clock.
SAME_TIME_S = 5.0
_STATES = frozenset(map(str, State))
_ANSWERS = frozenset({"accepted", "lost"})  # to the restart call


def differences(requests: Iterable[Row], entries: Iterable[Row]) -> Iterator[str]:
    """Yield a sentence for each request of which the trail says something else.

    Both come in the order of the requests' ids, the entries of one request in theirs:
    so none is held longer than it takes, however long the trail is.
    """
    heard = _heard(entries)
    told = next(heard, None)
    for request in requests:
        while told is not None and _place(told.request_id) < _place(request["id"]):
            yield _missing(told)
            told = next(heard, None)
        if told is not None and told.request_id == request["id"]:
            yield from _differing(request, told)
            told = next(heard, None)
        else:
            yield f"the trail says nothing of request {request['id']}"
    while told is not None:
        yield _missing(told)
        told = next(heard, None)


@define
class _Told:
    """What the trail says of a request: where it stands, and whether it was sent."""

    request_id: str
    user_id: str
    project: str
    instance_id: str
    state: str = ""
    sent_at: tuple[str, ...] = ()
    answers: tuple[str, ...] = ("",)
    last: int = 0  # the number of the newest of its entries

    def hear(self, entry: Row) -> None:
        """Take in the next entry."""
        kind = entry["kind"]
        self.last = entry["seq"]
        if kind in _STATES:
            self.state = kind
        elif kind == "sending":
            self.sent_at = (*self.sent_at, entry["at"])
        elif kind == "not sent":
            self.sent_at = ()
        elif kind in _ANSWERS:
            self.answers = (*filter(None, self.answers), kind)


def _heard(entries: Iterable[Row]) -> Iterator[_Told]:
    """Yield what is told of each request, from its first state on.

    A click may name a request that there never was.
    """
    for request_id, own in groupby(entries, itemgetter("request_id")):
        told = None
        for entry in dropwhile(lambda one: one["kind"] not in _STATES, own):
            if told is None:  # the first is by the requester, later ones may not be
                by = (entry[name] for name in ("user_id", "project", "instance_id"))
                told = _Told(request_id, *by)
            told.hear(entry)
        if told is not None:
            yield told


def _place(request_id: str | bytes) -> tuple[bool, str | bytes]:
    """Return where an id stands in SQLite's order, which takes bytes for a text, too.

    The bot writes none, but whoever has changed something may have.
    """
    return isinstance(request_id, bytes), request_id


def _missing(told: _Told) -> str:
    return f"request {told.request_id} is missing, of which entry {told.last} tells"


def _differing(request: Row, told: _Told) -> Iterator[str]:
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
