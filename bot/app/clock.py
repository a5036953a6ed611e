"""What time the bot believes it is: the host's, or in a demo that of its world."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

# Names a file with the seconds by which the demo's world is ahead of the host.
VARIABLE = "MLSTUDIO_BOT_DEMO_CLOCK"


def clock_of(environ: Mapping[str, str]) -> Callable[[], datetime]:
    """Return the clock (UTC) that counts here."""
    file = environ.get(VARIABLE)
    if not file:
        return _now
    path = Path(file)

    def ahead() -> datetime:
        """Return the world's time; whoever moves it replaces the file as a whole."""
        try:
            seconds = float(path.read_text("ascii"))
        except (OSError, ValueError):  # nobody has moved it yet
            seconds = 0.0
        return _now() + timedelta(seconds=seconds)

    return ahead


def _now() -> datetime:
    return datetime.now(UTC)
