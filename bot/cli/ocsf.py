"""Entries of the trail as events of the Open Cybersecurity Schema Framework. Pure.

All of them are API Activity: https://schema.ocsf.io/1.8.0/classes/api_activity
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bot import __version__
from bot.ledger import BREAK_GLASS
from bot.model import State

VERSION = "1.8.0"
NAME = "mlstudio-bot"
CATEGORY, CLASS = 6, 6003
CREATE, UPDATE, OTHER = 1, 3, 99
INFORMATIONAL, LOW, MEDIUM = 1, 2, 3
UNKNOWN, SUCCESS, FAILURE = 0, 1, 2

# Activities and severities of the kinds of entries; every other is OTHER, for one that
# approves or refuses there is none, and informational.
_ACTIVITIES = {State.ASKED: CREATE, "sending": UPDATE, "starting": UPDATE}
_NAMES = {CREATE: "Create", UPDATE: "Update", OTHER: "Other"}
_SEVERITIES = {
    BREAK_GLASS: MEDIUM,
    "passes a freeze": MEDIUM,
    State.DOWN: MEDIUM,
    State.FAILED: MEDIUM,
    State.UNKNOWN: MEDIUM,
    State.REFUSED: LOW,
    "click refused": LOW,
    "cancel refused": LOW,
}
_STATUSES = {
    State.UNKNOWN: UNKNOWN,
    "lost": UNKNOWN,
    **dict.fromkeys(
        (
            *(State.REFUSED, State.DENIED, State.FAILED, State.TIMED_OUT, State.DOWN),
            *(State.NOT_RESTARTED, State.EXPIRED, State.VOIDED),
            *("click refused", "cancel refused", "denial", "not sent"),
        ),
        FAILURE,
    ),
}
_UNMAPPED = ("seq", "hash", "previous_hash", "kind", "rule", "rule_version", "digest")


def event(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the event that *entry* is; what OCSF has no place for is ``unmapped``."""
    kind = entry["kind"]
    activity = _ACTIVITIES.get(kind, OTHER)
    return {
        "category_uid": CATEGORY,
        "category_name": "Application Activity",
        "class_uid": CLASS,
        "class_name": "API Activity",
        "activity_id": activity,
        "activity_name": _NAMES[activity] if activity != OTHER else kind,
        "type_uid": CLASS * 100 + activity,
        "type_name": f"API Activity: {_NAMES[activity]}",
        "severity_id": _SEVERITIES.get(kind, INFORMATIONAL),
        "status_id": _STATUSES.get(kind, SUCCESS),
        "time": _milliseconds(entry["at"]),
        "message": entry["detail"] or kind,
        "metadata": _metadata(entry),
        "actor": _actor(entry),
        "api": _api(entry),
        "src_endpoint": {"svc_name": "slack"},
        "resources": _resources(entry),
        "unmapped": {
            **{name: entry[name] for name in _UNMAPPED},
            "request": entry["request_id"],
        },
    }


def _metadata(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "version": VERSION,
        "product": {"name": NAME, "vendor_name": NAME, "version": __version__},
        "log_name": "audit",
        "uid": entry["hash"],
        "sequence": entry["seq"],
        "original_time": entry["at"],
        **({"correlation_uid": entry["request_id"]} if entry["request_id"] else {}),
    }


def _actor(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return who did it: a person, by his id in Slack, or the bot itself."""
    if not entry["user_id"]:
        return {"app_name": NAME}
    org = {"org": {"uid": entry["team_id"]}} if entry["team_id"] else {}
    return {"user": {"uid": entry["user_id"], **org}}


def _api(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was done; the answer's reference is that of the cloud."""
    api = {"operation": entry["kind"], "service": {"name": NAME}}
    if entry["request_id"]:
        api["request"] = {"uid": entry["request_id"]}
    if entry["ref"]:
        api["response"] = {"data": {"ref": entry["ref"]}}
    return api


def _resources(entry: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the instance, or without one the project, that it is about."""
    if entry["instance"] or entry["instance_id"]:
        named = {"name": entry["instance"], "uid": entry["instance_id"]}
        group = {"group": {"name": entry["project"]}} if entry["project"] else {}
        known = {name: value for name, value in named.items() if value}
        return [{"type": "ModelArts instance", **known, **group}]
    if entry["project"]:
        return [{"type": "ModelArts project", "name": entry["project"]}]
    return []


def _milliseconds(at: str) -> int:
    """Return a time of the trail as OCSF has them; 0 where somebody has changed it."""
    try:
        return round(datetime.fromisoformat(at).timestamp() * 1000)
    except ValueError:
        return 0
