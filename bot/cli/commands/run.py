"""``mlstudio-bot run``: the bot itself, until a signal stops it."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.common import (
    FAILED,
    WRONG,
    Config,
    complain,
    configured,
    flush,
    found,
    said,
    wait_for,
)
from bot.errors import BotError, ConfigError

if TYPE_CHECKING:
    import asyncio

    from bot.app import Bot

# Once told to stop. Who runs the bot is promised that it has left within 10 s.
LEAVE_AFTER_S = 9.0


def run(
    config: Config = None,
    log_format: Annotated[
        str, typer.Option(help="json, or console for people.", metavar="FORMAT")
    ] = "json",
    log_level: Annotated[
        str,
        typer.Option(help="debug, info, warning or error.", metavar="LEVEL"),
    ] = "info",
) -> None:
    """Serve Slack until SIGTERM or SIGINT."""
    with _nothing_to_collect():
        from bot.app import Bot
        from bot.cli.check.serving import serving_lines
        from bot.telemetry import logs

    if log_format not in {"json", "console"}:
        raise typer.BadParameter("choose json or console", param_hint="--log-format")
    if log_level.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        choices = "choose debug, info, warning or error"
        raise typer.BadParameter(choices, param_hint="--log-level")
    settings, secrets = configured(config)
    logs.configure(
        "console" if log_format == "console" else "json",
        secrets=secrets.hidden,
        level=log_level.upper(),
    )
    _serve(lambda: Bot(settings, secrets, path=found(config), look=serving_lines))


def _serve(make: Callable[[], Bot]) -> None:
    """Run a bot until a signal stops it, then leave at once."""
    code = 0
    try:
        wait_for(_until_signal(make))
    except BotError as error:
        complain(said(error))
        code = WRONG if isinstance(error, ConfigError) else FAILED
    with suppress(OSError):
        flush()
    # Threads of the engine may sleep for a minute before they try a lost database
    # again. All that matters is durable, so nobody waits for them.
    os._exit(code)


@contextmanager
def _nothing_to_collect() -> Iterator[None]:
    """Spare imports the garbage collector: it takes a fifth of their time.

    What they make stays for good, so the collector need not look at it later, either.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


async def _until_signal(make: Callable[[], Bot]) -> None:
    import asyncio

    bot = make()
    loop = asyncio.get_running_loop()
    running = asyncio.current_task()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, bot, running)
    loop.add_signal_handler(signal.SIGHUP, bot.reload)
    await bot.run()


def _stop(bot: Bot, running: asyncio.Task[Any] | None) -> None:
    """Stop a bot that serves; one that still starts has nothing in hand."""
    if bot.ready.is_set() or running is None:
        bot.stop()
        # All that matters is durable: a database that hangs must not keep us here.
        leaving = threading.Timer(LEAVE_AFTER_S, os._exit, (0,))
        leaving.daemon = True
        leaving.start()
    else:
        os._exit(0)
