"""A stand-in for the demo's server: canned state, recorded posts, scripted answers."""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from pathlib import Path
from typing import Any, Self

from aiohttp import WSMsgType, web

import bot.demo

PAGE = Path(bot.demo.__file__).parent / "page"
BOT = "U0MLSTUDIO"
CHANNEL = "C0INCIDENTS"

Json = dict[str, Any]


def person(user_id: str, name: str, real_name: str, title: str, **flags: bool) -> Json:
    """Return somebody of the local Slack."""
    who = {"id": user_id, "name": name, "real_name": real_name, "title": title}
    return {"guest": False, "stranger": False, **who, **flags}


def channel(channel_id: str, name: str, members: str, **more: Any) -> Json:
    """Return a channel; *members* are the names of people after ``U0``."""
    ids = [f"U0{name}" for name in members.split()]
    more = {"private": False, "im": None, **more}
    here = BOT in ids
    data = {"id": channel_id, "name": name, "members": ids, "bot_is_member": here}
    return {**data, **more}


def starting_state() -> Json:
    """Return what ``GET /ui/state`` says at the beginning."""
    return {
        "team": "ML Studio demo",
        "bot": {"user_id": BOT, "name": "mlstudio"},
        "people": [
            person("U0ANN", "ann", "Ann Okafor", "ML engineer, on call"),
            person("U0BOB", "bob", "Bob Lindqvist", "ML lead"),
            person("U0CAROL", "carol", "Carol Ferrante", "ML lead"),
            person("U0DAVE", "dave", "Dave Moreau", "Analyst, on no list"),
            person("U0ERIN", "erin", "Erin Walsh", "Contractor", guest=True),
            person("U0FRANK", "frank", "Frank Weber", "Partner", stranger=True),
        ],
        "groups": [
            {"id": "S0LEADS", "handle": "ml-leads", "users": ["U0BOB", "U0CAROL"]}
        ],
        "channels": [
            channel(CHANNEL, "incidents", "ANN BOB CAROL DAVE ERIN MLSTUDIO"),
            channel("C0MLOPS", "ml-ops", "ANN BOB CAROL DAVE FRANK MLSTUDIO"),
            channel("C0RANDOM", "random", "ANN BOB CAROL DAVE"),
            channel("C0LEADS", "leads-only", "BOB CAROL", private=True),
        ],
        "messages": {},
    }


def starting_world() -> Json:
    """Return what ``GET /ui/outside`` says at the beginning."""
    now = time.time()
    names = {"trainer-7": "ACTIVE", "gated-1": "ACTIVE", "notebook-2": "STOPPED"}
    instances = [
        {"project": "ml-prod", "alias": n, "id": f"id-{n}", "status": s, "since": now}
        for n, s in names.items()
    ]
    return {
        "type": "outside",
        "instances": instances,
        "calls": [],
        "speed": 1,
        "bot": {"running": True, "pid": 4242, "starts": 1},
        "faults": [],
    }


class PageServer:
    """The page and its API on 127.0.0.1; *posts* is all that the page has sent.

    *answers* gives a path's next answer, or an HTTP status; without one it is ok.
    """

    def __init__(self) -> None:
        self.state = starting_state()
        self.world = starting_world()
        self.posts: list[tuple[str, Json]] = []
        self.answers: dict[str, Json | int] = {}
        self.sockets: set[web.WebSocketResponse] = set()
        self.loads = 0
        self.url = ""
        self._port = 0
        self._changed = asyncio.Condition()
        self._stamps: defaultdict[str, int] = defaultdict(int)

    async def __aenter__(self) -> Self:
        """Listen on a port that is free, or on the one it had before."""
        app = web.Application()
        app.router.add_get("/", self._index)
        app.router.add_get("/ui/state", self._state)
        app.router.add_get("/ui/outside", self._outside)
        app.router.add_get("/ui/events", self._events)
        app.router.add_post("/ui/{what}", self._post)
        app.router.add_static("/", PAGE)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self._port}/"
        return self

    async def __aexit__(self, *_: object) -> None:
        """Cut every connection and stop."""
        for socket in tuple(self.sockets):
            await socket.close()
        await self._runner.cleanup()

    # --- what a test does -------------------------------------------------------------

    async def send(self, event: Json) -> None:
        """Tell *event* to every open page."""
        for socket in tuple(self.sockets):
            await socket.send_str(json.dumps(event))

    async def say(self, text: str = "", blocks: list[Json] | None = None, **more: Any):
        """Let the bot (or *user*) say something; return the message."""
        message = {
            "channel": CHANNEL,
            "ts": self.stamp(),
            "user": BOT,
            "text": text,
            "blocks": blocks or [],
            **more,
        }
        message.setdefault("bot", message["user"] == BOT)
        self._keep(message)
        await self.send({"type": "message", "message": message})
        return message

    async def whisper(self, user: str, text: str = "", **more: Any) -> str:
        """Let the bot say something that only *user* sees; return its id."""
        ts = self.stamp()
        message = {"ts": ts, "user": BOT, "bot": True, "text": text, "blocks": []}
        message |= {k: v for k, v in more.items() if k == "blocks"}
        event = {"user": user, "channel": CHANNEL, "id": ts, "message": message}
        await self.send({"type": "ephemeral", **event})
        return ts

    async def dialog(self, user: str, blocks: list[Json], **more: Any) -> None:
        """Open a dialog before *user*."""
        view = {
            "id": "V1",
            "type": "modal",
            "title": {"type": "plain_text", "text": "Restart an instance"},
            "submit": {"type": "plain_text", "text": "Restart"},
            "blocks": blocks,
            **more,
        }
        await self.send({"type": "view", "user": user, "view": view})

    async def posted(self, path: str) -> Json:
        """Return the body of the next post to *path*, once the page has sent it."""
        async with asyncio.timeout(10), self._changed:
            while True:
                for at, (where, body) in enumerate(self.posts):
                    if where == path:
                        del self.posts[at]
                        return body
                await self._changed.wait()

    def stamp(self) -> str:
        """Return a message timestamp of now, later than every one before."""
        self._stamps["n"] += 1
        return f"{int(time.time())}.{self._stamps['n']:06d}"

    # --- the API ----------------------------------------------------------------------

    def _keep(self, message: Json) -> None:
        kept = self.state["messages"].setdefault(message["channel"], [])
        kept[:] = [m for m in kept if m["ts"] != message["ts"]] + [message]

    async def _index(self, _: web.Request) -> web.FileResponse:
        return web.FileResponse(PAGE / "index.html")

    async def _state(self, _: web.Request) -> web.Response:
        self.loads += 1
        return web.json_response(self.state)

    async def _outside(self, _: web.Request) -> web.Response:
        return web.json_response(self.world)

    async def _events(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.add(socket)
        try:
            async for message in socket:
                if message.type is WSMsgType.ERROR:
                    break
        finally:
            self.sockets.discard(socket)
        return socket

    async def _post(self, request: web.Request) -> web.Response:
        body = await request.json()
        async with self._changed:
            self.posts.append((request.path, body))
            self._changed.notify_all()
        answer = self.answers.pop(request.path, {"ok": True})
        if isinstance(answer, int):
            return web.json_response({"error": "dispatch_failed"}, status=answer)
        return web.json_response(answer)
