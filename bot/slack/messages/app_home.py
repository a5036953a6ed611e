"""The home page of one person. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bot.model import Record, Target
from bot.slack.messages import blocks as b
from bot.slack.messages import formatting as t
from bot.slack.messages.approval import asks, losses, verdict_buttons
from bot.slack.messages.blocks import View
from bot.slack.messages.buttons import restart_button, start_now_button

ROWS = 10  # of each list: a home page has 100 blocks


@dataclass(frozen=True, slots=True)
class Glance:
    """An instance and the status that was last seen of it, *age_s* seconds ago."""

    target: Target
    status: str = ""  # nobody has looked yet
    age_s: float = 0.0
    window: str = ""  # until when that of the rule is open


Waiting = Sequence[tuple[Record, Sequence[str]]]


def home_view(
    *,
    waiting: Waiting = (),
    mine: Sequence[Record] = (),
    rebooting: Sequence[Record] = (),
    down: Sequence[Record] = (),
    last: Sequence[Record] = (),
    may_restart: Sequence[Glance] = (),
    later: Sequence[tuple[Target, str]] = (),
    frozen: Sequence[str] = (),
) -> View:
    """Return the home page of one person.

    *waiting* are the requests that the person may decide, each with its approvers'
    mentions; *mine* the person's own open ones; *last* the last restarts. *later*
    is what may be restarted once a window has opened; *frozen* are the freezes in
    force, in words.
    """
    decide = [
        part for together in _together(waiting)[:ROWS] for part in _decidable(together)
    ]
    boxes = [b.beside(_glance(one), restart_button(one.target)) for one in may_restart]
    closed = [b.words(f"{t.spot(target)}. {opens}") for target, opens in later]
    parts = [
        *(_listed("Frozen now", list(map(b.ruling, frozen))[:ROWS]) if frozen else ()),
        *_listed("Waiting for your decision", decide),
        *_listed("Your open requests", list(map(_line, mine))[:ROWS]),
        *_listed("Restarting now", list(map(_line, rebooting))[:ROWS]),
        *(_listed("Down", list(map(_down, down))[:ROWS]) if down else ()),
        *_listed("You may restart", boxes[:ROWS]),
        *(_listed("You may restart later", closed[:ROWS]) if closed else ()),
        *_listed("Last restarts", list(map(_line, last))[:ROWS]),
        b.note(f"Type {t.COMMAND} help for all commands."),
    ]
    return {"type": "home", "blocks": b.drawn(parts, limit=100)}


def _listed(heading: str, lines: Sequence[b.Part]) -> Iterator[b.Part]:
    """Return *lines* below their *heading*."""
    yield b.title(heading)
    yield from lines or [b.words("Nothing.")]


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
    ids = ", ".join(target.instance_id for target in targets)
    yield b.note(f"Instance id {ids}. {losses(None)}")
    yield verdict_buttons(record, ", ".join(map(t.spot, targets)))


def _glance(glance: Glance) -> b.Part:
    """Return an instance with what was last seen of it."""
    what = t.spot(glance.target)
    if glance.status:
        what += f": {t.status(glance.status)} {t.duration(glance.age_s)} ago"
    return b.words(f"{what}. {glance.window}" if glance.window else what)


def _down(record: Record) -> b.Part:
    """Return what a request has left down, with the button that starts it."""
    return b.beside(_line(record), start_now_button(record))


def _line(record: Record) -> b.Part:
    """Return one request: when, by whom, what, where it stands."""
    request = record.request
    who = f"{t.date(request.asked_at)}, {t.mention(request.user_id)}"
    return b.row(who, f"{t.spot(request.target)}: {t.outcome(record)}.")
