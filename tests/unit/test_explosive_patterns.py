"""No pattern, of the file's or typed by somebody, can hold the bot up."""

from __future__ import annotations

import re
import time
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bot.model import Rule, Verdict
from bot.model.reason_pattern import checked_pattern, fits
from tests.unit.test_policy import decided, rule

AT_MOST_S = 0.3  # of what takes minutes, or for ever, where a pattern explodes
LONGEST = 4000  # characters: Slack takes no longer command


def ruled(pattern: str) -> Rule:
    return rule(reason="required", reason_pattern=pattern)


@pytest.mark.parametrize(
    ("pattern", "stuck"),
    [
        (r"^(\w+\s?)+\.$", "a"),  # a repetition within a repetition
        (r"^(a|a)*$", "a"),  # two ways to read the same
        (r"^(a|ab|b)*c$", "ab"),
        (r"^((a*)*)*$", "a"),
        (r"^\w*\w*\w*\w*\w*=$", "a"),  # no nesting: a power of the length
        (r"(.*.*.*.*.*.*=)+$", "a"),
        (r"^(\d+|INC-\d+)+$", "1"),
        (r"^(?:é|\w)+$", "é"),
    ],
)
@pytest.mark.parametrize("length", [40, LONGEST])
def test_a_pattern_that_would_explode_is_answered_at_once(pattern, stuck, length):
    """Whatever somebody types as a reason, the rule decides within a moment."""
    only = ruled(pattern)
    reason = (stuck * length)[:length] + "!"

    began = time.perf_counter()
    decision = decided(only, reason=reason)

    assert time.perf_counter() - began < AT_MOST_S
    assert decision.verdict is Verdict.DENY


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        (r"(a+)\1", "backreferences are not supported"),
        (r"(?P<x>a+)(?P=x)", "unrecognized flag|not supported|unrecognized"),
        (r"INC-\d+(?=!)", "look-around"),
        (r"(?<!x)INC", "look-around"),
        (r"(\w{1,100}){1,100}", "exceeds size limit"),
        (r"a++", "possessive"),
        (r"(a|b)*+c", "possessive"),
        (r"\<INC", "possessive quantifiers"),
        (r"(", "is not a regular expression"),
        (r"[[a]", "is not a regular expression"),
    ],
)
def test_what_cannot_be_searched_for_in_linear_time_is_a_mistake_of_the_file(
    pattern, why
):
    """The configuration says so, in a sentence that names what is in the way."""
    with pytest.raises(ValidationError, match=why) as raised:
        ruled(pattern)
    assert "reason_pattern" in str(raised.value)


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r"INC-\d+", "stuck, INC-12, again", True),  # a reason has to contain it
        (r"INC-\d+", "inc-12", False),
        (r"(?i)inc-\d+", "INC-12", True),
        (r"^INC-\d+$", "INC-12 now", False),
        (r"^\w+ \w+$", "Größe geändert", True),  # letters of every language
        (r"\bнет\b", "и нет слов", True),
        (r"[^\W\d]{3}", "12é", False),
        (r"[a+]\+{2}", "a++", True),
        (r"https://\S+", "see https://x.example/1", True),
    ],
)
def test_a_pattern_means_what_it_has_always_meant(pattern, text, found):
    """It is searched for as Python searches, in any alphabet."""
    assert fits(checked_pattern(pattern), text) is found
    assert (re.search(pattern, text) is not None) is found


@given(st.text("ab1 .*+?()[]|^$\\dws-", max_size=7), st.text("ab1 .-", max_size=6))
def test_what_is_taken_is_found_where_python_finds_it(pattern, text):
    """Of the patterns that the file may hold, none means two things."""
    try:
        checked_pattern(pattern)
    except ValueError:
        return
    assert fits(pattern, text) is (re.search(pattern, text) is not None)


@pytest.mark.parametrize(
    "pattern", ["*a" * 60, "*" * 200 + "b", "*[ab]*a" * 40, "?*" * 100 + "b"]
)
def test_a_glob_cannot_explode(pattern):
    """Neither one of a rule nor one that somebody types over instances' names."""
    began = time.perf_counter()

    fnmatchcase("a" * LONGEST + "!", pattern + "c")

    assert time.perf_counter() - began < AT_MOST_S
