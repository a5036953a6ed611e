"""What is said in a restart's thread: troubles, doubts, and the last word. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.model import Message, Record, State, is_stopping
from bot.slack.messages import approval, signs
from bot.slack.messages import blocks as b
from bot.slack.messages import formatting as t
from bot.slack.messages.buttons import offer
from bot.slack.messages.outcome import ending, standing, untouched, verdict

_LONG_LINE = 400  # characters of what is told about the end of one of several

# --- what is said in between ----------------------------------------------------------


def trouble(record: Record, until: str) -> Message:
    """Say that what is stopped could not be started yet; *until* is a date (markup)."""
    name = t.code(record.request.target.instance)
    return b.message(
        b.marked(
            f"{signs.STARTING.begins}: {name} could not be started yet."
            f" I try again until {until}."
        ),
        b.words(t.sentence(record.trouble)),
    )


def doubt(record: Record, more_s: float) -> Message:
    """Say that nobody knows whether the stop was carried out.

    *more_s* is for how many seconds more it is looked at.
    """
    request = record.request
    who, name = t.mention(request.user_id), t.code(request.target.instance)
    now = t.status(record.last_status)
    unseen = f"Its status still stands at {now}: the stop was not seen."
    if any(map(is_stopping, record.path)):
        unseen = f"It was on its way down and is {now} again, not seen stopped."
    return b.message(
        b.marked(
            f"{signs.UNKNOWN.begins}. {who}: the outcome of the stop of {name} is"
            " unknown."
        ),
        b.words(
            f"{unseen} Nothing more was sent. I look at it for {t.duration(more_s)}"
            " more; if it does stop, I start it."
        ),
    )


def up_again(record: Record, status: str) -> Message:
    """Say in its thread that what was down is so no longer."""
    name = t.code(record.request.target.instance)
    who = t.mention(record.request.user_id)
    return b.message(
        b.marked(
            f"{signs.of_status(status).begins}. {who}: {name} is not down any more. It"
            f" is {status}."
        )
    )


# --- the last word ---------------------------------------------------------------


def ended(
    records: Sequence[Record],
    *,
    followers: Sequence[str] = (),
    hosts: Mapping[str, Record] | None = None,
    approvers: Sequence[str] = (),
) -> Message:
    """Tell the requester how all of it ended, and the *approvers* (mentions) if it is
    down.

    *followers* are the user ids of those who joined the one that was asked for; *hosts*
    are the requests that some of several have joined, by their id.
    """
    request = records[0].request
    if len(records) == 1:
        return _told(records[0], (request.user_id, *followers), approvers)
    ready = [record for record in records if record.state is State.READY]
    who, project = t.mention(request.user_id), t.code(request.target.project)
    if len(ready) == len(records):
        line = f"all {t.count_of(records)} in {project} are ready."
    else:
        of = f"{len(ready) or 'none'} of {t.count_of(records)} in {project}"
        line = f"{of} {'is' if len(ready) == 1 else 'are'} ready."
    return b.message(
        b.marked(f"{signs.of_all(records).begins}. {who}: {line}{_longest(ready)}"),
        *(_one_of(record, (hosts or {}).get(record.joined)) for record in records),
        b.marked(f"One is down, {t.together(approvers)}.") if approvers else None,
        *(offer(record) for record in records),
    )


def joined_end(host: Record, user_id: str) -> Message:
    """Tell somebody who joined *host* how that one ended, beside its follow-up."""
    if host.state in approval.CLOSED:
        return approval.notice(host, (user_id,))
    return _told(host, (user_id,))


def _told(
    record: Record, user_ids: Sequence[str], approvers: Sequence[str] = ()
) -> Message:
    """Tell *user_ids* and *approvers* (mentions) how the restart ended."""
    who = t.together([*(t.mention(user_id) for user_id in user_ids), *approvers])
    name = t.code(record.request.target.instance)
    if record.state is State.READY:
        ready = f"{signs.READY.begins}. {who}: {name} is ready. {_spent(record)}"
        return b.message(b.marked(ready), *b.paragraphs(t.sentence(record.detail)))
    verb = t.verb(record.request)
    opening = {
        State.DOWN: f"{name} is down{_since(record)}.",
        State.FAILED: f"{name} has not come back.",
        State.TIMED_OUT: f"{name} has not come back in time.",
        State.UNKNOWN: f"I cannot say how the {verb} of {name} ended.",
        State.REFUSED: f"the {verb} of {name} was refused. Nothing was {verb}ed.",
    }.get(record.state, f"{name} was not {verb}ed.")
    first = b.marked(f"{signs.of(record).begins}. {who}: {opening}")
    return b.message(first, *b.paragraphs(*verdict(record)), offer(record))


def _since(record: Record) -> str:
    """Return since when it is down, as our own markup."""
    since = record.stopped_at or record.sent_at
    return f" since {t.date(since)}" if since else ""


def _spent(record: Record) -> str:
    """Return the time until it was ready as a sentence of our own markup."""
    project, spent = t.code(record.request.target.project), record.duration_s
    if untouched(record):
        lasted = "" if spent is None else f" for {t.duration(spent)}"
        return f"{untouched(record)} I watched it in {project}{lasted}."
    if spent is None:
        return f"It was {t.verb(record.request)}ed in {project}."
    return f"Its {t.verb(record.request)} in {project} took {t.duration(spent)}."


def _longest(ready: Sequence[Record]) -> str:
    """Return the longest of the restarts that became ready."""
    spent = max((record.duration_s or 0.0 for record in ready), default=0.0)
    word = "It" if len(ready) == 1 else "The longest"
    return f" {word} took {t.duration(spent)}." if spent else ""


def _one_of(record: Record, host: Record | None) -> b.Part:
    """Return how one of several ended, and in whose request where not in this one."""
    name = t.code(record.request.target.instance)
    if record.state is not State.JOINED or host is None:
        return b.row(name, ending(record, _LONG_LINE))
    who = t.mention(host.request.user_id)
    return b.row(f"{name}, in the request of {who}", standing(host))
