"""Token login: an httpx.Auth that logs in to IAM once for everybody who waits.

The user's domain always goes out, and a token is kept for as long as IAM says:
https://support.huaweicloud.com/intl/en-us/api-modelarts/modelarts_03_0004.html
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import attrs
import httpx
import structlog
from pydantic import BaseModel, ValidationError

from bot.cloud.clocks import Clocks
from bot.cloud.error_mapping import because, host_of, result_of
from bot.cloud.error_response import problem_of, ref_of, skew_of
from bot.cloud.error_table import Meaning, row_of
from bot.cloud.login import Login, LoginBackoff
from bot.config import Endpoint
from bot.errors import CloudBusy, CloudError, CloudMisfit

LOGIN_PAUSE_S = 60.0  # accounts may lock, so a refused login rests this long
_LOGIN_TIMEOUT = httpx.Timeout(15.0, connect=5.0)
_EARLY_S = 600.0  # a token is renewed so long before it ends, but not before half-life
_UNSTATED_LIFE_S = 3600.0  # for an answer that does not say; a 401 would tell anyway
_LAST_DAYS = 14  # how long before its end a password is worth a warning

log = structlog.get_logger(__name__)

_REFUSALS = {
    400: "IAM did not accept the login: the user's domain is missing or wrong. Check"
    " OS_USER_DOMAIN_NAME and the id of project {p}.",
    401: "IAM refused the login: wrong user name, password or project. Check"
    " OS_USERNAME, OS_PASSWORD, OS_USER_DOMAIN_NAME and the id of project {p}.",
}
_LATER = (408, 429)  # statuses that say nothing about the login
_OTHER_REFUSAL = (
    "IAM gave no token: wrong iam_url for project {p}, or a user that may not log in"
    " by password (it has to be an IAM user without a second factor)."
)


class _User(BaseModel):
    password_expires_at: datetime | None = None


class _Token(BaseModel):
    """The part of IAM's answer that is used; the token itself is in a header."""

    issued_at: datetime | None = None
    expires_at: datetime | None = None
    user: _User | None = None

    @property
    def life_s(self) -> float:
        """How long it lives, by IAM's clock alone: ours may be wrong."""
        if self.issued_at is None or self.expires_at is None:
            return _UNSTATED_LIFE_S
        return (self.expires_at - self.issued_at).total_seconds()


class _Answer(BaseModel):
    token: _Token = _Token()


@dataclass(slots=True)
class Account:
    """One user at one IAM, shared by all projects that it logs in to.

    Until a login has succeeded, a refusal may be the password's fault and rests the
    whole account; later it is the fault of one project, until a second one is refused
    as well: then the password was changed.
    """

    login: Login
    pause: LoginBackoff
    proven: bool = False
    refused: TokenAuth | None = None  # the one project that was, since it was proven

    def is_refused(self, auth: TokenAuth) -> None:
        """Note that *auth* was refused: a second one is a doubt about the account."""
        self.proven = self.proven and self.refused in (None, auth)
        self.refused = auth

    def is_accepted(self) -> None:
        """Note that a login has succeeded."""
        self.proven, self.refused = True, None


