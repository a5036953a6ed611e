"""``python -m bot`` is ``mlstudio-bot``."""

from __future__ import annotations

import os
import signal
import sys


def main() -> None:
    """Run the command line; whoever stops a bot that still starts has stopped it."""
    if sys.argv[1:2] == ["run"]:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # it reads its file anyway
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal may lack a character
            stream.reconfigure(errors="replace")
    from bot.cli.main import main as run  # noqa: PLC0415 - the signals come first

    run()


if __name__ == "__main__":
    main()
