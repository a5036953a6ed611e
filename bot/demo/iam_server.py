"""The local IAM (v3): logins by password, tokens of real size, and who may do what."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web
from pydantic import BaseModel, ValidationError

from bot.demo.aksk_verifier import KeyRing, Signed
from bot.demo.cloud_http import Call, Refused, Reply, iam, login_refused, modelarts
from bot.demo.seed_world import Login, Project, World
from bot.model import utc

_SUFFIX = " The server could not comply with the request since it is malformed."


class _Domain(BaseModel):
    id: str = ""
    name: str = ""

    def is_of(self, login: Login) -> bool:
        return login.domain_id == self.id if self.id else login.domain == self.name


class _User(BaseModel):
    name: str
    password: str
    domain: _Domain


class _Password(BaseModel):
    user: _User


class _Identity(BaseModel):
    methods: list[str]
    password: _Password


class _ProjectScope(BaseModel):
    id: str = ""
    name: str = ""
    domain: _Domain | None = None


class _Scope(BaseModel):
    project: _ProjectScope | None = None


class _Auth(BaseModel):
    identity: _Identity
    scope: _Scope = _Scope()


class _LoginBody(BaseModel):
    auth: _Auth


@dataclass(frozen=True, slots=True)
class Token:
    """Who holds a token, for which project (None = unscoped), and until when."""

    user: str
    project: Project | None
    expires_at: float  # real POSIX seconds


class Iam:
    """Hands out tokens for the *world*'s one login, and recognises tokens and keys.

    *wall* is the real time; *token_life_s* may be changed while it runs.
    """

    def __init__(self, world: World, wall: Callable[[], float]) -> None:
        self.token_life_s = 86_400.0
        self._world = world
        self._wall = wall
        self._keys = KeyRing(world.keys, wall)
        self._tokens: dict[str, Token] = {}

    def revoke_all(self) -> None:
        """Make every token worthless, as a change of the password does."""
        self._tokens.clear()

    # --- /v3 --------------------------------------------------------------------

    async def log_in(self, request: web.Request, call: Call) -> Reply:
        """POST /v3/auth/tokens."""
        auth = _parse(await request.read()).auth
        self._check(auth.identity)
        project = self._scope(auth.scope.project)
        call.project = project.id if project else ""
        now = self._wall()
        self._tokens = {k: v for k, v in self._tokens.items() if v.expires_at > now}
        # A PKI token as in the documentation's sample: base64, more than 8190 bytes.
        name = "MIIZmg" + secrets.token_urlsafe(6750)
        user = auth.identity.password.user.name
        token = self._tokens[name] = Token(user, project, now + self.token_life_s)
        body = self._token(token, now)
        if request.query.get("nocatalog") is None:
            body["catalog"] = [_endpoint(request, project)] if project else []
        return Reply(201, {"token": body}, {"X-Subject-Token": name})

    async def projects(self, request: web.Request, _call: Call) -> Reply:
        """GET /v3/auth/projects."""
        if request.headers.get("X-Auth-Token") not in self._tokens:
            raise Refused(iam(401, "The token is invalid.", "Unauthorized"))
        found = [
            {**_project(each), "domain_id": self._world.login.domain_id}
            for each in self._world.projects
        ]
        return Reply(200, {"projects": found, "links": {}})

    async def all_projects(self, _request: web.Request, _call: Call) -> Reply:
        """GET /v3/projects: for administrators, which nobody here is."""
        raise Refused(iam(403, "You are not authorized.", "Forbidden"))

    def _check(self, identity: _Identity) -> None:
        login, user = self._world.login, identity.password.user
        if identity.methods != ["password"]:
            raise Refused(iam(401, "The method is not supported.", "Unauthorized"))
        given = (user.name, user.password, user.domain.is_of(login))
        if given != (login.user, login.password, True):
            text = "The username or password is wrong."
            raise Refused(iam(401, text, "Unauthorized"))

    def _scope(self, scope: _ProjectScope | None) -> Project | None:
        if scope is None:
            return None
        if not scope.id and scope.domain is None:
            raise Refused(_malformed("domain", "project"))
        for project in self._world.projects:
            if scope.id and scope.id == project.id:
                return project
            of = scope.domain is not None and scope.domain.is_of(self._world.login)
            if not scope.id and of and scope.name == project.name:
                return project
        raise Refused(iam(401, "The project does not exist.", "Unauthorized"))

    def _token(self, token: Token, now: float) -> dict[str, object]:
        login = self._world.login
        domain = {"id": login.domain_id, "name": login.domain}
        body: dict[str, object] = {
            "methods": ["password"],
            "issued_at": _stamp(now),
            "expires_at": _stamp(token.expires_at),
            "user": {
                "id": "15dda26361214ca2a5953917d2f48ffc",
                "name": token.user,
                "domain": domain,
                "password_expires_at": "",
            },
            "roles": [{"id": "0", "name": "te_admin"}],
        }
        if token.project is None:
            return body
        return body | {"project": _project(token.project) | {"domain": domain}}

    # --- for ModelArts ----------------------------------------------------------

    async def admit(self, request: web.Request, project_id: str) -> tuple[str, Project]:
        """Return the caller's user name and the project of the URL, or raise Refused.

        Accepts a token in ``X-Auth-Token`` or a signature in ``Authorization``.
        """
        if "Authorization" in request.headers:
            await self._verify(request)
            given = request.headers.get("X-Project-Id", "")
            user = self._world.login.user
        else:
            token = self._recognise(request.headers.get("X-Auth-Token", ""))
            if token.project is None:
                text = "The token has no project."
                raise Refused(modelarts(400, "ModelArts.0204", text))
            given, user = token.project.id, token.user
        if given != project_id:
            text = "The project ID does not match the login."
            raise Refused(modelarts(403, "ModelArts.0210", text))
        for project in self._world.projects:
            if project.id == project_id:
                return user, project
        text = "The project does not exist."
        raise Refused(modelarts(404, "ModelArts.6650", text))

    def _recognise(self, name: str) -> Token:
        if not name:
            raise Refused(login_refused("x-auth-token not found"))
        token = self._tokens.get(name)
        if token is None:
            raise Refused(login_refused("decrypt token fail"))
        if token.expires_at <= self._wall():
            stamp = _stamp(token.expires_at)
            raise Refused(login_refused(f"token expires, expires_at: {stamp}"))
        return token

    async def _verify(self, request: web.Request) -> None:
        self._keys.verify(
            Signed(
                request.method,
                request.raw_path,
                {name.lower(): value for name, value in request.headers.items()},
                await request.read(),
            )
        )


def _parse(body: bytes) -> _LoginBody:
    """Return the login, or raise Refused naming the first thing that is missing."""
    try:
        return _LoginBody.model_validate_json(body)
    except ValidationError as error:
        where = [str(part) for part in error.errors()[0]["loc"]] or ["auth"]
        raise Refused(_malformed(where[-1], *where[-2:-1])) from error


def _malformed(what: str, where: str = "the request body") -> Reply:
    text = f"Expecting to find {what} in {where}.{_SUFFIX}"
    return iam(400, text, "Bad Request")


def _project(project: Project) -> dict[str, str]:
    return {"id": project.id, "name": project.name}


def _endpoint(request: web.Request, project: Project) -> dict[str, object]:
    url = f"{request.scheme}://{request.host}/v1/{project.id}"
    endpoint = {"interface": "public", "region": "*", "url": url}
    return {"type": "modelartsv1", "name": "modelarts", "endpoints": [endpoint]}


def _stamp(at: float) -> str:
    return utc(at).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
