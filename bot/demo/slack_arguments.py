"""Reading the arguments of a Web API call, given as form, JSON or query."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from bot.demo.slack_call_log import Args
from bot.demo.slack_error import Refusal


async def read_args(request: web.Request) -> dict[str, Any]:
    """Return the arguments of a call, whichever way they came."""
    args: dict[str, Any] = dict(request.query)
    if request.content_type == "application/json":
        try:
            body = await request.json()
        except ValueError as error:
            raise Refusal("invalid_json") from error
        if not isinstance(body, dict):
            raise Refusal("json_not_object")
        return args | body
    if request.method == "POST":
        form = await request.post()
        return args | {name: value for name, value in form.items() if value != ""}
    return args


def text(args: Args, name: str) -> str:
    """Return an argument as text, "" when it is missing."""
    value = args.get(name)
    return "" if value is None else str(value)


def flag(args: Args, name: str) -> bool:
    """Return an argument as a yes or no, as Slack understands one."""
    return text(args, name).lower() in ("1", "true")


def number(args: Args, name: str, default: int) -> int:
    """Return an argument as a whole number."""
    try:
        return int(text(args, name) or default)
    except ValueError as error:
        raise Refusal("invalid_arguments") from error


def structure(args: Args, name: str, error: str) -> Any:
    """Return an argument that is JSON (also as a string), or None; or refuse."""
    value = args.get(name)
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as wrong:
        raise Refusal(error) from wrong


def required(args: Args, *names: str) -> list[str]:
    """Return arguments that must be there, as text, or refuse."""
    missing = [name for name in names if args.get(name) is None]
    if missing:
        lines = [f"[ERROR] missing required field: {name}" for name in missing]
        raise Refusal("invalid_arguments", response_metadata={"messages": lines})
    return [text(args, name) for name in names]
