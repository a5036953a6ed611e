"""Names of instances, and patterns for them, that may not be meant as written. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

from bot.cli.check.line import Line, skipped
from bot.config import ProjectSettings, Settings
from bot.config.near_misses import with_version
from bot.config.tables import ID_SHAPE
from bot.model import Rule


def doubted_lines(settings: Settings) -> Iterator[Line]:
    """Yield a warning for each value of the file that may be a mistake."""
    for url, place in _login_services(settings).items():
        if right := with_version(url):
            yield skipped(
                f"{place} is {url}, and a login service's address ends in /v3",
                f'write "{right}", unless somebody sees to the rest of it there',
            )
    for project, own in settings.projects.items():
        for aliases in _doubled(own):
            yield skipped(
                f"{project}: {' and '.join(aliases)} are names of the same instance",
                f"mend the id of one of them in [projects.{project}.instances], unless"
                " both names are meant",
            )


def _login_services(settings: Settings) -> dict[str, str]:
    """Return the address of each login service, and a place of the file that says it.

    A key needs none.
    """
    places: dict[str, str] = {}
    for project, point in settings.endpoints.items():
        own = settings.projects[project].iam_url
        place = f"projects.{project}.iam_url" if own else "cloud.iam_url"
        if point.auth == "token" and point.iam_url:
            places.setdefault(point.iam_url, place)
    return places


def _doubled(own: ProjectSettings) -> list[list[str]]:
    """Return the aliases of each instance that has several."""
    aliases: dict[str, list[str]] = defaultdict(list)
    for alias, known in own.instances.items():
        aliases[known.id.lower()].append(alias)
    return [names for names in aliases.values() if len(names) > 1]


def idle_patterns(settings: Settings) -> Mapping[str, list[str]]:
    """Return by its name the patterns of each rule that no alias and no id fits.

    What the cloud has names for (``discover``) is not known here, so a rule that may be
    about such a project has none.
    """
    return {rule.name: _idle(rule, settings) for rule in settings.rules}


def _idle(rule: Rule, settings: Settings) -> list[str]:
    projects = [
        own for name, own in settings.projects.items() if _fits(name, rule.projects)
    ]
    if any(own.discover for own in projects):
        return []
    known = [
        word
        for own in projects
        for alias, instance in own.instances.items()
        for word in (alias, instance.id)
    ]
    return [
        pattern
        for pattern in rule.instances or ()
        if not ID_SHAPE.fullmatch(pattern)
        and not any(_fits(word, [pattern]) for word in known)
    ]


def _fits(word: str, patterns: tuple[str, ...] | list[str] | None) -> bool:
    """Say whether *word* fits one of *patterns*; None means all, as in a rule."""
    if patterns is None:
        return True
    return any(fnmatchcase(word.lower(), pattern.lower()) for pattern in patterns)
