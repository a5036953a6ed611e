"""The home page of one person. Pure.

What needs him comes first. A page has 100 blocks
(https://docs.slack.dev/surfaces/app-home), so each list has a length.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from bot.model import Record, Target
from bot.slack.messages import blocks as b
from bot.slack.messages import formatting as t
from bot.slack.messages import signs
from bot.slack.messages.approval import asks, losses, verdict_buttons
from bot.slack.messages.blocks import View
from bot.slack.messages.buttons import restart_button, start_now_button, target_value
from bot.slack.messages.outcome import Seen, signed, standing

DECIDE, UNDER_WAY, ROWS, BOXES = 4, 8, 5, 20  # of each list
FIND = "find_instance"


@dataclass(frozen=True, slots=True)
class Glance:
    """An instance and the status that was last seen of it, *age_s* seconds ago.

    *window* is until when the rule lets somebody restart it, or when it does again.
    """

    target: Target
    status: str = ""  # nobody has looked yet
    age_s: float = 0.0
    may: bool = True
    window: str = ""


Waiting = Sequence[tuple[Record, Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Home:
    """What the home page of one person shows.

    *waiting* are the requests that the person may decide, each with its approvers'
    mentions; *mine* the person's own open ones; *rebooting* what is under way, with
    the last look; *last* the last restarts. *boxes* are instances, of which there are
    *more*; *frozen* the freezes in force, *on_call* who is on call, line by line.
    """

    waiting: Waiting = ()
    mine: Sequence[Record] = ()
    rebooting: Sequence[tuple[Record, Seen]] = ()
    down: Sequence[Record] = ()
    last: Sequence[Record] = ()
    boxes: Sequence[Glance] = ()
    more: int = 0
    frozen: Sequence[str] = ()
    on_call: Sequence[str] = ()


def home_view(home: Home) -> View:
    """Return the home page of one person."""
    decide = [
        part for one in _together(home.waiting)[:DECIDE] for part in _decidable(one)
    ]
    under_way = [_under_way(*one) for one in home.rebooting[:UNDER_WAY]]
    now = [
        *_listed(signs.FROZEN.begins, list(map(b.ruling, home.frozen))[:ROWS]),
        *_listed(f"{signs.PENDING.mark} Waiting for your decision", decide),
        *_listed(f"{signs.RESTARTING.mark} Restarting now", under_way),
        *_listed(signs.DOWN.begins, list(map(_down, home.down))[:ROWS]),
        *_listed("Your open requests", list(map(_line, home.mine))[:ROWS]),
    ]
    parts = [
        *(now or [b.words("Nothing waits for you, and nothing is being restarted.")]),
        *_listed(
            "On call now", [b.marked("\n".join(home.on_call))] if home.on_call else []
        ),
        *_boxes(home.boxes[:BOXES], home.more + len(home.boxes[BOXES:])),
        *_listed("Last restarts", list(map(_line, home.last))[:ROWS]),
        b.note(f"Type {t.COMMAND} help for all commands."),
    ]
    return {"type": "home", "blocks": b.drawn(parts, limit=100)}


def _listed(heading: str, lines: Sequence[b.Part]) -> Iterator[b.Part]:
    """Return *lines* below their *heading*; what there is nothing of is left out."""
    if lines:
        yield b.title(heading)
        yield from lines


def _together(waiting: Waiting) -> list[Waiting]:
    """Return what *waiting* holds, with what is decided on together in one piece."""
    pieces: dict[str, list[tuple[Record, Sequence[str]]]] = {}
    for record, approvers in waiting:
        pieces.setdefault(record.request.speaks, []).append((record, approvers))
    return list(pieces.values())


def _decidable(waiting: Waiting) -> Iterator[b.Part]:
    """Return a request, or a batch, with two buttons and what has to be known first."""
    record, approvers = waiting[0]
    targets = [one.request.target for one, _ in waiting]
    yield from asks(record, approvers, t.places(targets))
    yield verdict_buttons(record, ", ".join(map(t.spot, targets)))
    ids = ", ".join(target.instance_id for target in targets)
    yield b.note(f"{losses(None)} Instance id: {ids}")


def _under_way(record: Record, seen: Seen) -> b.Part:
    """Return a restart with its last status, the time passed and the usual time."""
    who = t.mention(record.request.user_id)
    what = t.code(record.request.target.instance)
    return b.row(f"{what}, asked by {who}", standing(record, seen))


def _down(record: Record) -> b.Part:
    """Return what a request has left down, with the button that starts it."""
    return b.beside(_line(record), start_now_button(record))


def _line(record: Record) -> b.Part:
    """Return one request: when, by whom, what, where it stands."""
    request = record.request
    who = f"{t.date(request.asked_at)}, {t.mention(request.user_id)}"
    return b.row(who, f"{signed(record)}: {t.spot(request.target)}.")


def _boxes(boxes: Sequence[Glance], more: int) -> Iterator[b.Part]:
    """Return instances by their project; of many, a field to search for the others."""
    for project, members in groupby(boxes, lambda one: one.target.project):
        yield b.title(f"Instances in {project}")
        yield from map(_glance, members)
    if more:
        find = b.words(f"… and {more} more. Search by name:")
        yield b.beside(find, _search())


def _glance(glance: Glance) -> b.Part:
    """Return an instance with what was last seen of it, and its button."""
    name = glance.target.instance
    seen = _seen(glance) or "not looked at yet"
    mark = signs.of_status(glance.status).mark
    line = b.words(f"{mark} {name}: {seen}. {glance.window}".strip())
    return b.beside(line, restart_button(glance.target)) if glance.may else line


def _search() -> b.Block:
    """Return the field that finds an instance in all projects."""
    return {
        "type": "external_select",
        "action_id": FIND,
        "min_query_length": 0,
        "placeholder": b.plain_text("Find an instance", 150),
    }


def found(boxes: Sequence[Glance], typed: str) -> list[b.Block]:
    """Return what *typed* finds as options, each with its last status and its age."""
    sought = typed.strip().casefold()
    options = [
        b.option(target_value(one.target), t.beside(t.spot(one.target), _seen(one)))
        for one in boxes
        if sought in t.spot(one.target).casefold()
    ]
    fitting = [one for one in options if len(one["value"]) <= b.VALUE_LIMIT]
    return fitting[: b.OPTIONS_LIMIT]


def _seen(glance: Glance) -> str:
    """Return what was last seen of an instance, or nothing."""
    return t.seen(glance.status, glance.age_s) if glance.status else ""
