"""The local Slack's state: who there is, what was said; tells all who watch it."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from bot.demo.block_kit import with_ids
from bot.demo.posts import Block, Edit, Ephemeral, Post, View
from bot.demo.slack_directory import BOT_USER, Channel, Directory, User
from bot.demo.slack_error import Refusal

MOST_POSTS = 2000  # kept for each channel
MOST_EPHEMERALS = 100  # kept for each person
MOST_EDITS = 50  # kept for each post

Event = Mapping[str, Any]


class Workspace:
    """All that the local Slack knows; every change is told to the *watchers*."""

    def __init__(self, directory: Directory, clock: Callable[[], float]) -> None:
        self.directory = directory
        self.clock = clock
        self.posts: dict[str, OrderedDict[str, Post]] = defaultdict(OrderedDict)
        self.private: dict[str, OrderedDict[str, Ephemeral]] = defaultdict(OrderedDict)
        self.dialogs: dict[str, View] = {}
        self.homes: dict[str, View] = {}
        self.watchers: set[Callable[[Event], None]] = set()
        self._changed = asyncio.Event()
        self._numbers = itertools.count(1)
        self._last = 0

    # --- time and change ------------------------------------------------------------

    def stamp(self) -> str:
        """Return a message timestamp, later than every one before."""
        self._last = max(self._last + 1, int(self.clock() * 1_000_000))
        seconds, rest = divmod(self._last, 1_000_000)
        return f"{seconds}.{rest:06d}"

    def change(self) -> None:
        """Wake everybody who waits for something to happen."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def changed(self) -> None:
        """Return as soon as anything has changed."""
        await self._changed.wait()

    def publish(self, event: Event) -> None:
        """Tell *event* to all who watch."""
        for watcher in tuple(self.watchers):
            watcher(event)
        self.change()

    # --- messages for all -----------------------------------------------------------

    def say(
        self,
        channel: Channel,
        user_id: str,
        text: str,
        blocks: list[Block] | None = None,
        **more: Any,
    ) -> Post:
        """Post something; *more* are further fields of the post."""
        ts = self.stamp()
        shown = with_ids(blocks or [], ts)
        posts = self.posts[channel.id]
        post = Post(channel.id, ts, user_id, text, shown, **more)
        root = posts.get(post.thread_ts)
        if root and not root.thread_ts:
            posts[root.ts] = replace(root, thread_ts=root.ts)
        posts[ts] = post
        while len(posts) > MOST_POSTS:
            posts.popitem(last=False)
        self._show(post)
        return post

    def post(self, channel_id: str, ts: str) -> Post:
        """Return a post that stands in a channel, or refuse."""
        post = self.posts[channel_id].get(ts)
        if post is None or post.deleted:
            raise Refusal("message_not_found")
        return post

    def edit(self, post: Post, **changes: Any) -> Post:
        """Change fields of a post and keep what it said before."""
        ts = self.stamp()
        if "blocks" in changes:
            changes["blocks"] = with_ids(changes["blocks"], ts)
        past = (*post.history, Edit(ts, post.text, post.blocks))[-MOST_EDITS:]
        new = replace(post, edited=ts, history=past, **changes)
        self.posts[post.channel_id][post.ts] = new
        self._show(new)
        return new

    def delete(self, post: Post) -> None:
        """Take a post away; that it was there stays known."""
        new = replace(post, deleted=True)
        self.posts[post.channel_id][post.ts] = new
        self._show(new)

    def _show(self, post: Post) -> None:
        self.publish({"type": "message", "message": post.to_ui()})

    # --- messages for one -----------------------------------------------------------

    def whisper(
        self,
        channel: Channel,
        user: User,
        text: str,
        blocks: list[Block] | None = None,
        **more: Any,
    ) -> Ephemeral:
        """Show somebody a message that nobody else sees."""
        ts = self.stamp()
        shown = with_ids(blocks or [], ts)
        return self.rewhisper(Ephemeral(ts, user.id, channel.id, text, shown, **more))

    def rewhisper(self, message: Ephemeral) -> Ephemeral:
        """Show a private message anew, in the place of the one with its id."""
        mine = self.private[message.user_id]
        mine[message.id] = replace(message, blocks=with_ids(message.blocks, message.id))
        while len(mine) > MOST_EPHEMERALS:
            mine.popitem(last=False)
        self._show_private(message, mine[message.id].to_ui())
        return mine[message.id]

    def unwhisper(self, message: Ephemeral) -> None:
        """Take a private message away."""
        self.private[message.user_id].pop(message.id, None)
        self._show_private(message, None)

    def _show_private(self, message: Ephemeral, shown: dict[str, Any] | None) -> None:
        thread = {"thread_ts": message.thread_ts} if message.thread_ts else {}
        self.publish(
            {
                "type": "ephemeral",
                "user": message.user_id,
                "channel": message.channel_id,
                "id": message.id,
                "message": shown,
                **thread,
            }
        )

    # --- dialogs and Home tabs ------------------------------------------------------

    def show(self, user_id: str, body: dict[str, Any], old: View | None = None) -> View:
        """Show somebody a dialog or Home tab, or a new state of the *old* one."""
        identity = old.id if old else f"V{next(self._numbers):010X}"
        blocks = with_ids(body["blocks"], identity)
        mark = f"{self.stamp()}.{secrets.token_hex(4)}"
        return self.reshow(View(identity, user_id, {**body, "blocks": blocks}, mark))

    def reshow(self, view: View) -> View:
        """Put *view* where its person sees views of its kind."""
        shelf = self.homes if view.kind == "home" else self.dialogs
        shelf[view.user_id] = view
        kind = "home" if view.kind == "home" else "view"
        self.publish({"type": kind, "user": view.user_id, "view": view.to_ui()})
        return view

    def close(self, view: View) -> None:
        """Close somebody's dialog, if it is still the open one."""
        if self.is_open(view):
            del self.dialogs[view.user_id]
            self.publish({"type": "view", "user": view.user_id, "view": None})

    def is_open(self, view: View) -> bool:
        """Say whether somebody still has this dialog before him."""
        now = self.dialogs.get(view.user_id)
        return now is not None and now.id == view.id

    def view(self, view_id: str, external_id: str = "") -> View:
        """Return a view that somebody sees, or refuse."""
        for view in (*self.dialogs.values(), *self.homes.values()):
            named = external_id and view.body.get("external_id") == external_id
            if view.id == view_id or named:
                return view
        raise Refusal("not_found")

    # --- membership -----------------------------------------------------------------

    def bot_channel(self, channel_id: str) -> Channel:
        """Return a channel that the bot can see, or refuse like Slack.

        A private channel that the bot is not in looks missing; only ids and names
        with a # are found.
        """
        channel = self.directory.channel(channel_id)
        hidden = channel.private or channel.im_user
        if hidden and BOT_USER not in channel.members:
            raise Refusal("channel_not_found")
        return channel
