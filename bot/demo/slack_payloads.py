"""What Slack sends to an app: commands, interactions, events. Pure."""

from __future__ import annotations

import re
import uuid
from typing import Any

from bot.demo.block_kit import elements
from bot.demo.posts import Block, Ephemeral, Post, View
from bot.demo.slack_directory import (
    APP_ID,
    BOT_USER,
    HOME_TEAM,
    Channel,
    Directory,
    Group,
    User,
)
from bot.demo.slack_error import Refusal
from bot.demo.slack_methods_read import TEAM_DOMAIN

Payload = dict[str, Any]

_TLDS = "com|net|org|io|dev|de|eu|cloud"
_SPECIAL = re.compile(
    r"(?P<url>https?://[^\s<>|]+)"
    r"|(?<![\w/.])(?P<mail>[\w.+-]+@[\w-]+(?:\.[\w-]+)+)"
    rf"|(?<![\w@/.-])(?P<host>(?:[\w-]+\.)+(?:{_TLDS}))(?![\w.-])"
    r"|(?<![\w@])@(?P<name>[\w.-]*\w)"
    r"|(?<![\w#&])#(?P<channel>[\w-]+)"
)


def entities(text: str) -> str:
    """Return *text* with the three characters that mean something as entities."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def escape(text: str, directory: Directory) -> str:
    """Return typed *text* as Slack sends it with ``should_escape``.

    docs.slack.dev/interactivity/implementing-slash-commands, "Escaping user info".
    """
    parts, end = [], 0
    for match in _SPECIAL.finditer(text):
        parts += [entities(text[end : match.start()]), _marked(match, directory)]
        end = match.end()
    return "".join([*parts, entities(text[end:])])


def _marked(match: re.Match[str], directory: Directory) -> str:
    """Return the mark-up for what a piece of typed text names."""
    typed = entities(match[0])
    if match["url"]:
        return f"<{typed}>"
    if match["mail"]:
        return f"<mailto:{typed}|{typed}>"
    if match["host"]:
        return f"<http://{typed}|{typed}>"
    try:
        return _mention(match, directory)
    except Refusal:
        return typed


def _mention(match: re.Match[str], directory: Directory) -> str:
    if match["channel"]:
        channel = directory.channel(match[0])
        return f"<#{channel.id}|{'' if channel.private else channel.name}>"
    name = match["name"]
    if name in ("here", "channel", "everyone"):
        return f"<!{name}>"
    for group in directory.groups.values():
        if group.handle == name:
            return f"<!subteam^{group.id}>"
    user = directory.user(f"@{name}")
    return f"<@{user.id}|{user.name}>"


# --- the payloads -------------------------------------------------------------------


def command(
    user: User, channel: Channel, name: str, text: str, *, hook: str, trigger: str
) -> Payload:
    """Return a slash command's payload; *hook* is its response_url."""
    return {
        "token": "deprecated",
        "team_id": user.team_id,
        "team_domain": "partner" if user.stranger else TEAM_DOMAIN,
        "channel_id": channel.id,
        "channel_name": channel.payload_name,
        "user_id": user.id,
        "user_name": user.name,
        "command": name,
        "text": text,
        "api_app_id": APP_ID,
        "is_enterprise_install": "false",
        "response_url": hook,
        "trigger_id": trigger,
    }


def interaction(kind: str, user: User, **more: Any) -> Payload:
    """Return what every interaction has; *more* is its kind's own."""
    return {
        "type": kind,
        "team": {"id": HOME_TEAM, "domain": TEAM_DOMAIN},
        "user": {
            "id": user.id,
            "username": user.name,
            "name": user.name,
            "team_id": user.team_id,
        },
        "api_app_id": APP_ID,
        "token": "deprecated",
        "enterprise": enterprise(user),
        "is_enterprise_install": False,
        **more,
    }


def enterprise(user: User) -> dict[str, str] | None:
    """Return the enterprise that an interaction comes from."""
    if user.enterprise is None:
        return None
    about = user.enterprise.to_json()
    return {"id": about["enterprise_id"], "name": about["enterprise_name"]}


def place(channel: Channel) -> dict[str, str]:
    """Return a channel as interactions name it."""
    return {"id": channel.id, "name": channel.payload_name}


def container(shown: Post | Ephemeral | View) -> dict[str, Any]:
    """Return where an interaction happened."""
    if isinstance(shown, View):
        return {"type": "view", "view_id": shown.id}
    private = isinstance(shown, Ephemeral)
    ts = shown.id if isinstance(shown, Ephemeral) else shown.ts
    thread = {"thread_ts": shown.thread_ts} if shown.thread_ts else {}
    return {
        "type": "message",
        "message_ts": ts,
        "channel_id": shown.channel_id,
        "is_ephemeral": private,
        **thread,
    }


