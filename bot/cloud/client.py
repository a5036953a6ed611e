"""The calls that the bot makes to ModelArts: look at an instance, and act on it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Self

import httpx

from bot.cloud import notebook, studio
from bot.cloud.api import Api, Call
from bot.cloud.auths import Auth, Auths
from bot.cloud.clocks import Clocks
from bot.cloud.error_mapping import Asked, broken, failure, host_of, lost, result_of
from bot.cloud.error_response import body_of, problem_of, ref_of, told_ms, word
from bot.cloud.last_seen import LastSeen, Seen
from bot.cloud.login import Login
from bot.cloud.notebook_calls import NotebookCalls
from bot.cloud.rate_limiter import Rank, RateLimiter
from bot.cloud.shared_looks import AT_ONCE_S, RECENT_S, SharedLooks
from bot.cloud.token_auth import TokenAuth
from bot.config import Endpoint, Secrets, Settings
from bot.config.redaction import cleaned, hider
from bot.config.tables import ID
from bot.errors import (
    CloudError,
    CloudGone,
    CloudMisfit,
    CloudOtherKind,
    CloudRefused,
)
from bot.model import (
    NO_AUTO_STOP,
    Act,
    Answer,
    AutoStop,
    Instance,
    Kind,
    Lease,
    Target,
)

_APIS: Mapping[Kind, Api] = {Kind.STUDIO: studio, Kind.NOTEBOOK: notebook}
_LOOK = Call("GET")
_CONNECT_S, _READ_S, _ACT_S = 5.0, 15.0, 30.0
_NOBODY = "00000000-0000-0000-0000-000000000000"  # the id of no instance
_PROOFS = ("X-Auth-Token", "X-Security-Token", "Authorization")
_FRAMING = {"content-length", "content-encoding", "transfer-encoding"}
_REAL = Clocks()


def _ignore(kind: str, result: str) -> None:
    """Count nothing."""


class Cloud:
    """Reads instances and acts on them; every failure is a CloudError.

    *on_call* is told of every call: its kind (login, read, restart, stop, …) and its
    result (ok, refused, misfit, follow, busy, unknown). *http* belongs to the caller.
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
        self._auths = Auths(login, http, clocks, on_call)
        self._notebooks = NotebookCalls(self)
        self._looks: dict[tuple[str, Rank], SharedLooks] = {}
        self._last = LastSeen(clocks)

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

    async def read(
        self, target: Target, *, rank: Rank = Rank.QUESTION, shared: bool = False
    ) -> Instance:
        """Return what the cloud says about an instance now.

        *rank* says whom it lets go first while calls are scarce. A LOOK, and whatever
        may be *shared*, is answered by a list where many are asked about. An id of the
        other kind raises CloudOtherKind.
        """
        if target.kind is Kind.NOTEBOOK and (shared or rank is Rank.LOOK):
            instance = await self._shared(target.project, rank).look(target)
        else:
            instance = await self._read_or_explain(target, rank)
        self._last.saw([instance])
        return instance

    def lag_s(self, target: Target) -> float:
        """Return by how many seconds a LOOK has to come before it is due."""
        shared = self._looks.get((target.project, Rank.LOOK))
        return shared.lag_s if shared and target.kind is Kind.NOTEBOOK else 0.0

    def _shared(self, project: str, rank: Rank) -> SharedLooks:
        """Return what shares the reads of notebooks of *project* that have a *rank*."""
        if (project, rank) not in self._looks:
            self._looks[project, rank] = SharedLooks(
                partial(self._pages, project, rank),
                partial(self._read_or_explain, rank=rank),
                self._clocks,
                RECENT_S if rank is Rank.LOOK else AT_ONCE_S,
            )
        return self._looks[project, rank]

    async def _pages(
        self, project: str, rank: Rank
    ) -> AsyncIterator[tuple[Instance, ...]]:
        """Yield the notebooks of *project* page by page."""
        async for page in self._notebooks.pages(project, rank=rank):
            self._last.saw(page)
            yield page

    async def _read_or_explain(self, target: Target, rank: Rank) -> Instance:
        """Return one instance, read by itself."""
        try:
            return await self._read(target, rank)
        except CloudGone:
            if other := await self._found_as(target, rank):
                raise CloudOtherKind(other) from None
            raise

    async def _found_as(self, target: Target, rank: Rank) -> str:
        """Return what an instance is if it is of another kind, else nothing.

        Only an answer that shows it decides: a refusal or a fault says nothing of it.
        """
        for kind in set(Kind) - {target.kind}:
            what = f"`{target.instance}` is {_APIS[kind].NAME}"
            with suppress(CloudError):
                await self._read(replace(target, kind=kind), rank)
                return f'{what}; say `kind = "{kind}"`.'
        return ""

    async def _read(self, target: Target, rank: Rank) -> Instance:
        """Return what the API of a target's kind says of it."""
        with self.counted("read"):
            asked, url, auth = self._prepared(target)
            auth.check()  # before the queue: a login that rests answers at once
            await self._limiter.wait(rank)
            response = await self._send(_LOOK, url, auth, asked)
            return self._described(response, target, asked)

    def seen(self, target: Target) -> Seen | None:
        """Return what was last read of an instance, by whomever; asks nobody.

        None: nothing yet in this process, or nothing since its restart was sent.
        """
        return self._last.of(target)

    def forget(self, target: Target) -> None:
        """Forget what was last read of an instance."""
        self._last.forget(target)

    async def act(
        self, target: Target, act: Act, *, auto_stop: AutoStop = NO_AUTO_STOP
    ) -> Answer:
        """Carry out *act* with one POST; it is never sent again from here.

        The one exception is a token refused before anything was carried out.
        *auto_stop* is for the start of a notebook. ValueError for an act that the kind
        of the instance does not have.
        """
        with self.counted(act):
            call = _APIS[target.kind].call(act, auto_stop)
            asked, url, auth = self._prepared(target, act)
            self._limiter.take()
            self.forget(target)
            response = await self._send(call, url, auth, asked)
            return self._accepted(response, target, asked)

    async def set_lease(self, target: Target, auto_stop: AutoStop) -> Lease:
        """Set when a running notebook stops by itself; return what counts then."""
        return await self._notebooks.set_lease(target, auto_stop)

    async def is_sold_out(self, target: Target, instance: Instance) -> bool | None:
        """Say whether all machines like a notebook's are taken; None where unsaid."""
        return await self._notebooks.is_sold_out(target, instance)

    async def list(self, project: str) -> tuple[Instance, ...]:
        """Return every notebook of *project*, each once: all pages, or an error."""
        found = await self._notebooks.all(project)
        self._last.saw(found)
        return found

    async def log_in(self, project: str) -> None:
        """Prove the login of *project*; a key is proven by using it."""
        auth = self._auths.at(self._endpoint(project))
        if isinstance(auth, TokenAuth):
            await auth.token()
        else:
            await self.prove(project)

    async def prove(self, project: str) -> None:
        """Prove login, endpoint and the right to look by a look at no instance."""
        point = self._endpoint(project)
        nobody = Target(project, point.project_id, _NOBODY, _NOBODY, kind=point.kind)
        with suppress(CloudGone):
            await self._read(nobody, Rank.QUESTION)

    def skew_s(self, project: str) -> float | None:
        """Return by how many seconds our clock is ahead of the cloud's, if known."""
        return self._auths.at(self._endpoint(project)).skew_s

    def _prepared(
        self, target: Target, act: Act | None = None
    ) -> tuple[Asked, str, Auth]:
        """Return what goes into sentences, the URL and the login for a call."""
        point = self._endpoint(target.project)
        _check_id("project", target.project_id)
        _check_id("instance", target.instance_id)
        if target.project_id != point.project_id:
            raise CloudMisfit(
                f"Project {target.project} has another id now than when this was asked."
            )
        base = point.modelarts_url.rstrip("/")
        api = _APIS[target.kind]
        url = f"{base}/v1/{target.project_id}/{api.path(target.instance_id)}"
        asked = Asked(
            target.instance,
            target.project,
            host_of(base),
            act=act or "",
            right=api.right(act),
            kind=target.kind,
        )
        return asked, url, self._auths.at(point)

    def _endpoint(self, project: str) -> Endpoint:
        """Return the endpoint of *project*, which a reload may have removed."""
        if project not in self._endpoints:
            raise CloudMisfit(f"Project {project} is not in the bot's configuration.")
        return self._endpoints[project]

    async def _send(
        self, call: Call, url: str, auth: httpx.Auth, asked: Asked
    ) -> httpx.Response:
        """Send one request and return its answer of class 2xx."""
        read_s = _ACT_S if asked.act else _READ_S
        try:
            response = await self._http.request(
                call.method,
                url + call.suffix,
                json=call.body,
                params=call.query,
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
        body = body_of(response)
        found, seen_id = _APIS[target.kind].instance(body, ""), word(body.get("id"))
        if word(body.get("error_code")) and not (seen_id and found.status):
            raise failure(problem_of(response, self._clocks.now()), asked)
        of_another = seen_id and seen_id.lower() != target.key
        if of_another or not (seen_id or found.status):
            raise lost(asked, status=response.status_code, ref=ref_of(response))
        return replace(
            found, id=seen_id or target.instance_id, read_ms=told_ms(response)
        )

    def _accepted(
        self, response: httpx.Response, target: Target, asked: Asked
    ) -> Answer:
        """Return the two statuses of an accepted act."""
        body = body_of(response)
        if word(body.get("error_code")):  # a failure in spite of its 2xx
            raise failure(problem_of(response, self._clocks.now()), asked)
        ref = ref_of(response, body)
        answer = _APIS[target.kind].answer(body)
        if not answer.current:
            raise lost(asked, status=response.status_code, ref=ref)
        return replace(answer, ref=ref)

    async def of_one(
        self, target: Target, call: Call, *, changes: str = ""
    ) -> httpx.Response:
        """Make a *call* about one notebook; *changes* is the right that it needs."""
        asked, url, auth = self._prepared(replace(target, kind=Kind.NOTEBOOK))
        if changes:
            asked = replace(asked, act="change", right=changes)
        return await self._told(call, url, auth, asked, Rank.RESTART)

    async def of_all(
        self, project: str, path: str, query: Mapping[str, str], rank: Rank
    ) -> httpx.Response:
        """Make a call about all notebooks of a project."""
        point = self._endpoint(project)
        _check_id("project", point.project_id)
        base = point.modelarts_url.rstrip("/")
        asked = Asked(project, project, host_of(base), right=notebook.RIGHTS[path])
        url = f"{base}/v1/{point.project_id}/{path}"
        call = Call("GET", query=query)
        return await self._told(call, url, self._auths.at(point), asked, rank)

    async def _told(
        self, call: Call, url: str, auth: Auth, asked: Asked, rank: Rank
    ) -> httpx.Response:
        """Make a call that may be made again; an error in its answer is raised."""
        auth.check()  # before the queue: a login that rests answers at once
        await self._limiter.wait(rank)
        response = await self._send(call, url, auth, asked)
        if word(body_of(response).get("error_code")):
            raise failure(problem_of(response, self._clocks.now()), asked)
        return response

    @contextmanager
    def counted(self, kind: str) -> Iterator[None]:
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
