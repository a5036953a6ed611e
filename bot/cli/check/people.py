"""The people and user groups that the file names, as Slack knows them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterator
from dataclasses import replace

from bot.cli.check.line import Asking, Line, not_asked
from bot.cli.check.rules import approval_lines, people_of
from bot.cli.check.slack import Home, group_line, user_line
from bot.config import Settings
from bot.policy import EVERYBODY, is_group, references
from bot.slack.users import Users

_USERS, _GROUPS = "users:read", "usergroups:read"  # the scopes that it takes


async def people_lines(
    settings: Settings, users: Users, home: Home, asking: Asking
) -> AsyncIterator[Line]:
    """Yield a line for each person and group that the file names, and for approvals.

    What the scopes of *home* do not allow is listed as not asked.
    """
    if not home.team_id:
        for line in _unasked(settings):
            yield line
        return
    unfit = []
    for user_id, rules in people(settings).items():
        if _USERS in home.lacking:
            yield not_asked(f"user {user_id} was", f"add the scope {_USERS}")
            continue
        asking(f"Slack about {user_id}")
        line = await user_line(users, user_id, rules)
        unfit += [] if line.ok else [user_id]
        yield line
    named = sorted(groups(settings))
    if _GROUPS in home.lacking:
        for reference in named:
            yield not_asked(f"user group {reference} was", f"add the scope {_GROUPS}")
        for line in _approvals(settings, unfit, f"add the scope {_GROUPS}"):
            yield line
        return
    asking("Slack about user groups")
    members = await users.groups(named, fresh=True)
    for reference in members:
        yield group_line(reference, members[reference])
    for line in approval_lines(settings.rules, members, unfit):
        yield line


def _unasked(settings: Settings) -> Iterator[Line]:
    """Yield what cannot be asked with a token that Slack refuses."""
    mend = "mend what is said of the bot token"
    for user_id in people(settings):
        yield not_asked(f"user {user_id} was", mend)
    for reference in sorted(groups(settings)):
        yield not_asked(f"user group {reference} was", mend)
    yield from _approvals(settings, (), mend)


def _approvals(
    settings: Settings, unfit: Collection[str], first: str
) -> Iterator[Line]:
    """Yield who could approve, as far as that is known without Slack's groups."""
    for line in approval_lines(settings.rules, None, unfit):
        unasked = line.ok is None
        yield replace(line, remedy=f"not checked: {first} first") if unasked else line


def groups(settings: Settings) -> frozenset[str]:
    """Return every user group that the file names."""
    return references(settings.rules) | frozenset(filter(is_group, settings.freeze.by))


def people(settings: Settings) -> dict[str, list[str]]:
    """Return every user id that the file names, with where it does."""
    named = people_of(settings.rules, settings.owners.values())
    for entry in settings.freeze.by:
        if entry != EVERYBODY and not is_group(entry):
            named.setdefault(entry, []).append("[freeze]")
    return named
