"""The login of each endpoint, made when it is needed first."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import httpx

from bot.cloud.aksk_auth import KEY_PAUSE_S, SigningAuth
from bot.cloud.clocks import Clocks
from bot.cloud.login import Login, LoginBackoff
from bot.cloud.token_auth import LOGIN_PAUSE_S, Account, TokenAuth
from bot.config import Endpoint

Auth = TokenAuth | SigningAuth


@attrs.define
class Auths:
    """Keeps one login for each endpoint, and what endpoints share: accounts, a key."""

    _login: Login
    _http: httpx.AsyncClient
    _clocks: Clocks
    _on_call: Callable[[str, str], None]
    _accounts: dict[tuple[str, str], Account] = attrs.field(factory=dict, init=False)
    _auths: dict[Endpoint, Auth] = attrs.field(factory=dict, init=False)
    _key_pause: LoginBackoff = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._key_pause = LoginBackoff(KEY_PAUSE_S, self._clocks.monotonic)

    def at(self, point: Endpoint) -> Auth:
        """Return the login of an endpoint."""
        if point not in self._auths:
            self._auths[point] = self._new(point)
        return self._auths[point]

    def _new(self, point: Endpoint) -> Auth:
        if point.auth == "aksk":
            return SigningAuth(point, self._login, self._key_pause, self._clocks.now)
        login = self._login.at(point.cloud)
        account = self._accounts.setdefault(
            (point.iam_url, point.cloud),
            Account(login, LoginBackoff(LOGIN_PAUSE_S, self._clocks.monotonic)),
        )
        return TokenAuth(point, account, self._http, self._clocks, self._on_call)
