"""What every gesture needs: where somebody is, what he acts on, who is told."""

from __future__ import annotations

from typing import Any

from bot.demo import slack_payloads
from bot.demo.deliveries import Courier, Delivery, Kind
from bot.demo.posts import Ephemeral, Post, View
from bot.demo.response_urls import Hooks
from bot.demo.slack_directory import BOT_USER, Channel, User
from bot.demo.slack_error import Refusal
from bot.demo.slack_workspace import Workspace
from bot.demo.trigger_ids import Passes

Shown = Post | Ephemeral | View

BOT_EVENTS = {"app_home_opened", "subteam_members_changed", "subteam_updated"}


class Hands:
    """The ground that gestures stand on; see ``gestures``."""

    workspace: Workspace
    passes: Passes
    courier: Courier
    hooks: Hooks
    url: str

    def _message(self, shown: Post | Ephemeral, key: str) -> dict[str, Any]:
        """Return the fields of an interaction with a message."""
        channel = self.workspace.directory.channels[shown.channel_id]
        more: dict[str, Any] = {
            "channel": slack_payloads.place(channel),
            "response_url": self._hook_url(key),
        }
        if isinstance(shown, Post):  # private ones are not kept: they are not sent
            now = self.workspace.post(shown.channel_id, shown.ts)
            more["message"] = now.to_json(metadata=True)
        return more

    def _origin(self, who: User, shown: Post | Ephemeral) -> str:
        """Return the key of a response URL for the message that was clicked."""
        hook = self.passes.new_hook(who.id, shown.channel_id)
        hook.origin = shown
        if shown.thread_ts and shown.thread_ts != getattr(shown, "ts", ""):
            hook.thread_ts = shown.thread_ts
        return self.passes.hook(hook)

    async def event(self, body: dict[str, Any], user_id: str = "") -> Delivery:
        """Deliver an event once, if the app has subscribed to its type."""
        payload = slack_payloads.event(body, self.workspace.clock())
        delivery = Delivery("events_api", payload, user_id)
        if body["type"] not in BOT_EVENTS:
            delivery.error = "not_subscribed"
            return delivery
        return await self.courier.bring(delivery)

    def _in(self, user: str, channel: str) -> tuple[User, Channel]:
        """Return a person and a channel that he is in, or refuse."""
        who = self.workspace.directory.user(user)
        if channel == BOT_USER:
            return who, self.workspace.directory.im(who.id)
        where = self.workspace.directory.channel(channel)
        if who.id not in where.members:
            raise Refusal("channel_not_found" if where.private else "not_in_channel")
        if where.archived:
            raise Refusal("is_archived")
        return who, where

    def _open_dialog(self, who: User, view_id: str) -> View:
        view = self.workspace.dialogs.get(who.id)
        if view is None or view.id != view_id:
            raise Refusal("not_found")
        return view

    def _interactive(
        self, payload: dict[str, Any], who: User, channel_id: str = "", key: str = ""
    ) -> Delivery:
        kind: Kind = "interactive"
        return Delivery(kind, payload, who.id, channel_id, hook=key)

    def _hook_url(self, key: str) -> str:
        return f"{self.url}/hooks/{key}"
