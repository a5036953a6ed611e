"""What Slack's refusals and the wire's failures mean: the one map to SlackError. Pure.

``translated`` wraps a call of slack_sdk; nothing else catches its exceptions. The
original exception is cut off (``from None``) because it holds the request with the
token in its headers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError

from bot.errors import SlackBusy, SlackError, SlackRefused, SlackShut, SlackUnknown
from bot.network import explained

# Called after each call with its method and how it went: ok, refused, busy, unknown.
OnCall = Callable[[str, str], None]

THROTTLED_S = 30.0  # ... and after a 429 that does not say how long
LONGEST_RETRY_S = 60.0  # a 429 that names more is tried after so long all the same

DELETED = "message_not_found"  # what Slack says of a message that somebody deleted

_SENTENCES = {
    "I cannot post there. Invite me with /invite @mlstudio, then ask again.": (
        "not_in_channel channel_not_found"
    ),
    "That channel is archived. Unarchive it, or ask in another channel.": "is_archived",
    "That channel does not let me post. Ask who manages it to allow me, or ask in"
    " another channel.": (
        "restricted_action restricted_action_read_only_channel"
        " restricted_action_thread_only_channel restricted_action_thread_locked"
        " restricted_action_non_threadable_channel no_permission"
    ),
    "That message can no longer be changed.": (
        "message_not_found cant_update_message edit_window_closed"
    ),
    "That person is not known in this workspace.": (
        "user_not_found users_not_found user_not_visible"
    ),
    "That person is not in the channel.": "user_not_in_channel",
    "Slack does not let me send that person a private message.": (
        "cannot_dm_bot messages_tab_disabled"
    ),
    "The dialog came too late: Slack gives it 3 seconds. Try again.": (
        "expired_trigger_id exchanged_trigger_id trigger_expired trigger_exchanged"
        " invalid_trigger_id"
    ),
    "Slack found a mistake in the form of the message.": (
        "invalid_blocks invalid_blocks_format msg_blocks_too_long msg_too_long no_text"
        " invalid_arguments invalid_arg_name view_too_large"
    ),
    "That user group does not exist.": "no_such_subteam subteam_not_found",
    "User groups need a paid plan of Slack, which this workspace has not.": (
        "plan_upgrade_required"
    ),
}
# Of all of these Slack thinks otherwise once somebody has mended it: a new token, the
# app installed again, a right, a plan (https://docs.slack.dev/reference/methods).
_SHUT = {
    "Slack does not accept the bot's token. Whoever runs the bot has to set a valid"
    " SLACK_BOT_TOKEN and start it again.": (
        "invalid_auth not_authed account_inactive token_revoked token_expired"
        " not_allowed_token_type"
    ),
    "Slack does not let the bot in from its network. Whoever runs the bot has to allow"
    " its address in the app's settings.": "accesslimited ekm_access_denied",
    "The Slack app may not act in this workspace. An administrator has to approve it"
    " again.": "access_denied team_access_not_granted org_login_required enterprise_is_"
    "restricted app_not_installed",
    "Slack is moving this workspace; it takes messages again when that is done.": (
        "team_added_to_org"
    ),
    "Slack does not take more messages in this workspace at the moment.": (
        "message_limit_exceeded"
    ),
    "The Slack app lacks a scope.": "missing_scope",
}
_SHUT_CODES = frozenset(code for codes in _SHUT.values() for code in codes.split())
_MEANINGS: Mapping[str, str] = {
    code: sentence
    for sentence, codes in {**_SENTENCES, **_SHUT}.items()
    for code in codes.split()
}
_NO_WORD = "what came is no answer of the Web API"
_NOT_SLACK = (
    "run it again; if it stays so, mend api_url, or ask who runs the network what"
    " answers in Slack's place"
)
# Slack says of these itself that part of the work may have been done.
_AMBIGUOUS = frozenset({"internal_error", "fatal_error", "service_unavailable"})
_CODE = re.compile(r"[a-z][a-z0-9_]{1,60}")
_SCOPES = re.compile(r"[a-z][a-z.:_]{1,40}(,[a-z][a-z.:_]{1,40}){0,20}")
_THROTTLED = frozenset({"ratelimited", "rate_limited", "request_timeout"})

# Raised before anything went out: the connection itself failed.
_NOT_SENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
)
# slack_sdk lets AttributeError out for a body that is not an object, ValueError for one
# that is not JSON.
_FOREIGN = (
    SlackClientError,
    aiohttp.ClientError,
    OSError,  # TimeoutError is one
    ValueError,
    AttributeError,
)


def unreported(_method: str, _result: str) -> None:
    """Stand in where nobody counts the calls."""


@contextmanager
def translated(method: str, on_call: OnCall = unreported) -> Iterator[None]:
    """Turn whatever one call of *method* raises into a SlackError, and report it."""
    try:
        yield
    except _FOREIGN as error:
        meant = meaning(error)
        on_call(method, _RESULTS[type(meant)])
        raise meant from None
    on_call(method, "ok")


_RESULTS: Mapping[type[SlackError], str] = {
    SlackRefused: "refused",
    SlackShut: "refused",
    SlackBusy: "busy",
    SlackUnknown: "unknown",
}


def meaning(error: Exception) -> SlackError:
    """Return what *error* means for who called."""
    if isinstance(error, SlackApiError):
        return _answered(error.response)
    if isinstance(error, SlackClientError):
        # slack_sdk refused to send it: a message against the limits of Block Kit
        return SlackRefused("Slack's library refused the form of the message.")
    meant = _unreached(error)
    found = explained(error)
    meant.why, meant.remedy = found.what, found.remedy
    return meant


def _unreached(error: Exception) -> SlackError:
    """Return what an *error* on the way to Slack means."""
    if isinstance(error, _NOT_SENT):
        return SlackBusy("Slack cannot be reached; nothing was sent.")
    if isinstance(error, TimeoutError):
        return SlackUnknown("Slack did not answer in time.")
    return SlackUnknown("The connection to Slack broke off before its answer was read.")


def _answered(response: Any) -> SlackError:
    """Return what an answer of Slack means that is not "ok"."""
    data = _data(response)
    status = int(getattr(response, "status_code", 0) or getattr(response, "status", 0))
    told = str(data.get("error") or "")
    # Its own words are plain; whatever else stands there is not repeated anywhere.
    code = told if _CODE.fullmatch(told) else ""
    if status == HTTPStatus.TOO_MANY_REQUESTS or code in _THROTTLED:
        wait = retry_after(getattr(response, "headers", {}))
        sentence = "Slack is throttling the bot; nothing was sent."
        wait = min(wait or THROTTLED_S, LONGEST_RETRY_S)
        return SlackBusy(sentence, code=code, retry_after=wait)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or code in _AMBIGUOUS or not told:
        what = code or f"HTTP {status} without a word of its own"
        unknown = SlackUnknown(f"Slack had a failure of its own ({what}).", code=code)
        if not code:  # Slack's own failures mostly have one
            unknown.why, unknown.remedy = _NO_WORD, _NOT_SLACK
        return unknown
    kind = SlackShut if code in _SHUT_CODES else SlackRefused
    return kind(_sentence(code, data), code=code)


def _data(response: Any) -> Mapping[str, Any]:
    """Return the JSON object of *response*, empty where there is none."""
    data = getattr(response, "data", None)
    return data if isinstance(data, Mapping) else {}


def _sentence(code: str, data: Mapping[str, Any]) -> str:
    """Return what Slack's error word *code* means, and what to do."""
    if code == "missing_scope":
        needed = str(data.get("needed") or "?")
        needed = needed if _SCOPES.fullmatch(needed) else "?"
        return (
            f"The Slack app lacks the scope {needed}. Whoever runs the bot has to add"
            " it and to install the app again."
        )
    plain = code if _CODE.fullmatch(code) else "it gave no reason that can be shown"
    return _MEANINGS.get(code, f"Slack refused: {plain}.")


def retry_after(headers: Mapping[str, Any]) -> float | None:
    """Return the seconds that a Retry-After header asks for, None without one."""
    for name, value in headers.items():
        if name.lower() == "retry-after":
            # slack_sdk hands headers on as lists to retry handlers
            text = str(value[0] if isinstance(value, list) else value).strip()
            return float(text) if text.isdecimal() else None
    return None
