"""The approval request for one or many: its card, its end, its reminder. Pure.

The card is built from the stored request only and its buttons carry nothing but the
request's id: what is decided on is what was recorded
(https://cheatsheetseries.owasp.org/cheatsheets/Transaction_Authorization_Cheat_Sheet.html).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

from bot.model import (
    Act,
    Decision,
    Instance,
    Message,
    Record,
    Request,
    State,
    asked_of,
    gives_back,
)
from bot.model.rule import line_of
from bot.slack.messages import blocks as b
from bot.slack.messages import formatting as t
from bot.slack.messages import signs
from bot.slack.messages.buttons import offer
from bot.slack.messages.outcome import signed, standing

APPROVE, DENY = "approve", "deny"
_WORK = "/home/ma-user/work"
_UNTIL_THEN = "The request stays; it cannot be approved until then."
_WAITS = signs.PENDING


def card(
    records: Sequence[Record],
    *,
    approvers: Sequence[str],
    last: Record | None = None,
    others: Sequence[Record] = (),
    closed: Decision | None = None,
    owners: Sequence[str] = (),
) -> Message:
    """Ask the *approvers* (ready mentions) whether all of *records* may be restarted.

    What the cloud says of each is its baseline. Of one asked for by itself, *last* is
    its last restart and *others* are its other open requests. *owners* are the user
    ids of those whose instances they are. *closed* is why none of it may be approved
    now: a freeze, or the window of the rule.
    """
    record = asked_of(records)
    alone, target = len(records) == 1, record.request.target
    name = target.instance if alone else t.count_of(records)
    return b.message(
        b.title(f"{_WAITS.begins}: {t.verb(record.request)} {name}?"),
        *asks(record, approvers, t.what_of(records)),
        *(() if alone else map(_row, records)),
        *(_warning(one, "it" if alone else "") for one in records),
        _votes(record),
        *taken_off(record),
        b.ruling(f"Not now: {closed.why} {_UNTIL_THEN}") if closed else None,
        verdict_buttons(
            record,
            t.spot(target) if alone else f"{name} in {target.project}",
        ),
        # What follows is small print: on a phone the buttons come before it.
        b.note(_known(record)) if alone else None,
        _costs(record, alone=alone),
        owned(owners),
        _history(last) if alone else None,
        *(b.marked_note(_other(other)) for other in others[:5]),
        *((ids(record),) if alone else _ids_of(records)),
    )


def asks(record: Record, approvers: Sequence[str], what: str) -> tuple[b.Part, ...]:
    """Return who asks whom for *what* (markup), and why."""
    request = record.request
    needed = request.approval.needed if request.approval else 1
    count = "one approval is" if needed == 1 else f"{needed} approvals are"
    others, whose = "", t.together(approvers, "or")
    if request.approval and request.approval.notify is not None:
        others, whose = f"{t.together(approvers)}: ", _unmentioned(request.approval.by)
    return (
        b.marked(
            f"{others}{t.mention(request.user_id)} asks to {t.verb(request)}"
            f" {what}. {count.capitalize()} needed from {whose}."
        ),
        b.marked(deadline(record)),
        *_next(request),
        b.words(t.reason(request)),
    )


def _unmentioned(entries: Sequence[str]) -> str:
    """Return *entries* of a rule as markup that wakes nobody."""
    return t.together([_unwoken(one) for one in entries], "or")


def _unwoken(entry: str) -> str:
    if line := line_of(entry):
        return f"who is on call on {t.code(line)}"
    return "every full member" if entry == "*" else t.said(entry)


def _next(request: Request) -> list[b.Part]:
    """Return who may approve it as well after a while, and from when on."""
    stages = request.approval.then if request.approval else ()
    return [
        b.marked_note(
            f"From {t.date(request.asked_at + timedelta(seconds=stage.after))} on"
            f" {_unmentioned(stage.by)} may approve it as well."
        )
        for stage in stages
    ]


def deadline(record: Record) -> str:
    """Return until when it may be decided, and what happens then."""
    expires = record.request.expires_at
    if expires is None:
        return "It does not expire."
    done = f"{t.verb(record.request)}ed"
    return f"It expires {t.date(expires)}; without a decision nothing is {done}."


def _known(record: Record) -> str:
    """Return what somebody may want to know about the instance before he agrees."""
    instance, alias = record.baseline, record.request.target.instance
    known = {
        "Status now": t.status(instance.status) if instance else "could not be read",
        "Name in the cloud": t.other_name(instance, alias),
        "Owner": instance.owner if instance else "",
        "Flavor": instance.flavor if instance else "",
    }
    return t.labelled(known)


def ids(record: Record) -> b.Part:
    """Return the ids that support asks for; the last line of a message about one."""
    target = record.request.target
    known = {
        "Instance id": target.instance_id,
        "Request": record.request.id,
        "Cloud request": record.ref,
    }
    return b.note(t.labelled(known))


def _ids_of(records: Sequence[Record]) -> list[b.Part]:
    """Return the ids of several instances, in small print."""
    targets = [record.request.target for record in records]
    lines = [f"{one.instance}: instance id {one.instance_id}" for one in targets]
    each = range(0, len(lines), b.NOTES_LIMIT)
    return [b.notes(lines[first : first + b.NOTES_LIMIT]) for first in each]


def _row(record: Record) -> b.Part:
    """Return one of several instances with its status."""
    if record.state is State.PENDING:
        instance = record.baseline
        status = t.status(instance.status) if instance else "could not be read"
        line = f"status now {status}"
    elif record.request.waits or record.state is not State.ASKED:
        line = standing(record)
    else:
        line = "needs no approval itself, is restarted with the others"
    return b.row(t.code(record.request.target.instance), line)


def _costs(record: Record, *, alone: bool) -> b.Part | None:
    """Return what it costs the owner; a start costs nothing."""
    if record.request.wants is Act.START:
        return None
    instance = record.baseline if alone else None
    if gives_back(record.request.plan):
        return b.note(f"{losses(instance)} {given_back(record.baseline)}")
    return b.note(losses(instance))


def given_back(instance: Instance | None) -> str:
    """Return, raw, that a notebook has no machine between its stop and its start."""
    flavor = f" ({instance.flavor})" if instance and instance.flavor else ""
    return (
        "It is stopped and started: the machine is given back in between, and if all"
        f" like it{flavor} are taken meanwhile, it stays down."
    )


def losses(instance: Instance | None) -> str:
    """Return, raw, what a restart costs the owner."""
    kept = (instance and instance.kept_path) or _WORK
    return (
        "What a restart loses: running jobs, kernels and everything outside the work"
        f" directory, /cache included. What it keeps: {kept}. The SSH host key changes."
    )


def owned(owners: Sequence[str]) -> b.Part | None:
    """Return whose it is, as mentions, where that is known."""
    if not owners:
        return None
    return b.marked_note(f"Owner: {t.together([t.mention(one) for one in owners])}.")


def _warning(record: Record, name: str = "") -> b.Part | None:
    """Return the cloud's warning that an instance might not come back."""
    if record.baseline is None or not record.baseline.warning:
        return None
    name = name or record.request.target.instance
    warning = t.sentence(record.baseline.warning)
    return b.words(f"Warning, {name} might not come back: {warning}")


