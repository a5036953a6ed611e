"""What an app's acknowledgement does to a dialog."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bot.demo.block_kit import require_view
from bot.demo.block_kit_elements import OPTIONS
from bot.demo.deliveries import Delivery
from bot.demo.posts import View
from bot.demo.slack_error import Refusal
from bot.demo.slack_workspace import Workspace

TROUBLE = "We had some trouble connecting. Try again?"


def settle(workspace: Workspace, delivery: Delivery, view: View) -> None:
    """Do to a submitted *view* what the acknowledgement says.

    docs.slack.dev/surfaces/modals, "Updating and pushing modal views".
    """
    if delivery.ok:
        try:
            _obey(workspace, delivery.ack, view)
        except Refusal as refusal:
            delivery.error = refusal.code
    if delivery.error and workspace.is_open(view):
        last = view.blocks[-1]["block_id"] if view.blocks else ""
        workspace.reshow(replace(view, errors={last: TROUBLE}))


def _obey(workspace: Workspace, ack: dict[str, Any], view: View) -> None:
    match ack.get("response_action"):
        case None | "" | "clear":
            workspace.close(view)
        case "errors":
            errors = ack.get("errors") or {}
            known = {b["block_id"] for b in view.blocks if b["type"] == "input"}
            if not errors or not set(errors) <= known:
                raise Refusal("invalid_response_errors")
            if workspace.is_open(view):
                workspace.reshow(replace(view, errors=dict(errors)))
        case "update":
            body = ack.get("view")
            require_view(body, "modal")
            if isinstance(body, dict) and workspace.is_open(view):
                workspace.show(view.user_id, body, view)
        case _:
            raise Refusal("invalid_response_action")


def suggestions(delivery: Delivery) -> Delivery:
    """Refuse options that Slack would not show; they are in the acknowledgement."""
    if delivery.ok and (wrong := list(OPTIONS(delivery.ack, ""))):
        delivery.error = "invalid_options"
        delivery.ack = {"problems": wrong}
    return delivery
