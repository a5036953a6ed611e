"""The slash command: what was typed, as a value or as the sentence that explains it."""

from bot.command.parsing import BREAK_GLASS, parse
from bot.command.typed import plain
from bot.command.values import (
    USAGE,
    Can,
    Cancel,
    Command,
    Help,
    History,
    List,
    Mistake,
    Restart,
    Several,
    Status,
)

__all__ = [
    "BREAK_GLASS",
    "USAGE",
    "Can",
    "Cancel",
    "Command",
    "Help",
    "History",
    "List",
    "Mistake",
    "Restart",
    "Several",
    "Status",
    "parse",
    "plain",
]
