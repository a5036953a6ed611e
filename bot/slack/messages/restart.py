"""The one message of a restart, from its announcement to its end, and its reply. Pure.

Every function draws the same message anew, so that an edit never loses a fact.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.model import Message, Record, State, StatusClass, class_of
from bot.slack.messages import approval
from bot.slack.messages import blocks as b
from bot.slack.messages import formatting as t

_BAR = 10  # cells
# In a title next to two statuses of 40 characters each; Slack allows 150 in all.
_IN_TITLE = 60


def announcing(record: Record, *, mentions: Sequence[str] = ()) -> Message:
    """Say, before it is sent, that a restart is about to be sent.

    *mentions* are those of the approvers, who are told about a break-glass restart.
    """
    return b.message(
        b.title(f"Restarting {_name(record)}"),
        *_asked(record, mentions),
        b.note("The channel is the record: nothing has been sent to the cloud yet."),
    )


def transition(
    record: Record,
    *,
    status_now: str = "",
    elapsed_s: float = 0.0,
    usual_s: float | None = None,
    mentions: Sequence[str] = (),
) -> Message:
    """Show the two statuses that the cloud answered, and how far the restart is."""
    return b.message(
        b.title(_heading(record)),
        *_asked(record, mentions),
        _progress(status_now or record.current, elapsed_s, usual_s),
        _trace(record),
    )


def following(
    record: Record,
    *,
    status_now: str = "",
    elapsed_s: float = 0.0,
    usual_s: float | None = None,
) -> Message:
    """Say that the instance was busy already: nothing is sent, its end is told."""
    found = record.baseline.status if record.baseline else record.last_status
    return b.message(
        b.title(f"{_name(record)}: {t.status(found)} already"),
        *_asked(record, ()),
        b.words("It was busy already, so no restart was sent. I say how it ends."),
        _progress(status_now or record.last_status or found, elapsed_s, usual_s),
    )


def checking(record: Record, *, mentions: Sequence[str] = ()) -> Message:
    """Say that the cloud's answer was lost and that the instance is being watched."""
    return b.message(
        b.title(f"{_name(record)}: answer lost, checking"),
        *_asked(record, mentions),
        b.words(
            "The restart was sent, but the cloud's answer was lost, so nobody knows"
            " yet whether it happens. I do not send it again; I watch the instance"
            " and say what I see."
        ),
    )


def not_restarted(record: Record, *, mentions: Sequence[str] = ()) -> Message:
    """Say that nothing was restarted, and why."""
    return b.message(
        b.title(f"{_name(record)}: not restarted"),
        *_asked(record, mentions),
        *_paragraphs(record.detail, "The instance was left as it was."),
        _trace(record),
    )


def ended(record: Record, *, mentions: Sequence[str] = ()) -> Message:
    """Show how the restart ended, below the two statuses of the transition."""
    if record.state is State.NOT_RESTARTED:
        return not_restarted(record, mentions=mentions)
    first, *more = verdict(record)
    return b.message(
        b.title(_heading(record)),
        *_asked(record, mentions),
        *_paragraphs(first, *more),
        _trace(record),
    )


def followup(record: Record, followers: Sequence[str] = ()) -> Message:
    """Tell the requester, and the user ids in *followers*, how it ended."""
    return _told(record, (record.request.user_id, *followers))


def joined_end(host: Record, user_id: str) -> Message:
    """Tell somebody who joined *host* how that one ended, beside its follow-up."""
    if host.state in approval.CLOSED:
        return approval.notice(host, (user_id,))
    return _told(host, (user_id,))


def _told(record: Record, user_ids: Sequence[str]) -> Message:
    """Tell *user_ids* how the restart ended."""
    who = t.together([t.mention(user_id) for user_id in user_ids])
    name = t.code(record.request.target.instance)
    if record.state is State.READY:
        return b.message(b.marked(f"{who}: {name} is ready. {_spent(record)}"))
    opening = {
        State.FAILED: f"{name} has not come back.",
        State.TIMED_OUT: f"{name} has not come back in time.",
        State.UNKNOWN: f"I cannot say how the restart of {name} ended.",
    }.get(record.state, f"{name} was not restarted.")
    return b.message(b.marked(f"{who}: {opening}"), *_paragraphs(*verdict(record)))


