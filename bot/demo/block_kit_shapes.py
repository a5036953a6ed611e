"""A small language for the shapes of Block Kit. Pure.

A check is given a value and its JSON pointer and yields what Slack says of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Check = Callable[[Any, str], Iterator[str]]


def at(problem: str, path: str) -> str:
    """Return a *problem* with the place it is at, as Slack words it."""
    return f"{problem} [json-pointer:{path}]"


def anything(_value: Any, _path: str) -> Iterator[str]:
    """Find nothing wrong with any value."""
    return iter(())


def string(most: int, *, least: int = 1) -> Check:
    """Check for text of *least* to *most* characters."""

    def check(value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, str):
            yield at("must be a string", path)
        elif len(value) < least:
            yield at(f"must be more than {least - 1} characters", path)
        elif len(value) > most:
            yield at(f"must be less than {most + 1} characters", path)

    return check


def word(*words: str) -> Check:
    """Check for one of these *words*."""

    def check(value: Any, path: str) -> Iterator[str]:
        if value not in words:
            yield at(f"must be one of: {', '.join(words)}", path)

    return check


def number(low: float, high: float) -> Check:
    """Check for a number from *low* to *high*."""

    def check(value: Any, path: str) -> Iterator[str]:
        if isinstance(value, bool) or not isinstance(value, int | float):
            yield at("must be a number", path)
        elif not low <= value <= high:
            yield at(f"must be between {low:g} and {high:g}", path)

    return check


def flag(value: Any, path: str) -> Iterator[str]:
    """Check for true or false."""
    if not isinstance(value, bool):
        yield at("must be a boolean", path)


def several(check: Check, most: int, *, least: int = 1) -> Check:
    """Check for a list of *least* to *most* values that each pass *check*."""

    def each(value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, list):
            yield at("must be an array", path)
            return
        if len(value) < least:
            yield at(f"no fewer than {least} items allowed", path)
        if len(value) > most:
            yield at(f"no more than {most} items allowed", path)
        for index, item in enumerate(value):
            yield from check(item, f"{path}/{index}")

    return each


def shape(
    required: Mapping[str, Check], optional: Mapping[str, Check] | None = None
) -> Check:
    """Check for an object with these fields and no others."""
    known = {"type": anything, **required, **(optional or {})}

    def check(value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield at("must be an object", path)
            return
        for name in required:
            if value.get(name) is None:
                yield at(f"missing required field: {name}", path)
        for name, field in value.items():
            if name not in known:
                yield at(f"invalid additional property: {name}", path)
            elif field is not None:
                yield from known[name](field, f"{path}/{name}")

    return check


def choice(kinds: Mapping[str, Check]) -> Check:
    """Check for an object whose ``type`` is one of *kinds*, by that kind's check."""

    def check(value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, dict) or "type" not in value:
            yield at("missing required field: type", path)
        elif value["type"] not in kinds:
            yield at(f"unsupported type: {value['type']}", f"{path}/type")
        else:
            yield from kinds[value["type"]](value, path)

    return check


def text(most: int) -> Check:
    """Check for a text object, plain or mrkdwn, of at most *most* characters."""
    return choice({"plain_text": _plain(most), "mrkdwn": _mrkdwn(most)})


def plain(most: int) -> Check:
    """Check for a ``plain_text`` object of at most *most* characters."""
    return choice({"plain_text": _plain(most)})


def _plain(most: int) -> Check:
    return shape({"text": string(most)}, {"emoji": flag})


def _mrkdwn(most: int) -> Check:
    return shape({"text": string(most)}, {"verbatim": flag})
