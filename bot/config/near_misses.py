"""Values that are nearly right: an address without its path, an id with dashes. Pure.

A mistake is only what cannot be meant; what may be is for ``check`` to tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from bot.config.cross_checks import Document, table
from bot.config.error_messages import Path, Problem
from bot.config.openstack import IAM_HOST

_UUID = re.compile(r"(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SLACK_HOST = re.compile(r"(?i)(?:[a-z0-9-]+\.)*(slack(?:-gov)?\.com)")
_QUOTES = ('""', "''", "“”", "‘’")


def of_near_misses(document: Document) -> Iterator[Problem]:
    """Yield each value of *document* that is surely not what was meant."""
    yield from _of_slack(table(document, "slack").get("api_url"))
    yield from _of_iam(("cloud",), table(document, "cloud"))
    for name, project in table(document, "projects").items():
        if isinstance(project, dict):
            yield from _of_iam(("projects", name), project)
            yield from _of_id(("projects", name, "id"), project.get("id"))


def _of_slack(api_url: object) -> Iterator[Problem]:
    """Yield that an address of Slack's is not that of its Web API.

    https://docs.slack.dev/apis/web-api
    """
    host, path = _parts(api_url)
    found = _SLACK_HOST.fullmatch(host)
    pages = host.lower().startswith("api.")  # those about the API
    if found and (pages or path.rstrip("/") != "/api"):
        right = f"https://{found[1].lower()}/api/"
        text = f'is not where Slack\'s Web API answers; write "{right}"'
        yield Problem(("slack", "api_url"), text)


def _of_iam(path: Path, holder: Document) -> Iterator[Problem]:
    url = holder.get("iam_url")
    host, _ = _parts(url)
    if IAM_HOST.fullmatch(host) and (right := with_version(str(url))):
        yield Problem((*path, "iam_url"), f'lacks its version; write "{right}"')


def with_version(iam_url: str) -> str:
    """Return the address of a login service with its version, "" if it has it.

    https://docs.otc.t-systems.com/identity-access-management/api-ref/
    """
    bare = iam_url.rstrip("/")
    return "" if bare.endswith("/v3") else re.sub(r"/v[0-9.]+$", "", bare) + "/v3"


def _of_id(path: Path, value: object) -> Iterator[Problem]:
    if isinstance(value, str) and _UUID.fullmatch(value):
        right = value.replace("-", "")
        yield Problem(path, f'has dashes, and ids of projects have none: "{right}"')


def _parts(url: Any) -> tuple[str, str]:
    """Return host and path of what may be an address."""
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
    except ValueError:
        return "", ""
    return parts.hostname or "", parts.path


def marked(secret: str) -> str:
    """Return what is said of a secret that begins with a mark of an editor's."""
    if secret.startswith("\ufeff"):
        return (
            "begins with a byte order mark, which an editor has put there; save it as"
            " UTF-8 without one"
        )
    return ""


def is_quoted(secret: str) -> bool:
    """Say whether a secret stands in quotes."""
    return len(secret) > 1 and secret[0] + secret[-1] in _QUOTES
