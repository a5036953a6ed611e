"""The pattern of a reason: searched for in linear time, whatever somebody types. Pure.

The engine is the Rust crate regex, which pydantic brings along: it never goes back in
the text, so no pattern can explode; what needs going back (backreferences, look-around)
it refuses. https://docs.rs/regex/latest/regex/#untrusted-input
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import cycle
from re import _parser as parser  # type: ignore[attr-defined]  # no other takes apart
from typing import Any

from pydantic_core import SchemaError, SchemaValidator, core_schema

# What both engines take and each understands in its own way: Python's possessive
# quantifiers, Rust's ends of words.
_POSSESSIVE = re.compile(r"[*+?}]\+")
_WORD_ENDS = re.compile(r"\\(?:[<>]|b\{)")
_ESCAPED = re.compile(r"\\.", re.DOTALL)
_CLASS = re.compile(r"\[\^?\]?[^\]]*\]")


def checked_pattern(text: str) -> str:
    """Return *text* if it is a pattern; raise ValueError with the end of a sentence.

    It has to be one of Python's, without anything that Python warns of, too.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            re.compile(text)
    except (re.error, OverflowError, RecursionError, Warning) as error:
        raise ValueError(f"is not a regular expression: {error}") from None
    plain = _CLASS.sub(".", _ESCAPED.sub(".", text))
    if _POSSESSIVE.search(plain) or _WORD_ENDS.search(text):
        raise ValueError(
            r"must hold neither possessive quantifiers (a++) nor \<, \> and \b{"
        )
    try:
        _engine(text)
    except SchemaError as error:
        why = str(error).splitlines()[-1].strip()
        why = why.removeprefix("error: ").removeprefix("SchemaError: ").rstrip(".")
        raise ValueError(
            f"cannot be searched for in a time that is sure to be short: {why}"
        ) from None
    return text


def fits(pattern: str, text: str) -> bool:
    """Say whether *pattern*, which was checked, is found somewhere in *text*."""
    return _engine(pattern).isinstance_python(text)


@lru_cache(maxsize=256)
def _engine(pattern: str) -> SchemaValidator:
    """Return what searches for *pattern*; raise SchemaError where nothing can."""
    schema = core_schema.str_schema(pattern=pattern, regex_engine="rust-regex")
    return SchemaValidator(schema)


# --- an example ----------------------------------------------------------------------

_MOST = 4  # of what may be repeated


@lru_cache(maxsize=256)
def example(pattern: str) -> str:
    """Return a short text that fits *pattern*, or nothing where none was found."""
    try:
        written = "".join(_write(parser.parse(pattern), iter(cycle("1234567890"))))
    except (NotImplementedError, re.error):
        return ""
    telling = len(set(written)) > _MOST  # "xxxx" tells nobody anything
    return written if telling and fits(pattern, written) else ""


def _write(parsed: Iterable[tuple[Any, Any]], digits: Iterator[str]) -> Iterator[str]:
    """Yield what each piece of a *parsed* pattern may stand for.

    Raises NotImplementedError for a piece that is not known here.
    """
    for kind, value in parsed:
        match str(kind):
            case "LITERAL":
                yield chr(value)
            case "ANY":
                yield "x"
            case "AT":
                continue
            case "IN":
                yield _one_of(value, digits)
            case "MAX_REPEAT" | "MIN_REPEAT":
                least, most, inner = value
                for _ in range(max(least, min(most, _MOST if least else 0))):
                    yield from _write(inner, digits)
            case "SUBPATTERN":
                yield from _write(value[-1], digits)
            case "BRANCH":
                yield from _write(value[1][0], digits)
            case _:
                raise NotImplementedError(kind)


def _one_of(choices: Sequence[tuple[Any, Any]], digits: Iterator[str]) -> str:
    """Return one of the characters of a class."""
    kind, value = choices[0]
    match str(kind), str(value):
        case "LITERAL", _:
            return chr(value)
        case "RANGE", _:
            return next(digits) if value == (48, 57) else chr(value[0])
        case "CATEGORY", "CATEGORY_DIGIT":
            return next(digits)
        case "CATEGORY", "CATEGORY_WORD":
            return "a"
        case "CATEGORY", "CATEGORY_SPACE":
            return " "
    raise NotImplementedError(kind)
