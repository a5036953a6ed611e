"""The kinds of text that the configuration holds. Pure.

Each check returns the text as it is used from then on, or raises ValueError with the
end of a sentence that says what is wrong; no check ever repeats a whole value.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
import unicodedata
import warnings
from collections.abc import Iterable
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

from bot.model import Seconds

ECHO_LIMIT = 40
LONGEST = 3650 * 86400.0  # seconds: ten years, so that a date can always be reckoned

# Slack's tokens, wherever they stand: https://docs.slack.dev/authentication/tokens
TOKEN = re.compile(r"(?i)xox[a-z](\.xox[a-z])?-|xapp-")
NAME = re.compile(r"\w[\w.-]{0,63}")
ID = re.compile(r"[A-Za-z0-9-]{1,64}")  # reference/modelarts.md section 10
ID_SHAPE = re.compile(r"(?i)(DE-)?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
USER = re.compile(r"[UW][A-Z0-9]+")
_REFERENCE = re.compile(r"[UWS][A-Z0-9]+|@[\w.-]{1,80}|\*")
_CHANNEL = re.compile(r"[CDG][A-Z0-9]+")
_LISTEN = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):([0-9]{1,5})")


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


# --- checks --------------------------------------------------------------------------


def name(text: str) -> str:
    """Check a name that people type: one word without anything that Slack formats."""
    if not NAME.fullmatch(unicodedata.normalize("NFKC", text)):
        raise ValueError(
            "cannot be typed as a name; use letters, digits, . _ and -,"
            " begin with a letter or a digit, and stay within 64 characters"
        )
    return text


def cloud_id(text: str) -> str:
    """Check an id before it may ever become part of a URL."""
    if not ID.fullmatch(text):
        raise ValueError("is not an id: 1 to 64 letters, digits and hyphens")
    return text


def reference(text: str) -> str:
    """Check a mention of people: a user, a user group, or everybody."""
    if not _REFERENCE.fullmatch(text):
        handle = f"@{text}"
        near = f'; did you mean "{handle}"?' if _REFERENCE.fullmatch(handle) else ""
        raise ValueError(
            "names nobody; write a user id (U… or W…), the id (S…) or @handle of a"
            f' user group, or "*" for every full member{near}'
        )
    return text


def channel(text: str) -> str:
    """Check the id of a conversation; its name may change at any time."""
    if not _CHANNEL.fullmatch(text):
        raise ValueError(
            "is not the id of a channel (C…); Slack shows it at the end of the"
            ' channel\'s "About" tab'
        )
    return text


def pattern(text: str) -> str:
    """Check a glob pattern."""
    if not text.strip():
        raise ValueError("is empty and matches nothing")
    return text


def regex(text: str) -> str:
    """Check a regular expression; one that Python warns of is wrong too."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            re.compile(text)
    except (re.error, OverflowError, RecursionError, Warning) as error:
        raise ValueError(f"is not a regular expression: {error}") from None
    return text


def host_port(text: str) -> tuple[str, int]:
    """Return host and port of an address to listen on; port 0 means any free one."""
    match = _LISTEN.fullmatch(text)
    if match is None or int(match[2]) > 65535:  # noqa: PLR2004
        raise ValueError('must be a host and a port, such as "127.0.0.1:8080"')
    return match[1].strip("[]"), int(match[2])


def listen(text: str) -> str:
    """Check an address to listen on."""
    host_port(text)
    return text


def _is_loopback(host: str) -> bool:
    """Say whether *host* is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def url(text: str) -> str:
    """Check the address of a service and return it without a slash at the end."""
    try:
        parts = urlsplit(text)
        host = parts.hostname if parts.port != 0 else None
    except ValueError:
        host = None
    odd = not text.isprintable() or set(text) & set("?#@\\ ")
    if odd or not host or parts.scheme not in {"http", "https"}:
        raise ValueError('must be an address such as "https://host.example.com/path"')
    if parts.scheme == "http" and not _is_loopback(host):
        raise ValueError(
            "must begin with https://, or everybody on the way can read the login"
        )
    return text.rstrip("/")


def maybe_url(text: str) -> str:
    """Check the address of a service that may be left empty."""
    return url(text) if text else ""


def folder_url(text: str) -> str:
    """Check the address of a service and return it with a slash at the end."""
    return url(text) + "/"


def database(text: str) -> str:
    """Check a database URL: a SQLite file, or PostgreSQL."""
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in {"sqlite", "postgresql"} or not rest.strip("/"):
        raise ValueError(
            'must be "sqlite:///file.db" or "postgresql://user@host/database"'
        )
    if not text.isprintable():
        raise ValueError("holds a character that cannot be in it")
    if scheme == "sqlite" and (not rest.startswith("/") or ":memory:" in rest):
        raise ValueError('must name a file, such as "sqlite:///mlstudio-bot.db"')
    if scheme == "postgresql":
        _readable_port(text)
    return text


def _readable_port(text: str) -> None:
    """Refuse a database URL whose host or port cannot be read."""
    try:
        _ = urlsplit(text).port
    except ValueError:
        raise ValueError("has a host or a port that cannot be read") from None


def span(length: float) -> float:
    """Check that a duration in seconds is one that can be reckoned with."""
    if length > LONGEST:
        raise ValueError('is too long; the longest is "3650d"')
    return length


Name = Annotated[str, AfterValidator(name)]
CloudId = Annotated[str, AfterValidator(cloud_id)]
Url = Annotated[str, AfterValidator(url)]
MaybeUrl = Annotated[str, AfterValidator(maybe_url)]
FolderUrl = Annotated[str, AfterValidator(folder_url)]
Listen = Annotated[str, AfterValidator(listen)]
Database = Annotated[str, AfterValidator(database)]
Span = Annotated[Seconds, AfterValidator(span)]
