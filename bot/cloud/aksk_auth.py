"""Key login: signs every request with SDK-HMAC-SHA256.

The steps: https://support.huaweicloud.com/intl/en-us/devg-apisign/api-sign-algorithm-002.html
The form "access" is that of the Huawei SDKs, "credential" that of OTC's documentation.
"""

from __future__ import annotations

import hmac
from collections.abc import AsyncGenerator, Callable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import parse_qsl, quote, unquote

import attrs
import httpx

from bot.cloud.error_mapping import Asked, host_of, sentence_of
from bot.cloud.error_response import Problem, problem_of, skew_of
from bot.cloud.error_table import Meaning, row_of
from bot.cloud.login import Login, LoginBackoff
from bot.config import Endpoint
from bot.errors import CloudMisfit

ALGORITHM = "SDK-HMAC-SHA256"
# More than five refusals in a row lock a key for 5 minutes, so the first one pauses it.
KEY_PAUSE_S = 300.0
_WORTH_SAYING_S = 60.0


def canonical_request(
    method: str, target: str, headers: Mapping[str, str], body: bytes
) -> str:
    """Return the text whose hash is signed; *target* is path and query as sent.

    Exactly the given *headers* are signed.
    """
    path, _, query = target.partition("?")
    encoded = "/".join(_encode(unquote(part)) for part in path.split("/"))
    lines = sorted((name.lower(), value.strip()) for name, value in headers.items())
    return "\n".join(
        (
            method.upper(),
            # In the signed text only; what is sent stays as it is.
            encoded if encoded.endswith("/") else f"{encoded}/",
            _canonical_query(query),
            "".join(f"{name}:{value}\n" for name, value in lines),
            ";".join(name for name, _ in lines),
            sha256(body).hexdigest(),
        )
    )


def _canonical_query(query: str) -> str:
    """Return *query* encoded anew and sorted; an empty value keeps its ``=``."""
    pairs = parse_qsl(query, keep_blank_values=True)
    encoded = sorted((_encode(name), _encode(value)) for name, value in pairs)
    return "&".join(f"{name}={value}" for name, value in encoded)


def _encode(text: str) -> str:
    """Percent-encode everything but the unreserved characters."""
    return quote(text, safe="-_.~")


def authorization(
    canonical: str,
    headers: Mapping[str, str],
    date: str,
    *,
    ak: str,
    sk: str,
    scope: tuple[str, str] | None = None,
) -> str:
    """Return the ``Authorization`` for a *canonical* request of *date* (ISO basic).

    *scope*, region and service, asks for the form "credential".
    """
    names = ";".join(sorted(name.lower() for name in headers))
    digest = sha256(canonical.encode()).hexdigest()
    if scope is None:
        signature = _hmac(sk.encode(), f"{ALGORITHM}\n{date}\n{digest}").hex()
        who = f"Access={ak}"
    else:
        steps = (date[:8], *scope, "sdk_request")
        key = f"SDK{sk}".encode()
        for step in steps:
            key = _hmac(key, step)
        text = f"{ALGORITHM}\n{date}\n{'/'.join(steps)}\n{digest}"
        signature = _hmac(key, text).hex()
        who = f"Credential={ak}/{'/'.join(steps)}"
    return f"{ALGORITHM} {who}, SignedHeaders={names}, Signature={signature}"


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


@attrs.define(eq=False, slots=False)
class SigningAuth(httpx.Auth):
    """Signs the requests of one project; a refusal is final and pauses the key.

    *skew_s* is by how many seconds our clock was ahead of the cloud's at the last
    answer. *pause* belongs to the key, so it is shared by all projects.
    """

    _endpoint: Endpoint
    _login: Login
    _pause: LoginBackoff
    _now: Callable[[], float]
    skew_s: float | None = attrs.field(default=None, init=False)

    def check(self) -> None:
        """Raise at once what a refusal has said while the key rests."""
        self._pause.check()

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Sign *request*; raise CloudMisfit when the key is refused."""
        self._pause.check()
        self._sign(request)
        response = yield request
        now = self._now()
        skew = skew_of(response, now)
        self.skew_s = self.skew_s if skew is None else skew
        if response.is_client_error:
            await response.aread()
            problem = problem_of(response, now)
            if refuses_key(problem, acts=request.method != "GET"):
                raise self._pause.start(self._refusal(problem, skew))

    def _sign(self, request: httpx.Request) -> None:
        """Add the date, the project, a temporary key's token and the signature."""
        point = self._endpoint
        date = datetime.fromtimestamp(self._now(), UTC).strftime("%Y%m%dT%H%M%SZ")
        signed = {"x-sdk-date": date, "x-project-id": point.project_id}
        if token := self._login.security_token.get_secret_value():
            signed["x-security-token"] = token
        request.headers.update(signed)
        signed["host"] = request.headers["host"]
        canonical = canonical_request(
            request.method, request.url.raw_path.decode(), signed, request.content
        )
        request.headers["authorization"] = authorization(
            canonical,
            signed,
            date,
            ak=self._login.ak.get_secret_value(),
            sk=self._login.sk.get_secret_value(),
            scope=(point.region, point.service)
            if point.signature == "credential"
            else None,
        )

    def _refusal(self, problem: Problem, skew_s: float | None) -> CloudMisfit:
        """Return what people read while the key rests."""
        host = host_of(self._endpoint.modelarts_url)
        said = sentence_of(problem, Asked("", self._endpoint.project, host))
        return CloudMisfit(
            f"{said} No call is made with this access key for 5 minutes, because the"
            " cloud locks a key that is refused again and again. Check"
            f" HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK.{_clock_hint(skew_s)}",
            status=problem.status,
            code=problem.code,
            ref=problem.ref,
        )


def refuses_key(problem: Problem, *, acts: bool = False) -> bool:
    """Say whether a *problem* counts towards the lock of the key.

    One that may have come after an act says nothing of the key: the next look will.
    """
    row = row_of(problem.status, problem.code, acts=acts)
    if row.meaning is Meaning.UNKNOWN:
        return False
    unauthorized = problem.status == httpx.codes.UNAUTHORIZED
    login = row.meaning is Meaning.LOGIN
    key = problem.status == httpx.codes.FORBIDDEN and problem.code == "ModelArts.0206"
    return unauthorized or login or key


def _clock_hint(skew_s: float | None) -> str:
    """Return a sentence on our clock when it is off by a minute or more."""
    if skew_s is None or abs(skew_s) < _WORTH_SAYING_S:
        return ""
    way = "ahead of" if skew_s > 0 else "behind"
    return (
        f" This host's clock is {abs(skew_s) / 60:.0f} min {way} the cloud's, which"
        " refuses more than 15: check its time service."
    )
