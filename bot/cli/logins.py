"""Whether the secrets are there with which the cloud is logged in to."""

from __future__ import annotations

from pydantic import SecretStr

from bot.config import Secrets, Settings


def can_log_in(settings: Settings, secrets: Secrets) -> bool:
    """Say whether every project has its login; an empty one is one more failed."""
    return all(map(given, _needed(settings, secrets)))


def given(secret: SecretStr) -> bool:
    """Say whether a secret is set."""
    return bool(secret.get_secret_value())


def _needed(settings: Settings, secrets: Secrets) -> list[SecretStr]:
    """Return the secrets that the logins of all projects need."""
    of = {
        "token": [
            secrets.os_username,
            secrets.os_password,
            secrets.os_user_domain_id or secrets.os_user_domain_name,
        ],
        "aksk": [secrets.ak, secrets.sk],
    }
    points = settings.endpoints.values()
    logins = {p.auth for p in points if p.auth == "aksk" or not p.cloud}
    return [secret for login in logins for secret in of[login]]
