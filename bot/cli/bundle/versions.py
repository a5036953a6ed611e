"""What runs where: versions, and which variables are set, never to what."""

from __future__ import annotations

import platform
import re
import sqlite3
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import distributions
from typing import Any

from bot import __version__

# What changes how the bot, Python, PostgreSQL's library or the network behave.
_TELLING = re.compile(
    r"(?i)(slack|os|huaweicloud|mlstudio|pg|ssl|otel|python|lc|alerts|pagerduty"
    r"|grafana)_\w+|pg\w+|\w+_proxy|lang|tz|python\w+"
)


def versions_of(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the versions of all that takes part, and the names of its variables."""
    return {
        "mlstudio-bot": __version__,
        "python": sys.version,
        "system": platform.platform(),
        "libc": " ".join(platform.libc_ver()),
        "sqlite": sqlite3.sqlite_version,
        "packages": dict(_packages()),
        "variables that are set": sorted(
            name
            for name, value in environ.items()
            if value and _TELLING.fullmatch(name)
        ),
    }


@cache
def _packages() -> tuple[tuple[str, str], ...]:
    """Return name and version of every package that is installed beside us."""
    found = ((str(one.metadata["Name"]), one.version) for one in distributions())
    return tuple(sorted(found))
