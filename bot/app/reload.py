"""What a reload changes at once, and what waits for a restart of the bot. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from bot.config import Secrets, Settings
from bot.config.error_messages import Path, place
from bot.config.secrets import VARIABLES

AT_ONCE = ("rules", "projects", "freeze", "owners", "oncall")
# Of [alerts], if there was such a table: who listens, listens where he does.
ALERTS_AT_ONCE = ("channel", "map")  # all others need a restart


@attrs.frozen
class Reload:
    """*settings* count from now on; *applied* and *waiting* name what is new by key."""

    settings: Settings
    applied: tuple[str, ...]
    waiting: tuple[str, ...]


def compared(old: tuple[Settings, Secrets], new: tuple[Settings, Secrets]) -> Reload:
    """Return what taking *new* in the place of *old* means."""
    changes = dict(_changes(_keys(old[0]), _keys(new[0])))
    if _order(old[0]) != _order(new[0]) and set(_order(old[0])) == set(_order(new[0])):
        changes[("rules",)] = "in another order"  # which decides who comes first
    kept = {name: getattr(new[0], name) for name in AT_ONCE}
    taken: set[Path] = set()
    if (was := old[0].alerts) and (alerts := new[0].alerts):
        taken = {("alerts", key) for key in ALERTS_AT_ONCE}
        update = {key: getattr(alerts, key) for key in ALERTS_AT_ONCE}
        kept["alerts"] = was.model_copy(update=update)
    at_once = [path for path in changes if path[0] in AT_ONCE or path[:2] in taken]
    waiting = [place(path) for path in changes if path not in at_once]
    return Reload(
        old[0].model_copy(update=kept),
        tuple(f"{_shown(path)} {changes[path]}" for path in at_once),
        (*waiting, *_other_secrets(old[1], new[1])),
    )


def _order(settings: Settings) -> list[str]:
    return [rule.name for rule in settings.rules]


def _changes(
    old: Mapping[Path, object], new: Mapping[Path, object]
) -> Iterator[tuple[Path, str]]:
    """Yield each key that differs, and how; of a whole project that alone."""
    for path in {**old, **new}:
        whole = path[:2] if path[0] == "projects" else path
        if path != whole and (whole not in new or whole not in old):
            continue
        if path not in new:
            yield path, "removed"
        elif path not in old:
            yield path, "added"
        elif old[path] != new[path]:
            yield path, "changed"


def _keys(settings: Settings) -> dict[Path, object]:
    """Return each key with its value; a rule and a project go by their names."""
    said = settings.model_dump(mode="json")
    rules = said.pop("rules")
    found = dict(_flat((), said))
    found |= {("projects", name): True for name in settings.projects}
    return found | {("rules", 0, rule["name"]): rule for rule in rules}


def _flat(path: Path, value: Any) -> Iterator[tuple[Path, object]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat((*path, key), inner)
    elif value is not None:
        yield path, value


def _shown(path: Path) -> str:
    return f"rule “{path[2]}”" if path[:2] == ("rules", 0) else place(path)


def _other_secrets(old: Secrets, new: Secrets) -> list[str]:
    """Return the variables that hold another value now; the bot keeps the old one."""
    fields = {
        "SLACK_SIGNING_SECRET": "slack_signing_secrets",
        "clouds.yaml": "clouds",
        **{
            name: name.removeprefix("HUAWEICLOUD_SDK_").lower()
            for name in VARIABLES
            if name != "SLACK_SIGNING_SECRET"
        },
    }
    return [
        name
        for name, field in fields.items()
        if getattr(old, field, None) != getattr(new, field, None)
    ]
