"""The restart button and the small value that it carries. Pure."""

from __future__ import annotations

import json

from bot.errors import UsageError
from bot.model import Target, canonical
from bot.slack.messages import blocks as b
from bot.slack.messages import formatting as t

RESTART_DIALOG = "restart_dialog"


def restart_button(target: Target) -> b.Block:
    """Return the button that opens the restart dialog for *target*."""
    value = canonical({"project": target.project, "instance": target.instance_id})
    about = f"Restart {t.spot(target)}"
    return b.button("Restart", RESTART_DIALOG, value, about=about)


def target_names(value: str) -> tuple[str, str]:
    """Return project and instance id of a restart button's *value*.

    Raises UsageError for a value that this bot did not make.
    """
    try:
        data = json.loads(value)
        return str(data["project"]), str(data["instance"])
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            "This button is not one of mine any more: nothing was restarted."
            f" Type {t.COMMAND} list <project> for new ones."
        ) from error