def _history(last: Record | None) -> b.Part:
    """Return when the instance was last restarted, by whom, and how that ended."""
    if last is None:
        return b.note("I know of no earlier restart of this instance.")
    who, when = t.mention(last.request.user_id), t.date(last.request.asked_at)
    return b.row_note(f"Last restart: {when}, asked by {who}", f"{signed(last)}.")


def _other(record: Record) -> str:
    """Return that *record* is open for the same instance, as our own markup."""
    who, when = t.mention(record.request.user_id), t.date(record.request.asked_at)
    return f"Also open for this instance: {who} asked {when}."


def _votes(record: Record) -> b.Part | None:
    """Return who has approved so far, where more than one has to."""
    agreed, approval = t.approvals(record), record.request.approval
    if not agreed or approval is None:
        return None
    count = f"{len(agreed)} of {approval.needed}"
    return b.marked_note(f"Approved so far ({count}): {t.together(agreed)}.")


def taken_off(record: Record) -> list[b.Part]:
    """Return whose approvals count no more, each with why."""
    return [
        b.marked(
            f"Taken off: the approval of {t.mention(vote.user_id)}."
            f" {t.named(t.sentence(vote.note))}"
        )
        for vote in record.taken_off
    ]


def verdict_buttons(record: Record, place: str) -> b.Part:
    """Return the two buttons; their value is the request's id and nothing else.

    *place*, raw, is what they decide on.
    """
    value = record.request.id
    return b.buttons(
        b.button("Approve", APPROVE, value, about=f"Approve: {place}", style="primary"),
        b.button("Deny", DENY, value, about=f"Deny: {place}", style="danger"),
    )


