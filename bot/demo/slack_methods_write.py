"""The Web API's methods that say something: chat.* and views.*."""

from __future__ import annotations

from typing import Any

from bot.demo.block_kit import require_blocks, require_view
from bot.demo.posts import Post, View
from bot.demo.slack_arguments import flag, required, structure, text
from bot.demo.slack_call_log import Args
from bot.demo.slack_directory import BOT_USER, HOME_TEAM, Channel
from bot.demo.slack_error import Refusal, malformed
from bot.demo.slack_workspace import Workspace
from bot.demo.trigger_ids import Passes

Answer = dict[str, Any]

CUT_AT = 40_000  # characters of a post; the rest is cut off
UPDATE_AT_MOST = 4_000  # characters of an update; more is refused


def content(args: Args, *, at_most: int) -> tuple[str, list[dict[str, Any]]]:
    """Return a message's text and blocks, or refuse."""
    blocks = structure(args, "blocks", "invalid_blocks_format") or []
    require_blocks(blocks)
    said = text(args, "text")
    if not said and not blocks:
        raise Refusal("no_text")
    if len(said) > at_most:
        raise Refusal("msg_too_long")
    return said, blocks


class ChatMethods:
    """chat.* and views.* on one workspace."""

    def __init__(
        self, workspace: Workspace, passes: Passes, scopes: frozenset[str]
    ) -> None:
        self.workspace = workspace
        self.passes = passes
        self.scopes = scopes

    # --- chat.* -----------------------------------------------------------------------

    def _writable(self, channel_id: str) -> Channel:
        """Return a channel that the bot may post to, or refuse."""
        channel = self.workspace.bot_channel(channel_id)
        if channel.archived:
            raise Refusal("is_archived")
        public = channel.kind == "channels" and "chat:write.public" in self.scopes
        if BOT_USER not in channel.members and not public:
            raise Refusal("not_in_channel")
        return channel

    def _destination(self, reference: str) -> Channel:
        """Return where a post goes: a user's id means the messages with him."""
        if reference in self.workspace.directory.users:
            if reference == BOT_USER:
                raise Refusal("cannot_dm_bot")
            return self.workspace.directory.im(reference)
        return self._writable(reference)

    def post_message(self, args: Args) -> Answer:
        """chat.postMessage."""
        (reference,) = required(args, "channel")
        channel = self._destination(reference)
        said, blocks = content(
            {**args, "text": text(args, "text")[:CUT_AT]}, at_most=CUT_AT
        )
        post = self.workspace.say(
            channel,
            BOT_USER,
            said,
            blocks,
            thread_ts=text(args, "thread_ts"),
            reply_broadcast=flag(args, "reply_broadcast") and "thread_ts" in args,
            metadata=_metadata(args) or {},
        )
        return {
            "ok": True,
            "channel": channel.id,
            "ts": post.ts,
            "message": post.to_json(metadata=True),
        }

    def _own(self, channel_id: str, ts: str, error: str) -> Post:
        """Return a post of the bot's, or refuse with *error*."""
        channel = self.workspace.bot_channel(channel_id)
        post = self.workspace.post(channel.id, ts)
        if not post.bot:
            raise Refusal(error)
        if channel.archived:
            raise Refusal("is_inactive")
        return post

    def update(self, args: Args) -> Answer:
        """chat.update: what is not given (blocks, metadata) stays as it was."""
        channel_id, ts = required(args, "channel", "ts")
        post = self._own(channel_id, ts, "cant_update_message")
        said, blocks = content(args, at_most=UPDATE_AT_MOST)
        changes: dict[str, Any] = {"text": said}
        if args.get("blocks") is not None:
            changes["blocks"] = blocks
        metadata = _metadata(args)
        if metadata is not None:
            changes["metadata"] = metadata
        if flag(args, "reply_broadcast") and post.thread_ts:
            changes["reply_broadcast"] = True
        new = self.workspace.edit(post, **changes)
        place = {"channel": new.channel_id, "ts": new.ts}
        return {"ok": True, **place, "text": new.text, "message": new.to_json()}

    def delete(self, args: Args) -> Answer:
        """chat.delete."""
        channel_id, ts = required(args, "channel", "ts")
        post = self._own(channel_id, ts, "cant_delete_message")
        self.workspace.delete(post)
        return {"ok": True, "channel": post.channel_id, "ts": post.ts}

    def post_ephemeral(self, args: Args) -> Answer:
        """chat.postEphemeral."""
        reference, user_id = required(args, "channel", "user")
        channel = self._writable(reference)
        if user_id not in channel.members:
            raise Refusal("user_not_in_channel")
        said, blocks = content(args, at_most=CUT_AT)
        message = self.workspace.whisper(
            channel,
            self.workspace.directory.user(user_id),
            said,
            blocks,
            thread_ts=text(args, "thread_ts"),
        )
        return {"ok": True, "message_ts": message.id}

    def get_permalink(self, args: Args) -> Answer:
        """chat.getPermalink."""
        channel_id, ts = required(args, "channel", "message_ts")
        channel = self.workspace.bot_channel(channel_id)
        post = self.workspace.post(channel.id, ts)
        link = f"https://local.slack.com/archives/{channel.id}/p{ts.replace('.', '')}"
        if post.thread_ts and post.thread_ts != ts:
            link += f"?thread_ts={post.thread_ts}&cid={channel.id}"
        return {"ok": True, "channel": channel.id, "permalink": link}

    # --- views.* ----------------------------------------------------------------------

    def views_open(self, args: Args) -> Answer:
        """views.open: spends the trigger id, also when the view is refused after it."""
        required(args, "view", "trigger_id")
        body = structure(args, "view", "invalid_arguments")
        require_view(body, "modal")
        user_id = self.passes.exchange(text(args, "trigger_id"))
        self._unused(body)
        return _viewed(self.workspace.show(user_id, body))

    def views_update(self, args: Args) -> Answer:
        """views.update, by view_id or external_id, with the optional hash."""
        required(args, "view")
        body = structure(args, "view", "invalid_arguments")
        old = self.workspace.view(text(args, "view_id"), text(args, "external_id"))
        require_view(body, old.kind)
        if args.get("hash") and args["hash"] != old.hash:
            raise Refusal("hash_conflict")
        return _viewed(self.workspace.show(old.user_id, body, old))

    def views_publish(self, args: Args) -> Answer:
        """views.publish: somebody's Home tab."""
        user_id, _ = required(args, "user_id", "view")
        body = structure(args, "view", "invalid_arguments")
        require_view(body, "home")
        user = self.workspace.directory.user(user_id)
        if user.team_id != HOME_TEAM or user.deleted:
            raise Refusal("user_not_found")
        old = self.workspace.homes.get(user.id)
        if old and args.get("hash") and args["hash"] != old.hash:
            raise Refusal("hash_conflict")
        return _viewed(self.workspace.show(user.id, body, old))

    def _unused(self, body: dict[str, Any]) -> None:
        """Refuse an external_id that an open view has already."""
        if name := body.get("external_id"):
            for view in self.workspace.dialogs.values():
                if view.body.get("external_id") == name:
                    raise Refusal("duplicate_external_id")


def _viewed(view: View) -> Answer:
    return {"ok": True, "view": view.to_json()}


def _metadata(args: Args) -> dict[str, Any] | None:
    """Return a message's metadata, None where it is not given, or refuse.

    Slack keeps its size limit to itself; it is not checked.
    """
    given = structure(args, "metadata", "invalid_metadata_format")
    if given is None:
        return None
    if not isinstance(given, dict):
        raise Refusal("invalid_metadata_format")
    whole = given.get("event_type") and isinstance(given.get("event_payload"), dict)
    if given and not whole:
        lines = ["missing required field: event_type or event_payload"]
        raise malformed("invalid_metadata_schema", lines)
    return given
