"""A Slack on this machine: one workspace with one app, over real HTTP and WebSocket.

It is the far side of the bot's wire in the demo and in the tests, refuses what Slack
refuses, and can be told to fail: https://docs.slack.dev/reference/methods
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Self, TypeVar

import aiohttp
from aiohttp import web

from bot.demo import slack_payloads
from bot.demo.deliveries import Courier, Delivery
from bot.demo.interactions import Gestures
from bot.demo.posts import Ephemeral, Post, View
from bot.demo.response_urls import Hooks
from bot.demo.slack_call_log import Planted, SlackCall, SlackFault
from bot.demo.slack_directory import (
    BOT_USER,
    Channel,
    Directory,
    Group,
    User,
    demo_people,
)
from bot.demo.slack_socket_mode import Sockets
from bot.demo.slack_web_api import SCOPES, Access, WebApi
from bot.demo.slack_workspace import Event, Workspace
from bot.demo.trigger_ids import Passes
from bot.demo.ui import Ui, guard

__all__ = ["Channel", "Delivery", "Group", "LocalSlack", "SlackFault", "User"]
__all__ += ["demo_people"]

T = TypeVar("T")

HOST = "127.0.0.1"
MOST_BODY = 4 * 1024 * 1024  # bytes


class LocalSlack(Gestures):
    """One workspace with one app installed; ``async with`` starts and closes it.

    *clock* gives POSIX seconds for timestamps and expiries. Setting ``request_url``
    turns to HTTP mode. Routes may be added to ``app`` before the start.
    """

    def __init__(
        self,
        people: Iterable[User] | None = None,
        groups: Iterable[Group] | None = None,
        channels: Iterable[Channel] | None = None,
        *,
        scopes: Iterable[str] = SCOPES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        cast = demo_people()
        self.directory = Directory(
            cast.people if people is None else people,
            cast.groups if groups is None else groups,
            cast.channels if channels is None else channels,
        )
        self.bot_token = f"xoxb-local-{secrets.token_hex(12)}"
        self.app_token = f"xapp-1-local-{secrets.token_hex(12)}"
        self.signing_secret = secrets.token_hex(16)
        self.url = ""
        self.workspace = Workspace(self.directory, clock)
        self.passes = Passes(clock)
        self.sockets = Sockets(self.workspace)
        self.courier = Courier(self.sockets, self.signing_secret, clock)
        access = Access(
            bot_token=self.bot_token,
            app_token=self.app_token,
            scopes=frozenset(scopes),
        )
        self.api = WebApi(
            self.workspace, self.passes, access, lambda: self.sockets.open(self.url)
        )
        self.hooks = Hooks(self.workspace, self.passes, self.api)
        self.ui = Ui(self)
        self.app = self._application()
        self._runner: web.AppRunner | None = None

    def _application(self) -> web.Application:
        app = web.Application(middlewares=[guard], client_max_size=MOST_BODY)
        app.router.add_route("*", "/api/{method}", self.api.handle)
        app.router.add_post("/hooks/{key}", self.hooks.handle)
        app.router.add_get("/link", self.sockets.handle)
        self.ui.mount(app)
        return app

    # --- life -------------------------------------------------------------------------

    async def start(self, port: int = 0) -> None:
        """Serve on 127.0.0.1; port 0 takes a free one."""
        self.courier.session = aiohttp.ClientSession()
        self._runner = web.AppRunner(self.app, access_log=None, shutdown_timeout=0.1)
        try:
            await self._runner.setup()
            await web.TCPSite(self._runner, HOST, port).start()
        except BaseException:
            await self.close()
            raise
        self.url = f"http://{HOST}:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        """Stop serving and cut all connections."""
        await self.ui.close()
        await self.sockets.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        if self.courier.session is not None:
            await self.courier.session.close()
            self.courier.session = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def api_url(self) -> str:
        """Where the Web API is."""
        return f"{self.url}/api/"

    # --- looking ----------------------------------------------------------------------

    def messages(self, channel: str = "") -> list[Post]:
        """Return what stands in a channel (id or name; "" = all), oldest first."""
        ids = (
            [self.directory.channel(channel).id]
            if channel
            else [*self.directory.channels]
        )
        posts = [post for key in ids for post in self.workspace.posts[key].values()]
        return sorted(
            (post for post in posts if not post.deleted),
            key=lambda post: float(post.ts),
        )

    def message(self, channel: str, ts: str) -> Post:
        """Return a message as it stands now, or refuse."""
        return self.workspace.post(self.directory.channel(channel).id, ts)

    def ephemerals(self, user: str) -> list[Ephemeral]:
        """Return what only *user* sees, oldest first."""
        return [*self.workspace.private[self.directory.user(user).id].values()]

    def views(self, user: str) -> list[View]:
        """Return the dialog that *user* has open, if any."""
        view = self.workspace.dialogs.get(self.directory.user(user).id)
        return [view] if view else []

    def home(self, user: str) -> View | None:
        """Return the Home tab that was published for *user*."""
        return self.workspace.homes.get(self.directory.user(user).id)

    @property
    def calls(self) -> list[SlackCall]:
        """All calls of the Web API and of response URLs, oldest first."""
        return list(self.api.calls)

    def called(self, method: str) -> list[SlackCall]:
        """Return the calls of one *method*."""
        return [call for call in self.api.calls if call.method == method]

    @property
    def connections(self) -> int:
        """How many sockets the app has open."""
        return len(self.sockets.connections)

    async def wait_for(
        self,
        predicate: Callable[[], T],
        timeout: float = 15.0,  # noqa: ASYNC109 - the sentence about it is worth it
    ) -> T:
        """Return the first true value of *predicate*, looking after every change.

        Raises TimeoutError, with what was seen last, after *timeout* seconds.
        """
        try:
            async with asyncio.timeout(timeout):
                while not (value := predicate()):
                    await self.workspace.changed()
        except TimeoutError:
            last = [post.text for post in self.messages()][-5:]
            raise TimeoutError(
                f"nothing of the kind within {timeout} s; last messages: {last}"
            ) from None
        return value

    # --- meddling ---------------------------------------------------------------------

    def fail(
        self, method: str, *, count: int | None = 1, skip: int = 0, **how: Any
    ) -> Planted:
        """Let the next *count* calls of *method* (None = all) go wrong.

        *how* are the fields of ``SlackFault``; *skip* calls go right before.
        ``response_url`` is the method of those URLs.
        """
        fault = SlackFault(method=method, **how)
        return self.api.faults.plant(fault, count=count, skip=skip)

    def heal(self) -> None:
        """Take all faults back."""
        self.api.faults.planted.clear()

    @property
    def request_url(self) -> str:
        """Where deliveries are POSTed; "" = they go over the socket."""
        return self.courier.request_url

    @request_url.setter
    def request_url(self, url: str) -> None:
        self.courier.request_url = url

    @property
    def refuse_tickets(self) -> bool:
        """Whether sockets are refused at the handshake."""
        return self.sockets.refuse_tickets

    @refuse_tickets.setter
    def refuse_tickets(self, refuse: bool) -> None:
        self.sockets.refuse_tickets = refuse

    async def drop_sockets(self) -> None:
        """Cut all sockets without a word, and return when they are gone."""
        gone = tuple(self.sockets.connections)
        self.sockets.drop()
        await self.wait_for(lambda: not set(gone) & set(self.sockets.connections))

    async def refresh_sockets(self, warning_s: float = 0.0) -> None:
        """Ask the app politely to open new sockets, *warning_s* ahead."""
        await self.sockets.refresh(warning_s)

    def publish(self, event: Event) -> None:
        """Tell the pages something that the world outside has done."""
        self.workspace.publish(event)

    def change_user(self, user: str, **changes: Any) -> User:
        """Change fields of somebody, such as ``deleted``."""
        new = replace(self.directory.user(user), **changes)
        self.directory.users[new.id] = new
        return new

    async def change_group(
        self, group: str, *, tell: bool = True, **changes: Any
    ) -> Group:
        """Change fields of a user group; with *tell* the app is sent the events."""
        old = self.directory.group(group)
        now = int(self.workspace.clock())
        new = replace(old, updated=now, **changes)
        self.directory.groups[new.id] = new
        if tell:
            for body in slack_payloads.group_events(old, new, self.workspace.stamp()):
                await self.event(body)
        return new

    def change_channel(self, channel: str, **changes: Any) -> Channel:
        """Change fields of a channel, such as ``archived``."""
        place = self.directory.channel(channel)
        for name, value in changes.items():
            setattr(place, name, value)
        self.publish({"type": "channel", "channel": place.to_ui()})
        return place

    def kick_bot(self, channel: str) -> None:
        """Take the bot out of a channel."""
        place = self.directory.channel(channel)
        self.change_channel(place.id, members=place.members - {BOT_USER})
