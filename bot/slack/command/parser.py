"""What somebody typed after the slash command, as a value. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence

from bot.model import REASON_LIMIT
from bot.model.freeze import FREEZE_REASON_LIMIT
from bot.model.wall_clock import is_date, is_end, is_time
from bot.slack.command.commands import (
    BREAK_GLASS,
    NAMES,
    Can,
    Cancel,
    Command,
    Freeze,
    Help,
    History,
    List,
    Mistake,
    OnCall,
    Restart,
    Several,
    Start,
    Status,
    Thaw,
    usage,
)
from bot.slack.command.tokenizer import (
    LED_BY_DASH,
    MARKUP,
    WORD,
    ascii_name,
    cleaned,
    names,
    plain,
    take,
)

PATTERN = frozenset("*?[")  # what makes a pattern of a name

_FLAG = re.compile(r"-+break[-_]?glass")
_USER = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^<>]*)?>")


def parse(text: str) -> Command:
    """Return the command that *text*, as it came with the slash command, means."""
    rest, broken = _without_flag(cleaned(text))
    word, rest = take(rest)
    name = word.casefold()
    if name in {"", "help", "--help", "-h", "-help", "?"}:
        return _flag_misplaced() if broken else Help()
    if name == "restart":
        return _restart(rest, break_glass=broken)
    if name == "start":
        return _start(rest, break_glass=broken)
    if name not in {"freeze", *_PARSERS}:
        return _unknown(word)
    if broken:
        return _flag_misplaced()
    if name == "freeze":
        return _freeze(rest)
    return _PARSERS[name](names(rest))


def _without_flag(text: str) -> tuple[str, bool]:
    """Return *text* without ``--break-glass``, and whether it was there."""
    words = WORD.findall(text)
    kept = [word for word in words if not _is_flag(word)]
    return " ".join(kept), len(kept) < len(words)


def _is_flag(word: str) -> bool:
    """Say whether *word* is ``--break-glass``, however its dashes were typed."""
    flag = _FLAG.fullmatch(ascii_name(word).casefold())
    return flag is not None and not MARKUP.search(word)


def _restart(text: str, *, break_glass: bool) -> Restart | Several | Mistake:
    """Return the restart, of one instance or of several, that *text* asks for."""
    project, rest = take(text)
    instances, rest = _take_list(rest)
    reason = " ".join(plain(rest).split())
    wrong = _wrong_name((project, *instances)) or _wrong_reason(rest, reason)
    if wrong:
        return wrong
    if len(instances) > 1 or PATTERN & set("".join(instances)):
        return Several(project, instances, reason, break_glass)
    return Restart(project, "".join(instances), reason, break_glass)


def _start(text: str, *, break_glass: bool) -> Start | Mistake:
    """Return the start, of one instance, that *text* asks for."""
    project, rest = take(text)
    instance, rest = take(rest)
    reason = " ".join(plain(rest).split())
    wrong = _wrong("start", [one for one in (project, instance) if one], 2, 2)
    wrong = wrong or _wrong_reason(rest, reason)
    return wrong or Start(project, instance, reason, break_glass)


def _wrong_reason(rest: str, reason: str) -> Mistake | None:
    """Return what is wrong with the *reason*, typed as *rest*, if anything."""
    if wrong := _wrong_flag(rest):
        return wrong
    if len(reason) <= REASON_LIMIT:
        return None
    return Mistake(
        f"The reason has {len(reason)} characters, and at most {REASON_LIMIT} are"
        " possible: shorten it and send the command again."
    )


def _take_list(text: str) -> tuple[tuple[str, ...], str]:
    """Return the first names of *text*, which commas connect, and the rest."""
    words, text = take(text)
    while text and (words.endswith(",") or text.startswith(",")):
        word, text = take(text)
        words += word
    names = (name.strip() for name in words.split(","))
    return tuple(dict.fromkeys(filter(None, names))), text


def _freeze(text: str) -> Freeze | Mistake:
    """Return the freeze that *text* asks for."""
    project, rest = take(text)
    if wrong := _wrong("freeze", [project] if project else [], 1, 1):
        return wrong
    until, rest = _take_end(rest)
    if not until:
        return Mistake(
            "Until when? Type a time (18:00, 2026-12-27 08:00) or how long (2h, 3d)"
            f" after the project: {_usage('freeze')}"
        )
    reason = " ".join(plain(rest).split())
    if not reason:
        return Mistake(f"A freeze needs a reason after its end: {_usage('freeze')}")
    if len(reason) > FREEZE_REASON_LIMIT:
        return Mistake(
            f"The reason has {len(reason)} characters, and at most"
            f" {FREEZE_REASON_LIMIT} are possible: shorten it and send it again."
        )
    return Freeze(project, until, reason)


def _take_end(text: str) -> tuple[str, str]:
    """Return the end of a freeze that *text* begins with, or nothing, and the rest."""
    word, rest = take(text)
    if word.casefold() in {"until", "till", "for"}:
        word, rest = take(rest)
    if is_date(word):
        clock, rest = take(rest)
        return (f"{word} {clock}" if is_time(clock) else ""), rest
    return (word if is_end(word) else ""), rest


def _thaw(words: Sequence[str]) -> Thaw | Mistake:
    """Return the wish to thaw."""
    return _wrong("thaw", words, 1, 1) or Thaw(words[0])


def _status(words: Sequence[str]) -> Status | Mistake:
    """Return the question for a status."""
    return _wrong("status", words, 2, 2) or Status(words[0], words[1])


def _list(words: Sequence[str]) -> List | Mistake:
    """Return the question for a list."""
    return _wrong("list", words, 1, 1) or List(words[0])


def _history(words: Sequence[str]) -> History | Mistake:
    """Return the question for the history."""
    return _wrong("history", words, 0, 2) or History(*words)


def _cancel(words: Sequence[str]) -> Cancel | Mistake:
    """Return the wish to cancel."""
    return _wrong("cancel", words, 2, 2) or Cancel(words[0], words[1])


def _can(words: Sequence[str]) -> Can | Mistake:
    """Return the question who may; the user may stand anywhere."""
    users = [match[1] for match in map(_USER.fullmatch, words) if match]
    others = [word for word in words if not _USER.fullmatch(word)]
    unresolved = next((word for word in others if word.startswith(("@", "<@"))), "")
    if unresolved:
        return Mistake(
            f"Slack did not tell who {_shown(unresolved)} is: type @ and pick the"
            " person from the list that opens."
        )
    if len(users) > 1:
        return Mistake(f"Only one user can be asked about: {_usage('can')}")
    return _wrong("can", others, 2, 2) or Can(others[0], others[1], "".join(users))


def _on_call(words: Sequence[str]) -> OnCall | Mistake:
    """Return the question who is on call."""
    return _wrong("oncall", words, 0, 0) or OnCall()


_PARSERS: dict[str, Callable[[Sequence[str]], Command]] = {
    "status": _status,
    "list": _list,
    "history": _history,
    "can": _can,
    "oncall": _on_call,
    "cancel": _cancel,
    "thaw": _thaw,
}

# --- mistakes ------------------------------------------------------------------------


def _wrong(name: str, words: Sequence[str], least: int, most: int) -> Mistake | None:
    """Return what is wrong with the *words* after the command *name*, if anything."""
    wrong = _wrong_name(words)
    if wrong:
        return wrong
    if len(words) < least:
        return Mistake(f"A name is missing: {_usage(name)}")
    if len(words) > most:
        extra = _shown(words[most])
        return Mistake(f"The word {extra} is one too many: {_usage(name)}")
    return None


def _wrong_name(words: Sequence[str]) -> Mistake | None:
    """Return what is wrong with *words* that are to be names, if anything."""
    for word in words:
        if "<" in word:
            return Mistake(
                "The name of a project or an instance cannot be a mention or a link,"
                " and cannot hold <: type it as plain text."
            )
        if word.startswith("-"):
            return _unknown_flag(word, 0.6)
    return None


def _wrong_flag(reason: str) -> Mistake | None:
    """Return that a word of the *reason* is a misspelt flag, if one is.

    Other words that begin with a dash are part of the reason.
    """
    for word in WORD.findall(reason):
        if LED_BY_DASH.match(word):
            mistake = _unknown_flag("--" + ascii_name(word).lstrip("-"), 0.75)
            if mistake.guess:
                return mistake
    return None


def _unknown_flag(word: str, cutoff: float) -> Mistake:
    """Return that *word* is no flag, with a guess if it is near enough."""
    near = difflib.get_close_matches(word.casefold()[:64], [BREAK_GLASS], 1, cutoff)
    said = f"There is no flag {_shown(word)}; the only one is {BREAK_GLASS}."
    return Mistake(said, "".join(near))


def _flag_misplaced() -> Mistake:
    """Return that only a restart can break the glass."""
    return Mistake(f"{BREAK_GLASS} goes with a restart only: {_usage('restart')}")


def _unknown(word: str) -> Mistake:
    """Return that *word* is no command, with a guess if one is near."""
    near = difflib.get_close_matches(word.casefold()[:64], NAMES, n=1)
    said = f"There is no command {_shown(word)}; {_usage('help')} to see all."
    return Mistake(said, "".join(near), lost=True)


def _usage(name: str) -> str:
    """Return how the command *name* is typed."""
    return f"type /mlstudio {usage(name)}"


def _shown(word: str) -> str:
    """Return at most 40 harmless characters of a *word*, in quotes."""
    harmless = "".join(c if c.isalnum() or c in "._-@" else "?" for c in word)
    return f'"{harmless[:39]}…"' if len(word) > 40 else f'"{harmless}"'  # noqa: PLR2004
