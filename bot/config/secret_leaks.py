"""Secrets that stand in the file, where they do not belong. Pure; never shows one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from bot.config.cross_checks import Document, table
from bot.config.error_messages import TOKEN, Path, Problem
from bot.config.secrets import VARIABLES

_TELLING = re.compile(
    r"(?is).*(passw|passphrase|secret|token|credential|(private|api|access)_?key).*"
    r"|(.*[._-])?(pass|pw|pwd|ak|sk)"
)
# People name instances as they like (token-classifier), so only whole words tell there.
_TELLING_NAME = re.compile(r"(?i)password|passwd|passphrase|pwd|secret|token|ak|sk")
_OTHER_NAMES = {
    "ACCESS_KEY": "HUAWEICLOUD_SDK_AK",
    "SECRET_KEY": "HUAWEICLOUD_SDK_SK",
    "PASSPHRASE": "OS_PASSWORD",
}
_OF_SOURCE = {"pagerduty": "PAGERDUTY_TOKEN", "grafana": "GRAFANA_IRM_TOKEN"}
# The way SQLAlchemy reads it, so that nothing passes here that works there; libpq
# takes a password as a parameter too.
_GRAFANA = re.compile(r"\bgl(sa|c)_")
_PASSWORD = re.compile(r"(?i)[a-z0-9+.-]+://[^:/@]*:[^@]+@|[?&](ssl)?password=[^&]")


def of_leaks(document: Document) -> Iterator[Problem]:
    """Yield each place of *document* that holds a secret or is named like one."""
    waiting: list[tuple[Path, object]] = [((), document)]
    while waiting:
        path, value = waiting.pop()
        source = table(document, *map(str, path[:-1])).get("source")
        if isinstance(value, dict):
            waiting += [((*path, key), inner) for key, inner in value.items()]
        elif isinstance(value, list):
            waiting += [((*path, i), inner) for i, inner in enumerate(value)]
        text = _leak(path, value, str(source))
        if text:
            yield Problem(path, text)


def _leak(path: Path, value: object, source: str) -> str:
    """Return what is said of a secret at *path*, nothing where there is none.

    *source* is what its table says of itself: a line of on-call has one.
    """
    text = value if isinstance(value, str) else ""
    key = path[-1] if path and isinstance(path[-1], str) else ""
    if TOKEN.search(text) or TOKEN.search(key):
        app = "xapp-" in (text + key).lower()
        return _remedy("SLACK_APP_TOKEN" if app else "SLACK_BOT_TOKEN")
    if _GRAFANA.search(text):
        return _remedy("GRAFANA_IRM_TOKEN")
    if holds_password(text):
        if path == ("database",):
            return "must not hold a password; use PGPASSWORD or PGPASSFILE instead"
        return "must not hold a password; remove it from the address"
    if key and _tells(path, key):
        return _remedy(_OF_SOURCE.get(source) or _variable(key))
    return ""


def holds_password(text: str) -> bool:
    """Say whether *text* is an address with a password in it."""
    return _PASSWORD.search(text) is not None


def _tells(path: Path, key: str) -> bool:
    """Say whether the *key* at *path* is the name of a secret."""
    match path:
        case ("projects" | "oncall", _) | ("oncall", _, "people", _):
            return False
        case ("projects", _, "instances", _):
            return _TELLING_NAME.fullmatch(key) is not None
    return _TELLING.fullmatch(key) is not None


def _variable(key: str) -> str:
    """Return the variable of the environment that a *key* probably stands for."""
    word = re.sub(r"\W", "_", key).upper()
    ends = (name for name in VARIABLES if name.endswith(word))
    near = difflib.get_close_matches(word, VARIABLES, n=1, cutoff=0.4)
    likely = next(ends, "".join(near) or "OS_PASSWORD")
    return _OTHER_NAMES.get(word, likely)


def _remedy(variable: str) -> str:
    """Return where the secret belongs instead."""
    return (
        "a secret does not belong in this file; remove it and set the environment"
        f" variable {variable}, or {variable}_FILE to a file that holds it"
    )
