"""The approval request: its card, its end, its reminder. Pure.

The card is built from the stored request only and its buttons carry nothing but the
request's id (OWASP Transaction Authorization 2.1, reference/approvals.md section 6).
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.model import Instance, Message, Record, State
from bot.slack.messages import blocks as b
from bot.slack.messages import formatting as t

APPROVE, DENY = "approve", "deny"
_WORK = "/home/ma-user/work"


def card(
    record: Record,
    instance: Instance | None,
    *,
    approvers: Sequence[str],
    last: Record | None = None,
    others: Sequence[Record] = (),
) -> Message:
    """Ask the *approvers* (ready mentions) whether the restart may be done.

    *instance* is what the cloud says now (None: it could not be read), *last* the last
    restart of this instance, *others* its other open requests.
    """
    return b.message(
        b.title(f"May {record.request.target.instance} be restarted?"),
        *asks(record, approvers),
        _facts(record, instance),
        b.words(losses(instance)),
        _warning(instance),
        _history(last),
        *(b.marked_note(_other(other)) for other in others[:5]),
        votes(record),
        verdict_buttons(record),
    )


def asks(
    record: Record, approvers: Sequence[str], what: str = ""
) -> tuple[b.Part, ...]:
    """Return who asks whom for *what* (markup; default: its place), and why."""
    request = record.request
    needed = request.approval.needed if request.approval else 1
    count = "one approval is" if needed == 1 else f"{needed} approvals are"
    return (
        b.marked(
            f"{t.mention(request.user_id)} asks to restart"
            f" {what or t.place(request.target)}."
            f" {count.capitalize()} needed from {t.together(approvers, 'or')}."
        ),
        b.marked(_deadline(record)),
        b.words(t.reason(request)),
    )


def _deadline(record: Record) -> str:
    """Return until when it may be decided, and what happens then."""
    expires = record.request.expires_at
    if expires is None:
        return "It does not expire."
    return f"It expires {t.date(expires)}; without a decision nothing is restarted."


def _facts(record: Record, instance: Instance | None) -> b.Part:
    """Return what somebody needs to know about the instance before he agrees."""
    target = record.request.target
    known = {
        "Instance": target.instance,
        "Project": target.project,
        "Instance id": target.instance_id,
        "Project id": target.project_id,
        "Status now": t.status(instance.status) if instance else "could not be read",
        "Name in the cloud": instance.name if instance else "",
        "Owner": instance.owner if instance else "",
        "Flavor": instance.flavor if instance else "",
    }
    return b.facts(*(f"{label}: {value}" for label, value in known.items() if value))


def losses(instance: Instance | None) -> str:
    """Return, raw, what a restart costs the owner (reference/modelarts.md 4)."""
    kept = (instance and instance.kept_path) or _WORK
    return (
        "What a restart loses: running jobs, kernels and everything outside the work"
        f" directory, /cache included. What it keeps: {kept}. The SSH host key changes."
    )


def _warning(instance: Instance | None) -> b.Part | None:
    """Return the cloud's warning that the instance might not come back."""
    if instance is None or not instance.warning:
        return None
    return b.words(f"Warning, it might not come back: {t.sentence(instance.warning)}")


def _history(last: Record | None) -> b.Part:
    """Return when the instance was last restarted, by whom, and how that ended."""
    if last is None:
        return b.note("I know of no earlier restart of this instance.")
    who, when = t.mention(last.request.user_id), t.date(last.request.asked_at)
    return b.row(f"Last restart: {when}, asked by {who}", f"{t.outcome(last)}.")


def _other(record: Record) -> str:
    """Return that *record* is open for the same instance, as our own markup."""
    who, when = t.mention(record.request.user_id), t.date(record.request.asked_at)
    return f"Also open for this instance: {who} asked {when}."


def votes(record: Record) -> b.Part | None:
    """Return who has approved so far, where more than one has to."""
    agreed, approval = t.approvals(record), record.request.approval
    if not agreed or approval is None:
        return None
    count = f"{len(agreed)} of {approval.needed}"
    return b.marked_note(f"Approved so far ({count}): {t.together(agreed)}.")


