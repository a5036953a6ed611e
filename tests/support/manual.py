"""The operator's manual, as the tests read it: its headings and its blocks."""

from __future__ import annotations

import re

from bot.cli.assets import text_of

MANUAL = text_of("operations")
_BLOCK = re.compile(r"(?ms)^```(\w+)\n(.*?)^```$")


def blocks(language: str) -> list[str]:
    """Return every block of a *language*, in the order of the page."""
    return [text for found, text in _BLOCK.findall(MANUAL) if found == language]


def prose() -> str:
    """Return the page without its blocks."""
    return _BLOCK.sub("", MANUAL)


def headings(level: int) -> list[str]:
    """Return the headings of a *level*."""
    return re.findall(rf"(?m)^{'#' * level} (.+)$", prose())


def section(title: str) -> str:
    """Return what stands below a heading, up to the next of any level."""
    found = re.search(rf"(?ms)^#+ {re.escape(title)}\n(.*?)(?=^#+ |\Z)", prose())
    return found[1].strip() if found else ""
