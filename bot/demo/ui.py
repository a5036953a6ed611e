"""What the page of the local Slack talks to: state, events, and people's doings.

Only the page itself may use it: the ``Host`` must be ours (against DNS rebinding) and
an ``Origin``, where a browser sends one, too (against other pages).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

from bot.demo.deliveries import Delivery
from bot.demo.interaction_context import Shown
from bot.demo.interactions import Gestures
from bot.demo.posts import View
from bot.demo.slack_directory import BOT_USER, HOME_TEAM
from bot.demo.slack_error import Refusal
from bot.demo.slack_methods_read import TEAM_DOMAIN, TEAM_NAME
from bot.demo.slack_workspace import Event

PAGE = Path(__file__).parent / "page"
MOST_WAITING = 1000  # events for one page; a page that reads none is let go
LOCAL = {"127.0.0.1", "localhost", "::1"}
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; style-src 'self' 'unsafe-inline';"
        " img-src 'self' data: https:; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

Body = dict[str, Any]
Deed = Callable[[Body], Awaitable[Body]]


def is_ours(request: web.Request) -> bool:
    """Say whether a request comes from our own page, or from no page at all."""
    host = urlsplit(f"//{request.host}")
    if host.hostname not in LOCAL:
        return False
    origin = request.headers.get("Origin")
    return origin is None or origin == f"http://{request.host}"


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what does not come from our own page; the Web API has its tokens."""
    machine = request.path.startswith(("/api/", "/hooks/", "/link"))
    if not machine and not is_ours(request):
        raise web.HTTPForbidden(text="this page may only be used by itself")
    writes = request.method == "POST" and not machine
    if writes and request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(text="send application/json")
    response = await handler(request)
    if not machine and not response.prepared:
        response.headers.update(HEADERS)
    return response


