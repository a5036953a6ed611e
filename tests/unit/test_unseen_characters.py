"""Characters that nobody sees: none of them makes another name of what is typed."""

import pytest

from bot.slack.command import Restart, Status, parse

UNSEEN = [
    "\ufe0f",  # what phones add to a symbol to make an emoji of it
    "\ufe0e",
    "\u034f",  # combining grapheme joiner
    "\u180b",  # a Mongolian variation selector
    "\u3164",  # Hangul filler
    "\u115f",
    "\u200d",
    "\u2060",
    "\u00ad",
    "\U000e0041",  # a tag character
    "\U000e0101",  # a variation selector of the supplement
]


@pytest.mark.parametrize("unseen", UNSEEN, ids=lambda char: f"U+{ord(char):04X}")
def test_a_character_that_nobody_sees_is_dropped_from_names(unseen):
    """Whatever is invisible in a command word, a name or a flag does not count."""
    typed = f"re{unseen}start ml-{unseen}prod{unseen} {unseen}trainer{unseen}-7 hot"
    assert parse(typed) == Restart("ml-prod", "trainer-7", "hot")
    assert parse(f"status “ml-prod{unseen}” “trainer-7”{unseen}") == Status(
        "ml-prod", "trainer-7"
    )
    broken = f"restart ml-prod trainer-7 hot -{unseen}-break-glass"
    assert parse(broken) == Restart("ml-prod", "trainer-7", "hot", break_glass=True)


def test_a_name_of_nothing_visible_is_no_name():
    """A word of invisible characters alone is no word: what follows is the name."""
    assert parse("restart ml-prod \ufe0f trainer-7") == Restart("ml-prod", "trainer-7")
    assert parse("restart ml-prod \ufe0f\u3164") == Restart("ml-prod", "")


def test_an_emoji_in_a_reason_stays_what_it_is():
    """In a reason a variation selector is part of what was written."""
    reason = "it is on fire ❤️‍🔥"
    assert parse(f"restart ml-prod trainer-7 {reason}") == Restart(
        "ml-prod", "trainer-7", reason
    )
