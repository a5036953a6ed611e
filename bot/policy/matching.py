"""What a rule is about: its projects and instances, and where it holds."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from bot.model import Rule, Target


def covers(rule: Rule, target: Target, name: str | None) -> bool:
    """Say whether *rule* is about *target*, by whichever of its names."""
    known = (target.instance, *target.aliases, target.instance_id)
    return _fits(rule.projects, target.project) and _fits(
        rule.instances, *known, *([] if name is None else [name])
    )


def here(rule: Rule, channel_id: str | None) -> bool:
    """Say whether *rule* holds in a channel; None stands for anywhere."""
    return channel_id is None or _fits(rule.channels, channel_id)


def _fits(patterns: Iterable[str] | None, *texts: str) -> bool:
    """Say whether one of *texts* fits one of *patterns* (None: everything fits)."""
    return patterns is None or any(
        fnmatchcase(text.lower(), pattern.lower())
        for pattern in patterns
        for text in texts
    )
