"""The dialog that confirms several restarts, and what comes back from it. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.model import (
    Message,
    Record,
    State,
    Target,
    canonical,
)
from bot.slack.messages import blocks as b
from bot.slack.messages import formatting as t
from bot.slack.messages.blocks import View
from bot.slack.messages.dialogs import filled, labelled, reason_input, warnings

CONFIRM = "confirm"  # callback id
GO_ON = "go_on"


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What somebody confirmed; *instances* are ids, *channel* where to speak."""

    project: str
    instances: tuple[str, ...]
    channel: str
    reason: str = ""
    break_glass: bool = False
    go_on: bool = False
    private: bool = False  # whether only its members see that channel


def confirm_view(
    targets: Sequence[Target],
    outlooks: Sequence[tuple[str, str]],
    *,
    needs_reason: bool = False,
    statuses: Mapping[str, str],
    parallel: int,
    asked: Confirmed,
) -> View:
    """Return the dialog that lists *targets* with their *statuses* by name.

    *outlooks* are what the rules will say to each, and who would be asked, markup;
    *parallel* is how many are restarted at a time; *asked* comes back with it.
    """
    several = "1 instance" if len(targets) == 1 else f"{len(targets)} instances"
    return {
        "type": "modal",
        "callback_id": CONFIRM,
        "title": b.plain_text(f"Restart {several}", 24),
        "submit": b.plain_text("Restart", 24),
        "close": b.plain_text("Cancel", 24),
        "private_metadata": _metadata(asked),
        "blocks": [
            *b.drawn([b.marked(_opening(targets, parallel))]),
            *b.drawn([_row(one, statuses.get(one.instance, "")) for one in targets]),
            *b.drawn(_outlooks(targets, outlooks)),
            reason_input(asked.reason, required=needs_reason),
            _go_on(),
            *b.drawn(warnings(asked.break_glass, {one.kind for one in targets})),
        ],
    }


def confirmed(view: Mapping[str, Any]) -> Confirmed:
    """Return what somebody confirmed, from Slack's *view* payload."""
    try:
        known = dict(json.loads(str(view.get("private_metadata") or "{}")))
    except (TypeError, ValueError):
        known = {}
    values = (view.get("state") or {}).get("values") or {}
    chosen = (values.get(GO_ON) or {}).get(GO_ON) or {}
    return Confirmed(
        project=str(known.get("project", "")),
        instances=tuple(known.get("instances", ())),
        channel=str(known.get("channel", "")),
        reason=filled(view).reason,
        break_glass=bool(known.get("glass")),
        go_on=bool(chosen.get("selected_options")),
        private=known.get("private") is True,
    )


def _metadata(asked: Confirmed) -> str:
    """Return what has to come back with the dialog."""
    return canonical(
        {
            "project": asked.project,
            "instances": asked.instances,
            "channel": asked.channel,
            "glass": asked.break_glass,
            "private": asked.private,
        }
    )


def _opening(targets: Sequence[Target], parallel: int) -> str:
    """Return what will happen, as our own markup."""
    where = t.code(targets[0].project)
    if len(targets) == 1:
        return f"In {where} this one is restarted:"
    pace = "one after the other" if parallel == 1 else f"at most {parallel} at a time"
    return f"In {where} these are restarted, {pace}:"


def _row(target: Target, status: str) -> b.Part:
    """Return one instance with its status."""
    return b.row(t.code(target.instance), status or "status not known")


def _outlooks(
    targets: Sequence[Target], outlooks: Sequence[tuple[str, str]]
) -> list[b.Part]:
    """Return what the rules will say; once, where it is the same for several."""
    groups: dict[tuple[str, str], list[str]] = {}
    for target, outlook in zip(targets, outlooks, strict=True):
        groups.setdefault(outlook, []).append(target.instance)
    found: list[b.Part] = []
    for (said, asked), names in groups.items():
        whose = f"{', '.join(names)}: " if len(groups) > 1 else ""
        found.append(b.ruling(f"{whose}{said}"))
        found += [b.marked(asked)] if asked else []
    return found


def _go_on() -> b.Block:
    """Return the choice of what happens after a failure."""
    option = {"text": b.plain_text("Go on after a failure", 75), "value": GO_ON}
    element = {"type": "checkboxes", "action_id": GO_ON, "options": [option]}
    return labelled(GO_ON, "If one of them fails", element) | {
        "optional": True,
        "hint": b.plain_text("Otherwise no further one is restarted.", 150),
    }


# --- what is answered to it ---------------------------------------------------------


def accepted(records: Sequence[Record], hosts: Mapping[str, Record]) -> Message:
    """Acknowledge recorded requests, privately; *hosts* are the requests joined."""
    own = [record for record in records if record.state is not State.JOINED]
    others = [record for record in records if record.state is State.JOINED]
    return b.message(
        b.marked(_recorded(own)) if own else None,
        *(b.marked(_joined(record, hosts.get(record.joined))) for record in others),
    )


def _recorded(own: Sequence[Record]) -> str:
    """Return that requests were recorded, and what happens next, as our own markup."""
    line = f"Recorded: your request to restart {t.what_of(own)}."
    if any(record.request.waits for record in own):
        return f"{line} It needs approval first; I ask for it in the channel, once."
    return f"{line} One message in the channel shows them all."


def _joined(record: Record, host: Record | None) -> str:
    """Return that another request restarts the instance, as our own markup."""
    who = f", asked by {t.mention(host.request.user_id)}" if host else ""
    return (
        f"{t.place(record.request.target)} is taken care of by another request already"
        f"{who}. No second restart is sent; you are mentioned when that one has ended."
    )


def refusals(refused: Sequence[tuple[str, str]], rest: int) -> Message:
    """Say why nothing of a batch is restarted: *refused* are names and reasons, raw.

    *rest* is how many of the others the rules would have let through.
    """
    others = "Leave those out and ask for the others again." if rest else ""
    return b.message(
        b.words("I restarted none of these instances."),
        *(b.ruling(f"{name}: {why}") for name, why in refused),
        b.words(others) if others else None,
    )


def apart(groups: Mapping[str, Sequence[str]]) -> Message:
    """Say that rules that ask for different approvals cannot be asked for in one.

    *groups* are the names of the instances by the rule's name.
    """
    return b.message(b.words(SEPARATELY), *_by_rule(groups))


SEPARATELY = (
    "I restarted none of these instances: different rules ask for their approval, and"
    " one approval cannot stand for both. Ask for them separately:"
)


def _by_rule(groups: Mapping[str, Sequence[str]]) -> Iterator[b.Part]:
    for rule, names in groups.items():
        yield b.words(f"{', '.join(names)} (rule “{rule}”)")
