"""Lines of the log and of ``check`` without what people typed, and without names.

A field is let through where it is known to hold a word of the bot's own, an id, a name
of the configuration, or a number; a new field is left out until it is named here.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bot.cli.bundle.screen import LEFT_OUT, Screen
from bot.errors import BotError

MOST_LOG_LINES = 10_000  # lines: the newest; what has happened is in the last of them
_OUR_WORDS = frozenset(
    {
        "timestamp",
        "level",
        "logger",
        "act",
        "asked",
        "auto_stop",
        "check",
        "code",
        "decision",
        "kind",
        "method",
        "mode",
        "outcome",
        "proof",
        "proven",
        "rule_version",
        "state",
        "rules",
        "source",
        "status",
        "step",
        "update",
        "urgent",
        "wants",
        "kinds",
        "listeners",
        "version",
        "way",
        "work",
    }
)
_IDS = frozenset(
    {
        "request",
        "request_id",
        "user",
        "user_id",
        "team_id",
        "channel",
        "channel_id",
        "group_id",
        "message_ts",
        "workflow",
        "peer",
        "ref",
        "hash",
        "previous_hash",
        "digest",
        "instance_id",
        "decided_by",
        "approvals",
        "at",
    }
)
_NAMES = frozenset({"project", "instance", "rule"})
_SENTENCES = frozenset(
    {
        "database",
        "configuration",
        "applied",
        "needs_restart",
        "error",
        "why",
        "warning",
        "problem",
        "problems",
        "answer",
    }
)
_WORD = re.compile(r"[\w .:+-]{0,60}")
_ID = re.compile(r"[\w.:+-]{1,80}")
_KEY = re.compile(r"[a-z_]{1,40}")
_EVENT = re.compile(r"[\w ,;.'’()-]{1,100}")
# Where a library's message begins to tell of this very case.
_CASE = re.compile(r"[\n:;({\[<=\"'“]")
_FRAME = re.compile(r"\s+File \".*\", line \d+, in \S+")
_RAISED = re.compile(r"((?:\w+\.)*\w*(?:Error|Exception|Interrupt|Exit|Timeout))\b")
_PERSON = re.compile(r"\b([UW][A-Z0-9]{5,}) \([^)]*\)")
_OWNERS = re.compile(r"(\[owners\] does not know )[^:]*")


def shown_lines(lines: Iterable[str], screen: Screen) -> str:
    """Return what ``check`` said without names of people, a line each."""
    return "".join(f"{screen.text(_nameless(line))}\n" for line in lines)


def _nameless(line: str) -> str:
    """Return a *line* of ``check`` without the names that people have."""
    return _OWNERS.sub(r"\1some", _PERSON.sub(r"\1", line))


def log_of(file: Path, screen: Screen) -> str:
    """Return the newest lines of a log as far as they may be read, a JSON object each.

    The last one says how many there were; what is no JSON is left out.
    Raises BotError if *file* cannot be read.
    """
    newest: deque[str] = deque(maxlen=MOST_LOG_LINES)
    read = 0
    try:
        with file.open(encoding="utf-8", errors="replace") as stream:
            for line in stream:
                newest.append(line)
                read += 1
    except OSError as error:
        raise BotError(f"{file} cannot be read: {error.strerror}") from error
    kept = [line for one in newest if (line := _shown_line(one, screen))]
    counts = {"lines": read, "looked at": len(newest), "shown": len(kept)}
    return "\n".join([*kept, json.dumps(counts)]) + "\n"


def _shown_line(line: str, screen: Screen) -> str:
    """Return what may be read of the object in a line; nothing where there is none.

    A container or the journal may have put something before it.
    """
    try:
        fields = json.loads(line[line.index("{") :])
        if not isinstance(fields, dict):
            return ""
        return json.dumps(screen.cleaned(shown(fields, screen)))
    except (ValueError, RecursionError):
        return ""


def shown(fields: Mapping[str, Any], screen: Screen) -> dict[str, Any]:
    """Return the *fields* of a line as far as they may be read."""
    ours = str(fields.get("logger", "")).startswith(("bot.", "audit"))
    typed = [
        value
        for key, value in fields.items()
        if isinstance(value, str) and _let(key, value, screen, ours=ours) == LEFT_OUT
    ]
    return {
        key if _KEY.fullmatch(key) else LEFT_OUT: _value(
            key, value, screen, typed, ours=ours
        )
        for key, value in fields.items()
    }


def _value(
    key: str, value: Any, screen: Screen, typed: list[str], *, ours: bool
) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list):
        return [_value(key, one, screen, typed, ours=ours) for one in value]
    if isinstance(value, dict):
        return shown(value, screen)
    if key in _SENTENCES:
        return screen.sentence(value, typed)
    return _let(key, value, screen, ours=ours)


def _let(key: str, value: str, screen: Screen, *, ours: bool) -> str:
    """Return the text *value* of the field *key*, or that it is left out."""
    if key == "event":
        return _event(value, ours=ours)
    if key in {"exception", "stack"}:
        return "\n".join(_frames(value))
    fits = (
        (key in _OUR_WORDS and _WORD.fullmatch(value))
        or (key in _IDS and _ID.fullmatch(value))
        or (key in _NAMES and value in screen.names)
        or key in _SENTENCES
        or not value
    )
    return value if fits else LEFT_OUT


def _event(text: str, *, ours: bool) -> str:
    """Return what happened: our events are constants, of a library's the beginning."""
    if ours:
        return text if _EVENT.fullmatch(text) else LEFT_OUT
    return _CASE.split(text, maxsplit=1)[0][:80].strip() or LEFT_OUT


def _frames(traceback: str) -> Iterator[str]:
    """Yield where it happened and what was raised, without its message."""
    for line in traceback.splitlines():
        if _FRAME.fullmatch(line):
            yield line
        elif raised := _RAISED.match(line):
            yield raised[1]
