"""``mlstudio-bot check``: everything that could be wrong, looked at before it hurts.

It changes nothing anywhere; what it finds is lines, not exceptions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import aiohttp

from bot.cli.check.alerts import note_lines, sender_lines
from bot.cli.check.backends import cloud_lines, database_line
from bot.cli.check.line import Line, bad, counted, good, skipped
from bot.cli.check.oncall import on_call_lines, unasked
from bot.cli.check.rules import approval_lines, people_of, rule_lines
from bot.cli.check.slack import (
    editor_lines,
    group_line,
    home_team,
    user_line,
)
from bot.cli.check.socket_mode import socket_lines
from bot.cli.logins import can_log_in, given
from bot.cloud import Cloud
from bot.config import Settings, examine
from bot.config.error_messages import Problem
from bot.config.redaction import hider
from bot.config.secrets import VARIABLES, Secrets, exposed
from bot.errors import ConfigError
from bot.model.rule import USER_ID
from bot.network import Network, http_client
from bot.policy import is_group, references
from bot.slack.client import TIMEOUT, clients
from bot.slack.users import Users

__all__ = ["Line", "check", "check_file"]

_ONLINE = "run the check without --offline"


async def check_file(
    path: Path, environ: Mapping[str, str], *, offline: bool
) -> list[Line]:
    """Check the configuration at *path* with the secrets of *environ*, and all behind.

    *offline* asks nobody over the network and needs no secret.
    """
    found = examine(path, environ)
    settings, secrets = found.settings, found.secrets
    if settings is None:
        return [bad(problem, f"mend {path}") for problem in found.wrong]
    network = _network(environ, lines := [])
    lines += _secrets(environ, found.missing, offline=offline)
    clean = hider(secrets.hidden)  # the cloud and a proxy may echo what we sent
    return [
        good(
            f"{path}: {counted(len(settings.projects), 'project')},"
            f" {counted(len(settings.rules), 'rule')}"
        ),
        *lines,
        *(
            replace(line, what=clean(line.what), remedy=clean(line.remedy))
            for line in await check(settings, secrets, network, offline=offline)
        ),
    ]


def _network(environ: Mapping[str, str], lines: list[Line]) -> Network | None:
    """Return the way out that *environ* describes; what is wrong goes into *lines*."""
    try:
        return Network.of(environ)
    except ConfigError as error:
        lines.append(bad(str(error), "mend or remove that environment variable"))
        return None


async def check(
    settings: Settings, secrets: Secrets, network: Network | None, *, offline: bool
) -> list[Line]:
    """Check what *settings* and *secrets* lead to: rules, database, Slack, cloud.

    Without a *network* nobody is asked over it.
    """
    lines = list(rule_lines(settings.rules, settings.projects))
    lines += sender_lines(settings, secrets, offline=offline)
    if offline:
        lines += approval_lines(settings.rules, None)
        lines += [
            skipped(f"{what} not asked", _ONLINE)
            for what in ("the database was", "Slack was", "the cloud was")
        ]
        return lines + [unasked(line, _ONLINE) for line in settings.oncall]
    lines.append(await database_line(settings.database))
    if network is None:
        mend = "mend the environment variable that is wrong above"
        asked = ("Slack was not asked", "the cloud was not asked")
        lines += [skipped(what, mend) for what in asked]
        return lines + [unasked(line, mend) for line in settings.oncall]
    lines += await _slack(settings, secrets, network)
    lines += [line async for line in on_call_lines(settings, secrets, network)]
    lines += await _cloud(settings, secrets, network)
    lines += await note_lines(settings, secrets, network)
    return lines


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


async def _slack(settings: Settings, secrets: Secrets, network: Network) -> list[Line]:
    """Ask Slack about the tokens, and about everybody whom the rules name."""
    if not given(secrets.slack_bot_token):
        return [skipped("Slack was not asked", "set SLACK_BOT_TOKEN")]
    lines: list[Line] = []
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
        token = secrets.slack_bot_token.get_secret_value()
        # The client that repeats nothing: somebody waits, and can run it again.
        api_url = settings.slack.api_url
        client, _ = clients(token, api_url, session, network=network)
        team = await home_team(client, lines, network.way(api_url))
        if settings.slack.mode == "socket" and given(secrets.slack_app_token):
            app_token = secrets.slack_app_token.get_secret_value()
            lines += await socket_lines(client, session, app_token, network)
        if team:
            users = Users(client, team)
            lines += await _users(settings, users)
            groups = _groups(settings)
            if groups:
                lines += await editor_lines(client, users, groups)
    return lines


async def _users(settings: Settings, users: Users) -> list[Line]:
    """Look up the users and groups that rules name, and who could ever approve."""
    lines = {
        user_id: await user_line(users, user_id, rules)
        for user_id, rules in _people(settings).items()
    }
    groups = await users.groups(sorted(_groups(settings)), fresh=True)
    unfit = [user_id for user_id, line in lines.items() if not line.ok]
    return [
        *lines.values(),
        *(group_line(reference, groups[reference]) for reference in groups),
        *approval_lines(settings.rules, groups, unfit),
    ]


def _groups(settings: Settings) -> frozenset[str]:
    """Return every user group that the file names."""
    return references(settings.rules) | frozenset(filter(is_group, settings.freeze.by))


def _people(settings: Settings) -> dict[str, list[str]]:
    """Return every user id that the file names, with where it does."""
    named = people_of(settings.rules, settings.owners.values())
    for entry in settings.freeze.by:
        if USER_ID.fullmatch(entry):
            named.setdefault(entry, []).append("[freeze]")
    return named


async def _cloud(settings: Settings, secrets: Secrets, network: Network) -> list[Line]:
    """Log in to every project and look at every instance that has a name."""
    if not can_log_in(settings, secrets):
        return [skipped("the cloud was not asked", "set the secrets of its login")]
    async with http_client(network) as http:
        cloud = Cloud.of(settings, secrets, http)
        return [line async for line in cloud_lines(settings, cloud, network)]
