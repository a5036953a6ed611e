"""What is read is what was typed: marks that reorder a line do not get through."""

from __future__ import annotations

import pytest

from bot.slack.command import Restart
from bot.slack.command.parser import parse
from bot.slack.messages.formatting import clean, code, said

MARKS = [chr(mark) for mark in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))]
MARKS += ["\u200e", "\u200f", "\u061c"]


@pytest.mark.parametrize("mark", MARKS, ids=lambda mark: f"U+{ord(mark):04X}")
def test_a_mark_that_reorders_is_taken_out(mark: str) -> None:
    """An approver sees the words in their true order, whoever wrote them."""
    text = f"{mark}stop{mark} it"
    assert (clean(text), said(text), code(text)) == ("stop it", "stop it", "`stop it`")
    asked = parse(f"restart ml-{mark}prod trainer-7 st{mark}op it")
    assert asked == Restart("ml-prod", "trainer-7", "stop it", break_glass=False)
