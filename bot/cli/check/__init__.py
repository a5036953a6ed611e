"""``mlstudio-bot check``: everything that could be wrong, looked at before it hurts.

It changes nothing anywhere; what it finds is lines, not exceptions.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

from bot.cli.check.alerts import note_lines, sender_lines
from bot.cli.check.backends import cloud_lines, database_line
from bot.cli.check.line import (
    Asking,
    Line,
    bad,
    counted,
    good,
    not_asked,
    skipped,
    unheard,
)
from bot.cli.check.listening import listener_lines, listeners
from bot.cli.check.names import doubted_lines, idle_patterns
from bot.cli.check.oncall import on_call_lines, unasked
from bot.cli.check.people import groups, people_lines
from bot.cli.check.rules import approval_lines, rule_lines
from bot.cli.check.slack import editor_lines, home_of
from bot.cli.check.socket_mode import socket_lines
from bot.cli.logins import can_log_in, given
from bot.cloud import Cloud
from bot.config import Settings, examine
from bot.config.error_messages import Problem
from bot.config.near_misses import is_quoted
from bot.config.redaction import hider
from bot.config.secrets import VARIABLES, Secrets, exposed
from bot.errors import ConfigError
from bot.network import Network, http_client
from bot.slack.client import TIMEOUT, clients
from bot.slack.users import Users

__all__ = ["Line", "check", "check_file"]

_FAR_SIDES = ("the database was", "Slack was", "the cloud was")
_ONLINE = "run the check without --offline"
_UNLIMITED = 6000  # calls a minute: somebody waits, and the cloud has a limit itself


async def check_file(
    path: Path, environ: Mapping[str, str], *, offline: bool, asking: Asking = unheard
) -> AsyncIterator[Line]:
    """Check the configuration at *path* with the secrets of *environ*, and all behind.

    Each line comes when it is known; *asking* hears what is waited for. *offline* asks
    nobody over the network and needs no secret.
    """
    found = examine(path, environ)
    settings, secrets = found.settings, found.secrets
    if settings is None:
        for problem in found.wrong:
            yield bad(problem, f"mend {path}")
        for what in ("the secrets were", *_FAR_SIDES):
            yield not_asked(what, f"mend {path}")
        return
    clean = hider(secrets.hidden)  # the cloud and a proxy may echo what we sent
    yield good(
        f"{path}: {counted(len(settings.projects), 'project')},"
        f" {counted(len(settings.rules), 'rule')}"
    )
    lines: list[Line] = []
    network = _network(environ, lines)
    for line in (*lines, *_secrets(environ, found.missing, offline=offline)):
        yield line
    if is_quoted(secrets.os_password.get_secret_value()):
        yield skipped(
            "OS_PASSWORD stands in quotes, which count as part of it here",
            "remove them, unless they belong to the password",
        )
    async for line in check(settings, secrets, network, offline=offline, asking=asking):
        yield replace(line, what=clean(line.what), remedy=clean(line.remedy))


def _network(environ: Mapping[str, str], lines: list[Line]) -> Network | None:
    """Return the way out that *environ* describes; what is wrong goes into *lines*."""
    try:
        return Network.of(environ)
    except ConfigError as error:
        lines.append(bad(str(error), "mend or remove that environment variable"))
        return None


async def check(
    settings: Settings,
    secrets: Secrets,
    network: Network | None,
    *,
    offline: bool,
    asking: Asking = unheard,
) -> AsyncIterator[Line]:
    """Check what *settings* and *secrets* lead to: rules, database, Slack, cloud.

    Without a *network* nobody is asked over it.
    """
    for line in _at_hand(settings, secrets, offline=offline):
        yield line
    if offline:
        return
    for line in await listener_lines(settings):
        yield line
    asking("the database")
    yield await database_line(settings.database)
    if network is None:
        for line in _unreached(settings):
            yield line
        return
    for ask in (_slack, on_call_lines, _cloud):
        async for line in ask(settings, secrets, network, asking):
            yield line
    for line in await note_lines(settings, secrets, network):
        yield line


def _at_hand(settings: Settings, secrets: Secrets, *, offline: bool) -> Iterator[Line]:
    """Yield what needs no answer of anybody; *offline*, that nobody was asked, too."""
    yield from rule_lines(settings.rules, settings.projects, idle_patterns(settings))
    yield from doubted_lines(settings)
    yield from sender_lines(settings, secrets, offline=offline)
    if offline:
        yield from _offline(settings)


def _unreached(settings: Settings) -> Iterator[Line]:
    """Yield what was not asked because there is no way out."""
    mend = "mend the environment variable that is wrong above"
    for what in ("Slack was", "the cloud was"):
        yield not_asked(what, mend)
    for name in settings.oncall:
        yield unasked(name, f"not checked: {mend} first")


def _offline(settings: Settings) -> Iterator[Line]:
    """Yield what was not asked."""
    yield from approval_lines(settings.rules, None)
    if listeners(settings):
        yield skipped("whether the bot could listen was not tried", _ONLINE)
    for what in _FAR_SIDES:
        yield skipped(f"{what} not asked", _ONLINE)
    for name in settings.oncall:
        yield unasked(name, _ONLINE)


def _secrets(
    environ: Mapping[str, str], problems: Iterable[Problem], *, offline: bool
) -> list[Line]:
    """Return a line for each secret of *environ*, and for each that is amiss."""
    present = {name for name in environ if environ[name]}
    given = [n for n in VARIABLES if present & {n, f"{n}_FILE"}]
    wrong = {str(problem.path[0]): problem for problem in problems}
    files = exposed(environ)
    return [
        *(
            good(f"{name} is set{_exposed(name, files)}")
            for name in given
            if name not in wrong
        ),
        *(
            bad(str(problem), f"mend the environment variable {name}")
            for name, problem in wrong.items()
            if not offline or name in present.union(given)
        ),
    ]


def _exposed(name: str, files: Mapping[str, str]) -> str:
    """Return what to say of a secret whose file every user of this machine may read.

    It is no ✗: in a container, where Kubernetes and Docker make such files readable for
    all, there is nobody else.
    """
    said = f"; but every user here can read its file: chmod 600 {files.get(name)}"
    return said if name in files else ""


async def _slack(
    settings: Settings, secrets: Secrets, network: Network, asking: Asking
) -> AsyncIterator[Line]:
    """Ask Slack about the tokens, and about everybody whom the rules name."""
    if not given(secrets.slack_bot_token):
        yield skipped("Slack was not asked", "not checked: set SLACK_BOT_TOKEN first")
        return
    asking("Slack")
    lines: list[Line] = []
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
        token = secrets.slack_bot_token.get_secret_value()
        # The client that repeats nothing: somebody waits, and can run it again.
        api_url = settings.slack.api_url
        client, _ = clients(token, api_url, session, network=network)
        home = await home_of(client, lines, network.way(api_url))
        for line in lines:
            yield line
        if settings.slack.mode == "socket":
            asking("the socket to Slack")
            app_token = secrets.slack_app_token.get_secret_value()
            for line in await _socket(client, session, app_token, network):
                yield line
        users, named = Users(client, home.team_id), groups(settings)
        async for line in people_lines(settings, users, home, asking):
            yield line
        if home.team_id and named:
            for line in await editor_lines(client, users, named):
                yield line


async def _socket(
    client: AsyncWebClient,
    session: aiohttp.ClientSession,
    app_token: str,
    network: Network,
) -> list[Line]:
    if not app_token:
        return [not_asked("the socket to Slack was", "set SLACK_APP_TOKEN")]
    return await socket_lines(client, session, app_token, network)


async def _cloud(
    settings: Settings, secrets: Secrets, network: Network, asking: Asking
) -> AsyncIterator[Line]:
    """Log in to every project and look at every instance that has a name."""
    if not can_log_in(settings, secrets):
        yield not_asked("the cloud was", "set the secrets of its login")
        return
    quick = settings.cloud.model_copy(update={"calls_per_minute": _UNLIMITED})
    async with http_client(network) as http:
        cloud = Cloud.of(settings.model_copy(update={"cloud": quick}), secrets, http)
        async for line in cloud_lines(settings, cloud, network, asking):
            yield line