def card_closed(records: Sequence[Record]) -> Message:
    """Draw the card after its end: who decided on all of it, and no buttons."""
    record = asked_of(records)
    alone, request = len(records) == 1, record.request
    if not alone and record.is_approved:  # what it has come to since is told elsewhere
        record = replace(record, state=State.APPROVED)
    name = request.target.instance if alone else t.count_of(records)
    return b.message(
        b.title(f"{_closing(record).begins}: {t.verb(request)} {name}"),
        b.marked(
            f"{t.mention(request.user_id)} asked to {t.verb(request)}"
            f" {t.what_of(records)}"
            f" {t.date(request.asked_at)}."
        ),
        b.marked(decision(record)),
        b.words(t.reason(request)),
        *taken_off(record),
        *notes(record, b.ruling),
        *((ids(record),) if alone else _ids_of(records)),
    )


def card_elsewhere(record: Record) -> Message:
    """Draw a copy of the card that stands by mistake: where to decide, no buttons."""
    request = record.request
    return b.message(
        b.title(
            f"{_WAITS.begins} elsewhere: {t.verb(request)} {request.target.instance}"
        ),
        b.words(
            "This message was posted twice. The other one shows how the request stands;"
            " decide there."
        ),
    )


CLOSED = frozenset(
    {State.DENIED, State.EXPIRED, State.CANCELLED, State.VOIDED, State.REFUSED}
)


def _closing(record: Record) -> signs.Sign:
    """Return the sign of how the approval ended; all that acts was approved."""
    ended = record.state in CLOSED
    return signs.of(record if ended else replace(record, state=State.APPROVED))


def decision(record: Record) -> str:
    """Return who or what decided, as our own markup."""
    starts, said = record.request.wants is Act.START, _decision(record)
    return said.replace("restarted", "started") if starts else said


def _decision(record: Record) -> str:
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
        case State.REFUSED:
            approved = f"; it had been approved{_by(record)}" if record.votes else ""
            return f"The request was refused{when}{approved}. Nothing was restarted."
        case State.VOIDED:
            approved = f"; it had been approved{_by(record)}" if record.votes else ""
            return (
                f"The request was voided{when}. What it was decided on no longer"
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


def notes(
    record: Record, ruling: Callable[[str], b.Part] = b.words
) -> tuple[b.Part, ...]:
    """Return what was said with a denial, or why nothing was restarted.

    *ruling* shows what policy says: with names where that wakes nobody, in an edit.
    """
    if record.state is State.VOIDED and record.detail:
        return (ruling(f"Why: {t.sentence(record.detail)}"),)
    if record.state in (State.REFUSED, State.NOT_RESTARTED):
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
            f"{_WAITS.begins}. {t.together(approvers)}: {who} still waits for a"
            f" decision on {what or t.place(record.request.target)}. {deadline(record)}"
        )
    )


def notice(record: Record, user_ids: Sequence[str], what: str = "") -> Message:
    """Tell *user_ids* how the request ended, where nothing was announced yet.

    What was announced ends in ``followup.ended`` instead. *what*, markup, is what
    was asked for (default: its place).
    """
    people = t.together([t.mention(user_id) for user_id in user_ids])
    what = what or t.place(record.request.target)
    about = f"{signs.of(record).begins}. {people}, about the {t.verb(record.request)}"
    ended = decision(record)
    told = b.marked(f"{about} of {what}: {ended[0].lower()}{ended[1:]}")
    return b.message(told, *notes(record), offer(record))
