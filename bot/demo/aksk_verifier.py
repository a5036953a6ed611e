"""Verification of SDK-HMAC-SHA256 signatures.

The steps: https://support.huaweicloud.com/intl/en-us/devg-apisign/api-sign-algorithm-002.html

Written for the local cloud alone, so that it can find a fault in the bot's own signer.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, unquote

from bot.demo.cloud_http import Refused, login_refused

ALGORITHM = "SDK-HMAC-SHA256"
_AUTHORIZATION = re.compile(
    ALGORITHM + r" (?:Access=(?P<access>\w+)|Credential=(?P<credential>\w+)/"
    r"(?P<scope>(?P<day>\d{8})/[\w-]*/[\w-]*/sdk_request)),"
    r" SignedHeaders=(?P<names>[a-z0-9;-]+), Signature=(?P<signature>[0-9a-f]{64})"
)
_MAX_SKEW_S = 15 * 60
_MAX_FAILURES = 5
_LOCKED_S = 5 * 60
_WRONG = "verify aksk signature fail"


@dataclass(slots=True)
class AccessKey:
    """A secret key, with a security token if it is temporary, and its failures."""

    sk: str
    security_token: str = ""
    failures: int = 0
    locked_until: float = 0.0


@dataclass(frozen=True, slots=True)
class Signed:
    """What a signature covers; header names in lower case, *target* as on the wire."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


def signature_of(
    signed: Signed, names: list[str], sk: str, *, scope: str | None = None
) -> str:
    """Return the signature over *signed* with the headers *names*; hexadecimal."""
    lines = [ALGORITHM, signed.headers["x-sdk-date"]]
    key = sk.encode()
    if scope is not None:
        lines.append(scope)
        key = b"SDK" + key
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
    lines.append(_sha256(_canonical(signed, sorted(names)).encode()))
    return hmac.digest(key, "\n".join(lines).encode(), "sha256").hex()


def _canonical(signed: Signed, names: list[str]) -> str:
    path, _, query = signed.target.partition("?")
    pairs = sorted(
        (quote(name, safe=""), quote(value, safe=""))
        for name, value in parse_qsl(query, keep_blank_values=True)
    )
    return "\n".join(
        (
            signed.method,
            quote(unquote(path), safe="/") + ("" if path.endswith("/") else "/"),
            "&".join(f"{name}={value}" for name, value in pairs),
            "".join(f"{name}:{signed.headers[name].strip()}\n" for name in names),
            ";".join(names),
            _sha256(signed.body),
        )
    )


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class KeyRing:
    """The access keys that the local cloud knows; *wall* is the real time."""

    def __init__(
        self, keys: Mapping[str, AccessKey], wall: Callable[[], float]
    ) -> None:
        self._keys = keys
        self._wall = wall

    def verify(self, signed: Signed) -> None:
        """Raise Refused unless *signed* carries a valid signature of a known key.

        Five failures in a row lock the key for five minutes, as in the real cloud.
        """
        found = _AUTHORIZATION.fullmatch(signed.headers["authorization"])
        if found is None:
            raise Refused(login_refused("signature format is wrong"))
        ak = found["access"] or found["credential"]
        key = self._keys.get(ak)
        if key is None:
            raise Refused(login_refused(f"Get secretKey failed, ak:{ak}"))
        if self._wall() < key.locked_until:
            text = "AK access failed to reach the limit,forbidden"
            raise Refused(login_refused(text))
        problem = self._problem(signed, found, key)
        self._count(key, failed=bool(problem))
        if problem:
            raise Refused(login_refused(problem))

    def _problem(
        self, signed: Signed, found: re.Match[str], key: AccessKey
    ) -> str | None:
        names = found["names"].split(";")
        date = signed.headers.get("x-sdk-date", "")
        if signed.headers.get("x-security-token", "") != key.security_token:
            return "decrypt token fail"
        if not _covers(names, signed.headers) or not self._is_current(date):
            return _WRONG
        if found["day"] is not None and not date.startswith(found["day"]):
            return _WRONG
        expected = signature_of(signed, names, key.sk, scope=found["scope"])
        same = hmac.compare_digest(expected, found["signature"])
        return None if same else _WRONG

    def _is_current(self, date: str) -> bool:
        if not re.fullmatch(r"\d{8}T\d{6}Z", date):
            return False
        try:
            sent = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        except ValueError:  # digits that are no date, such as month 13
            return False
        return abs(self._wall() - sent.timestamp()) <= _MAX_SKEW_S

    def _count(self, key: AccessKey, *, failed: bool) -> None:
        key.failures = key.failures + 1 if failed else 0
        if key.failures >= _MAX_FAILURES:
            key.failures = 0
            key.locked_until = self._wall() + _LOCKED_S


def _covers(names: list[str], headers: Mapping[str, str]) -> bool:
    """Whether the signature covers all it has to, and nothing that was not sent."""
    optional = {"x-project-id", "x-security-token"} & headers.keys()
    return {"host", "x-sdk-date"} | optional <= set(names) <= headers.keys()
