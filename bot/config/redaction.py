"""Taking secrets out of a text, on whichever way it leaves. Pure.

A secret is known by its value, or by its looks; it is hidden as well where it is
written in escapes (``\\u002d``, ``\\/``, ``%2D``, ``&#45;``), also several times over:
who reads such a text reads the secret.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote

HIDDEN = "[hidden]"
_SHORTEST = 4  # a shorter word would blot out ordinary text and protects nothing
_DEPTH = 3  # as many times over escapes are read
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|([\\/\"'-]))")
_PERCENT = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
# Between a name and its value, in headers, JSON and reprs of pairs.
_IS = r"(?:[\"']\s*,\s*b?[\"']|[\"']?\s*[=:]\s*b?[\"']?)"
# Each hides its group, or all of it where it has none.
_PATTERNS = (
    re.compile(r"\bx(?:ox[a-z]|app)[-.][\w.-]{6,}"),  # Slack's tokens
    re.compile(r"\bgl(?:sa|c)_[\w-]{6,}"),  # Grafana's
    re.compile(r"(?i)\btoken token=([^\s\"',;]+)"),  # PagerDuty's, in its header
    re.compile(r"(?i)\bhttps://hooks\.slack(?:-gov)?\.com/(\S+)"),  # response_url
    re.compile(r"(?i)[?&](?:ticket|token)=([^\s&\"']+)"),  # the socket's ticket
    re.compile(rf"(?i)\bx-(?:auth|subject|security)-token{_IS}([^\s\"',;]+)"),
    re.compile(rf"(?i)\bauthorization{_IS}([^\"'\n]+)"),
    re.compile(rf"(?i)\b(?:password|secret|secret_?key){_IS}([^\s\"',;&]+)"),
    re.compile(r"(?i)\bbearer\s+([\w.~+/=-]{8,})"),
    re.compile(r"(?i)\bak:([\w-]+)"),  # the text of APIG.0301 names the access key
    re.compile(r"://[^\s/:@]*:([^\s/@]+)@"),  # a URL with a password
    re.compile(r"\b(?:gAAAAA|MII)[\w+/=-]{60,}"),  # Keystone's and IAM's tokens
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----((?s:.*?))-----END"),
)


def redactor(secrets: Iterable[str]) -> Callable[[str], str]:
    """Return a function that hides *secrets*, and what looks like one, in a text."""
    return _through_escapes(_hiding(secrets, _PATTERNS))


def hider(secrets: Iterable[str]) -> Callable[[str], str]:
    """Return a function that hides *secrets*, and nothing else, in a text."""
    return _through_escapes(_hiding(secrets, ()))


def cleaned(value: Any, clean: Callable[[str], str]) -> Any:
    """Return a JSON *value* in which every text went through *clean*."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(key): cleaned(each, clean) for key, each in value.items()}
    return (
        [cleaned(each, clean) for each in value] if isinstance(value, list) else value
    )


def _hiding(
    secrets: Iterable[str], patterns: Iterable[re.Pattern[str]]
) -> Callable[[str], str]:
    """Return what hides *secrets*, and what fits *patterns*, in a text as it stands."""
    forms = {form for secret in secrets for form in _forms(secret)}
    # The longest first: one secret may be the beginning of another.
    known = sorted(forms, key=len, reverse=True)

    def hide(text: str) -> str:
        for form in known:
            text = text.replace(form, HIDDEN)
        for pattern in patterns:
            text = pattern.sub(_hide, text)
        return text

    return hide


def _through_escapes(hide: Callable[[str], str]) -> Callable[[str], str]:
    """Return *hide* for a text and for what its escapes stand for."""

    def redact(text: str) -> str:
        text = told = hide(text)
        for _ in range(_DEPTH):
            read = unescaped(told)
            if read == told:
                break
            told = hide(read)
            if told != read:  # what was written in escapes is shown without them
                return redact(told)
        return text

    return redact


def unescaped(text: str) -> str:
    """Return *text* as a reader of JSON, of a URL or of HTML would read it once."""
    if "\\" in text:
        text = _ESCAPE.sub(_character, text)
    if "%" in text:
        text = _PERCENT.sub(lambda found: unquote(found[0], errors="replace"), text)
    return html.unescape(text) if "&" in text else text


def _character(found: re.Match[str]) -> str:
    """Return the character that an escape stands for."""
    return chr(int(found[1] or found[2], 16)) if found[1] or found[2] else found[3]


@lru_cache(maxsize=32)  # a token is thousands of characters, and asked for each time
def _forms(secret: str) -> frozenset[str]:
    """Return the shapes that *secret* takes in URLs, JSON and reprs."""
    if len(secret) < _SHORTEST:
        return frozenset()
    shapes = {
        secret,
        quote(secret, safe="", errors="replace"),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
    }
    return frozenset(shapes)


def _hide(match: re.Match[str]) -> str:
    """Return the text of *match* with its last group (or all of it) hidden."""
    whole, at = match[0], match.start()
    start, end = match.span(len(match.groups()))
    return whole[: start - at] + HIDDEN + whole[end - at :]
