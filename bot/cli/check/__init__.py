"""``mlstudio-bot check``: everything that could be wrong, looked at before it hurts.

It changes nothing anywhere; what it finds is lines, not exceptions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import aiohttp
from pydantic import SecretStr

from bot.cli.check.backends import cloud_lines, database_line
from bot.cli.check.line import Line, bad, counted, good, skipped
from bot.cli.check.rules import approval_lines, people_of, rule_lines
from bot.cli.check.slack import (
    app_token_line,
    editor_lines,
    group_line,
    home_team,
    user_line,
)
from bot.cloud import Cloud, http_client
from bot.config import Settings, examine
from bot.config.error_messages import Problem
from bot.config.secrets import VARIABLES, Secrets
from bot.policy import references
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
    lines = _secrets(environ, found.missing, offline=offline)
    return [
        good(
            f"{path}: {counted(len(settings.projects), 'project')},"
            f" {counted(len(settings.rules), 'rule')}"
        ),
        *lines,
        *await check(settings, secrets, offline=offline),
    ]


async def check(settings: Settings, secrets: Secrets, *, offline: bool) -> list[Line]:
    """Check what *settings* and *secrets* lead to: rules, database, Slack, cloud."""
    lines = list(rule_lines(settings.rules, settings.projects))
    if offline:
        lines += approval_lines(settings.rules, None)
        lines += [
            skipped(f"{what} not asked", _ONLINE)
            for what in ("the database was", "Slack was", "the cloud was")
        ]
        return lines
    lines.append(await database_line(settings.database))
    lines += await _slack(settings, secrets)
    lines += await _cloud(settings, secrets)
    return lines


def _secrets(
    environ: Mapping[str, str], problems: Iterable[Problem], *, offline: bool
) -> list[Line]:
    """Return a line for each secret of *environ*, and for each that is amiss."""
    present = {name for name in environ if environ[name]}
    given = [n for n in VARIABLES if present & {n, f"{n}_FILE"}]
    wrong = {str(problem.path[0]): problem for problem in problems}
    return [
        *(good(f"{name} is set") for name in given if name not in wrong),
        *(
            bad(str(problem), f"mend the environment variable {name}")
            for name, problem in wrong.items()
            if not offline or name in present.union(given)
        ),
    ]


async def _slack(settings: Settings, secrets: Secrets) -> list[Line]:
    """Ask Slack about the tokens, and about everybody whom the rules name."""
    if not _given(secrets.slack_bot_token):
        return [skipped("Slack was not asked", "set SLACK_BOT_TOKEN")]
    lines: list[Line] = []
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
        token = secrets.slack_bot_token.get_secret_value()
        # The client that repeats nothing: somebody waits, and can run it again.
        client, _ = clients(token, settings.slack.api_url, session)
        team = await home_team(client, lines)
        if settings.slack.mode == "socket" and _given(secrets.slack_app_token):
            app_token = secrets.slack_app_token.get_secret_value()
            lines.append(await app_token_line(client, app_token))
        if team:
            users = Users(client, team)
            lines += await _users(settings, users)
            groups = references(settings.rules)
            if groups:
                lines += await editor_lines(client, users, groups)
    return lines


async def _users(settings: Settings, users: Users) -> list[Line]:
    """Look up the users and groups that rules name, and who could ever approve."""
    lines = {
        user_id: await user_line(users, user_id, rules)
        for user_id, rules in people_of(
            settings.rules, settings.owners.values()
        ).items()
    }
    groups = await users.groups(sorted(references(settings.rules)), fresh=True)
    unfit = [user_id for user_id, line in lines.items() if not line.ok]
    return [
        *lines.values(),
        *(group_line(reference, groups[reference]) for reference in groups),
        *approval_lines(settings.rules, groups, unfit),
    ]


async def _cloud(settings: Settings, secrets: Secrets) -> list[Line]:
    """Log in to every project and look at every instance that has a name."""
    # An empty password would only count as one more failed login.
    if not all(map(_given, _needed(settings, secrets))):
        return [skipped("the cloud was not asked", "set the secrets of its login")]
    async with http_client() as http:
        cloud = Cloud.of(settings, secrets, http)
        return [line async for line in cloud_lines(settings, cloud)]


def _needed(settings: Settings, secrets: Secrets) -> list[SecretStr]:
    """Return the secrets that the logins of all projects need."""
    of = {
        "token": [
            secrets.os_username,
            secrets.os_password,
            secrets.os_user_domain_name,
        ],
        "aksk": [secrets.ak, secrets.sk],
    }
    points = settings.endpoints.values()
    logins = {p.auth for p in points if p.auth == "aksk" or not p.cloud}
    return [secret for login in logins for secret in of[login]]


def _given(secret: SecretStr) -> bool:
    return bool(secret.get_secret_value())