def verdict(record: Record) -> tuple[str, ...]:
    """Return, raw, how it ended: what happened, what it means, what to do."""
    now, took = t.status(record.last_status), t.took(record)
    match record.state:
        case State.READY:
            return (f"Ready{took}.", _untouched(record))
        case State.FAILED:
            failed = f"The restart failed: it reached {now}{took}."
            return (failed, _reason(record), _mend(record))
        case State.TIMED_OUT:
            return (
                f"Its status still stands at {now}{took}. I have stopped watching.",
                t.sentence(record.detail),
                f"It may still come back: {_look(record)} shows its status.",
            )
        case State.UNKNOWN:
            return (
                f"The outcome is unknown. {t.sentence(record.detail)}",
                f"The last status seen was {now}. I do not send the restart again.",
                f"Look at it with {_look(record)}, and ask again only if it needs it.",
            )
        case _:
            return (t.sentence(record.detail), "The instance was left as it was.")


def _reason(record: Record) -> str:
    """Return the cloud's own reason for a failure, or that there is none."""
    if record.detail.startswith("The cloud"):
        return record.detail
    if not record.detail:
        return "The cloud gave no reason."
    return f"The cloud's reason: {t.sentence(record.detail)}"


def _mend(record: Record) -> str:
    """Return what to do about a restart that failed."""
    if class_of(record.last_status) is StatusClass.STOPPED:
        return "Start it in the ModelArts console: a restart does not start it."
    return "Look at it in the ModelArts console before you restart it again."


def _untouched(record: Record) -> str:
    """Return that nothing was sent, where the instance was only watched."""
    if record.sent_at is not None or record.current:
        return ""
    return "It was busy already, so no restart was sent."


def _spent(record: Record) -> str:
    """Return the time until it was ready as a sentence of our own markup."""
    project, spent = t.code(record.request.target.project), record.duration_s
    if _untouched(record):
        lasted = "" if spent is None else f" for {t.duration(spent)}"
        return f"{_untouched(record)} I watched it in {project}{lasted}."
    if spent is None:
        return f"It was restarted in {project}."
    return f"Its restart in {project} took {t.duration(spent)}."


def _look(record: Record) -> str:
    """Return the command that shows the instance, raw."""
    target = record.request.target
    return f"{t.COMMAND} status {target.project} {target.instance}"


def _name(record: Record) -> str:
    """Return what the instance is called, short enough for a title."""
    name = record.request.target.instance
    return name if len(name) <= _IN_TITLE else name[: _IN_TITLE - 1] + "…"


def _heading(record: Record) -> str:
    """Return the title: the transition, or how it stands where no answer came."""
    shown = t.arrow(record) if record.current else t.outcome(record)
    return f"{_name(record)}: {shown}"


def _asked(record: Record, mentions: Sequence[str]) -> tuple[b.Part | None, ...]:
    """Return who asked for what and why, who agreed, and who has to know."""
    request = record.request
    asked = f"{t.place(request.target)}, asked by {t.mention(request.user_id)}"
    agreed = t.approvals(record)
    approved = f", approved by {t.together(agreed)}" if agreed else ""
    return (
        b.marked(f"{asked} {t.date(request.asked_at)}{approved}."),
        glass_line(mentions) if request.break_glass else None,
        b.words(t.reason(request)),
    )


def glass_line(mentions: Sequence[str]) -> b.Part:
    """Return the loud line of a restart that nobody approved beforehand."""
    call = f" {t.together(mentions)}: please review it." if mentions else ""
    return b.marked(f"This is a break-glass restart: nobody approved it first.{call}")


def _paragraphs(*raws: str) -> tuple[b.Part, ...]:
    """Return a paragraph for each of *raws* that says something."""
    return tuple(b.words(raw) for raw in raws if raw)


def _progress(status_now: str, elapsed_s: float, usual_s: float | None) -> b.Part:
    """Return the time passed; with *usual_s* also how far that usually is."""
    line = f"Status now: {t.status(status_now)}. Time passed: {t.duration(elapsed_s)}"
    if not usual_s:
        return b.note(f"{line}.")
    share = elapsed_s / usual_s
    far = "longer than usual" if share > 1 else f"{round(share * 100)} % of that"
    line += f", usually {t.duration(usual_s)} ({far})."
    filled = min(_BAR, round(share * _BAR))
    bar = "█" * filled + "░" * (_BAR - filled)
    # A screen reader would spell the bar out, so only the drawing has it.
    return b.Part(b.note(line).text, b.note(f"{bar}  {line}").block)


def _trace(record: Record) -> b.Part | None:
    """Return the ids that the cloud's support asks for."""
    ids = f"Instance id {record.request.target.instance_id}"
    return b.note(f"{ids}, cloud request {record.ref}" if record.ref else ids)
