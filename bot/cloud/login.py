"""The credentials, and the rest after a refused login."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from typing import Self, TypeVar

import attrs
from pydantic import SecretStr

from bot.config import Credentials, Secrets
from bot.errors import CloudError

E = TypeVar("E", bound=CloudError)
_NOTHING = SecretStr("")


@attrs.frozen
class Login:
    """The credentials of both ways to log in; its repr hides every secret.

    *clouds* are the users of projects with a cloud of their own, by its name; *hidden*
    are the secrets, whosever, that no answer of the cloud may bring back.
    """

    username: str = ""
    password: SecretStr = _NOTHING
    user_domain_name: str = ""
    user_domain_id: str = ""  # counts more than the name
    ak: SecretStr = _NOTHING
    sk: SecretStr = _NOTHING
    security_token: SecretStr = _NOTHING
    clouds: Mapping[str, Credentials] = attrs.field(factory=dict)
    hidden: tuple[str, ...] = attrs.field(default=(), repr=False)

    def at(self, cloud: str) -> Self:
        """Return the login for an endpoint of *cloud* ("" = the common one)."""
        if not cloud:
            return self
        own = self.clouds.get(cloud, Credentials())
        return attrs.evolve(
            self,
            username=own.username.get_secret_value(),
            password=own.password,
            user_domain_name=own.user_domain_name.get_secret_value(),
            user_domain_id=own.user_domain_id.get_secret_value(),
        )

    @classmethod
    def of(cls, secrets: Secrets) -> Self:
        """Return the credentials among the bot's *secrets*."""
        return cls(
            username=secrets.os_username.get_secret_value(),
            password=secrets.os_password,
            user_domain_name=secrets.os_user_domain_name.get_secret_value(),
            user_domain_id=secrets.os_user_domain_id.get_secret_value(),
            ak=secrets.ak,
            sk=secrets.sk,
            security_token=secrets.security_token,
            clouds=secrets.clouds,
            hidden=secrets.hidden,
        )


@attrs.define
class LoginBackoff:
    """Raises the error that started it, again and at once, for *length_s* seconds."""

    _length_s: float
    _clock: Callable[[], float]
    _error: CloudError | None = attrs.field(default=None, init=False)
    _until: float = attrs.field(default=0.0, init=False)

    def start(self, error: E, length_s: float | None = None) -> E:
        """Begin, and return *error* for the caller to raise.

        *length_s* is how long this time, in seconds, if not as long as ever.
        """
        self._error = error
        self._until = self._clock() + (self._length_s if length_s is None else length_s)
        return error

    def check(self) -> None:
        """Raise the error that started the pause while the pause lasts."""
        if self._error is None or self._clock() >= self._until:
            return
        raise copy(self._error)  # a fresh one: tracebacks add up on a shared one
