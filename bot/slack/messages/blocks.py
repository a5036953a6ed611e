"""Block Kit in small pieces, each with its plain text. Pure.

A Part is a block together with the words it stands for, so that the plain text of a
message is complete by construction. Foreign words only enter through the makers that
take *raw* text: they escape it and put it into plain_text objects, where it cannot
mention, link or format. Limits: https://docs.slack.dev/reference/block-kit/blocks
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.model import Message
from bot.slack.messages.formatting import named, said

Block = dict[str, Any]
View = dict[str, Any]  # a dialog or a home page: https://docs.slack.dev/surfaces/

# chat.update refuses a text over 4,000 characters (msg_too_long).
TEXT_LIMIT = 3900
HEADER_LIMIT, SECTION_LIMIT, BUTTON_LIMIT, BLOCKS_LIMIT = 150, 3000, 75, 50
OPTIONS_LIMIT, OPTION_LIMIT, VALUE_LIMIT, NOTES_LIMIT = 100, 75, 150, 10


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a message: what is read aloud and what is drawn."""

    text: str
    block: Block


def plain_text(raw: str, limit: int = SECTION_LIMIT) -> Block:
    """Return a plain_text object of *raw* foreign text."""
    return {"type": "plain_text", "text": said(raw, limit) or "–", "emoji": False}


def mrkdwn(markup: str) -> Block:
    """Return a mrkdwn object; *markup* is ours, its names passed ``code()``."""
    return {"type": "mrkdwn", "text": markup, "verbatim": True}


def unmarked(markup: str) -> str:
    """Return *markup* as text to be read: our only formatting is the code span."""
    return markup.replace("`", "")


def title(raw: str) -> Part:
    """Return a heading."""
    text = plain_text(raw, HEADER_LIMIT)
    return Part(text["text"], {"type": "header", "text": text})


def words(raw: str) -> Part:
    """Return a paragraph of *raw* text."""
    text = plain_text(raw)
    return Part(text["text"], {"type": "section", "text": text})


def paragraphs(*raws: str) -> tuple[Part, ...]:
    """Return a paragraph for each of *raws* that says something."""
    return tuple(words(raw) for raw in raws if raw)


def marked(markup: str) -> Part:
    """Return a paragraph of our own *markup*, for mentions and dates."""
    return Part(unmarked(markup), {"type": "section", "text": mrkdwn(markup)})


def ruling(raw: str) -> Part:
    """Return a sentence of policy; people, groups and channels in it show as names."""
    return words(raw) if (markup := named(raw)) == said(raw) else marked(markup)


def note(raw: str) -> Part:
    """Return a remark in small print of *raw* text."""
    text = plain_text(raw)
    return Part(text["text"], {"type": "context", "elements": [text]})


def marked_note(markup: str) -> Part:
    """Return a remark in small print of our own *markup*."""
    block = {"type": "context", "elements": [mrkdwn(markup)]}
    return Part(unmarked(markup), block)


def row(markup: str, raw: str) -> Part:
    """Return a line of a list: our *markup* on the left, *raw* text on the right."""
    fields = [mrkdwn(markup), plain_text(raw, 2000)]
    text = f"{unmarked(markup)}: {fields[1]['text']}"
    return Part(text, {"type": "section", "fields": fields})


def notes(raws: Sequence[str]) -> Part:
    """Return at most NOTES_LIMIT *raws* as remarks in small print."""
    texts = [plain_text(raw) for raw in raws]
    read = "\n".join(text["text"] for text in texts)
    return Part(read, {"type": "context", "elements": texts})


def row_note(markup: str, raw: str) -> Part:
    """Return a remark in small print: our *markup*, then *raw* text."""
    parts = [mrkdwn(markup), plain_text(raw, 2000)]
    text = f"{unmarked(markup)}: {parts[1]['text']}"
    return Part(text, {"type": "context", "elements": parts})


def beside(part: Part, element: Block) -> Part:
    """Return the section *part* with *element* (a button) beside it."""
    return Part(part.text, {**part.block, "accessory": element})


def button(
    label: str, action_id: str, value: str, *, about: str, style: str = ""
) -> Block:
    """Return a button; *about* is what a screen reader says of it (75 characters)."""
    styled = {"style": style} if style else {}
    return {
        "type": "button",
        "text": plain_text(label, BUTTON_LIMIT),
        "action_id": action_id,
        "value": value,
        "accessibility_label": said(about, BUTTON_LIMIT),
        **styled,
    }


def option(value: str, label: str) -> Block:
    """Return an option of a select; *value* has at most VALUE_LIMIT characters."""
    return {"text": plain_text(label, OPTION_LIMIT), "value": value}


def buttons(*elements: Block) -> Part:
    """Return a line of buttons; they are drawn, not read in the plain text."""
    return Part("", {"type": "actions", "elements": list(elements)})


def drawn(parts: Sequence[Part | None], limit: int = BLOCKS_LIMIT) -> list[Block]:
    """Return the blocks of *parts*, at most *limit*."""
    return [part.block for part in parts if part is not None][:limit]


def read(parts: Sequence[Part | None]) -> str:
    """Return the plain text of *parts*, cut between lines so that no mention breaks."""
    lines = [part.text for part in parts if part is not None and part.text]
    kept: list[str] = []
    room = TEXT_LIMIT - len("… and 999 more lines")
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            return "\n".join([*kept, f"… and {len(lines) - len(kept)} more lines"])
        kept.append(line)
    return "\n".join(kept)


def message(*parts: Part | None) -> Message:
    """Return the message that *parts* make; None stands for nothing."""
    return Message(text=read(parts), blocks=drawn(parts))
