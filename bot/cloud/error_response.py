"""What a failed answer says, whichever of its four shapes it has; never raises.

They are those of the old instance API (``error_message``), of the gateway and newer
ModelArts (``error_msg``), of IAM and Keystone (``error``), and whatever a proxy sends.
https://support.huaweicloud.com/intl/en-us/api-modelarts/modelarts_03_0003.html
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import httpx

LONGEST_TEXT = 200  # characters of the cloud's own words that a person is shown
LONGEST_REF = 128  # characters of the cloud's id of a request
LONGEST_RETRY_S = 60.0

# Where the cloud names the request for its support, in order of preference.
_REF_HEADERS = ("X-Request-Id", "X-IAM-Trace-Id", "x-openstack-request-id")

# "Get secretKey failed, ak:..." is a real text of APIG.0301: what follows such a word
# is hidden, and so is whatever has the form of a key or of a token.
_NAMED_SECRET = re.compile(
    r"""(?ix) \b (ak | sk | access[ _-]?key(?:[ _-]?id)? | secret(?:[ _-]?key)?
    | [a-z-]*token | password) (["']? \s* [:=] \s* ["']?) [^\s,;"')}\]]+"""
)
_BARE_SECRET = re.compile(
    r"\b(?=[A-Z0-9]*[A-Z])[A-Z0-9]{16,}\b|\bMII[\w+/=-]{20,}|[\w+=-]{40,}"
)


@dataclass(frozen=True, slots=True)
class Problem:
    """A failed answer: HTTP *status*, the cloud's *code* and *message*, its *ref*.

    *retry_after* is the wait that it asks for in seconds, 60 at most, or None.
    """

    status: int
    code: str = ""
    message: str = ""
    ref: str = ""
    retry_after: float | None = None


def word(value: object, limit: int = LONGEST_TEXT) -> str:
    """Return a text or number of foreign JSON in one line, anything else as ""."""
    return _cut(_line(value), limit)


def words(value: object) -> str:
    """Return free text of the cloud as ``word`` does, without any secret in it."""
    line = _NAMED_SECRET.sub(r"\1\2***", _line(value))
    return _cut(_BARE_SECRET.sub("***", line), LONGEST_TEXT)


def _line(value: object) -> str:
    """Return *value* without control characters and line breaks."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return " ".join("".join(map(_visible, str(value)[:4000])).split())


def _visible(character: str) -> str:
    """Return what stands for a *character*: words stay apart, and keys whole."""
    if character.isspace():
        return " "
    return "" if unicodedata.category(character)[0] == "C" else character


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def body_of(response: httpx.Response) -> dict[str, Any]:
    """Return the JSON object that an answer carries; empty when it carries none."""
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError):  # HTML, text, nothing, or nested to absurdity
        return {}
    return body if isinstance(body, dict) else {}


def ref_of(response: httpx.Response, body: dict[str, Any] | None = None) -> str:
    """Return the cloud's id of this request, which its support asks for."""
    headers = (response.headers.get(name, "") for name in _REF_HEADERS)
    given = ((body or {}).get("request_id"), *headers)
    return next(filter(None, (word(one, LONGEST_REF) for one in given)), "")


def problem_of(response: httpx.Response, now: float) -> Problem:
    """Read a failed answer; *now* is our wall clock in seconds."""
    body = body_of(response)
    inner = body.get("error")
    error = inner if isinstance(inner, dict) else {"message": inner}
    status = response.status_code
    code = _first(body, "error_code", "code") or _first(error, "code")
    return Problem(
        status=status,
        code="" if code == str(status) else code,  # Keystone repeats the status
        message=_first(body, "error_msg", "error_message", "message", form=words)
        or _first(error, "message", "title", form=words)
        or phrase(status),
        ref=ref_of(response, body),
        retry_after=_retry_after(response, now),
    )


def _first(
    fields: dict[str, Any], *names: str, form: Callable[[object], str] = word
) -> str:
    """Return the first of the named *fields* that says anything, in *form*."""
    return next(filter(None, (form(fields.get(name)) for name in names)), "")


def phrase(status: int) -> str:
    """Return what HTTP itself calls *status*."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "no explanation"


def sent_at(response: httpx.Response) -> float | None:
    """Return the cloud's clock when it answered (POSIX seconds), if it says so."""
    return _http_date(response.headers.get("Date", ""))


def told_ms(response: httpx.Response) -> int | None:
    """Return the cloud's clock when it answered, in milliseconds, if it says so."""
    at = sent_at(response)
    return None if at is None else int(at * 1000)


def skew_of(response: httpx.Response, now: float) -> float | None:
    """Return by how many seconds our clock is ahead of the cloud's (< 0: behind)."""
    theirs = sent_at(response)
    return None if theirs is None else now - theirs


def _http_date(text: str) -> float | None:
    """Return the POSIX seconds of an HTTP date, or None if it is none."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError, OSError):
        return None


def _retry_after(response: httpx.Response, now: float) -> float | None:
    """Return the wait that ``Retry-After`` asks for, as seconds or as an HTTP date."""
    text = response.headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
        return min(float(text), LONGEST_RETRY_S)
    until = _http_date(text)
    if until is None:
        return None
    base = sent_at(response) or now  # their own clock, so that skew does not matter
    return min(max(until - base, 0.0), LONGEST_RETRY_S)
