"""Which configured instance an alert is about. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from bot.config import Settings
from bot.errors import UsageError
from bot.model import Alert, Target

PROJECT, INSTANCE = "mlstudio_project", "mlstudio_instance"  # labels


def target_of(alert: Alert, settings: Settings) -> Target | None:
    """Return the instance that an alert's labels, or else the map, name.

    None where they name none that the configuration names: nothing is guessed.
    """
    found = (_configured(settings, *pair) for pair in _named(alert, settings))
    return next(filter(None, found), None)


def projects_of(alerts: Iterable[Alert], settings: Settings) -> set[str]:
    """Return every project that alerts name, as in their labels or the map."""
    return {project for alert in alerts for project, _ in _named(alert, settings)}


def _named(alert: Alert, settings: Settings) -> list[tuple[str, str]]:
    """Return each project and instance that an alert may be about, in their order."""
    labels = alert.labels
    maps = settings.alerts.map if settings.alerts else ()
    pairs = [(labels.get(PROJECT, ""), labels.get(INSTANCE, ""))]
    pairs += [
        (entry.project, entry.instance)
        for entry in maps
        if entry.match.items() <= labels.items()
    ]
    return [pair for pair in pairs if all(pair)]


def _configured(settings: Settings, project: str, instance: str) -> Target | None:
    try:
        target = settings.target(project, instance)
    except UsageError:
        return None
    own = settings.projects[target.project]
    named = {known.lower() for known in own.every_id}
    return target if target.key in named else None
