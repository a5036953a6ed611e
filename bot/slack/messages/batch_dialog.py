"""The dialog that confirms several restarts, and what comes back from it. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.model import (
    Decision,
    Message,
    Record,
    State,
    Target,
    canonical,
)
from bot.slack.messages import blocks as b
from bot.slack.messages import formatting as t
from bot.slack.messages import signs
from bot.slack.messages.blocks import View
from bot.slack.messages.dialogs import filled, labelled, reason_input, warnings
from bot.slack.messages.queries import outlook

CONFIRM = "confirm"  # callback id
GO_ON, INSTANCES = "go_on", "instances"
_EACH = 10  # checkboxes in one element, as Slack allows


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
    outlooks: Sequence[tuple[Decision, str]],
    *,
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
            *_checkboxes(targets, statuses),
            *b.drawn(_outlooks(targets, outlooks)),
            reason_input(asked.reason, [decision for decision, _ in outlooks]),
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
    listed = tuple(known.get("instances", ()))
    return Confirmed(
        project=str(known.get("project", "")),
        instances=tuple(one for one in listed if one not in _left_out(values, listed)),
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


def _checkboxes(
    targets: Sequence[Target], statuses: Mapping[str, str]
) -> list[b.Block]:
    """Return a checkbox for each instance, with its status; all are ticked."""
    fields: list[b.Block] = []
    for first in range(0, len(targets), _EACH):
        options = [
            b.option(one.instance_id, one.instance)
            | {
                "description": b.plain_text(
                    statuses.get(one.instance) or "status not known", b.OPTION_LIMIT
                )
            }
            for one in targets[first : first + _EACH]
        ]
        name = f"{INSTANCES} {len(fields) + 1}"
        boxes = {"type": "checkboxes", "action_id": name, "options": options}
        label = "Instances" if not fields else "More instances"
        field = labelled(name, label, boxes | {"initial_options": options})
        fields.append(field | {"optional": True})
    return fields


def _left_out(values: Mapping[str, Any], listed: Sequence[str]) -> set[str]:
    """Return the ids of those whose checkbox came back without its tick."""
    names = [name for name in values if name.startswith(f"{INSTANCES} ")]
    ticked = {
        option["value"]
        for name in names
        for option in (values[name].get(name) or {}).get("selected_options") or ()
    }
    offered = (
        listed[_EACH * (number - 1) : _EACH * number]
        for number in (int(name.rsplit(" ", 1)[1]) for name in names)
    )
    return {one for some in offered for one in some} - ticked


def _outlooks(
    targets: Sequence[Target], outlooks: Sequence[tuple[Decision, str]]
) -> list[b.Part]:
    """Return what the rules will say; once, where it is the same for several."""
    groups: dict[tuple[Decision, str], list[str]] = {}
    for target, told in zip(targets, outlooks, strict=True):
        groups.setdefault(told, []).append(target.instance)
    found: list[b.Part] = []
    for (decision, asked), names in groups.items():
        whose = f"{', '.join(names)}: " if len(groups) > 1 else ""
        said = outlook(decision, "it" if len(names) == 1 else "them")
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
    line = f"{signs.RECORDED.begins}: your request to restart {t.what_of(own)}."
    if any(record.request.waits for record in own):
        return f"{line} It needs approval first; I ask for it in the channel, once."
    return f"{line} One message in the channel shows them all."


def _joined(record: Record, host: Record | None) -> str:
    """Return that another request restarts the instance, as our own markup."""
    who = f", asked by {t.mention(host.request.user_id)}" if host else ""
    return (
        f"{signs.of(record).begins}: another request restarts"
        f" {t.place(record.request.target)} already{who}. No second restart is sent."
        " You are mentioned when that one has ended."
    )


def refusals(refused: Sequence[tuple[str, str]], rest: int) -> Message:
    """Say why nothing of a batch is restarted: *refused* are names and reasons, raw.

    *rest* is how many of the others the rules would have let through.
    """
    others = "Leave those out and ask for the others again." if rest else ""
    return b.message(
        b.words(f"{signs.REFUSED.begins}. I restarted none of these instances."),
        *(b.ruling(f"{name}: {why}") for name, why in refused),
        b.words(others) if others else None,
    )


def apart(groups: Mapping[str, Sequence[str]]) -> Message:
    """Say that rules that ask for different approvals cannot be asked for in one.

    *groups* are the names of the instances by the rule's name.
    """
    first = b.words(f"{signs.REFUSED.begins}. {SEPARATELY}")
    return b.message(first, *_by_rule(groups))


SEPARATELY = (
    "I restarted none of these instances: different rules ask for their approval."
    " One approval cannot stand for both. Ask for them separately:"
)


def _by_rule(groups: Mapping[str, Sequence[str]]) -> Iterator[b.Part]:
    for rule, names in groups.items():
        yield b.words(f"{', '.join(names)} (rule “{rule}”)")