class Ui:
    """The routes of the page; what people do there waits until *begun* is set.

    Who opens the page while the bot still starts meets no error for being early.
    """

    def __init__(self, slack: Gestures) -> None:
        self._slack = slack
        self.begun = asyncio.Event()
        self.begun.set()
        self._workspace = slack.workspace
        self._pages: set[web.WebSocketResponse] = set()

    def mount(self, app: web.Application) -> None:
        """Add the routes to *app*."""
        posts: dict[str, Deed] = {
            "command": self.command,
            "say": self.say,
            "action": self.action,
            "view_submit": self.view_submit,
            "view_close": self.view_close,
            "options": self.options,
            "home": self.home,
            "shortcut": self.shortcut,
        }
        for name, act in posts.items():
            app.router.add_post(f"/ui/{name}", _posted(self._once_begun(act)))
        app.router.add_get("/ui/state", self.state)
        app.router.add_get("/ui/events", self.events)
        app.router.add_get("/", _file)
        app.router.add_get(r"/{name:[\w-]+\.[\w.]+}", _file)

    # --- looking ----------------------------------------------------------------------

    async def state(self, _request: web.Request) -> web.Response:
        """GET /ui/state: everything there is to see now."""
        workspace, directory = self._workspace, self._workspace.directory
        people = [user for user in directory.users.values() if not user.is_bot]
        bot = directory.users[BOT_USER]
        private = {
            user: [{"id": e.id, "thread_ts": e.thread_ts, **e.to_ui()} for e in mine]
            for user, mine in ((u, m.values()) for u, m in workspace.private.items())
        }
        return web.json_response(
            {
                "team": {"id": HOME_TEAM, "name": TEAM_NAME, "domain": TEAM_DOMAIN},
                "bot": {"user_id": bot.id, "name": bot.name},
                "people": [user.to_ui() for user in people],
                "groups": [
                    {"id": g.id, "handle": g.handle, "users": list(g.users)}
                    for g in directory.groups.values()
                    if not g.disabled
                ],
                "channels": [c.to_ui() for c in directory.channels.values()],
                "messages": {
                    channel: [post.to_ui() for post in posts.values()]
                    for channel, posts in workspace.posts.items()
                },
                "ephemerals": private,
                "views": {u: v.to_ui() for u, v in workspace.dialogs.items()},
                "homes": {u: v.to_ui() for u, v in workspace.homes.items()},
            }
        )

    async def events(self, request: web.Request) -> web.WebSocketResponse:
        """GET /ui/events: a WebSocket that tells every change as it happens."""
        socket = web.WebSocketResponse(heartbeat=30.0)
        await socket.prepare(request)
        queue: asyncio.Queue[Event] = asyncio.Queue(MOST_WAITING)

        def watch(event: Event) -> None:
            try:
                queue.put_nowait(event)
            except asyncio.QueueFull:
                self._workspace.watchers.discard(watch)
                writer.cancel()

        writer = asyncio.create_task(_write(socket, queue), name="page events")
        self._pages.add(socket)
        self._workspace.watchers.add(watch)
        try:
            async for _ in socket:
                pass  # the page only listens
        finally:
            self._workspace.watchers.discard(watch)
            self._pages.discard(socket)
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writer
        return socket

    async def close(self) -> None:
        """Close the pages' WebSockets."""
        for socket in tuple(self._pages):
            await socket.close()

    # --- doing ------------------------------------------------------------------------

    def _once_begun(self, act: Deed) -> Deed:
        async def acted(body: Body) -> Body:
            await self.begun.wait()
            return await act(body)

        return acted

    async def command(self, body: Body) -> Body:
        """POST /ui/command {user, channel, text}."""
        return _said(
            await self._slack.command(body["user"], body["channel"], body["text"])
        )

    async def say(self, body: Body) -> Body:
        """POST /ui/say {user, channel, text, thread_ts?}."""
        post = self._slack.say(
            body["user"], body["channel"], body["text"], body.get("thread_ts") or ""
        )
        return {"ok": True, "ts": post.ts}

    def _shown(self, body: Body) -> Shown:
        """Return what the person acts on: a view, his Home, a message of one kind."""
        user, workspace = body["user"], self._workspace
        if view_id := body.get("view_id"):
            return self._view(user, view_id)
        if body.get("home"):
            if user not in workspace.homes:
                raise Refusal("not_found")
            return workspace.homes[user]
        if private := body.get("ephemeral_id"):
            if private not in workspace.private[user]:
                raise Refusal("message_not_found")
            return workspace.private[user][private]
        return workspace.post(body["channel"], body["message_ts"])

    def _view(self, user: str, view_id: str) -> View:
        view = self._workspace.view(view_id)
        if view.user_id != user:
            raise Refusal("not_found")
        return view

    async def action(self, body: Body) -> Body:
        """POST /ui/action {user, where it is, action, values?}."""
        action = body["action"]
        button = action.get("type") == "button"
        return _said(
            await self._slack.click(
                body["user"],
                self._shown(body),
                action["action_id"],
                block_id=action.get("block_id") or "",
                value=None if button else action,
                values=body.get("values"),
            )
        )

    async def view_submit(self, body: Body) -> Body:
        """POST /ui/view_submit {user, view_id, values}."""
        view = self._view(body["user"], body["view_id"])
        delivery = await self._slack.submit(body["user"], view, body["values"])
        now = self._workspace.dialogs.get(body["user"])
        errors = now.errors if now and now.id == view.id else {}
        return {**_said(delivery), "ok": delivery.ok and not errors, "errors": errors}

    async def view_close(self, body: Body) -> Body:
        """POST /ui/view_close {user, view_id}."""
        view = self._view(body["user"], body["view_id"])
        return _said(await self._slack.close_view(body["user"], view))

    async def options(self, body: Body) -> Body:
        """POST /ui/options {user, where it is, action_id, value}."""
        shown = self._shown(body)
        delivery = await self._slack.suggest(
            body["user"], shown, body["action_id"], body["value"]
        )
        return {**_said(delivery), "options": [], **delivery.ack}

    async def home(self, body: Body) -> Body:
        """POST /ui/home {user}: he opens the app's Home tab."""
        return _said(await self._slack.open_home(body["user"]))

    async def shortcut(self, body: Body) -> Body:
        """POST /ui/shortcut {user, callback_id, channel?, message_ts?}."""
        message = None
        if body.get("message_ts"):
            message = self._workspace.post(body["channel"], body["message_ts"])
        return _said(
            await self._slack.shortcut(body["user"], body["callback_id"], message)
        )


def _said(delivery: Delivery) -> Body:
    return {"ok": delivery.ok, **({"error": delivery.error} if delivery.error else {})}


def _posted(act: Deed) -> Handler:
    """Return a handler that reads JSON, acts, and answers; a refusal is an answer."""

    async def handle(request: web.Request) -> web.Response:
        try:
            body = await request.json()
            return web.json_response(await act(body))
        except Refusal as refusal:
            return web.json_response({"ok": False, "error": refusal.code})
        except (ValueError, KeyError, TypeError) as error:
            raise web.HTTPBadRequest(text=f"not a proper request: {error!r}") from error

    return handle


async def _write(socket: web.WebSocketResponse, queue: asyncio.Queue[Event]) -> None:
    """Send events until the page is gone or this is cancelled."""
    try:
        while True:
            await socket.send_json(await queue.get())
    except ConnectionError:
        return
    finally:
        await socket.close()


async def _file(request: web.Request) -> web.StreamResponse:
    """Serve the page's files."""
    path = PAGE / request.match_info.get("name", "index.html")
    if not path.is_file():
        raise web.HTTPNotFound(text=f"there is no {path.name}")
    return web.FileResponse(path)
