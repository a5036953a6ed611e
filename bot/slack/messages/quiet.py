"""Messages that notify nobody: names stand where mentions were. Pure.

https://docs.slack.dev/messaging/formatting-message-text#mentioning-users
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from bot.model import Message
from bot.slack.messages.formatting import code, said

_MENTION = re.compile(r"<(?:@|!subteam\^)([A-Z0-9]+)>")
_NAME = 80  # characters


def mentioned(message: Message) -> list[str]:
    """Return the ids of all people and groups that a message mentions."""
    return list(dict.fromkeys(_MENTION.findall(f"{message.text}{message.blocks}")))


def quiet(message: Message, names: Mapping[str, str]) -> Message:
    """Return *message* with *names* (by their ids) in the place of its mentions."""

    def plain(found: re.Match[str]) -> str:
        return said(names.get(found[1], found[1]), _NAME)

    def marked(found: re.Match[str]) -> str:
        return code(names.get(found[1], found[1]))

    blocks = [_with(marked, block) for block in message.blocks]
    return Message(_MENTION.sub(plain, message.text), blocks)


def _with(name: Callable[[re.Match[str]], str], value: Any) -> Any:
    """Return a part of Block Kit with *name* for each mention in it."""
    if isinstance(value, dict):
        return {key: _with(name, part) for key, part in value.items()}
    if isinstance(value, list):
        return [_with(name, part) for part in value]
    return _MENTION.sub(name, value) if isinstance(value, str) else value
