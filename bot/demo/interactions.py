"""What people do in the local Slack: type, click, fill in, open; Slack delivers it.

Slack's client hides commands and clicks from some people (of another workspace,
deactivated since). Here they are delivered all the same: who may act is for the app
to decide, and that it does can only be seen if it is asked.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bot.demo import slack_payloads
from bot.demo.deliveries import Delivery
from bot.demo.interaction_context import Hands, Shown
from bot.demo.posts import Ephemeral, Post, View
from bot.demo.slack_directory import SLACKBOT, Channel, User
from bot.demo.slack_error import Refusal
from bot.demo.slack_view_responses import settle, suggestions
from bot.demo.trigger_ids import Hook

COMMAND = "/mlstudio"


class Gestures(Hands):
    """Everything that a person can do; the rest of the class is in ``slack``."""

    # --- typing -----------------------------------------------------------------------

    async def command(self, user: str, channel: str, text: str) -> Delivery:
        """Let *user* type *text* in *channel* and return what came of it.

        *text* starts with the command (``/mlstudio help``), or is what follows it.
        Raises Refusal where Slack has no such channel or the user is not in it.
        """
        who, where = self._in(user, channel)
        name, _, rest = text.partition(" ")
        if not text.startswith("/"):
            name, rest = COMMAND, text
        if name == "/invite":
            return self._invite(who, where, rest)
        hook = self.passes.new_hook(who.id, where.id)
        key = self.passes.hook(hook)
        payload = slack_payloads.command(
            who,
            where,
            name,
            slack_payloads.escape(rest.strip(), self.workspace.directory),
            hook=self._hook_url(key),
            trigger=self.passes.trigger(who.id),
        )
        delivery = Delivery("slash_commands", payload, who.id, where.id, hook=key)
        if name != COMMAND:
            delivery.error = "invalid_command"
            return self._failed(delivery, f"{name} is not a valid command.")
        return await self._deliver_command(delivery, hook)

    async def _deliver_command(self, delivery: Delivery, hook: Hook) -> Delivery:
        await self.courier.bring(delivery)
        name = delivery.payload["command"]
        if delivery.ok:
            self._answer_command(delivery, hook)
        if delivery.error:
            sentence = f'{name} failed with the error "{delivery.error}"'
            self._failed(delivery, sentence)
        return delivery

    def _answer_command(self, delivery: Delivery, hook: Hook) -> None:
        """Show what the acknowledgement of a command says."""
        ack = delivery.ack
        if ack.get("response_type") == "in_channel":
            channel = self.workspace.directory.channels[delivery.channel_id]
            typed = f"{delivery.payload['command']} {delivery.payload['text']}"
            self.workspace.say(channel, delivery.user_id, typed.strip())
        if not ack.get("text") and not ack.get("blocks"):
            return
        try:
            shown = self.hooks.speak(hook, ack)
        except Refusal as refusal:
            delivery.error = refusal.code
            return
        delivery.shown = shown if isinstance(shown, Ephemeral) else None

    def _failed(self, delivery: Delivery, sentence: str) -> Delivery:
        """Show the person that Slack could not do it."""
        delivery.shown = self.workspace.whisper(
            self.workspace.directory.channels[delivery.channel_id],
            self.workspace.directory.user(delivery.user_id),
            sentence,
            author_id=SLACKBOT,
        )
        return delivery

    def _invite(self, who: User, where: Channel, names: str) -> Delivery:
        """Do what ``/invite @somebody`` does."""
        delivery = Delivery("slash_commands", {}, who.id, where.id)
        for name in names.split():
            user = self.workspace.directory.user(name)
            where.members.add(user.id)
            self.workspace.say(where, user.id, f"@{user.name} has joined the channel")
        self.workspace.publish({"type": "channel", "channel": where.to_ui()})
        return delivery

    def say(self, user: str, channel: str, text: str, thread_ts: str = "") -> Post:
        """Let *user* say something plain."""
        who, where = self._in(user, channel)
        escaped = slack_payloads.escape(text, self.workspace.directory)
        return self.workspace.say(where, who.id, escaped, thread_ts=thread_ts)

    # --- clicking ---------------------------------------------------------------------

    async def click(
        self,
        user: str,
        shown: Shown,
        action_id: str,
        *,
        block_id: str = "",
        value: Any = None,
        values: dict[str, Any] | None = None,
    ) -> Delivery:
        """Let *user* use an element of what is *shown* to him, as he sees it there.

        *value* is what he picks in a select, *values* the state of other inputs. A
        message that has changed since can be given as it was: people click late.
        """
        who = self.workspace.directory.user(user)
        block, element = slack_payloads.find(shown.blocks, action_id, block_id)
        action = _action(block, element, value)
        action["action_ts"] = self.workspace.stamp()
        picked = {} if value is None else {action_id: value}
        state = slack_payloads.state_values(shown.blocks, {**picked, **(values or {})})
        return await self._act(who, shown, action, state)

    async def _act(
        self, who: User, shown: Shown, action: dict[str, Any], state: dict[str, Any]
    ) -> Delivery:
        more: dict[str, Any] = {
            "container": slack_payloads.container(shown),
            "trigger_id": self.passes.trigger(who.id),
            "actions": [action],
        }
        channel_id = key = ""
        if isinstance(shown, View):
            current = self.workspace.view(shown.id)
            more["view"] = current.to_json(state)
        else:
            more["state"] = {"values": state}
            channel_id, key = shown.channel_id, self._origin(who, shown)
            more |= self._message(shown, key)
        payload = slack_payloads.interaction("block_actions", who, **more)
        delivery = self._interactive(payload, who, channel_id, key)
        return await self.courier.bring(delivery)

    # --- dialogs ----------------------------------------------------------------------

    async def submit(
        self, user: str, view: View, values: dict[str, Any] | None = None
    ) -> Delivery:
        """Let *user* fill in and submit a dialog.

        *values* are state values as Slack writes them, or simply text (of an option:
        its value) by block id or action id; what is not given stays as it was.
        """
        who = self.workspace.directory.user(user)
        view = self._open_dialog(who, view.id)
        state = slack_payloads.state_values(view.blocks, values or {})
        payload = slack_payloads.interaction(
            "view_submission",
            who,
            trigger_id=self.passes.trigger(who.id),
            view=view.to_json(state),
            response_urls=[],
        )
        delivery = self._interactive(payload, who)
        delivery.view = view
        if empty := slack_payloads.missing(view.blocks, state):
            delivery.error = "required_field_empty"
            self.workspace.reshow(replace(view, errors=empty))
            return delivery
        await self.courier.bring(delivery)
        settle(self.workspace, delivery, view)
        return delivery

    async def close_view(self, user: str, view: View) -> Delivery:
        """Let *user* close a dialog; the app is told if it asked to be."""
        who = self.workspace.directory.user(user)
        view = self._open_dialog(who, view.id)
        self.workspace.close(view)
        payload = slack_payloads.interaction(
            "view_closed", who, view=view.to_json(), is_cleared=False
        )
        delivery = self._interactive(payload, who)
        if view.body.get("notify_on_close"):
            await self.courier.bring(delivery)
        return delivery

    async def suggest(
        self, user: str, shown: Shown, action_id: str, text: str
    ) -> Delivery:
        """Let *user* type *text* into a select that asks the app for its options.

        The options are in the delivery's ``ack``.
        """
        who = self.workspace.directory.user(user)
        block, element = slack_payloads.find(shown.blocks, action_id)
        more: dict[str, Any] = {
            "container": slack_payloads.container(shown),
            "action_id": element["action_id"],
            "block_id": block["block_id"],
            "value": text,
        }
        if isinstance(shown, View):
            more["view"] = self.workspace.view(shown.id).to_json()
        else:
            channel = self.workspace.directory.channels[shown.channel_id]
            more["channel"] = slack_payloads.place(channel)
        payload = slack_payloads.interaction("block_suggestion", who, **more)
        delivery = await self.courier.bring(self._interactive(payload, who))
        return suggestions(delivery)

    # --- shortcuts, Home, events ------------------------------------------------------

    async def shortcut(
        self, user: str, callback_id: str, message: Post | None = None
    ) -> Delivery:
        """Let *user* use a global shortcut, or one on a *message*."""
        who = self.workspace.directory.user(user)
        more: dict[str, Any] = {
            "action_ts": self.workspace.stamp(),
            "callback_id": callback_id,
            "trigger_id": self.passes.trigger(who.id),
        }
        kind, channel_id, key = "shortcut", "", ""
        if message is not None:
            kind, channel_id = "message_action", message.channel_id
            key = self._origin(who, message)
            more |= {"message_ts": message.ts, **self._message(message, key)}
        payload = slack_payloads.interaction(kind, who, **more)
        return await self.courier.bring(
            self._interactive(payload, who, channel_id, key)
        )

    async def open_home(self, user: str) -> Delivery:
        """Let *user* open the app's Home tab."""
        who = self.workspace.directory.user(user)
        home = self.workspace.homes.get(who.id)
        body = {
            "type": "app_home_opened",
            "user": who.id,
            "channel": self.workspace.directory.im(who.id).id,
            "event_ts": self.workspace.stamp(),
            "tab": "home",
            **({"view": home.to_json()} if home else {}),
        }
        return await self.event(body, who.id)

    async def redeliver(self, delivery: Delivery) -> Delivery:
        """Deliver the very same payload again (same trigger id, same event id)."""
        again = replace(delivery, ack={}, shown=None)
        if again.kind == "slash_commands":
            hook = self.passes.new_hook(again.user_id, again.channel_id)
            return await self._deliver_command(again, hook)
        await self.courier.bring(again)
        if again.view is not None and again.payload["type"] == "view_submission":
            settle(self.workspace, again, again.view)
        return again


def _action(
    block: dict[str, Any], element: dict[str, Any], value: Any
) -> dict[str, Any]:
    """Return the action that using an *element* makes."""
    known = ("type", "action_id", "text", "style", "value", "placeholder")
    action = {name: element[name] for name in known if name in element}
    action["block_id"] = block["block_id"]
    if element["type"] != "button":
        action |= slack_payloads.state_of(element, value)
    return action
