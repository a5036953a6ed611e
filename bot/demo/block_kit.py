"""What Slack accepts as blocks and views, by the limits of Block Kit. Pure.

Limits: https://docs.slack.dev/reference/block-kit
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Literal

from bot.demo.block_kit_elements import ELEMENTS, IMAGE, TYPING
from bot.demo.block_kit_shapes import (
    Check,
    anything,
    at,
    choice,
    flag,
    number,
    plain,
    several,
    shape,
    string,
    text,
    word,
)
from bot.demo.slack_error import Refusal, malformed

Surface = Literal["message", "modal", "home"]

MOST_BLOCKS = {"message": 50, "modal": 100, "home": 100}
VIEW_BYTES = 250_000
MARKDOWN_CHARACTERS = 12_000

_ACTIONS = choice({k: v for k, v in ELEMENTS.items() if k not in TYPING})
_INPUTS = choice(
    {
        k: v
        for k, v in ELEMENTS.items()
        if k not in {"button", "workflow_button", "overflow"}
    }
)
_ACCESSORY = choice({**ELEMENTS, "image": IMAGE})
_CONTEXT = choice(
    {
        "image": IMAGE,
        "plain_text": plain(3000),
        "mrkdwn": text(3000),
    }
)
_RICH = choice(
    dict.fromkeys(
        (
            "rich_text_section",
            "rich_text_list",
            "rich_text_preformatted",
            "rich_text_quote",
        ),
        shape(
            {"elements": several(anything, 1000, least=0)},
            dict.fromkeys(("style", "indent", "offset", "border"), anything),
        ),
    )
)
_CELL = choice(
    {
        "raw_text": shape({"text": string(3000)}),
        "rich_text": shape({"elements": several(_RICH, 100)}),
        "raw_number": shape({"value": anything}, {"text": anything}),
    }
)


def _open(**limited: Check) -> Check:
    """Check only the *limited* fields of a block whose others are not modelled."""

    def check(value: Any, path: str) -> Iterator[str]:
        for name, test in limited.items():
            if name in value:
                yield from test(value[name], f"{path}/{name}")

    return check


def _block(
    required: dict[str, Check] | None = None, optional: dict[str, Check] | None = None
) -> Check:
    return shape(required or {}, {"block_id": string(255), **(optional or {})})


def _section(value: Any, path: str) -> Iterator[str]:
    yield from _block(
        {},
        {
            "text": text(3000),
            "fields": several(text(2000), 10),
            "accessory": _ACCESSORY,
            "expand": flag,
        },
    )(value, path)
    if not value.get("text") and not value.get("fields"):
        yield at("missing required field: text", path)


_LEVELS = word("default", "info", "warning", "error", "success")
BLOCKS: dict[str, Check] = {
    "section": _section,
    "divider": _block(),
    "header": _block({"text": plain(150)}, {"level": number(1, 4)}),
    "context": _block({"elements": several(_CONTEXT, 10)}),
    "actions": _block({"elements": several(_ACTIONS, 25)}),
    "input": _block(
        {"label": plain(2000), "element": _INPUTS},
        {"hint": plain(2000), "optional": flag, "dispatch_action": flag},
    ),
    "image": _block(
        {"alt_text": string(2000)},
        {"image_url": string(3000), "slack_file": anything, "title": plain(2000)},
    ),
    "markdown": _block({"text": string(MARKDOWN_CHARACTERS)}),
    "rich_text": _block({"elements": several(_RICH, 100, least=0)}),
    "video": _open(alt_text=string(2000), title=plain(200), video_url=string(3000)),
    "table": _block(
        {"rows": several(several(_CELL, 20), 100)}, {"column_settings": anything}
    ),
    "alert": _block({"text": text(200)}, {"level": _LEVELS}),
    "card": _open(title=text(150), subtitle=text(150), body=text(200)),
    "carousel": _open(elements=several(anything, 10)),
    "container": _open(title=text(150), child_blocks=several(anything, 10)),
    "context_actions": _open(elements=several(anything, 5)),
    "data_table": _open(rows=several(several(anything, 20), 101)),
    "data_visualization": _open(),
    "task_card": _open(status=word("pending", "in_progress", "complete", "error")),
    "plan": _open(),
}
_MOST_OF_A_KIND = {"table": 1, "data_visualization": 2}
_BLOCK = choice(BLOCKS)


def elements(blocks: Iterable[Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield every element that a person can act on, with the block it stands in."""
    for block in blocks:
        inside = [block.get("accessory"), block.get("element")]
        if block.get("type") == "actions":
            inside += block.get("elements", [])
        for element in inside:
            if isinstance(element, dict) and element.get("type") in ELEMENTS:
                yield block, element


