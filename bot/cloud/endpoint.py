"""Where a project of the cloud is reached, and with which login."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

import httpx
from pydantic import SecretStr

from bot.config import Credentials, Endpoint, Secrets

__all__ = ["Endpoint", "Login", "host_of"]

NOTHING = SecretStr("")


def host_of(url: str) -> str:
    """Return the host of *url*, with its port, for a sentence; it never raises."""
    return url.partition("://")[2].partition("/")[0].rpartition("@")[2]


@dataclass(frozen=True, slots=True)
class Login:
    """The credentials of both ways to log in; its repr hides every secret.

    *clouds* are the users of projects with a cloud of their own, by its name.
    """

    username: str = ""
    password: SecretStr = NOTHING
    user_domain_name: str = ""
    ak: SecretStr = NOTHING
    sk: SecretStr = NOTHING
    security_token: SecretStr = NOTHING
    clouds: Mapping[str, Credentials] = field(default_factory=dict)

    def at(self, cloud: str) -> Self:
        """Return the login for an endpoint of *cloud* ("" = the common one)."""
        if not cloud:
            return self
        own = self.clouds.get(cloud, Credentials())
        return replace(
            self,
            username=own.username.get_secret_value(),
            password=own.password,
            user_domain_name=own.user_domain_name.get_secret_value(),
        )

    @classmethod
    def of(cls, secrets: Secrets) -> Self:
        """Return the credentials among the bot's *secrets*."""
        return cls(
            username=secrets.os_username.get_secret_value(),
            password=secrets.os_password,
            user_domain_name=secrets.os_user_domain_name.get_secret_value(),
            ak=secrets.ak,
            sk=secrets.sk,
            security_token=secrets.security_token,
            clouds=secrets.clouds,
        )


_LOOPBACK = ("all://127.0.0.1", "all://localhost", "all://[::1]")


def http_client() -> httpx.AsyncClient:
    """Return a client that uses the environment's proxy, but never for this host.

    A company's HTTPS_PROXY often comes without a NO_PROXY, and no proxy reaches the
    demo's cloud.
    """
    return httpx.AsyncClient(mounts=dict.fromkeys(_LOOPBACK))
