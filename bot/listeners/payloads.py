"""Who acts, and from where, as Slack's payloads say it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from bot.model import Person
from bot.slack.messages.dialogs import refused_times

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks, and from where; *delivery* is Slack's id of this one interaction.

    *since* is when it arrived, by the event loop's clock: the answer is due soon.
    *private*: what is said there is seen by its members alone.
    """

    user_id: str
    team_id: str
    channel_id: str
    delivery: str
    response_url: str = ""
    thread_ts: str = ""
    private: bool = False
    since: float = field(default_factory=time.monotonic, compare=False)

    @property
    def person(self) -> Person:
        """Who it is, for the trail."""
        return Person(self.user_id, self.team_id)

    def at(self, channel_id: str) -> Self:
        """Return it as if in a channel, where it is in none, as on a home page."""
        if self.channel_id:
            return self
        private = _is_private(channel_id, "")
        return replace(self, channel_id=channel_id, private=private)


def who_typed(body: Body) -> Actor:
    """Return who typed a slash command, and where."""
    return Actor(
        user_id=str(body["user_id"]),
        team_id=str(body.get("team_id") or ""),
        channel_id=str(body["channel_id"]),
        delivery=str(body["trigger_id"]),
        response_url=str(body.get("response_url") or ""),
        private=_is_private(str(body["channel_id"]), body.get("channel_name")),
    )


def who_clicked(body: Body) -> Actor:
    """Return who clicked, or used a shortcut, and where."""
    action = (body.get("actions") or [{}])[0]
    channel = body.get("channel") or {}
    channel_id = str(channel.get("id") or "")
    return Actor(
        user_id=str(body["user"]["id"]),
        team_id=_team(body),
        channel_id=channel_id,
        delivery=str(action.get("action_ts") or body.get("trigger_id") or ""),
        response_url=str(body.get("response_url") or ""),
        private=_is_private(channel_id, channel.get("name")),
    )


def delivery_of(view: Body) -> str:
    """Return by what the sending of a dialog is known."""
    times = refused_times(view)
    return f"view {view['id']} {times}" if times else f"view {view['id']}"


def who_submitted(
    body: Body, channel_id: str, thread_ts: str = "", *, private: bool = False
) -> Actor:
    """Return who uses a dialog that was opened for a channel, a *private* one maybe.

    The dialog's own id is the delivery: one that comes back twice is one request, and
    only one that we have refused may be sent again, as another.
    """
    return Actor(
        user_id=str(body["user"]["id"]),
        team_id=_team(body),
        channel_id=channel_id,
        delivery=delivery_of(body["view"]),
        thread_ts=thread_ts,
        private=private or _is_private(channel_id, ""),
    )


def stamp_of(body: Body, headers: Mapping[str, Sequence[str]]) -> float | None:
    """Return when Slack says that somebody clicked or typed (POSIX seconds, UTC).

    A click has a stamp of its own; else that of the signed request is taken, which an
    envelope of Socket Mode does not have. Events are nobody's click.
    """
    if body.get("type") == "event_callback":
        return None
    actions = body.get("actions") or [{}]
    clicked = actions[0].get("action_ts") or body.get("action_ts")
    sent = next(iter(headers.get("x-slack-request-timestamp", ())), None)
    try:
        return float(clicked or sent or "")
    except (TypeError, ValueError):
        return None


def _is_private(channel_id: str, name: object) -> bool:
    """Say whether a channel is a direct message, of several maybe, or a private one.

    An id tells that only of some; payloads hide the names of the others so:
    https://docs.slack.dev/interactivity/implementing-slash-commands
    """
    hidden = str(name or "")
    return (
        channel_id.startswith(("D", "G"))
        or hidden in {"directmessage", "privategroup"}
        or hidden.startswith("mpdm-")
    )


def _team(body: Body) -> str:
    """Return the team of the person, never the installing one if both are named.

    In a shared channel Bolt's context names the installing team for a click by an
    outsider: https://docs.slack.dev/apis/slack-connect
    """
    own = body["user"].get("team_id")
    return str(own or (body.get("team") or {}).get("id") or "")
