"""Which configured instance an alert is about. Pure."""

from __future__ import annotations

from bot.config import Settings
from bot.errors import UsageError
from bot.model import Alert, Target

PROJECT, INSTANCE = "mlstudio_project", "mlstudio_instance"  # labels


def target_of(alert: Alert, settings: Settings) -> Target | None:
    """Return the instance that an alert's labels, or else the map, name.

    None where they name none that the configuration names: nothing is guessed.
    """
    labels = alert.labels
    pairs = [(labels.get(PROJECT, ""), labels.get(INSTANCE, ""))]
    maps = settings.alerts.map if settings.alerts else ()
    pairs += [
        (entry.project, entry.instance)
        for entry in maps
        if entry.match.items() <= labels.items()
    ]
    found = (_configured(settings, *pair) for pair in pairs if all(pair))
    return next(filter(None, found), None)


def _configured(settings: Settings, project: str, instance: str) -> Target | None:
    try:
        target = settings.target(project, instance)
    except UsageError:
        return None
    own = settings.projects[target.project]
    named = {known.lower() for known in own.every_id}
    return target if target.key in named else None
