"""The two calls that the bot makes to ModelArts: look at an instance, restart it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Self

import attrs
import httpx

from bot.cloud.aksk_auth import KEY_PAUSE_S, SigningAuth
from bot.cloud.clocks import Clocks
from bot.cloud.error_mapping import Asked, broken, failure, host_of, lost, result_of
from bot.cloud.error_response import body_of, problem_of, ref_of
from bot.cloud.login import Login, LoginBackoff
from bot.cloud.rate_limiter import Rank, RateLimiter
from bot.cloud.schemas import InstanceAnswer, RestartAnswer
from bot.cloud.token_auth import LOGIN_PAUSE_S, Account, TokenAuth
from bot.config import Endpoint, Secrets, Settings
from bot.config.redaction import cleaned, hider
from bot.config.tables import ID
from bot.errors import CloudError, CloudMisfit, CloudRefused
from bot.model import Answer, Instance, Target

_CONNECT_S, _READ_S, _RESTART_S = 5.0, 15.0, 30.0
_NOBODY = "00000000-0000-0000-0000-000000000000"  # the id of no instance
_PROOFS = ("X-Auth-Token", "X-Security-Token", "Authorization")
_FRAMING = {"content-length", "content-encoding", "transfer-encoding"}
_NO_INSTANCE = "ModelArts.6309"
_REAL = Clocks()


def _ignore(kind: str, result: str) -> None:
    """Count nothing."""


@attrs.frozen
class Seen:
    """What the cloud said about an instance when it was read, *age_s* seconds ago."""

    instance: Instance
    age_s: float


class Cloud:
    """Reads and restarts instances; every failure is a CloudError.

    *on_call* is told of every call: its kind (login, read, restart) and its result
    (ok, refused, misfit, follow, busy, unknown). *http* belongs to the caller.
    """

    def __init__(
        self,
        endpoints: Mapping[str, Endpoint],
        login: Login,
        http: httpx.AsyncClient,
        *,
        calls_per_minute: float = 60,
        clocks: Clocks = _REAL,
        on_call: Callable[[str, str], None] = _ignore,
    ) -> None:
        self._endpoints = dict(endpoints)
        self._login = login
        self._http = http
        self._clocks = clocks
        self._on_call = on_call
        self._limiter = RateLimiter(
            calls_per_minute, clock=clocks.monotonic, sleep=clocks.sleep
        )
        self._key_pause = LoginBackoff(KEY_PAUSE_S, clocks.monotonic)
        self._accounts: dict[tuple[str, str], Account] = {}  # by iam_url and cloud
        self._auths: dict[Endpoint, TokenAuth | SigningAuth] = {}
        self._seen_at: dict[str, tuple[float, Instance]] = {}  # by the instance's key

    @classmethod
    def of(
        cls,
        settings: Settings,
        secrets: Secrets,
        http: httpx.AsyncClient,
        *,
        on_call: Callable[[str, str], None] = _ignore,
    ) -> Self:
        """Return the cloud as *settings* and *secrets* say that it is reached."""
        return cls(
            settings.endpoints,
            Login.of(secrets),
            http,
            calls_per_minute=settings.cloud.calls_per_minute,
            on_call=on_call,
        )

    def use(self, endpoints: Mapping[str, Endpoint]) -> None:
        """Take new *endpoints* from now on; logins of unchanged ones stay."""
        self._endpoints = dict(endpoints)

    async def read(self, target: Target, *, rank: Rank = Rank.QUESTION) -> Instance:
        """Return what the cloud says about an instance now.

        *rank* says whom it lets go first while calls are scarce.
        """
        with self._counted("read"):
            asked, url, auth = self._prepared(target)
            auth.check()  # before the queue: a login that rests answers at once
            await self._limiter.wait(rank)
            response = await self._send("GET", url, auth, asked)
            instance = self._described(response, target, asked)
        self._seen_at[target.key] = self._clocks.monotonic(), instance
        return instance

    def seen(self, target: Target) -> Seen | None:
        """Return what was last read of an instance, by whomever; asks nobody.

        None: nothing yet in this process, or nothing since its restart was sent.
        """
        if target.key not in self._seen_at:
            return None
        at, instance = self._seen_at[target.key]
        return Seen(instance, self._clocks.monotonic() - at)

    def forget(self, target: Target) -> None:
        """Forget what was last read of an instance."""
        self._seen_at.pop(target.key, None)

    async def restart(self, target: Target) -> Answer:
        """Restart an instance with one POST; it is never sent again from here.

        The one exception is a token refused before anything was carried out.
        """
        with self._counted("restart"):
            asked, url, auth = self._prepared(target, restart=True)
            self._limiter.take()
            self.forget(target)
            response = await self._send("POST", f"{url}/action", auth, asked)
            return self._accepted(response, asked)

    async def log_in(self, project: str) -> None:
        """Prove the login of *project*; a key is proven by using it."""
        auth = self._auth(self._endpoint(project))
        if isinstance(auth, TokenAuth):
            await auth.token()
        else:
            await self.prove(project)

    async def prove(self, project: str) -> None:
        """Prove login, endpoint and the right to look by a look at no instance."""
        point = self._endpoint(project)
        try:
            await self.read(Target(project, point.project_id, _NOBODY, _NOBODY))
        except CloudRefused as error:
            if error.code != _NO_INSTANCE:
                raise

    def skew_s(self, project: str) -> float | None:
        """Return by how many seconds our clock is ahead of the cloud's, if known."""
        return self._auth(self._endpoint(project)).skew_s

    def _prepared(
        self, target: Target, *, restart: bool = False
    ) -> tuple[Asked, str, TokenAuth | SigningAuth]:
        """Return what goes into sentences, the URL and the login for a call."""
        point = self._endpoint(target.project)
        _check_id("project", target.project_id)
        _check_id("instance", target.instance_id)
        if target.project_id != point.project_id:
            raise CloudMisfit(
                f"Project {target.project} has another id now than when this was asked."
            )
        base = point.modelarts_url.rstrip("/")
        url = f"{base}/v1/{target.project_id}/demanager/instances/{target.instance_id}"
        host = host_of(base)
        asked = Asked(target.instance, target.project, host, restart=restart)
        return asked, url, self._auth(point)

    def _endpoint(self, project: str) -> Endpoint:
        """Return the endpoint of *project*, which a reload may have removed."""
        if project not in self._endpoints:
            raise CloudMisfit(f"Project {project} is not in the bot's configuration.")
        return self._endpoints[project]

    def _auth(self, point: Endpoint) -> TokenAuth | SigningAuth:
        """Return the login of an endpoint, made when it is needed first."""
        if point not in self._auths:
            self._auths[point] = self._new_auth(point)
        return self._auths[point]

    def _new_auth(self, point: Endpoint) -> TokenAuth | SigningAuth:
        if point.auth == "aksk":
            return SigningAuth(point, self._login, self._key_pause, self._clocks.now)
        login = self._login.at(point.cloud)
        account = self._accounts.setdefault(
            (point.iam_url, point.cloud),
            Account(login, LoginBackoff(LOGIN_PAUSE_S, self._clocks.monotonic)),
        )
        return TokenAuth(point, account, self._http, self._clocks, self._on_call)

    async def _send(
        self, method: str, url: str, auth: httpx.Auth, asked: Asked
    ) -> httpx.Response:
        """Send one request and return its answer of class 2xx."""
        read_s = _RESTART_S if asked.restart else _READ_S
        try:
            response = await self._http.request(
                method,
                url,
                json={"action": "restart"} if asked.restart else None,
                auth=auth,
                follow_redirects=False,  # a token must not travel to another host
                timeout=httpx.Timeout(read_s, connect=_CONNECT_S, pool=_CONNECT_S),
            )
        except (httpx.RequestError, httpx.InvalidURL) as exc:
            raise broken(exc, asked) from exc
        response = self._without_secrets(response)
        if not response.is_success:
            raise failure(problem_of(response, self._clocks.now()), asked)
        return response

    def _without_secrets(self, response: httpx.Response) -> httpx.Response:
        """Return *response* without what we sent to prove who we are.

        A gateway may echo it, in whichever field: it must not get into a message, the
        database or the log.
        """
        sent = (response.request.headers.get(name, "") for name in _PROOFS)
        clean = hider((*self._login.hidden, *sent))
        body = _cleaned_body(response, clean)
        told = list(response.headers.items())
        fine = [(name, value) for name, value in told if clean(value) == value]
        if body == response.text and fine == told:
            return response
        headers = [(name, value) for name, value in fine if name not in _FRAMING]
        return httpx.Response(
            response.status_code, headers=headers, text=body, request=response.request
        )

    def _described(
        self, response: httpx.Response, target: Target, asked: Asked
    ) -> Instance:
        """Return the instance that an answer describes, if it is the one asked for."""
        answer = InstanceAnswer.model_validate(body_of(response))
        if answer.error_code and not (answer.id and answer.status):
            raise failure(problem_of(response, self._clocks.now()), asked)
        of_another = answer.id and answer.id.lower() != target.key
        if of_another or not (answer.id or answer.status):
            raise lost(asked, status=response.status_code, ref=ref_of(response))
        return answer.instance(target.instance_id)

    def _accepted(self, response: httpx.Response, asked: Asked) -> Answer:
        """Return the two statuses of an accepted restart."""
        body = body_of(response)
        answer = RestartAnswer.model_validate(body)
        if answer.error_code:  # a failure in spite of its 2xx
            raise failure(problem_of(response, self._clocks.now()), asked)
        ref = ref_of(response, body)
        if not answer.current_status:
            raise lost(asked, status=response.status_code, ref=ref)
        return Answer(answer.previous_state, answer.current_status, ref)

    @contextmanager
    def _counted(self, kind: str) -> Iterator[None]:
        """Tell *on_call* how a call of this *kind* ended."""
        try:
            yield
        except CloudError as error:
            self._on_call(kind, result_of(error))
            raise
        self._on_call(kind, "ok")


def _cleaned_body(response: httpx.Response, clean: Callable[[str], str]) -> str:
    """Return the body of *response* with each of its words clean as it is read."""
    try:
        said = response.json()
        fine = cleaned(said, clean)
    except (ValueError, RecursionError):
        return clean(response.text)
    return response.text if fine == said else json.dumps(fine)


def _check_id(what: str, text: str) -> None:
    """Raise CloudRefused for an id that must not get into a URL."""
    if not ID.fullmatch(text):
        raise CloudRefused(
            f"That is no {what} id: it may hold letters, digits and dashes only, 64 at"
            " most. Nothing was sent."
        )