def verdict_buttons(record: Record, what: str = "") -> b.Part:
    """Return the two buttons; their value is the request's id and nothing else.

    *what*, raw, is what they decide on (default: its place).
    """
    place, value = what or t.spot(record.request.target), record.request.id
    return b.buttons(
        b.button("Approve", APPROVE, value, about=f"Approve: {place}", style="primary"),
        b.button("Deny", DENY, value, about=f"Deny: {place}", style="danger"),
    )


def card_closed(record: Record) -> Message:
    """Draw the card after its end: who decided, and no buttons."""
    request = record.request
    return b.message(
        b.title(f"Restart of {request.target.instance}: {closing(record)}"),
        b.marked(
            f"{t.mention(request.user_id)} asked to restart {t.place(request.target)}"
            f" {t.date(request.asked_at)}."
        ),
        b.marked(decision(record)),
        b.words(t.reason(request)),
        *notes(record),
        b.note(f"Instance id {request.target.instance_id}"),
    )


def card_elsewhere(record: Record) -> Message:
    """Draw a copy of the card that stands by mistake: where to decide, no buttons."""
    request = record.request
    return b.message(
        b.title(f"Restart of {request.target.instance}: asked again below"),
        b.words(
            "This message was posted twice. The other one shows how the request stands;"
            " decide there."
        ),
    )


CLOSED = frozenset({State.DENIED, State.EXPIRED, State.CANCELLED, State.VOIDED})


def closing(record: Record) -> str:
    """Return the word for how the approval ended; all that acts was approved."""
    return str(record.state) if record.state in CLOSED else "approved"


def decision(record: Record) -> str:
    """Return who or what decided, as our own markup."""
    who = t.mention(record.decided_by) if record.decided_by else ""
    by, when = f" by {who}" if who else "", _when(record)
    match record.state:
        case State.DENIED:
            return f"The request was denied{by}{when}. Nothing was restarted."
        case State.CANCELLED:
            return f"The request was cancelled{by}{when}. Nothing was restarted."
        case State.EXPIRED:
            return (
                f"The request has expired{when}: not enough approvals came in time."
                " Nothing was restarted; ask again if it is still needed."
            )
        case State.VOIDED:
            approved = f"; it had been approved{_by(record)}" if record.votes else ""
            return (
                f"The request was voided{when}: what it was decided on no longer"
                f" holds{approved}. Nothing was restarted; ask again if it is still"
                " needed."
            )
        case state:
            by = _by(record)
            stopped = state is State.NOT_RESTARTED
            but = ", but the instance was not restarted" if stopped else ""
            return f"The request was approved{by}{but}."


def _by(record: Record) -> str:
    """Return who approved, as our own markup."""
    agreed = t.approvals(record)
    return f" by {t.together(agreed)}" if agreed else ""


def _when(record: Record) -> str:
    """Return the date of the end, as our own markup."""
    return f" {t.date(record.ended_at)}" if record.ended_at else ""


def notes(record: Record) -> tuple[b.Part, ...]:
    """Return what was said with a denial, or why nothing was restarted."""
    if record.state in (State.VOIDED, State.NOT_RESTARTED):
        why, said = "Why", [record.detail]
    else:
        why = "The reason given"
        said = [vote.note for vote in record.votes if not vote.approve]
    return tuple(b.words(f"{why}: {t.sentence(note)}") for note in said if note)


def reminder(record: Record, approvers: Sequence[str], what: str = "") -> Message:
    """Remind the *approvers* (ready mentions), in the card's thread, at half time.

    *what*, markup, is what they are to decide on (default: its place).
    """
    who = t.mention(record.request.user_id)
    return b.message(
        b.marked(
            f"{t.together(approvers)}: {who} still waits for a decision on"
            f" {what or t.place(record.request.target)}. {_deadline(record)}"
        )
    )


def notice(record: Record, user_ids: Sequence[str], what: str = "") -> Message:
    """Tell *user_ids* how the request ended, where nothing was announced yet.

    What was announced ends in ``restart.followup`` instead. *what*, markup, is what
    was asked for (default: its place).
    """
    people = t.together([t.mention(user_id) for user_id in user_ids])
    what = what or t.place(record.request.target)
    ended = f"the request to restart {what} has ended."
    told = b.marked(f"{people}: {ended} {decision(record)}")
    return b.message(told, *notes(record))
