"""The slash command: what was typed, as a value or as the sentence that explains it."""

from bot.slack.command.commands import (
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
from bot.slack.command.parser import BREAK_GLASS, parse
from bot.slack.command.tokenizer import plain

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
