"""The local cloud's v1 notebooks over the wire, refusing what the original refuses.

Each handler's docstring names its page below
https://support.huaweicloud.com/intl/en-us/api-modelarts/
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import attrs
from aiohttp import web

from bot.demo.clock import Clock
from bot.demo.cloud_http import Call, Fault, Refused, Reply, gateway
from bot.demo.iam_server import Iam
from bot.demo.notebooks import (
    NO_CAPACITY,
    ScriptedNotebook,
    describe,
    in_range,
    owner_id,
)
from bot.demo.seed_world import Project, World

_LIMITS = (10, 20, 50)
_KEYS = ("create_at", "update_at", "name", "status")


@attrs.define(kw_only=True)
class Notebooks:
    """The handlers; *settle* lets happen what is due.

    *sold_out* are the flavors whose machines are all taken; *may_list_all* whether the
    bot's user has the permission to list other people's notebooks.
    """

    world: World
    iam: Iam
    clock: Clock
    settle: Callable[[], None]
    sold_out: set[str] = attrs.field(factory=set)
    may_list_all: bool = True
    stops: defaultdict[str, list[Call]] = attrs.field(factory=lambda: defaultdict(list))
    starts: defaultdict[str, list[Call]] = attrs.field(
        factory=lambda: defaultdict(list)
    )
    _rng: random.Random = attrs.field(factory=random.Random)

    async def read(self, request: web.Request, call: Call) -> Reply:
        """ShowNotebook."""
        _, box = await self._find(request, call)
        return Reply(200, self._describe(box, call.fault))

    async def stop(self, request: web.Request, call: Call) -> Reply:
        """StopNotebook."""
        _, box = await self._find(request, call)
        _check(box.stop(self.clock.now(), self._rng))
        self.stops[box.id].append(call)
        return self._changed(box)

    async def start(self, request: web.Request, call: Call) -> Reply:
        """StartNotebook: without a duration it stops itself after an hour."""
        _, box = await self._find(request, call)
        lease = _lease_of(request.query.get("duration"), request.query.get("type"))
        if box.status in {"STOPPED", "START_FAILED"} and self.is_full(box):
            _check(NO_CAPACITY)
        _check(box.start(self.clock.now(), self._rng, lease=lease))
        self.starts[box.id].append(call)
        return self._changed(box)

    async def lease(self, request: web.Request, call: Call) -> Reply:
        """ShowLease."""
        _, box = await self._find(request, call)
        _check(_not_running(box))
        return Reply(200, box.lease.to_json())

    async def renew(self, request: web.Request, call: Call) -> Reply:
        """RenewLease: from now on; a duration in the query counts more."""
        _, box = await self._find(request, call)
        _check(_not_running(box))
        try:
            body = json.loads(await request.read() or b"{}")
        except ValueError as error:
            raise _bad("The body is no JSON.") from error
        duration = request.query.get("duration") or body.get("duration")
        box.lease.update_ms = now_ms = int(self.clock.now() * 1000)
        box.lease.begin(now_ms, *_lease_of(duration, body.get("type")))
        self.clock.poke()
        return Reply(200, box.lease.to_json())

    async def list_own(self, request: web.Request, call: Call) -> Reply:
        """ListNotebooks: the caller's own."""
        user, project = await self.iam.admit(request, call.project)
        own = [box for box in project.notebooks if box.owner == user]
        return self._page(request, call, own)

    async def list_all(self, request: web.Request, call: Call) -> Reply:
        """ListAllNotebooks: everybody's, for those who may."""
        _, project = await self.iam.admit(request, call.project)
        if not self.may_list_all:
            text = "Policy does not allow modelarts:notebook:listAllNotebooks."
            raise Refused(gateway(403, "ModelArts.0112", text))
        return self._page(request, call, list(project.notebooks))

    async def flavors(self, request: web.Request, call: Call) -> Reply:
        """ListFlavors: all that the project's notebooks have."""
        _, project = await self.iam.admit(request, call.project)
        wanted = request.query.get("type")
        if wanted not in {None, "MANAGED", "DEDICATED"}:
            raise _bad("type is wrong.")
        found = {
            box.flavor
            for box in project.notebooks
            if wanted is None or bool(box.pool) == (wanted == "DEDICATED")
        }
        rows = [
            {"id": one, "name": one, "free": False, "sold_out": one in self.sold_out}
            for one in sorted(found)
        ]
        return Reply(200, {"current": 0, "data": rows, "pages": 1, "total": len(rows)})

    def is_full(self, box: ScriptedNotebook) -> bool:
        """Say whether no machine is left for *box*."""
        return not box.pool and box.flavor in self.sold_out

    async def _find(
        self, request: web.Request, call: Call
    ) -> tuple[Project, ScriptedNotebook]:
        _, project = await self.iam.admit(request, call.project)
        self.settle()
        for box in project.notebooks:
            if box.id == call.instance and box.status != "DELETED":
                return project, box
        raise Refused(gateway(400, "ModelArts.6404", "The instance does not exist."))

    def _changed(self, box: ScriptedNotebook) -> Reply:
        """Return the whole notebook, as it is right after an act."""
        self.settle()
        self.clock.poke()
        return Reply(200, describe(box, box.status))

    def _describe(self, box: ScriptedNotebook, fault: Fault) -> dict[str, Any]:
        shown = box.look(self.clock.now(), stale=fault.stale)
        self.clock.poke()  # what has been seen may go on now
        return describe(box, shown)

    def _page(
        self, request: web.Request, call: Call, boxes: list[ScriptedNotebook]
    ) -> Reply:
        self.settle()
        query = request.query
        limit, offset = _number(query, "limit", 10), _number(query, "offset", 0)
        if limit not in _LIMITS:
            raise _bad("limit has to be 10, 20 or 50.")
        key = query.get("sort_key", "create_at")
        if key not in _KEYS:
            raise _bad("sort_key is wrong.")
        boxes = [box for box in boxes if _fits(box, query)]
        descending = query.get("sort_dir", "DESC") == "DESC"
        boxes.sort(key=lambda box: (_sorted_by(box, key), box.id), reverse=descending)
        rows = [
            self._describe(box, call.fault) for box in boxes[offset : offset + limit]
        ]
        total = len(boxes)
        return Reply(
            200,
            {
                "current": offset // limit,
                "data": rows,
                "pages": -(-total // limit),
                "size": len(rows),
                "total": total,
            },
        )


def _fits(box: ScriptedNotebook, query: Any) -> bool:
    """Say whether the filters of a list let *box* through; the name's is fuzzy."""
    return (
        box.status != "DELETED"
        and box.feature == query.get("feature", "NOTEBOOK")
        and query.get("name", "").lower() in box.name.lower()
        and query.get("status") in {None, box.status}
        and query.get("owner") in {None, owner_id(box.owner)}
    )


def _sorted_by(box: ScriptedNotebook, key: str) -> str | int:
    of_lease = {"create_at": box.lease.create_ms, "update_at": box.lease.update_ms}
    return of_lease[key] if key in of_lease else str(getattr(box, key))


def _lease_of(duration: object, kind: object) -> tuple[int | None, str]:
    """Return what a start or a renewal asks for, or refuse it."""
    word = str(kind or "").upper()
    if word not in {"", "TIMING", "IDLE"}:
        raise _bad("type is wrong.")
    if duration is None:
        return None, word
    try:
        asked = int(str(duration))
    except ValueError as error:
        raise _bad("duration is no number.") from error
    if not in_range(asked):
        raise _bad("duration is out of range.")
    return asked, word


def _number(query: Any, name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isdecimal():
        raise _bad(f"{name} has to be a number.")
    return int(text)


def _not_running(box: ScriptedNotebook) -> tuple[str, str] | None:
    if box.status == "RUNNING":
        return None
    return "ModelArts.6327", "The instance is not running."


def _check(refusal: tuple[str, str] | None) -> None:
    """Raise Refused where there is a *refusal*, code and text."""
    if refusal is not None:
        raise Refused(gateway(400, *refusal))


def _bad(text: str) -> Refused:
    return Refused(gateway(400, "ModelArts.0101", text))
