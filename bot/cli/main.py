"""The command line: its commands in the order of ``--help``, and how it ends.

Exit codes: 0 done, 1 it failed, 2 wrong usage or configuration.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import Annotated

import typer

from bot import __version__
from bot.cli.commands import (
    assets,
    check,
    demo,
    explain,
    history,
    init,
    migrate,
    run,
)
from bot.cli.common import FAILED, WRONG, abandon, complain, flush, said
from bot.errors import BotError, ConfigError, UsageError

# What a full disk, quota or device says, and an output that is closed.
_UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}

NAME = "mlstudio-bot"
COMPLETES = "_MLSTUDIO_BOT_COMPLETE"  # what a shell sets that asks

cli = typer.Typer(
    name=NAME,
    help="Restart ModelArts ML Studio instances from Slack: once, with approvals, and"
    " always with word of how it ended.",
    no_args_is_help=True,
    add_completion=False,  # ours knows what to do where the caller is no shell
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def main() -> None:
    """Run the command line; a mistake of the user's never ends in a traceback.

    Nor does an output that takes no more: a reader who has left is no mistake, a full
    disk is one sentence.
    """
    try:
        code = _exit_code()
        flush()
    except BrokenPipeError:
        code = FAILED
        abandon(1)
    except OSError as error:
        if error.errno not in _UNWRITABLE:
            raise
        code = FAILED
        abandon(1)
        complain(f"the output cannot be written: {error.strerror}")
    sys.exit(code)


def _exit_code() -> int:
    """Run the command line and return what it ends with."""
    try:
        if COMPLETES in os.environ:
            from bot.cli.completion import enable

            enable()
        cli(prog_name=NAME)  # also as "python -m bot": completion goes by the name
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else FAILED if end.code else 0
    except ConfigError as error:
        for problem in error.problems:
            complain(problem)
        return WRONG
    except BotError as error:
        complain(said(error))
        return WRONG if isinstance(error, UsageError) else FAILED
    except KeyboardInterrupt:
        return FAILED
    return 0


def _version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


def _completion(wanted: bool) -> None:
    if wanted:
        from bot.cli.completion import script

        print(script(NAME, COMPLETES))
        raise typer.Exit


@cli.callback()
def root(
    *,
    _: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", is_eager=True, callback=_version
        ),
    ] = False,
    __: Annotated[
        bool,
        typer.Option(
            "--show-completion",
            help="Print what makes the shell complete commands and options.",
            is_eager=True,
            callback=_completion,
        ),
    ] = False,
) -> None:
    """Print the version, or go on to the command."""
    from bot.telemetry import logs

    # On stderr, so that --json stays JSON; "run" says more, with its secrets hidden.
    logs.configure("console", level="WARNING")


cli.command()(run.run)
cli.command()(check.check)
cli.command()(explain.explain)
cli.command()(history.history)
cli.command()(init.init)
cli.command()(assets.assets)
cli.command()(migrate.migrate)
cli.command()(demo.demo)
