"""Completion of the command line in bash, zsh and fish: the script for the shell."""

from __future__ import annotations

import os
from pathlib import Path

import shellingham  # type: ignore[import-untyped]
from typer._completion_classes import completion_init
from typer._completion_shared import get_completion_script

from bot.errors import UsageError

SHELLS = ("bash", "zsh", "fish")


def script(program: str, variable: str) -> str:
    """Return what makes the shell that we were called from complete *program*.

    It asks through an environment *variable*.

    Where that is another one, or none, what SHELL names counts. Raises UsageError if
    neither is one of SHELLS.
    """
    shell = next((one for one in (_caller(), _usual()) if one in SHELLS), "")
    if not shell:
        raise UsageError(
            f"no shell is known to complete in; set SHELL to one of"
            f" {', '.join(SHELLS)}, as in: SHELL=zsh {program} --show-completion"
        )
    return get_completion_script(prog_name=program, complete_var=variable, shell=shell)


def enable() -> None:
    """Let the command line answer a shell that completes it."""
    completion_init()


def _caller() -> str:
    """Return the shell that this process descends from."""
    try:
        return str(shellingham.detect_shell()[0])
    except shellingham.ShellDetectionFailure:
        return ""


def _usual() -> str:
    """Return the shell that the user has."""
    return Path(os.environ.get("SHELL", "")).name
