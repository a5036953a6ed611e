"""The command line in this process: what a shell would see of it, without a start."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from unittest.mock import patch

from bot.cli.main import main


@dataclass(frozen=True)
class Said:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


def typed(*words: str) -> Said:
    """Type ``mlstudio-bot`` and *words*, and return what came of it."""
    out, err = io.StringIO(), io.StringIO()
    with (
        patch.object(sys, "argv", ["mlstudio-bot", *words]),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
    return Said(code, out.getvalue(), err.getvalue())
