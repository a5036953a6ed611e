"""The private answers to what people ask: status, list, history, can. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.model import Decision, Instance, Message, Record, Target, Verdict, can_start
from bot.slack.messages import blocks as b
from bot.slack.messages import formatting as t
from bot.slack.messages import signs
from bot.slack.messages.buttons import (
    offer,
    restart_button,
    start_button,
    start_now_button,
)
from bot.slack.messages.outcome import signed
from bot.slack.messages.replies import names_no_rule, rule_note

MOST_ROWS = 40  # of a list, so that it stays within the 50 blocks of a message
_BLOCKS = 46  # of a list, besides its heading, freezes, and how many are not shown
_MAY = {
    Verdict.ALLOW: "may restart {}",
    Verdict.ASK: "may restart {}, once that is approved",
    Verdict.DENY: "may not restart {}",
}


def outlook(decision: Decision, what: str = "it") -> str:
    """Return, raw, what policy will say to a restart: the hint of the dialog.

    *what* stands for the instance, or for several.
    """
    rule = f" Rule: {decision.rule}." if names_no_rule(decision) else ""
    why = t.sentence(decision.why)
    if decision.verdict is Verdict.ALLOW and not decision.break_glass:
        # Who may need not read who else may.
        why, rule = decision.window, f" Rule: {decision.rule}."
    said = f"You {_MAY[decision.verdict].format(what)}."
    return " ".join(filter(None, (said, why))) + rule


def would_ask(mentions: Sequence[str]) -> str:
    """Return, as markup, who would be asked to approve now; nothing for nobody."""
    return f"I would ask now: {t.together(mentions)}." if mentions else ""


@dataclass(frozen=True, slots=True)
class Row:
    """One instance in a list; *instance* is None where *problem* says why."""

    target: Target
    instance: Instance | None
    problem: str = ""
    down: Record | None = None


def status(
    row: Row,
    *,
    records: Sequence[Record],
    decision: Decision | None = None,
    who: Sequence[str] = (),
    frozen: Sequence[str] = (),
) -> Message:
    """Answer ``status``: the instance of *row* now, and its last *records*.

    *decision* is what policy says to the person who asks, *who* are the mentions of
    those who may restart it, *frozen* the freezes in force for it, in words.
    """
    target, instance, down = row.target, row.instance, row.down
    sign = _sign(instance, down)
    return b.message(
        b.title(f"{sign.begins}: {target.instance}, {_status_now(instance)}"),
        *map(b.words, _troubles(instance, row.problem)),
        *is_down(down),
        *freeze_lines(frozen),
        b.ruling(outlook(decision)) if decision else None,
        _what_can_be_done(target, instance, decision) if not down else None,
        b.marked_note(f"Who may restart it: {t.together(who)}.") if who else None,
        *_past(records),
        b.note(_about(target, instance)),
    )


def _what_can_be_done(
    target: Target, instance: Instance | None, decision: Decision | None
) -> b.Part | None:
    """Return the button for what helps: start what is stopped, restart what is not."""
    if instance is None:
        return None
    if can_start(instance.status):
        return b.buttons(start_button(target))
    may = decision is not None and decision.verdict is not Verdict.DENY
    return b.buttons(restart_button(target)) if may else None


def freeze_lines(frozen: Sequence[str]) -> list[b.Part]:
    """Return a line for each freeze in force; what is *frozen* is in words."""
    return [b.ruling(t.sentence(freeze)) for freeze in frozen]


def is_down(down: Record | None) -> tuple[b.Part | None, ...]:
    """Return since when it is down and why, with the button that starts it."""
    if down is None:
        return ()
    since = down.stopped_at or down.sent_at
    when = f" since {t.date(since)}" if since else ""
    who = t.mention(down.request.user_id)
    line = f"It is down{when}, stopped for a restart that {who} asked for."
    why = b.words(t.sentence(down.detail)) if down.detail else None
    return (b.marked(line), why, offer(down))


def _status_now(instance: Instance | None) -> str:
    """Return the status, raw, or that it could not be read."""
    return t.status(instance.status) if instance else "status could not be read"


def _troubles(instance: Instance | None, problem: str) -> list[str]:
    """Return, raw, why it could not be read, or what the cloud says is wrong."""
    known = {
        "": problem,
        "The cloud's reason: ": instance.failure if instance else "",
        "The cloud warns: ": instance.warning if instance else "",
    }
    return [f"{label}{t.sentence(text)}" for label, text in known.items() if text]


def _about(target: Target, instance: Instance | None) -> str:
    """Return what is known about the instance, raw."""
    known = {
        "Project": target.project,
        "Instance id": target.instance_id,
        "Name in the cloud": t.other_name(instance, target.instance),
        "Owner": instance.owner if instance else "",
        "Flavor": instance.flavor if instance else "",
    }
    return t.labelled(known)


def _past(records: Sequence[Record]) -> list[b.Part]:
    """Return a line for each of *records*, or that there are none."""
    shown = [_line(record) for record in records[:MOST_ROWS]]
    if len(records) > MOST_ROWS:
        shown.append(b.note(f"… and {len(records) - MOST_ROWS} more"))
    return shown or [b.words("No restarts on record.")]


def _line(record: Record) -> b.Part:
    """Return one restart: when, by whom, what, how it ended, why."""
    request = record.request
    glass = " (break-glass)" if request.break_glass else ""
    reason = f" Reason: {request.reason}" if request.reason else ""
    what = f"{signed(record)}: {t.spot(request.target)}{glass}.{reason}"
    who = f"{t.date(request.asked_at)}, {t.mention(request.user_id)}"
    return b.row(who, t.clean(what)[:300])


def history(
    records: Sequence[Record], *, project: str = "", box: str = "", glass: int = 0
) -> Message:
    """Answer ``history``, newest first, of everything or of *project* and *box*.

    *glass* is how often an approval was passed by break-glass in the last 30 days.
    """
    scope = f" of {box} in {project}" if box else f" in {project}" if project else ""
    count = b.note(f"Break-glass in the last 30 days: {glass}.") if glass else None
    return b.message(b.title(f"Last restarts{scope}"), *_past(records), count)


def listing(
    project: str, rows: Sequence[Row], *, more: int = 0, frozen: Sequence[str] = ()
) -> Message:
    """Answer ``list``: the instances of *project* by their state, each with a button.

    What needs somebody comes first. It restarts what runs, and starts what is stopped.

    *rows* are at most MOST_ROWS; *more* is how many instances are not among them;
    *frozen* are the freezes in force for it, in words.
    """
    groups = _by_sign(rows)
    lines: list[b.Part | None] = []
    spare = _BLOCKS - len(rows) - len(groups)
    for sign, members in groups.items():
        lines.append(b.title(f"{sign.begins} ({len(members)})"))
        for row in members:
            start = _start(row) if spare > 0 else None
            spare -= start is not None
            lines += [_listed(row), start]
    if not rows:
        lines = [b.words("The configuration names no instance in this project.")]
    if more:
        lines.append(b.note(f"… and {more} more; use status for those."))
    counts = ", ".join(f"{len(many)} {sign.word}" for sign, many in groups.items())
    heading = b.title(f"Instances in {project}: {counts or 'none'}")
    return b.message(heading, *freeze_lines(frozen[:2]), *lines)


def _by_sign(rows: Sequence[Row]) -> dict[signs.Sign, list[Row]]:
    """Return *rows* by how they stand, what needs somebody first."""
    groups: dict[signs.Sign, list[Row]] = {sign: [] for sign in signs.BY_NEED}
    for row in rows:
        groups[_sign(row.instance, row.down)].append(row)
    return {sign: members for sign, members in groups.items() if members}


def _sign(instance: Instance | None, down: Record | None) -> signs.Sign:
    """Return how an instance stands; *down* is the request that has left it down."""
    if down is not None:
        return signs.DOWN
    return signs.of_status(instance.status if instance else None)


def _listed(row: Row) -> b.Part:
    """Return one instance with its status and its button."""
    problem = f" ({row.problem})" if row.problem else ""
    since = row.down and (row.down.stopped_at or row.down.sent_at)
    down = f", down since {since:%Y-%m-%d %H:%M} UTC" if since else ""
    line = f"{row.target.instance}: {_status_now(row.instance)}{down}{problem}"
    button = start_now_button(row.down) if row.down else restart_button(row.target)
    return b.beside(b.words(line), button)


def _start(row: Row) -> b.Part | None:
    """Return the button that starts an instance which is merely stopped."""
    stopped = row.instance is not None and can_start(row.instance.status)
    return b.buttons(start_button(row.target)) if stopped and not row.down else None


def can(
    decision: Decision,
    target: Target,
    *,
    person: str,
    approvers: Sequence[str] = (),
) -> Message:
    """Answer ``can``: what policy says about *person* (a mention), and why."""
    may = _MAY[decision.verdict].format(t.place(target))
    return b.message(
        b.marked(f"{person} {may}."),
        b.marked(f"Approvers: {t.together(approvers, 'or')}.") if approvers else None,
        b.ruling(t.sentence(decision.why)),
        b.ruling(t.sentence(decision.remedy)) if decision.remedy else None,
        rule_note(decision),
    )
