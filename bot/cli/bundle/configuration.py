"""What counts of the configuration, or what is wrong with it; never the file's text."""

from __future__ import annotations

from typing import Any

from bot.config import Examined
from bot.config.error_messages import lines


def configuration_of(found: Examined) -> dict[str, Any]:
    """Return the settings in force, defaults included, and every problem.

    A file with a mistake is not shown at all: what stands where it does not belong may
    be a secret. Nor are comments, and who owns what is a number.
    """
    wrong = {"problems": [*found.wrong, *lines(found.missing)]}
    if found.settings is None:
        return {**wrong, "settings": "not shown, since the file has mistakes"}
    settings = found.settings.model_dump(mode="json")
    settings["owners"] = f"{len(found.settings.owners)} of them"
    settings["database"] = address_of(found.settings.database)
    return {**wrong, "version": found.settings.version, "settings": settings}


def address_of(database: str) -> str:
    """Return where *database* is, without a login and parameters."""
    scheme, _, rest = database.partition("://")
    place, _, parameters = rest.partition("?")
    host = place.rpartition("@")[2]
    return f"{scheme}://{host}" + "?…" * bool(parameters)
