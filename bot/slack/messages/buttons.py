"""The buttons that lead to a restart or a start, and what they carry. Pure."""

from __future__ import annotations

import json

from bot.errors import UsageError
from bot.model import Act, Record, State, Target, can_start, canonical
from bot.slack.messages import blocks as b
from bot.slack.messages import formatting as t

RESTART_DIALOG = "restart_dialog"
START_IT, START_NOW, RESTART_ANYWAY = "start_it", "start_now", "restart_anyway"


def offer(record: Record) -> b.Part | None:
    """Return the button for what can be done after a request has ended, if anything.

    It carries the request's id and nothing else; the click is a request of its own.
    """
    offered = _offered(record)
    if offered is None:
        return None
    label, action = offered
    about = f"{label}: {t.spot(record.request.target)}"
    return b.buttons(b.button(label, action, record.request.id, about=about))


def start_now_button(down: Record) -> b.Block:
    """Return the button that starts what *down* has left down."""
    about = f"Start now: {t.spot(down.request.target)}"
    return b.button("Start now", START_NOW, down.request.id, about=about)


def _offered(record: Record) -> tuple[str, str] | None:
    """Return label and action of the button that fits how *record* ended."""
    if record.state is State.DOWN:
        return None if record.up_again else ("Start now", START_NOW)
    if record.state not in {State.NOT_RESTARTED, State.FAILED}:
        return None
    restart, found = record.request.wants is Act.RESTART, record.baseline
    refused = restart and record.state is State.NOT_RESTARTED and found is not None
    if refused and found and found.sold_out and not record.request.anyway:
        return "Restart anyway", RESTART_ANYWAY
    if not can_start(record.last_status) or not (
        refused or record.state is State.FAILED
    ):
        return None
    return "Start it", START_IT


def restart_button(target: Target, alert: str = "") -> b.Block:
    """Return the button that opens the restart dialog for *target*.

    *alert* is the id of the one below which it stands, if it stands below one.
    """
    label = "Restart…" if alert else "Restart"
    about = f"Restart {t.spot(target)}"
    return b.button(label, RESTART_DIALOG, target_value(target, alert), about=about)


def start_button(target: Target) -> b.Block:
    """Return the button that asks for the start of *target*, which is stopped."""
    about = f"Start {t.spot(target)}"
    return b.button("Start it", START_IT, target_value(target), about=about)


def target_value(target: Target, alert: str = "") -> str:
    """Return the value of a button, or an option, that belongs to no request."""
    names = {"project": target.project, "instance": target.instance_id}
    return canonical(names | ({"alert": alert} if alert else {}))


def names_target(value: str) -> bool:
    """Say whether a button's *value* names an instance, and no request."""
    return value.startswith("{")


def alert_of(value: str) -> str:
    """Return the id of the alert below which a restart button stands, if any."""
    try:
        return str(json.loads(value).get("alert") or "")[:32]
    except (ValueError, AttributeError):  # ``target_names`` says so
        return ""


def target_names(value: str) -> tuple[str, str]:
    """Return project and instance id of the *value* of a button without a request.

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
