"""Every sentence that the bot says in Slack: ``python -m tests.support.sentences``.

They are drawn from the records of the messages' own tests, so that what is printed is
what is tested. What a person, the cloud or a rule says in them is an example.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any

MARKS = re.compile(r"<!date\^[^|]*\|([^>]*)>|<[@#!][^>]*>")
ENDS = re.compile(r"(?<=[.!?])\s+(?=[A-Z@<“/])|\n")


def sentences(text: str) -> Iterator[str]:
    """Yield the sentences of a message's plain *text*, dates as they are shown."""
    shown = MARKS.sub(lambda found: found[1] or "@name", text)
    yield from (one.strip() for one in ENDS.split(shown) if one.strip())


def words(sentence: str) -> int:
    """Return how many words a sentence has; a sign, a dash or a bar is none."""
    return sum(any(char.isalnum() for char in word) for word in sentence.split())


def texts(value: Any) -> Iterator[str]:
    """Yield every text inside a dialog or a home page."""
    if isinstance(value, dict):
        if value.get("type") in ("plain_text", "mrkdwn"):
            yield value["text"].replace("`", "")
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


def said(
    messages: Mapping[str, Callable[..., Any]],
    views: Mapping[str, Callable[..., Any]],
    *of: object,
) -> dict[str, list[str]]:
    """Return the sentences of each message and view, drawn *of* a record, by name."""
    read = {name: list(sentences(draw(*of).text)) for name, draw in messages.items()}
    for name, draw in views.items():
        shown = dict.fromkeys(texts(draw(*of)))
        read[f"view: {name}"] = [one for text in shown for one in sentences(text)]
    return read


def main() -> None:
    """Print each sentence once, below the first message that says it."""
    told = import_module("tests.unit.test_messages").SAID
    seen: set[str] = set()
    for name, lines in told.items():
        fresh = [line for line in dict.fromkeys(lines) if line not in seen]
        seen.update(fresh)
        if fresh:
            print(f"\n== {name}", *fresh, sep="\n")


if __name__ == "__main__":
    main()
