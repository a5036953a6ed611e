"""The dialogs for one restart and for a denial, and what comes back from them. Pure."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bot.model import (
    REASON_LIMIT,
    Act,
    Decision,
    Kind,
    Message,
    Record,
    canonical,
    gives_back,
    plan_of,
)
from bot.model.reason_pattern import example
from bot.slack.messages import blocks as b
from bot.slack.messages import formatting as t
from bot.slack.messages.approval import given_back, losses
from bot.slack.messages.blocks import View

RESTART, DENY = "restart", "deny"  # callback ids
PROJECT, INSTANCE, REASON, NOTE = "project", "instance", "reason", "note"
CHANNEL = "channel"
_NOTE = 300  # characters that may be typed


@dataclass(frozen=True, slots=True)
class Opened:
    """Where a restart dialog was opened, which comes back with its submission."""

    channel: str = ""  # "" = from nowhere, so where to speak has to be chosen
    thread: str = ""
    break_glass: bool = False
    private: bool = False  # whether only its members see that channel
    alert: str = ""  # the one from whose card
    refused: int = 0  # how often what was sent with it was refused

    @property
    def metadata(self) -> str:
        """It as a dialog's ``private_metadata``."""
        return canonical(asdict(self))


def opened(view: Mapping[str, Any]) -> Opened:
    """Return where Slack's *view* was opened; from nowhere if it does not say."""
    known = _metadata(view)
    return Opened(
        channel=str(known.get("channel") or ""),
        thread=str(known.get("thread") or ""),
        break_glass=known.get("break_glass") is True,
        private=known.get("private") is True,
        alert=str(known.get("alert") or ""),
        refused=refused_times(view),
    )


@dataclass(frozen=True, slots=True)
class Filled:
    """What stands in a dialog: names may be empty while it is being filled in."""

    project: str = ""
    instance: str = ""
    reason: str = ""
    note: str = ""
    channel: str = ""


def filled(view: Mapping[str, Any]) -> Filled:
    """Return what stands in the dialog of Slack's *view* payload."""
    state = view.get("state") or {}
    fields: dict[str, str] = {}
    for block in (state.get("values") or {}).values():
        for action_id, element in block.items():
            option = element.get("selected_option") or {}
            chosen = option.get("value") or element.get("selected_conversation")
            fields[action_id] = chosen or element.get("value") or ""
    known = (PROJECT, INSTANCE, REASON, NOTE, CHANNEL)
    return Filled(**{name: fields[name] for name in known if name in fields})


def restart_view(
    projects: Sequence[str],
    fields: Filled,
    *,
    decision: Decision | None = None,
    hint: Sequence[b.Part] = (),
    where: Opened,
    kind: Kind = Kind.STUDIO,
) -> View:
    """Return the restart dialog with what is known filled in already.

    *hint* says what the rule asks for and who would be asked, *decision* is what it
    will say; *kind* is that of the instance.
    """
    return {
        "type": "modal",
        "callback_id": RESTART,
        "title": b.plain_text("Restart an instance", 24),
        "submit": b.plain_text("Restart", 24),
        "close": b.plain_text("Cancel", 24),
        "private_metadata": where.metadata,
        "blocks": [
            _project_input(projects, fields.project),
            _instance_input(fields.project, fields.instance),
            *([] if where.channel else [_channel_input()]),
            reason_input(fields.reason, [decision] if decision else []),
            *b.drawn([*hint, *warnings(where.break_glass, [kind])]),
        ],
    }


_REFUSAL = "refusal"  # how the ids of its blocks begin
_REFUSED = "refused"  # in the metadata, as of ``Opened``
_SENT_BACK = (
    *("type", "callback_id", "title", "submit", "close"),
    *("private_metadata", "blocks"),
)


def refused_view(view: Mapping[str, Any], refusal: Message) -> View:
    """Return Slack's *view* with the *refusal* above it, in the place of an older one.

    What was typed stays, since Slack keeps it as long as a field has its ids.
    """
    said = [
        block | {"block_id": f"{_REFUSAL} {number}"}
        for number, block in enumerate(refusal.blocks)
    ]
    blocks = [one for one in view["blocks"] if not _is_refusal(one)]
    kept = {name: view[name] for name in _SENT_BACK if view.get(name)}
    known = _metadata(view) | {_REFUSED: refused_times(view) + 1}
    return kept | {"private_metadata": canonical(known), "blocks": [*said, *blocks]}


def refused_times(view: Mapping[str, Any]) -> int:
    """Return how often what was sent with Slack's *view* has been refused.

    So that it can be sent again: else the same dialog twice is one request.
    """
    times = _metadata(view).get(_REFUSED)
    return times if isinstance(times, int) else 0


def _metadata(view: Mapping[str, Any]) -> dict[str, Any]:
    """Return what came back with a dialog; nothing if that is not ours."""
    try:
        return dict(json.loads(str(view.get("private_metadata") or "{}")))
    except (TypeError, ValueError):
        return {}


def _is_refusal(block: b.Block) -> bool:
    return str(block.get("block_id", "")).startswith(f"{_REFUSAL} ")


def hints(said: str, asked: str = "") -> tuple[b.Part, ...]:
    """Return what the rule *said*, raw, and who would be *asked*, markup."""
    return (b.note(said), *([b.marked_note(asked)] if asked else []))