def event(body: Payload, at: float) -> Payload:
    """Return an event's payload around its *body*; *at* is POSIX seconds."""
    return {
        "token": "deprecated",
        "team_id": HOME_TEAM,
        "api_app_id": APP_ID,
        "event": body,
        "type": "event_callback",
        "event_id": f"Ev{uuid.uuid4().hex[:10].upper()}",
        "event_time": int(at),
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": HOME_TEAM,
                "user_id": BOT_USER,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": False,
        "event_context": "local",
    }


def group_events(old: Group, new: Group, stamp: str) -> list[dict[str, Any]]:
    """Return the events that a change of a user group makes."""
    added = [user for user in new.users if user not in old.users]
    removed = [user for user in old.users if user not in new.users]
    events: list[dict[str, Any]] = [
        {"type": "subteam_updated", "subteam": new.to_json(), "event_ts": stamp}
    ]
    if added or removed:
        events.insert(
            0,
            {
                "type": "subteam_members_changed",
                "subteam_id": new.id,
                "team_id": HOME_TEAM,
                "date_previous_update": old.updated,
                "date_update": new.updated,
                "added_users": added,
                "added_users_count": len(added),
                "removed_users": removed,
                "removed_users_count": len(removed),
                "event_ts": stamp,
            },
        )
    return events


# --- what a person did with the elements --------------------------------------------

_SELECTED = {
    "static_select": "selected_option",
    "external_select": "selected_option",
    "radio_buttons": "selected_option",
    "overflow": "selected_option",
    "checkboxes": "selected_options",
    "multi_static_select": "selected_options",
    "multi_external_select": "selected_options",
    "users_select": "selected_user",
    "channels_select": "selected_channel",
    "conversations_select": "selected_conversation",
    "multi_users_select": "selected_users",
    "multi_channels_select": "selected_channels",
    "multi_conversations_select": "selected_conversations",
    "datepicker": "selected_date",
    "timepicker": "selected_time",
    "datetimepicker": "selected_date_time",
}
_NO_STATE = {"button", "workflow_button", "overflow"}


def find(
    blocks: list[Block], action_id: str, block_id: str = ""
) -> tuple[Block, dict[str, Any]]:
    """Return an element and the block it stands in, or refuse."""
    for block, element in elements(blocks):
        if element["action_id"] == action_id and block_id in ("", block["block_id"]):
            return block, element
    raise Refusal("action_not_found")


def state_of(element: dict[str, Any], given: Any) -> dict[str, Any]:
    """Return an element's state: *given* as Slack writes it, or as short text.

    None means untouched: then it is what the app put in.
    """
    if isinstance(given, dict) and "type" in given:
        return given
    kind = element["type"]
    field = _SELECTED.get(kind, "value")
    many = field == "selected_options"
    if given is None:
        initial = field.replace("selected", "initial").replace("value", "initial_value")
        return {"type": kind, field: element.get(initial, [] if many else None)}
    if field == "selected_option":
        given = _option(element, given)
    elif many:
        given = [_option(element, each) for each in given]
    return {"type": kind, field: given}


def _option(element: dict[str, Any], given: Any) -> dict[str, Any]:
    """Return the whole option for its value, or for itself."""
    if isinstance(given, dict):
        return given
    groups = element.get("option_groups", [])
    offered = [*element.get("options", []), *(o for g in groups for o in g["options"])]
    for option in offered:
        if option["value"] == given:
            return dict(option)
    if offered:
        raise Refusal("option_not_found")
    return {"text": {"type": "plain_text", "text": given}, "value": given}


def state_values(blocks: list[Block], given: dict[str, Any]) -> dict[str, Any]:
    """Return ``state.values``; *given* by block id and action id, or by action id."""
    values: dict[str, dict[str, Any]] = {}
    for block, element in elements(blocks):
        if element["type"] in _NO_STATE:
            continue
        name = element["action_id"]
        own = given.get(block["block_id"])
        said = own.get(name) if isinstance(own, dict) else own or given.get(name)
        values.setdefault(block["block_id"], {})[name] = state_of(element, said)
    return values


def missing(blocks: list[Block], values: dict[str, Any]) -> dict[str, str]:
    """Return what Slack itself says of required inputs that are empty, by block id."""
    empty = {}
    for block, element in elements(blocks):
        if block["type"] == "input" and not block.get("optional"):
            state = values[block["block_id"]][element["action_id"]]
            if not any(v for k, v in state.items() if k != "type"):
                empty[block["block_id"]] = "Please complete this required field."
    return empty
