"""What is wrong with the configuration, in words and with the place. Pure."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

ECHO_LIMIT = 40
# Slack's tokens, wherever they stand: https://docs.slack.dev/authentication/tokens
TOKEN = re.compile(r"(?i)xox[a-z](\.xox[a-z])?-|xapp-")
_BARE = re.compile(r"[A-Za-z0-9_-]{1,40}")
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Fraction:
    """A number with a fraction as it was written: no setting is one.

    A float would pass for the seconds of a duration, which must have a unit.
    """

    written: str


_FOUND: dict[type, str] = {
    bool: "true or false",
    str: "text",
    int: "a number",
    list: "a list",
    dict: "a table",
    Fraction: "a number with a fraction",
}
# What pydantic found, in the words of somebody who writes TOML; {found} is what
# stands there instead, the others are pydantic's own details.
_WORDS = {
    "string_type": "must be text in quotes, not {found}",
    "int_type": "must be a whole number, not {found}",
    "bool_type": "must be true or false, not {found}",
    "tuple_type": 'must be a list, such as ["…", "…"], not {found}',
    "dict_type": "must be a table, not {found}",
    "model_type": "must be a table, not {found}",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: the *path* of the key, and what is wrong with it."""

    path: Path
    text: str

    def __str__(self) -> str:
        """Return the problem as one line."""
        return " ".join(f"{place(self.path)}: {self.text}".split())


# --- talking about foreign words -----------------------------------------------------


def echo(word: str, also: str = "") -> str:
    """Return at most 40 harmless characters of a foreign *word*, to name it by.

    Harmless are letters, digits, ``.``, ``_``, ``-`` and what *also* holds.
    """
    if TOKEN.search(word):
        return "…"
    cut = word if len(word) <= ECHO_LIMIT else word[: ECHO_LIMIT - 1] + "…"
    return "".join(c if c.isalnum() or c in "._-…" + also else "?" for c in cut)


def fold(word: str) -> str:
    """Return *word* in the form in which two spellings of one name are equal."""
    return unicodedata.normalize("NFKC", word).casefold()


def guess(word: str, known: Iterable[str]) -> str:
    """Return which of the *known* names was probably meant, or nothing."""
    folded = {fold(name): name for name in known}
    near = difflib.get_close_matches(fold(word)[:64], folded, n=1)
    return folded[near[0]] if near else ""


def meant(word: str, known: Iterable[str]) -> str:
    """Return the end of a sentence that asks whether a near name was meant."""
    near = guess(word, known)
    return f'; did you mean "{near}"?' if near else ""


# --- problems ------------------------------------------------------------------------


def lines(problems: Iterable[Problem]) -> tuple[str, ...]:
    """Return one line for each place, the first problem there, in the order of places.

    One mistake can be found twice (a password is also an unknown key).
    """
    first: dict[Path, Problem] = {}
    for problem in problems:
        first.setdefault(problem.path, problem)
    return tuple(map(str, sorted(first.values(), key=_order)))


def _order(problem: Problem) -> list[str]:
    """Return the key by which problems of one place come together."""
    return [f"{part:06}" if isinstance(part, int) else part for part in problem.path]


def place(path: Path) -> str:
    """Return a *path* as people write it: ``rules[0].projects[1]``."""
    words = "".join(
        f"[{part}]" if isinstance(part, int) else f".{_key(part)}" for part in path
    )
    return words.removeprefix(".")


def _key(part: str) -> str:
    """Return one key of a path, in quotes where TOML wants them."""
    shown = echo(part, also=" @#:/[]")
    return shown if _BARE.fullmatch(shown) else f'"{shown}"'


def of_shape(error: ValidationError, root: type[BaseModel]) -> Iterator[Problem]:
    """Yield what pydantic found wrong with the types and values of *root*."""
    for details in error.errors(include_url=False):
        path = _path(details)
        yield Problem(path, _sentence(details, path, root))


def _path(details: ErrorDetails) -> Path:
    """Return where pydantic found something, as it stands in the file.

    What is wrong with the key of a table is found at ``(…, key, "[key]")``; a key may
    itself be called so.
    """
    path = details["loc"]
    of_key = path[-2:] == (details["input"], "[key]")
    return path[:-1] if of_key else path


def _sentence(details: ErrorDetails, path: Path, root: type[BaseModel]) -> str:
    """Return what is wrong at *path* in words."""
    kind, context = details["type"], details.get("ctx", {})
    match kind:
        case "value_error":
            return _said(details["input"], path, str(context["error"]))
        case "extra_forbidden":
            return _unknown_key(str(path[-1]), path[:-1], root)
        case "missing":
            return _missing(str(path[-1]), _model_at(root, path[:-1]))
        case "literal_error" | "enum":
            return f"must be {str(context['expected']).replace(chr(39), chr(34))}"
    found = _FOUND.get(type(details["input"]), "a date or a time")
    words = _WORDS.get(kind, f"is wrong ({kind})")
    return words.format(found=found, **_plain(context))


def _said(value: object, path: Path, error: str) -> str:
    """Return what a check says of a *value*; one of a list is named besides."""
    if isinstance(value, str) and isinstance(path[-1], int):
        return f'"{echo(value, also="@#*? []!/")}" {error}'
    return error


def _plain(context: Mapping[str, Any]) -> dict[str, str]:
    """Return the details of a finding with whole numbers written as such."""
    return {
        key: f"{value:g}" if isinstance(value, float) else str(value)
        for key, value in context.items()
    }


def _missing(key: str, model: type[BaseModel]) -> str:
    """Return that *key* is missing and what it is for."""
    purpose = model.model_fields[key].description
    return f"is missing; {purpose}" if purpose else "is missing"


def _unknown_key(key: str, parent: Path, root: type[BaseModel]) -> str:
    """Return that there is no such *key*, and which was probably meant."""
    known = _model_at(root, parent).model_fields
    at_top = root.model_fields.get(key)
    if parent and at_top and not _model_in(at_top.annotation):
        return "there is no such key here; it belongs above the first [table]"
    return f"there is no such key{meant(key, known)}"


def _model_at(root: type[BaseModel], path: Path) -> type[BaseModel]:
    """Return the model of the table at *path*; list indexes and names are passed."""
    model = root
    for part in path:
        field = model.model_fields.get(str(part))
        inner = field and _model_in(field.annotation)
        model = inner or model
    return model


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model that an *annotation* holds, however it is wrapped."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)
