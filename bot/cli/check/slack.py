"""What Slack says about the tokens, the scopes, and the people whom rules name."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

from slack_sdk.web.async_client import AsyncWebClient

from bot.cli.check.line import Line, bad, counted, failed, good, skipped
from bot.errors import SlackError, SlackRefused, SlackShut
from bot.slack.errors import translated
from bot.slack.users import Users

# The calls of slack_sdk that the bot makes, each with the scope that it needs ("" for
# none): https://docs.slack.dev/reference/methods
SCOPE_OF: Mapping[str, str] = MappingProxyType(
    {
        "apps_connections_open": "",  # with the app token
        "auth_test": "",
        "chat_getPermalink": "",
        "chat_postEphemeral": "chat:write",
        "chat_postMessage": "chat:write",
        "chat_update": "chat:write",
        "usergroups_list": "usergroups:read",
        "usergroups_users_list": "usergroups:read",
        "users_info": "users:read",
        "users_list": "users:read",
        "views_open": "",
        "views_publish": "",
        "views_update": "",
    }
)
# All that the bot needs; manifest.yaml asks for the same.
SCOPES = frozenset({"commands", *SCOPE_OF.values()}) - {""}
_AGAIN = "run the check again; Slack was not well just now"
_ADD_SCOPE = (
    "add it under OAuth & Permissions (manifest.yaml has all) and install the app again"
)


async def home_team(client: AsyncWebClient, lines: list[Line], way: str) -> str:
    """Return the workspace of the bot token, "" if Slack refuses it.

    A line about the token and one for each scope go into *lines*; *way* is whom the
    client asks.
    """
    try:
        with translated("auth.test"):
            answer = await client.auth_test()
    except SlackError as error:
        remedy = "install the app and copy its Bot User OAuth Token (xoxb-…)"
        lines.append(failed("the bot token", error, mending(error, remedy), way))
        return ""
    name, team = answer.get("user", "?"), answer.get("team", "?")
    lines.append(good(f"Slack knows the bot as {name} in {team}"))
    # Lower case over the wire or not: https://docs.slack.dev/authentication/installing
    headers = {key.lower(): value for key, value in answer.headers.items()}
    granted = {s.strip() for s in str(headers.get("x-oauth-scopes", "")).split(",")}
    lines += [_scope_line(scope, granted) for scope in sorted(SCOPES)]
    lines += [_spare_line(scope) for scope in sorted(granted - SCOPES - {""})]
    return str(answer.get("team_id", ""))


def _scope_line(scope: str, granted: set[str]) -> Line:
    if scope in granted:
        return good(f"scope {scope}")
    return bad(f"scope {scope} is missing", _ADD_SCOPE)


def _spare_line(scope: str) -> Line:
    return skipped(
        f"scope {scope} is granted, and the bot does not use it",
        "remove it under OAuth & Permissions: what is not there cannot be misused",
    )


async def user_line(users: Users, user_id: str, rules: Collection[str]) -> Line:
    """Return whether *user_id*, whom *rules* name, is somebody who may act."""
    where = f"remove it from {_listed(rules)}, or name the right one"
    try:
        person = await users.person(user_id, fresh=True)
    except SlackError as error:
        return failed(f"user {user_id}", error, mending(error, where))
    faults = {
        "is deactivated": person.deleted,
        "is a bot": person.is_bot,
        "is a guest": person.is_guest,
        "belongs to another workspace": person.is_stranger,
    }
    shown = f"user {user_id} ({person.name})" if person.name else f"user {user_id}"
    for fault, applies in faults.items():
        if applies:
            return bad(f"{shown} {fault}, and no rule can let such in", where)
    return good(shown)


def group_line(reference: str, members: Collection[str] | SlackError | None) -> Line:
    """Return whether the user group *reference* has *members* that Slack names."""
    if isinstance(members, SlackError):
        return bad(f"user group {reference}: {members}", _AGAIN)
    if members:
        return good(f"user group {reference} has {counted(len(members), 'member')}")
    return bad(
        f"user group {reference} is unknown, disabled, empty or cannot be read:"
        " nobody gets past a rule by it",
        "mend its handle or id in the rules, or its members in Slack (needs the scope"
        " usergroups:read)",
    )


async def editor_lines(
    client: AsyncWebClient, users: Users, references: Collection[str]
) -> list[Line]:
    """Return a warning for each group that somebody who is no admin has changed.

    Slack does not tell whether every member may edit user groups; who did last, does.
    A bot may only where everybody may:
    https://docs.slack.dev/reference/methods/usergroups.users.update
    """
    try:
        with translated("usergroups.list"):
            answer = await client.usergroups_list(include_users=False)
    except SlackError:
        return []  # the groups' own lines say so
    lines = []
    for group in answer.get("usergroups") or ():
        named = {str(group.get("id")), f"@{group.get('handle')}"} & set(references)
        editor = str(group.get("updated_by") or "")
        if named and editor and not await _is_admin(users, editor):
            lines.append(_editable_line(min(named), editor))
    return lines


async def _is_admin(users: Users, user_id: str) -> bool:
    """Say whether somebody is an admin, or cannot be asked about."""
    try:
        return await users.is_admin(user_id)
    except SlackError:
        return True


def _editable_line(reference: str, editor: str) -> Line:
    return skipped(
        f"user group {reference} was last changed by {editor}, who is no admin: if"
        " every member may edit user groups, everybody can make himself an approver",
        "let only admins and owners manage user groups (workspace settings,"
        " Permissions), or name users instead of the group",
    )


def mending(error: SlackError, remedy: str) -> str:
    """Return *remedy* where Slack refused, patience where it was not well."""
    if error.code == "missing_scope":
        return _ADD_SCOPE
    return remedy if isinstance(error, SlackRefused | SlackShut) else _AGAIN


def _listed(names: Collection[str]) -> str:
    return ", ".join(f"“{name}”" for name in names)