@attrs.define(eq=False, slots=False)
class TokenAuth(httpx.Auth):
    """Sends a project's token along, and renews it early, or once when it is refused.

    *skew_s* is by how many seconds our clock was ahead of the cloud's at the last
    answer. *on_call* is told how each login ended.
    """

    _endpoint: Endpoint
    _account: Account
    _http: httpx.AsyncClient
    _clocks: Clocks
    _on_call: Callable[[str, str], None]
    _pause: LoginBackoff = attrs.field(init=False)
    _busy: LoginBackoff = attrs.field(init=False)
    _lock: asyncio.Lock = attrs.field(factory=asyncio.Lock, init=False)
    _token: str = attrs.field(default="", init=False)
    _renew_at: float = attrs.field(default=0.0, init=False)
    _ends_at: float = attrs.field(default=0.0, init=False)
    _failures: int = attrs.field(default=0, init=False)
    _failure: CloudError | None = attrs.field(default=None, init=False)
    skew_s: float | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._pause = LoginBackoff(LOGIN_PAUSE_S, self._clocks.monotonic)
        self._busy = LoginBackoff(LOGIN_PAUSE_S, self._clocks.monotonic)

    def check(self) -> None:
        """Raise at once what a refused login has said while logins rest."""
        if not self._token:
            self._resting.check()

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Send *request* with a token; send it once more if the token is refused.

        What acts is sent again only where that surely came before it was carried out.
        """
        used = await self.token()
        request.headers["X-Auth-Token"] = used
        response = yield request
        self._look_at_clock(response)
        if not response.is_success:
            await response.aread()
            problem = problem_of(response, self._clocks.now())
            row = row_of(problem.status, problem.code, acts=request.method != "GET")
            if row.meaning is Meaning.LOGIN:
                request.headers["X-Auth-Token"] = await self.token(refused=used)
                yield request

    async def token(self, refused: str = "") -> str:
        """Return a token other than the *refused* one; raise CloudError if none.

        Many may call at once: one logs in, the others get what it got.
        """
        failures = self._failures
        async with self._lock:
            if refused and self._token == refused:
                self._token = ""
            if self._token and self._clocks.monotonic() < self._renew_at:
                return self._token
            if self._failure and self._failures != failures:  # while this one waited
                raise copy(self._failure)
            return await self._renewed()

    async def _renewed(self) -> str:
        """Return a new token, or the old one if it still lives and IAM gives none."""
        try:
            self._resting.check()
            self._busy.check()
            await self._log_in()
        except CloudError as error:
            self._failure = error
            self._failures += 1
            if not self._token or self._clocks.monotonic() >= self._ends_at:
                self._token = ""
                raise
            self._renew_at = self._clocks.monotonic() + LOGIN_PAUSE_S
        return self._token

    @property
    def _resting(self) -> LoginBackoff:
        """The pause that a refused login starts."""
        return self._pause if self._account.proven else self._account.pause

    async def _log_in(self) -> None:
        """Log in once and keep the token."""
        try:
            response = await self._ask()
            token = response.headers.get("X-Subject-Token", "")
            if not (response.is_success and token):
                raise self._refusal(response)
        except CloudError as error:
            self._on_call("login", result_of(error))
            raise
        self._on_call("login", "ok")
        self._keep(token, response)

    async def _ask(self) -> httpx.Response:
        """Send the login; raise CloudBusy when IAM cannot be reached."""
        try:
            response = await self._http.request(
                "POST",
                f"{self._endpoint.iam_url.rstrip('/')}/auth/tokens?nocatalog=true",
                json=self._question(),
                auth=None,
                follow_redirects=False,
                timeout=_LOGIN_TIMEOUT,
            )
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as exc:
            sentence = "The iam_url of project {p} is wrong."
            raise CloudMisfit(self._say(sentence)) from exc
        except httpx.RequestError as exc:
            sentence = "IAM, the cloud's login service, cannot be reached at {host}."
            raise because(CloudBusy(self._say(sentence)), exc) from exc
        self._look_at_clock(response)
        return response

    def _question(self) -> dict[str, Any]:
        """Return the body of the login; the user's domain always goes out."""
        login = self._account.login
        user = {
            "name": login.username,
            "password": login.password.get_secret_value(),
            "domain": {"id": login.user_domain_id}
            if login.user_domain_id
            else {"name": login.user_domain_name},
        }
        return {
            "auth": {
                "identity": {"methods": ["password"], "password": {"user": user}},
                "scope": {"project": {"id": self._endpoint.project_id}},
            }
        }

    def _refusal(self, response: httpx.Response) -> CloudError:
        """Return the error for a login without a token; the answer's own words are
        not in its sentence, which anybody may get to see.
        """
        status, ref = response.status_code, ref_of(response)
        if status in _LATER or response.is_server_error:
            sentence = "IAM, the cloud's login service, is down or limits our logins."
            wait_s = problem_of(response, self._clocks.now()).retry_after
            busy = CloudBusy(sentence, status=status, ref=ref, retry_after=wait_s)
            busy.why = self._words(response)
            return self._busy.start(busy, min(wait_s or 0.0, LOGIN_PAUSE_S))
        self._account.is_refused(self)
        sentence = self._say(_REFUSALS.get(status, _OTHER_REFUSAL))
        misfit = CloudMisfit(sentence, status=status, ref=ref)
        misfit.why = self._words(response)
        return self._resting.start(misfit)

    def _words(self, response: httpx.Response) -> str:
        """Return IAM's own words, which only who runs the bot gets to see."""
        said = problem_of(response, self._clocks.now()).message
        for secret in self._account.login.hidden:
            said = said.replace(secret, "(hidden)")
        return f"IAM says “{said}”"

    def _say(self, sentence: str) -> str:
        """Fill in the names of project and host."""
        host = host_of(self._endpoint.iam_url)
        return sentence.format(p=self._endpoint.project, host=host)

    def _keep(self, token: str, response: httpx.Response) -> None:
        """Keep *token* for as long as IAM says it lives, from now on our clock."""
        try:
            told = _Answer.model_validate_json(response.content).token
        except ValidationError:  # the header is what counts
            told = _Token()
        at = self._clocks.monotonic()
        self._token = token
        self._ends_at = at + told.life_s
        self._renew_at = at + max(told.life_s - _EARLY_S, told.life_s / 2)
        self._failure = None
        self._account.is_accepted()
        self._warn(told)

    def _warn(self, told: _Token) -> None:
        """Tell the operator in time that the password ends."""
        ends = told.user and told.user.password_expires_at
        if not ends:
            return
        days = (ends.timestamp() - self._clocks.now()) / 86400
        if days < _LAST_DAYS:
            log.warning("cloud_password_expires", at=ends.isoformat(), days=int(days))

    def _look_at_clock(self, response: httpx.Response) -> None:
        skew_s = skew_of(response, self._clocks.now())
        self.skew_s = self.skew_s if skew_s is None else skew_s
