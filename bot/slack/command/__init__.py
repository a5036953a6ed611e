"""The slash command: what was typed, as a value or as the sentence that explains it."""

from bot.slack.command.commands import (
    BREAK_GLASS,
    FORMS,
    NAMES,
    Can,
    Cancel,
    Command,
    Form,
    Help,
    History,
    List,
    Mistake,
    Question,
    Restart,
    Several,
    Start,
    Status,
    for_everybody,
    usage,
)
from bot.slack.command.parser import parse
from bot.slack.command.tokenizer import plain

__all__ = [
    "BREAK_GLASS",
    "FORMS",
    "NAMES",
    "Can",
    "Cancel",
    "Command",
    "Form",
    "Help",
    "History",
    "List",
    "Mistake",
    "Question",
    "Restart",
    "Several",
    "Start",
    "Status",
    "for_everybody",
    "parse",
    "plain",
    "usage",
]