def warnings(
    break_glass: bool,  # noqa: FBT001
    kinds: Collection[Kind] = (),
) -> list[b.Part | None]:
    """Return what whoever submits a dialog has to know: what is skipped and lost.

    *kinds* are those of the instances, as far as they are known.
    """
    glass = "Break-glass: approval is skipped, and everybody sees it."
    between = any(gives_back(plan_of(kind, Act.RESTART)) for kind in kinds)
    return [
        b.words(glass) if break_glass else None,
        b.note(losses(None)),
        b.note(given_back(None)) if between else None,
    ]


def instance_block(project: str) -> str:
    """Return the instance field's block id: another project empties the field.

    Slack keeps what was chosen as long as block and action keep their ids.
    """
    return f"{INSTANCE} {project}"[:255]


def project_of(block_id: str) -> str:
    """Return the project that an instance field's block id was made for."""
    return block_id.removeprefix(INSTANCE).strip()


def _project_input(projects: Sequence[str], chosen: str) -> b.Block:
    """Return the field for the project; choosing one is reported at once."""
    select: b.Block = {
        "type": "static_select",
        "action_id": PROJECT,
        "placeholder": b.plain_text("Choose a project", 150),
        "options": options(projects) or [b.option("–", "–")],
    }
    if chosen in projects and len(chosen) <= b.VALUE_LIMIT:
        select["initial_option"] = b.option(chosen, chosen)
    return labelled(PROJECT, "Project", select) | {"dispatch_action": True}


def _instance_input(project: str, chosen: str) -> b.Block:
    """Return the searchable field for the instance, asked for from the bot."""
    select: b.Block = {
        "type": "external_select",
        "action_id": INSTANCE,
        "min_query_length": 0,
        "placeholder": b.plain_text("Type to search", 150),
    }
    if chosen and len(chosen) <= b.VALUE_LIMIT:
        select["initial_option"] = b.option(chosen, chosen)
    field = labelled(instance_block(project), "Instance", select)
    return field | {"dispatch_action": True}  # so that the rule can be shown


def _channel_input() -> b.Block:
    """Return the field for the channel that the restart is shown in: a public one.

    What was chosen comes back as an id, which does not tell a private one; the app
    would need more scopes to ask.
    """
    select: b.Block = {
        "type": "conversations_select",
        "action_id": CHANNEL,
        "default_to_current_conversation": True,
        "filter": {"include": ["public"], "exclude_bot_users": True},
    }
    hint = b.plain_text("A public one. In a private one, type the command there.", 2000)
    return labelled(CHANNEL, "Channel to show it in", select) | {"hint": hint}


def reason_input(reason: str, decisions: Sequence[Decision]) -> b.Block:
    """Return the field for the reason, with what was typed already.

    *decisions* of the rules say whether there has to be one, and what it has to hold.
    """
    required = any(one.wants_reason for one in decisions)
    field = _text_input(
        REASON, "Reason", reason, limit=REASON_LIMIT, optional=not required
    )
    pattern = next((one.pattern for one in decisions if one.pattern), "")
    if not pattern:
        return field
    shown = example(pattern)
    hint = f"It has to match {pattern}" + (f", for example: {shown}" if shown else "")
    return field | {"hint": b.plain_text(hint, 2000)}


def _text_input(
    name: str, label: str, value: str = "", *, limit: int, optional: bool
) -> b.Block:
    """Return a field for free text of at most *limit* characters."""
    field: b.Block = {
        "type": "plain_text_input",
        "action_id": name,
        "multiline": True,
        "max_length": limit,
    }
    if value:
        field["initial_value"] = value[:limit]
    return labelled(name, label, field) | {"optional": optional}


def labelled(block_id: str, label: str, element: b.Block) -> b.Block:
    """Return *element* as a labelled field."""
    text = b.plain_text(label, 2000)
    return {"type": "input", "block_id": block_id, "label": text, "element": element}


def options(
    names: Sequence[str], typed: str = "", beside: Mapping[str, str] | None = None
) -> list[b.Block]:
    """Return the first hundred *names* that contain *typed* as options of a select.

    *beside* holds what to show beside a name, such as a status.
    """
    sought = typed.strip().casefold()
    fitting = [name for name in names if sought in name.casefold()]
    known = beside or {}
    fitting = [name for name in fitting if len(name) <= b.VALUE_LIMIT]
    return [
        b.option(name, t.beside(name, known.get(name, "")))
        for name in fitting[: b.OPTIONS_LIMIT]
    ]


def deny_view(record: Record, what: str = "") -> View:
    """Return the dialog for the reason of a denial, which stands without it.

    *what*, markup, is what was denied (default: its place).
    """
    request = record.request
    asked = (
        f"You have denied what {t.mention(request.user_id)} asked for, to"
        f" {t.verb(request)} {what or t.place(request.target)}."
    )
    return {
        "type": "modal",
        "callback_id": DENY,
        "title": b.plain_text("Denied. Say why?", 24),
        "submit": b.plain_text("Add the reason", 24),
        "close": b.plain_text("Leave it", 24),
        "private_metadata": request.id,
        "blocks": [
            *b.drawn([b.marked(asked), b.words(t.reason(request))]),
            _text_input(NOTE, "Why (everybody sees it)", limit=_NOTE, optional=True),
        ],
    }
