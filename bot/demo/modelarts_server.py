"""The local ModelArts and IAM: real HTTP on loopback, refusing what theirs refuse.

The pages of ModelArts are named as they are below
https://support.huaweicloud.com/intl/en-us/api-modelarts/
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from http import HTTPStatus

from aiohttp import web

from bot.demo.clock import Clock
from bot.demo.cloud_http import (
    NOT_PUBLISHED,
    Call,
    Fault,
    Faults,
    Kind,
    Refused,
    Reply,
    modelarts,
)
from bot.demo.iam_server import Iam
from bot.demo.instances import Change, ScriptedInstance, describe
from bot.demo.notebook_server import Notebooks
from bot.demo.notebooks import RARE_FLAVOR, ScriptedNotebook
from bot.demo.seed_world import Project, World

_Act = Callable[[web.Request, Call], Awaitable[Reply]]
_INSTANCES = "/v1/{project}/demanager/instances"
_NOTEBOOKS = "/v1/{project}/notebooks"
_ACTIONS = ("restart", "start")
# The gateway takes 32 KB a header (else APIG.0201), aiohttp 8190 bytes.
_MAX_HEADER = 32 * 1024


class LocalModelArts:
    """One server for both, on 127.0.0.1; it may be closed and started again.

    *clock* drives instances and delays (``clock.speed``, ``clock.advance``), and says
    what time it is where notebooks end by it; *wall*, the real time, drives tokens,
    signatures and every other ``Date`` header.
    """

    def __init__(
        self,
        world: World,
        *,
        clock: Clock | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.world = world
        self.clock = clock or Clock()
        self.iam = Iam(world, wall)
        self.faults = Faults()
        self.calls: deque[Call] = deque(maxlen=1000)
        self.restarts: defaultdict[str, list[Call]] = defaultdict(list)
        self.on_change: list[Callable[[Call | Change], None]] = []
        self.notebooks = Notebooks(
            world=world,
            iam=self.iam,
            clock=self.clock,
            settle=self._settle,
            sold_out={RARE_FLAVOR},
        )
        self.port = 0
        self._wall = wall
        self._rng = random.Random()
        self._runner: web.AppRunner | None = None
        self._ticker: asyncio.Task[None] | None = None

    # --- its life ---------------------------------------------------------------

    async def start(self, port: int = 0) -> None:
        """Listen on *port* of 127.0.0.1; 0 = any that is free."""
        self._runner = web.AppRunner(
            self._app(),
            access_log=None,
            shutdown_timeout=0.1,
            max_field_size=_MAX_HEADER,
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.port = self._runner.addresses[0][1]
        self._ticker = asyncio.create_task(self._tick(), name="local ModelArts")

    async def close(self) -> None:
        """Stop listening; calls in hand are cut off."""
        if self._runner is not None:
            await self._runner.cleanup()
        if self._ticker is not None:
            self._ticker.cancel()
            await asyncio.wait([self._ticker])
            if not self._ticker.cancelled():
                self._ticker.result()
        self._runner = self._ticker = None

    @property
    def url(self) -> str:
        """The address of ModelArts."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def iam_url(self) -> str:
        """The address of IAM."""
        return f"{self.url}/v3"

    # --- the world outside the bot ----------------------------------------------

    def instance(self, name: str) -> ScriptedInstance:
        """Return the instance of ML Studio of this *name* or id, or KeyError."""
        found = self.box(name)
        if isinstance(found, ScriptedNotebook):
            raise KeyError(name)
        return found

    def notebook(self, name: str) -> ScriptedNotebook:
        """Return the notebook of this *name* or id, or KeyError."""
        found = self.box(name)
        if isinstance(found, ScriptedInstance):
            raise KeyError(name)
        return found

    def box(self, name: str) -> ScriptedInstance | ScriptedNotebook:
        """Return what has this *name* or id, of either kind, or KeyError."""
        for each in self.world.boxes:
            if name in (each.id, each.name):
                return each
        raise KeyError(name)

    def put(self, name: str, status: str) -> None:
        """Set an instance's *status*, as somebody at the cloud's console does."""
        self._tell(self.box(name).put(status, self.clock.now()))
        self.clock.poke()

    def by_hand(self, name: str, *, starts: bool) -> None:
        """Stop or start a notebook in the console: as itself, so with no lease."""
        box, now = self.notebook(name), self.clock.now()
        if starts and not self.notebooks.is_full(box):
            box.start(now, self._rng, lease=(-1, ""))
        elif not starts:
            box.stop(now, self._rng)
        self._settle()
        self.clock.poke()

    def _settle(self) -> None:
        now = self.clock.now()
        for instance in self.world.boxes:
            for change in instance.settle(now):
                self._tell(change)

    async def _tick(self) -> None:
        """Let instances change when they are due, whether or not anybody looks."""
        while True:
            self._settle()
            due = [each.next_change for each in self.world.boxes]
            await self.clock.wait(min(filter(None, due), default=None))

    def _tell(self, event: Call | Change) -> None:
        for listener in self.on_change:
            listener(event)

    # --- the way of every call --------------------------------------------------

    def _app(self) -> web.Application:
        boxes = self.notebooks
        routes: tuple[tuple[str, str, Kind, _Act], ...] = (
            ("POST", "/v3/auth/tokens", "login", self.iam.log_in),
            ("GET", "/v3/auth/projects", "projects", self.iam.projects),
            ("GET", "/v3/projects", "projects", self.iam.all_projects),
            ("GET", _INSTANCES, "list", self._list),
            ("GET", _INSTANCES + "/{instance}", "read", self._read),
            ("POST", _INSTANCES + "/{instance}/action", "restart", self._act),
            ("GET", _NOTEBOOKS, "list", boxes.list_own),
            ("GET", _NOTEBOOKS + "/all", "list", boxes.list_all),
            ("GET", _NOTEBOOKS + "/flavors", "flavors", boxes.flavors),
            ("GET", _NOTEBOOKS + "/{instance}", "read", boxes.read),
            ("POST", _NOTEBOOKS + "/{instance}/stop", "stop", boxes.stop),
            ("POST", _NOTEBOOKS + "/{instance}/start", "start", boxes.start),
            ("GET", _NOTEBOOKS + "/{instance}/lease", "lease", boxes.lease),
            ("PATCH", _NOTEBOOKS + "/{instance}/lease", "lease", boxes.renew),
            ("*", "/{rest:.*}", "other", self._other),
        )
        app = web.Application()
        for method, path, kind, act in routes:
            app.router.add_route(method, path, self._served(kind, act))
        return app

    def _served(
        self, kind: Kind, act: _Act
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def serve(request: web.Request) -> web.StreamResponse:
            asked = await _kind_of(kind, request)
            call = Call(
                at=self._wall(),
                kind=asked,
                project=request.match_info.get("project", ""),
                instance=request.match_info.get("instance", ""),
                fault=self.faults.take(asked),
            )
            self.calls.append(call)
            self._tell(call)
            await self.clock.sleep(call.fault.delay_s)
            if request.transport is None:  # who asked has gone before it got through
                return web.Response(status=HTTPStatus.GATEWAY_TIMEOUT)
            reply = await _carry_out(act, request, call)
            response = self._render(reply, request, call)
            call.status = 0 if call.fault.cut else response.status
            self._tell(call)
            if call.fault.cut and request.transport is not None:
                request.transport.abort()  # nothing of the response goes out
            return response

        return serve

    def _render(self, reply: Reply, request: web.Request, call: Call) -> web.Response:
        body = reply.body
        if not isinstance(body, str):
            if "request_id" in body:
                body = {**body, "request_id": call.ref}
            body = json.dumps({**body, **call.fault.adds})
        of_iam = request.path.startswith("/v3/")
        now = self.clock.now() if "/notebooks" in request.path else self._wall()
        headers = {
            "X-IAM-Trace-Id" if of_iam else "X-Request-Id": call.ref,
            "Date": formatdate(now + call.fault.date_shift_s, usegmt=True),
            **reply.headers,
        }
        return web.Response(
            status=reply.status,
            text=body,
            content_type=reply.content_type,
            headers=headers,
        )

    # --- /v1 --------------------------------------------------------------------

    async def _act(self, request: web.Request, call: Call) -> Reply:
        """Restart or start an instance: modelarts_03_0115."""
        _, project = await self.iam.admit(request, call.project)
        instance = _find(project, call.instance)
        await _check_action(request)
        self._settle()
        starts = call.kind == "start"
        refusal = instance.start_refusal if starts else instance.refusal
        if refusal is not None:
            raise Refused(modelarts(400, *refusal))
        act = instance.start if starts else instance.restart
        previous, current = act(self.clock.now(), self._rng)
        acts = self.notebooks.starts if starts else self.restarts
        acts[instance.id].append(call)
        self._settle()
        self.clock.poke()
        return Reply(200, {"current_status": current, "previous_state": previous})

    async def _read(self, request: web.Request, call: Call) -> Reply:
        """Describe an instance: modelarts_03_0112."""
        _, project = await self.iam.admit(request, call.project)
        instance = _find(project, call.instance)
        return Reply(200, self._describe(instance, call.fault))

    async def _list(self, request: web.Request, call: Call) -> Reply:
        """List instances: modelarts_03_0111."""
        user, project = await self.iam.admit(request, call.project)
        query = request.query
        if not query.get("de_type"):
            raise _bad_argument("de_type is mandatory.")
        own = query.get("show_self", "true").lower() != "false"
        found = [
            self._describe(each, call.fault)
            for each in project.instances
            if each.owner == user or not own
        ]
        if wanted := query.get("status"):
            found = [each for each in found if each["status"] == wanted]
        by = query.get("sortby", "name")
        if by not in {"name", "creation_timestamp"}:
            raise _bad_argument("sortby is wrong.")
        found.sort(key=lambda each: str(each[by]), reverse=query.get("order") == "desc")
        start, limit = _number(query.get("offset")), _number(query.get("limit"))
        page = found[start : start + limit if limit else None]
        return Reply(200, {"total_count": len(found), "instances": page})

    async def _other(self, _request: web.Request, _call: Call) -> Reply:
        """Refuse what is not published here."""
        raise Refused(NOT_PUBLISHED)

    def _describe(self, instance: ScriptedInstance, fault: Fault) -> dict[str, object]:
        self._settle()
        seen = instance.look(self.clock.now(), stale=fault.stale)
        self.clock.poke()  # what has been seen may go on now
        return describe(instance, seen)


async def _carry_out(act: _Act, request: web.Request, call: Call) -> Reply:
    """Return the answer to a *call*, carried out or not as its fault says."""
    fault = call.fault
    reply = fault.reply or Reply(200, "")
    if not fault.lets_act:
        return reply
    try:
        true = await act(request, call)
    except Refused as refused:
        true = refused.reply
    return fault.reply or true


def _find(project: Project, instance_id: str) -> ScriptedInstance:
    for each in project.instances:
        if each.id == instance_id and each.status != "DELETED":
            return each
    text = "The instance does not exist."
    raise Refused(modelarts(400, "ModelArts.6309", text))


async def _kind_of(kind: Kind, request: web.Request) -> Kind:
    """Return the kind of a call: a start has the address of a restart."""
    starts = kind == "restart" and b'"start"' in await request.read()
    return "start" if starts else kind


async def _check_action(request: web.Request) -> None:
    """Raise Refused unless the body asks for one of the actions there are."""
    if request.content_type != "application/json":
        raise _bad_argument("Content-Type has to be application/json.")
    try:
        body = json.loads(await request.read())
    except ValueError as error:
        raise _bad_argument("The body is no JSON.") from error
    if not isinstance(body, dict) or body.get("action") not in _ACTIONS:
        raise _bad_argument("The action is not supported.")


def _number(text: str | None) -> int:
    if text and not text.isdecimal():
        raise _bad_argument("offset and limit have to be numbers.")
    return int(text or 0)


def _bad_argument(text: str) -> Refused:
    return Refused(modelarts(400, "ModelArts.0101", text))
