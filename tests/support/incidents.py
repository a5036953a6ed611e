"""A local PagerDuty: its incidents' notes and its users, over real HTTP."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import Any, Self

from aiohttp import web

TOKEN, USER = "pd-token-1", "bot@example.com"


class LocalPagerDuty:
    """Serves what the bot calls; *troubles* are the statuses of the next notes.

    A status of 500 comes after the note was written: its answer is lost.
    """

    def __init__(self) -> None:
        self.notes: dict[str, list[str]] = defaultdict(list)
        self.calls: list[str] = []
        self.troubles: deque[int] = deque()
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/incidents/{id}/notes", self._list)
        app.router.add_post("/incidents/{id}/notes", self._add)
        app.router.add_get("/users", self._users)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def _refusal(self, request: web.Request) -> web.Response | None:
        self.calls.append(f"{request.method} {request.path}")
        if request.headers.get("Authorization") != f"Token token={TOKEN}":
            return web.json_response({"error": {"code": 2006}}, status=401)
        return None

    async def _list(self, request: web.Request) -> web.Response:
        written = self.notes[request.match_info["id"]]
        listed = [{"id": str(n), "content": c} for n, c in enumerate(written)]
        return self._refusal(request) or web.json_response({"notes": listed})

    async def _add(self, request: web.Request) -> web.Response:
        if refusal := self._refusal(request):
            return refusal
        if request.headers.get("From") != USER:
            return web.json_response({"error": {"code": 1008}}, status=400)
        status = self.troubles.popleft() if self.troubles else 201
        if status in {201, 500}:
            note: dict[str, Any] = (await request.json())["note"]
            self.notes[request.match_info["id"]].append(note["content"])
        return web.json_response({"note": {}}, status=status)

    async def _users(self, request: web.Request) -> web.Response:
        found = [{"email": USER}] if request.query["query"] == USER else []
        return self._refusal(request) or web.json_response({"users": found})
