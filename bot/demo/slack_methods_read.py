"""The Web API's methods that only look: users, user groups, conversations, team."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any, TypeVar

from bot.demo.posts import Post
from bot.demo.slack_arguments import flag, number, required, text
from bot.demo.slack_call_log import Args
from bot.demo.slack_directory import APP_ID, BOT_ID, BOT_USER, HOME_TEAM, Channel
from bot.demo.slack_error import Refusal
from bot.demo.slack_workspace import Workspace

Answer = dict[str, Any]
T = TypeVar("T")

MOST_IN_PAGE = 1000
TEAM_NAME = "ML Studio"
TEAM_DOMAIN = "mlstudio-local"


def page(items: Sequence[T], args: Args, default: int) -> tuple[Sequence[T], Answer]:
    """Return one page of *items*, and the metadata with the cursor to the next."""
    size = max(1, min(number(args, "limit", default) or default, MOST_IN_PAGE))
    try:
        cursor = base64.b64decode(text(args, "cursor") or b"MA==", validate=True)
        start = int(cursor)
    except (binascii.Error, ValueError) as error:
        raise Refusal("invalid_cursor") from error
    end = start + size
    following = base64.b64encode(str(end).encode()).decode() if end < len(items) else ""
    return items[start:end], {"response_metadata": {"next_cursor": following}}


class ReadMethods:
    """The looking methods on one workspace."""

    def __init__(self, workspace: Workspace, scopes: frozenset[str]) -> None:
        self.workspace = workspace
        self.directory = workspace.directory
        self.scopes = scopes

    # --- who -------------------------------------------------------------------------

    def auth_test(self, _args: Args) -> Answer:
        """auth.test."""
        return {
            "ok": True,
            "url": f"https://{TEAM_DOMAIN}.slack.com/",
            "team": TEAM_NAME,
            "user": self.directory.users[BOT_USER].name,
            "team_id": HOME_TEAM,
            "user_id": BOT_USER,
            "bot_id": BOT_ID,
            "is_enterprise_install": False,
        }

    def bots_info(self, args: Args) -> Answer:
        """bots.info, of the bot itself."""
        if text(args, "bot") not in ("", BOT_ID):
            raise Refusal("bot_not_found")
        bot = {"id": BOT_ID, "app_id": APP_ID, "user_id": BOT_USER, "deleted": False}
        return {"ok": True, "bot": {**bot, "name": self.directory.users[BOT_USER].name}}

    def team_info(self, _args: Args) -> Answer:
        """team.info."""
        team = {"id": HOME_TEAM, "name": TEAM_NAME, "domain": TEAM_DOMAIN}
        return {"ok": True, "team": team}

    def users_info(self, args: Args) -> Answer:
        """users.info: only by id."""
        (user_id,) = required(args, "user")
        user = self.directory.users.get(user_id)
        if user is None:
            raise Refusal("user_not_found")
        return {"ok": True, "user": user.to_json()}

    def users_list(self, args: Args) -> Answer:
        """users.list."""
        users, more = page(list(self.directory.users.values()), args, MOST_IN_PAGE)
        return {"ok": True, "members": [user.to_json() for user in users], **more}

    def usergroups_list(self, args: Args) -> Answer:
        """usergroups.list."""
        disabled = flag(args, "include_disabled")
        groups = [
            group.to_json(users=flag(args, "include_users"))
            for group in self.directory.groups.values()
            if disabled or not group.disabled
        ]
        return {"ok": True, "usergroups": groups}

    def usergroups_users_list(self, args: Args) -> Answer:
        """usergroups.users.list: what Slack says of a disabled group is not known.

        Here it is missing, unless ``include_disabled`` asks for it.
        """
        (group_id,) = required(args, "usergroup")
        group = self.directory.groups.get(group_id)
        if group is None or (group.disabled and not flag(args, "include_disabled")):
            raise Refusal("no_such_subteam")
        return {"ok": True, "users": list(group.users)}

    # --- where -----------------------------------------------------------------------

    def _channel(self, args: Args, right: str) -> Channel:
        """Return the channel asked for, or refuse (also for want of a scope)."""
        (channel_id,) = required(args, "channel")
        channel = self.workspace.bot_channel(channel_id)
        scope = f"{channel.kind}:{right}"
        if scope not in self.scopes:
            provided = ",".join(sorted(self.scopes))
            raise Refusal("missing_scope", needed=scope, provided=provided)
        return channel

    def conversations_info(self, args: Args) -> Answer:
        """conversations.info."""
        return {"ok": True, "channel": self._channel(args, "read").to_json()}

    def conversations_members(self, args: Args) -> Answer:
        """conversations.members."""
        channel = self._channel(args, "read")
        members, more = page(sorted(channel.members), args, 100)
        return {"ok": True, "members": list(members), **more}

    def conversations_open(self, args: Args) -> Answer:
        """conversations.open, of the direct messages with one person."""
        (user_id,) = required(args, "users")
        if user_id not in self.directory.users:
            raise Refusal("user_not_found")
        channel = self.directory.im(user_id)
        whole = flag(args, "return_im")
        return {
            "ok": True,
            "channel": channel.to_json() if whole else {"id": channel.id},
        }

    def conversations_history(self, args: Args) -> Answer:
        """conversations.history: newest first, without replies in threads."""
        channel = self._channel(args, "history")
        self._member(channel)
        posts = [
            post
            for post in reversed(self.workspace.posts[channel.id].values())
            if not post.thread_ts or post.thread_ts == post.ts or post.reply_broadcast
        ]
        return self._posts(_between(posts, args), args)

    def conversations_replies(self, args: Args) -> Answer:
        """conversations.replies: a thread with its first message, oldest first."""
        channel = self._channel(args, "history")
        self._member(channel)
        (root,) = required(args, "ts")
        posts = [
            post
            for post in self.workspace.posts[channel.id].values()
            if root in (post.ts, post.thread_ts)
        ]
        if not posts:
            raise Refusal("thread_not_found")
        return self._posts(_between(posts, args), args)

    def _member(self, channel: Channel) -> None:
        if BOT_USER not in channel.members:
            raise Refusal("not_in_channel")

    def _posts(self, posts: list[Post], args: Args) -> Answer:
        whole = flag(args, "include_all_metadata")
        shown, more = page([post for post in posts if not post.deleted], args, 100)
        messages = [post.to_json(metadata=whole) for post in shown]
        has_more = bool(more["response_metadata"]["next_cursor"])
        return {"ok": True, "messages": messages, "has_more": has_more, **more}


def _between(posts: list[Post], args: Args) -> list[Post]:
    """Return the posts between ``oldest`` and ``latest``."""
    oldest, latest = text(args, "oldest") or "0", text(args, "latest") or "9" * 12
    inclusive = flag(args, "inclusive")
    return [
        post
        for post in posts
        if float(oldest) < float(post.ts) < float(latest)
        or (inclusive and post.ts in (oldest, latest))
    ]
