"""The command line; each command imports what it needs, so that ``--help`` is quick.

Exit codes: 0 done, 1 it failed, 2 wrong usage or configuration.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from bot import __version__
from bot.errors import BotError, ConfigError, UsageError

if TYPE_CHECKING:
    import asyncio

    from bot.app import Bot
    from bot.config import Secrets, Settings

T = TypeVar("T")

FAILED, WRONG = 1, 2
LEAVE_AFTER_S = 9.0  # once told to stop; the contract allows 10

cli = typer.Typer(
    name="mlstudio-bot",
    help="Restart ModelArts ML Studio instances from Slack: once, with approvals, and"
    " always with word of how it ended.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="The configuration (default: $MLSTUDIO_BOT_CONFIG, else"
        " ./mlstudio-bot.toml).",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]


def main() -> None:
    """Run the command line; a mistake of the user's never ends in a traceback."""
    try:
        cli()
    except ConfigError as error:
        for problem in error.problems:
            print(f"mlstudio-bot: {problem}", file=sys.stderr)
        sys.exit(WRONG)
    except BotError as error:
        print(f"mlstudio-bot: {error}", file=sys.stderr)
        sys.exit(WRONG if isinstance(error, UsageError) else FAILED)
    except (BrokenPipeError, KeyboardInterrupt):
        sys.exit(FAILED)


def _version(wanted: bool) -> None:
    if wanted:
        print(__version__)
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
) -> None:
    """Print the version, or go on to the command."""
    from bot.telemetry import logs

    # On stderr, so that --json stays JSON; "run" says more, with its secrets hidden.
    logs.configure("console", level="WARNING")


@cli.command()
def run(
    config: Config = None,
    log_format: Annotated[
        str, typer.Option(help="json, or console for people.", metavar="FORMAT")
    ] = "json",
) -> None:
    """Serve Slack until SIGTERM or SIGINT."""
    with _nothing_to_collect():
        from bot import config as configuration
        from bot.app import Bot

    if log_format not in {"json", "console"}:
        raise typer.BadParameter("choose json or console", param_hint="--log-format")
    path = configuration.find(config, os.environ)
    settings, secrets = configuration.load(path, os.environ)
    _log(log_format, secrets)
    _serve(lambda: Bot(settings, secrets, path=path))


def _serve(make: Callable[[], Bot]) -> None:
    """Run a bot until a signal stops it, then leave at once."""
    code = 0
    try:
        _await(_until_signal(make))
    except BotError as error:
        print(f"mlstudio-bot: {error}", file=sys.stderr)
        code = WRONG if isinstance(error, ConfigError) else FAILED
    sys.stdout.flush()
    sys.stderr.flush()
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


def _log(style: str, secrets: Secrets) -> None:
    from bot.telemetry import logs

    logs.configure("console" if style == "console" else "json", secrets=secrets.hidden)


@cli.command()
def check(
    config: Config = None,
    *,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask nobody over the network.")
    ] = False,
) -> None:
    """Check configuration, secrets, Slack, database and cloud: a line for each."""
    from bot import config as configuration
    from bot.cli.check import check_file

    path = configuration.find(config, os.environ)
    lines = _await(check_file(path, os.environ, offline=offline))
    for line in lines:
        print(line)
    if any(line.ok is False for line in lines):
        raise typer.Exit(FAILED)


@cli.command()
def explain(
    user: Annotated[
        str, typer.Argument(help="A user id (U…): profile, ⋮, Copy member ID.")
    ],
    project: str,
    instance: str,
    channel: Annotated[
        str | None, typer.Option(help="As if asked in this channel (C…).")
    ] = None,
    config: Config = None,
    *,
    as_json: Json = False,
) -> None:
    """Say which rule decides for somebody, what it decides, and who may approve."""
    from bot.cli.explain import explain as explained

    settings, secrets = _configured(config)
    found = _await(explained(settings, secrets, user, project, instance, channel))
    print(_json(found.as_json()) if as_json else found.as_text())


@cli.command()
def history(
    since: Annotated[str, typer.Option(help="How far back, such as 12h or 7d.")] = "7d",
    project: Annotated[str, typer.Option(help="Only this project.")] = "",
    instance: Annotated[str, typer.Option(help="Only this instance.")] = "",
    config: Config = None,
    *,
    as_json: Json = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Check the whole trail's hash chain.")
    ] = False,
) -> None:
    """Print the audit trail, newest first."""
    from bot.model import seconds

    try:
        begin = datetime.now(UTC) - timedelta(seconds=seconds(since))
    except OverflowError as error:
        raise typer.BadParameter(
            "that is too long ago", param_hint="--since"
        ) from error
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--since") from error
    settings = _settings(config)
    if verify:
        _verify(settings)
        return
    from bot.cli.history import broken_glass, entries, line

    found = _await(entries(settings, begin, project, instance))
    if as_json:
        print(_json(found))
    else:
        lines = [*map(line, found), broken_glass(found)]
        said = "\n".join(filter(None, lines))
        print(said or f"Nothing on record in the last {since}.")


def _verify(settings: Settings) -> None:
    from bot.cli.history import verified

    flaws, count, newest = _await(verified(settings))
    for flaw in flaws:
        print(f"✗ {flaw}")
    if flaws:
        print(f"The trail has {count} entries, newest hash {newest or 'none'}.")
        raise typer.Exit(FAILED)
    print(f"✓ the trail is whole: {count} entries, newest hash {newest or 'none'}")


@cli.command()
def init(
    file: Annotated[Path, typer.Argument(help="Where to write it.")] = Path(
        "mlstudio-bot.toml"
    ),
) -> None:
    """Write a commented starter configuration; an existing file is left alone."""
    from bot.cli.assets import starter

    try:
        with file.open("x", encoding="utf-8") as new:
            new.write(starter())
    except FileExistsError:
        raise BotError(
            f"{file} exists already; choose another name, or remove it first"
        ) from None
    except OSError as error:
        raise BotError(f"{file} cannot be written: {error.strerror}") from error
    print(f"Wrote {file}. Fill it in, then run: mlstudio-bot check --config {file}")


@cli.command()
def assets(
    name: Annotated[
        str, typer.Argument(help="Which one to print; without it, what there is.")
    ] = "",
) -> None:
    """Print what watches the bot: Prometheus alert rules, a Grafana dashboard."""
    from bot.cli.assets import ASSETS, text_of

    if name:
        try:
            print(text_of(name), end="")
        except UsageError as error:
            raise typer.BadParameter(str(error), param_hint="NAME") from error
        return
    for asset, purpose in ASSETS.items():
        print(f"{asset:<16}{purpose}")


@cli.command()
def demo(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the page.")] = 8765,
    *,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Do not open the page.")
    ] = False,
    once: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Play one command in the terminal."),
    ] = None,
) -> None:
    """Try it all with a local Slack and a local cloud: no account, no internet."""
    from bot.demo.cli import play, serve

    if once is not None:
        raise typer.Exit(_await(play(once)))
    _await(serve(port, browser=not no_browser))


def _settings(config: Path | None) -> Settings:
    from bot import config as configuration

    return configuration.load_settings(configuration.find(config, os.environ))


def _configured(config: Path | None) -> tuple[Settings, Secrets]:
    from bot import config as configuration

    return configuration.load(configuration.find(config, os.environ), os.environ)


def _await(work: Coroutine[Any, Any, T]) -> T:
    """Run *work*; asyncio is a third of the time of ``--help``, which needs it not."""
    import asyncio

    return asyncio.run(work)


def _json(value: object) -> str:
    import json

    return json.dumps(value, indent=2)
