"""What serves here, for whoever reads the log from its beginning."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from bot import __version__
from bot.config import Settings
from bot.errors import LedgerError
from bot.ledger.schema import shown


async def about(
    settings: Settings, path: Path | None, replicas: Callable[[], Awaitable[int]]
) -> dict[str, object]:
    """Return what the line "ready" says; nothing in it is secret.

    *replicas* counts the processes that use the database, this one included.
    """
    try:
        seen: int | None = await replicas()
    except LedgerError:
        seen = None  # it is only not known
    slack, server = settings.slack, settings.server
    projects = settings.projects.values()
    return {
        "version": __version__,
        "mode": slack.mode,
        "config": str(path) if path else None,
        "rules": settings.version,
        "database": shown(settings.database),
        "listeners": {
            "slack": slack.listen if slack.mode == "http" else "socket",
            "server": server.listen if server else None,
        },
        "kinds": sorted(
            {
                str(kind)
                for own in projects
                for kind in (own.kind, *(i.kind for i in own.instances.values()))
                if kind
            }
        ),
        "replicas": seen,
    }