def problems(blocks: Any, surface: Surface, path: str = "/blocks") -> list[str]:
    """Return all that Slack would object to in *blocks*, in its words."""
    found = list(several(_BLOCK, MOST_BLOCKS[surface], least=0)(blocks, path))
    return found or [*_doubles(blocks, path), *_too_much(blocks, path)]


def _doubles(blocks: list[dict[str, Any]], path: str) -> Iterator[str]:
    """Yield block ids used twice, and action ids used twice in one block."""
    ids = Counter(block["block_id"] for block in blocks if block.get("block_id"))
    for name in (name for name, times in ids.items() if times > 1):
        yield at(f"block_id {name} already exists", path)
    for index, block in enumerate(blocks):
        acts = Counter(element.get("action_id") for _, element in elements([block]))
        for name in (name for name, times in acts.items() if name and times > 1):
            yield at(f"action_id {name} already exists", f"{path}/{index}")


def _too_much(blocks: list[dict[str, Any]], path: str) -> Iterator[str]:
    """Yield what is too much only over the whole message."""
    kinds = Counter(block["type"] for block in blocks)
    for kind, most in _MOST_OF_A_KIND.items():
        if kinds[kind] > most:
            yield at(f"no more than {most} {kind} block(s) allowed", path)
    written = sum(len(b["text"]) for b in blocks if b["type"] == "markdown")
    if written > MARKDOWN_CHARACTERS:
        yield at(f"must be less than {MARKDOWN_CHARACTERS + 1} characters", path)


_MODAL = shape(
    {"title": plain(24), "blocks": anything},
    {
        "submit": plain(24),
        "close": plain(24),
        "private_metadata": string(3000, least=0),
        "callback_id": string(255, least=0),
        "external_id": string(255, least=0),
        "clear_on_close": flag,
        "notify_on_close": flag,
        "submit_disabled": flag,
    },
)
_HOME = shape(
    {"blocks": anything},
    {
        "private_metadata": string(3000, least=0),
        "callback_id": string(255, least=0),
        "external_id": string(255, least=0),
    },
)


def view_problems(view: Any) -> list[str]:
    """Return all that Slack would object to in a modal or a Home tab."""
    found = list(choice({"modal": _MODAL, "home": _HOME})(view, "/view"))
    if found or view.get("blocks") is None:
        return found
    blocks = view["blocks"]
    found = problems(blocks, view["type"], "/view/blocks")
    asks = not found and any(block["type"] == "input" for block in blocks)
    if asks and view["type"] == "modal" and not view.get("submit"):
        found.append(at("missing required field: submit", "/view"))
    return found


def require_blocks(blocks: Any) -> None:
    """Refuse a message's *blocks* as Slack would."""
    if found := problems(blocks, "message"):
        raise malformed("invalid_blocks", found)


def require_view(view: Any, kind: Literal["modal", "home"]) -> None:
    """Refuse a *view* as Slack would, or one that is not of this *kind*."""
    if len(json.dumps(view).encode()) > VIEW_BYTES:
        raise Refusal("view_too_large")
    found = view_problems(view)
    if not found and view["type"] != kind:
        found = [at(f"unsupported type: {view['type']}", "/view/type")]
    if found:
        raise malformed("invalid_arguments", found)


def with_ids(blocks: list[dict[str, Any]], stamp: str) -> list[dict[str, Any]]:
    """Return a deep copy with the ids that Slack gives where the app gave none."""
    copy: list[dict[str, Any]] = json.loads(json.dumps(blocks))
    for index, block in enumerate(copy):
        block.setdefault("block_id", f"b{index}.{stamp}")
    for index, (_, element) in enumerate(elements(copy)):
        element.setdefault("action_id", f"a{index}.{stamp}")
    return copy
