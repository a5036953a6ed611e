"""What a bot that serves asks of itself: ``check`` with its own clients.

Left out is what its start has proven (the database, the socket, where it listens), and
the looks at instances, which would use up the bot's limit of calls.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from bot.app.clients import Clients
from bot.cli.check.backends import login_line, project_line
from bot.cli.check.line import Line, unheard
from bot.cli.check.people import people_lines
from bot.cli.check.rules import rule_lines
from bot.cli.check.slack import home_of
from bot.restarts.services import Services


async def serving_lines(clients: Clients, services: Services) -> AsyncIterator[Line]:
    """Yield a line for rules, scopes, people, groups and logins, as they are now."""
    settings = services.settings()
    for line in rule_lines(settings.rules, settings.projects):
        yield line
    lines: list[Line] = []
    way = clients.network.way(settings.slack.api_url)
    home = await home_of(clients.idem, lines, way)
    for line in lines:
        yield line
    async for line in people_lines(settings, services.users, home, unheard):
        yield line
    for project in settings.projects:
        line = await login_line(settings, services.cloud, clients.network, project)
        yield line
        if line.ok:  # a token comes from another host, and says nothing of this one
            way = clients.network.way(settings.endpoint(project).modelarts_url)
            yield await project_line(services.cloud, project, way)
