"""What can be seen in the local Slack: posts, private messages, views. Frozen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from bot.demo.slack_directory import APP_ID, BOT_ID, BOT_USER, HOME_TEAM

Block = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Edit:
    """What a post said before it was changed at *ts*."""

    ts: str
    text: str
    blocks: list[Block]


@dataclass(frozen=True, slots=True)
class Post:
    """A message in a channel; *edited* and *thread_ts* may be empty."""

    channel_id: str
    ts: str
    user_id: str
    text: str
    blocks: list[Block] = field(default_factory=list)
    thread_ts: str = ""
    reply_broadcast: bool = False
    edited: str = ""
    deleted: bool = False
    metadata: dict[str, Any] = field(default_factory=dict)
    history: tuple[Edit, ...] = ()

    @property
    def bot(self) -> bool:
        """Whether the bot said it."""
        return self.user_id == BOT_USER

    def to_json(self, *, metadata: bool = False) -> dict[str, Any]:
        """Return Slack's message object, on demand with its whole *metadata*."""
        data: dict[str, Any] = {
            "type": "message",
            "user": self.user_id,
            "ts": self.ts,
            "text": self.text,
            "team": HOME_TEAM,
        }
        if self.bot:
            data |= {"bot_id": BOT_ID, "app_id": APP_ID}
        if self.blocks:
            data["blocks"] = self.blocks
        if self.thread_ts:
            data["thread_ts"] = self.thread_ts
        if self.reply_broadcast:
            data["subtype"] = "thread_broadcast"
        if self.edited:
            data["edited"] = {"user": self.user_id, "ts": self.edited}
        if self.metadata:
            kind = {"event_type": self.metadata["event_type"]}
            data["metadata"] = self.metadata if metadata else kind
        return data

    def to_ui(self) -> dict[str, Any]:
        """Return what the page shows of it."""
        always = {
            "channel": self.channel_id,
            "ts": self.ts,
            "user": self.user_id,
            "bot": self.bot,
            "text": self.text,
            "blocks": self.blocks,
        }
        marks = {
            "thread_ts": self.thread_ts,
            "reply_broadcast": self.reply_broadcast,
            "edited": self.edited,
            "deleted": self.deleted,
        }
        return always | {name: mark for name, mark in marks.items() if mark}


@dataclass(frozen=True, slots=True)
class Ephemeral:
    """A message that only *user_id* sees; *author_id* is the bot or Slackbot."""

    id: str
    user_id: str
    channel_id: str
    text: str
    blocks: list[Block] = field(default_factory=list)
    thread_ts: str = ""
    author_id: str = BOT_USER

    def to_ui(self) -> dict[str, Any]:
        """Return what the page shows of it."""
        return {
            "channel": self.channel_id,
            "ts": self.id,
            "user": self.author_id,
            "bot": self.author_id == BOT_USER,
            "text": self.text,
            "blocks": self.blocks,
        }


@dataclass(frozen=True, slots=True)
class View:
    """A dialog or a Home tab that *user_id* sees; *body* is the app's view.

    *errors* are the sentences beneath its inputs, by block id.
    """

    id: str
    user_id: str
    body: dict[str, Any]
    hash: str
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> Literal["modal", "home"]:
        """Which surface it is."""
        return "home" if self.body["type"] == "home" else "modal"

    @property
    def blocks(self) -> list[Block]:
        """The blocks that it shows."""
        blocks: list[Block] = self.body["blocks"]
        return blocks

    def to_json(self, values: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return Slack's view object, its inputs filled with *values*."""
        given = {"private_metadata": "", "callback_id": "", "external_id": ""}
        modal = {"close": None, "submit": None}
        flags = {"clear_on_close": False, "notify_on_close": False}
        return {
            **given,
            **(modal if self.kind == "modal" else {}),
            **flags,
            **self.body,
            "id": self.id,
            "team_id": HOME_TEAM,
            "state": {"values": values or {}},
            "hash": self.hash,
            "previous_view_id": None,
            "root_view_id": self.id,
            "app_id": APP_ID,
            "app_installed_team_id": HOME_TEAM,
            "bot_id": BOT_ID,
        }

    def to_ui(self) -> dict[str, Any]:
        """Return what the page shows of it."""
        return {**self.to_json(), "errors": self.errors}
