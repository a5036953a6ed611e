"""The local Slack's Web API over HTTP: tokens, scopes, faults, the log of calls."""

from __future__ import annotations

import asyncio
import hmac
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from aiohttp import web

from bot.demo.slack_arguments import read_args
from bot.demo.slack_call_log import Args, SlackCall, SlackFault, SlackFaults
from bot.demo.slack_error import Refusal
from bot.demo.slack_methods_read import ReadMethods
from bot.demo.slack_methods_write import ChatMethods
from bot.demo.slack_workspace import Workspace
from bot.demo.trigger_ids import Passes

MOST_CALLS = 5000  # kept in the log
SCOPES = frozenset(
    {
        "commands",
        "chat:write",
        "usergroups:read",
        "users:read",
        "channels:read",
        "groups:read",
    }
)


@dataclass(frozen=True, slots=True)
class Method:
    """A method: what it does, and the *scopes* of which it needs one (none = free)."""

    call: Callable[[Args], dict[str, Any]]
    scopes: tuple[str, ...] = ()


def _conversation(right: str) -> tuple[str, ...]:
    return tuple(f"{kind}:{right}" for kind in ("channels", "groups", "mpim", "im"))


def methods(chat: ChatMethods, read: ReadMethods) -> dict[str, Method]:
    """Return every method of the local Slack but apps.connections.open."""
    write, groups = ("chat:write",), ("usergroups:read",)
    users, seen = ("users:read",), _conversation("read")
    past = _conversation("history")
    return {
        "api.test": Method(lambda args: {"ok": True, "args": dict(args)}),
        "auth.test": Method(read.auth_test),
        "bots.info": Method(read.bots_info, users),
        "chat.delete": Method(chat.delete, write),
        "chat.getPermalink": Method(chat.get_permalink),
        "chat.postEphemeral": Method(chat.post_ephemeral, write),
        "chat.postMessage": Method(chat.post_message, write),
        "chat.update": Method(chat.update, write),
        "conversations.history": Method(read.conversations_history, past),
        "conversations.info": Method(read.conversations_info, seen),
        "conversations.members": Method(read.conversations_members, seen),
        "conversations.open": Method(read.conversations_open, ("im:write",)),
        "conversations.replies": Method(read.conversations_replies, past),
        "team.info": Method(read.team_info, ("team:read",)),
        "usergroups.list": Method(read.usergroups_list, groups),
        "usergroups.users.list": Method(read.usergroups_users_list, groups),
        "users.info": Method(read.users_info, users),
        "users.list": Method(read.users_list, users),
        "views.open": Method(chat.views_open),
        "views.publish": Method(chat.views_publish),
        "views.update": Method(chat.views_update),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What the app may do and how it proves who it is."""

    bot_token: str
    app_token: str
    scopes: frozenset[str] = SCOPES

    def check(self, token: str, method: str, scopes: tuple[str, ...]) -> None:
        """Refuse a call without the right token, or for want of a scope."""
        opens = method == "apps.connections.open"
        right, other = self.app_token, self.bot_token
        if not opens:
            right, other = other, right
        if not token:
            raise Refusal("not_authed")
        if same(token, other):
            raise Refusal("not_allowed_token_type")
        if not same(token, right):
            raise Refusal("invalid_auth")
        if not opens and scopes and not self.scopes.intersection(scopes):
            provided = ",".join(sorted(self.scopes))
            raise Refusal("missing_scope", needed=",".join(scopes), provided=provided)


class Answered(NamedTuple):
    """A true answer, and its error word ("" = it was carried out)."""

    response: web.Response
    error: str = ""


def same(one: str, other: str) -> bool:
    """Compare two secrets in constant time."""
    return hmac.compare_digest(one.encode(), other.encode())


class WebApi:
    """POST (or GET) /api/<method>; *connect* answers apps.connections.open."""

    def __init__(
        self,
        workspace: Workspace,
        passes: Passes,
        access: Access,
        connect: Callable[[], dict[str, Any]],
    ) -> None:
        self.calls: deque[SlackCall] = deque(maxlen=MOST_CALLS)
        self.faults = SlackFaults()
        self.access = access
        self._workspace = workspace
        chat = ChatMethods(workspace, passes, access.scopes)
        self._methods = methods(chat, ReadMethods(workspace, access.scopes))
        self._methods["apps.connections.open"] = Method(lambda _: connect())

    async def handle(self, request: web.Request) -> web.Response:
        """Answer a call of the Web API."""
        method = request.match_info["method"]
        try:
            args, wrong = await read_args(request), None
        except Refusal as refusal:
            args, wrong = {}, refusal
        given = str(args.pop("token", ""))
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        token = bearer.strip() if scheme.lower() == "bearer" else given

        def answer() -> Answered:
            body = wrong.to_json() if wrong else self._answer(method, token, args)
            return Answered(web.json_response(body), body.get("error", ""))

        return await self.serve(request, method, args, answer)

    async def serve(
        self,
        request: web.Request,
        method: str,
        args: Args,
        answer: Callable[[], Answered],
    ) -> web.Response:
        """Log a call, let it meet its fault, and return the *answer* or the fault's."""
        call = SlackCall(self._workspace.clock(), method, args)
        self.calls.append(call)
        fault = self.faults.take(method, args)
        self._workspace.change()
        if fault.delay_s:
            await asyncio.sleep(fault.delay_s)
        response = self._outcome(call, fault, answer)
        response.headers["X-OAuth-Scopes"] = ",".join(sorted(self.access.scopes))
        if fault.cut and request.transport is not None:
            request.transport.abort()
        call.status = 0 if fault.cut else response.status
        self._workspace.change()
        return response

    def _outcome(
        self, call: SlackCall, fault: SlackFault, answer: Callable[[], Answered]
    ) -> web.Response:
        """Carry a call out, unless its fault forbids it, and return what is said."""
        true = answer() if fault.lets_act else None
        call.done = true is not None and not true.error
        call.error = fault.error or (true.error if true else "")
        return fault.answer() or (true.response if true else web.Response())

    def _answer(self, name: str, token: str, args: Args) -> dict[str, Any]:
        """Return what a call is answered, carried out or refused."""
        method = self._methods.get(name)
        if method is None:
            return Refusal("unknown_method", req_method=name).to_json()
        try:
            self.access.check(token, name, method.scopes)
            return method.call(args)
        except Refusal as refusal:
            return refusal.to_json()
