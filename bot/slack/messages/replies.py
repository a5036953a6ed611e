"""The private answers to what people want done: refusals, acknowledgements. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bot.model import Decision, Message, Record, State, Target
from bot.slack.command import BREAK_GLASS, FORMS
from bot.slack.messages import blocks as b
from bot.slack.messages import formatting as t
from bot.slack.messages import signs
from bot.slack.messages.approval import decision as how_decided


def plain(sentence: str, *more: str) -> Message:
    """Say *sentence* and *more*, raw: what happened, what it means, what to do."""
    return b.message(*(b.words(raw) for raw in (sentence, *more) if raw))


def mistake(sentence: str, guess: str = "") -> Message:
    """Explain what was wrong with a command, and what was probably meant."""
    return plain(sentence, f"Did you mean: {t.COMMAND} {guess}" if guess else "")


def help_text(
    guess: str = "", said: str = "", *, frozen: Sequence[str] = ()
) -> Message:
    """List the commands; *guess* is the one that a misspelt word probably meant.

    *said* explains, before them, what was not understood; *frozen* are the freezes in
    force, in words.
    """
    return b.message(
        b.words(said) if said else None,
        b.words(f"Did you mean: {t.COMMAND} {guess}") if guess else None,
        b.words("I restart ModelArts instances and say how it ended."),
        *(b.ruling(t.sentence(freeze)) for freeze in frozen),
        *(b.words(f"{t.COMMAND} {form.usage} – {form.purpose}") for form in FORMS),
        b.note(
            f"{BREAK_GLASS} may stand anywhere in a restart: it skips the approval, for"
            " those whom the rule lists, with a reason, and everybody sees it."
        ),
    )


def refusal(
    decision: Decision,
    target: Target | None = None,
    *,
    opening: str = "",
    verb: str = "restart",
) -> Message:
    """Say why policy refused, and what would help.

    *opening*, raw, says what was refused where it was not the *verb* itself.
    """
    about = f" {t.spot(target)}" if target else ""
    first = f"{signs.REFUSED.begins}. {opening or f'I did not {verb}{about}.'}"
    return b.message(
        b.ruling(f"{first} {t.sentence(decision.why)}"),
        b.ruling(t.sentence(decision.remedy)) if decision.remedy else None,
        rule_note(decision),
    )


def rule_note(decision: Decision) -> b.Part | None:
    """Return the name of the rule that decided, unless the sentences before say it."""
    return b.note(f"Rule: {decision.rule}") if names_no_rule(decision) else None


def names_no_rule(decision: Decision) -> bool:
    """Say whether the rule that decided has no name in the sentences about it."""
    said = f"{decision.why} {decision.remedy}"
    return bool(decision.rule) and f"“{decision.rule}”" not in said


def cannot_record() -> Message:
    """Say that nothing was done because it could not be written down."""
    return plain(
        "Nothing was restarted: I could not record your request.",
        "The bot's database does not answer. Try again in a minute; if it stays so,"
        " tell whoever runs the bot.",
    )


def accepted(record: Record) -> Message:
    """Acknowledge a recorded request, privately."""
    where, passes = t.place(record.request.target), record.request.passes
    line = f"{signs.RECORDED.begins}: your request to {t.verb(record.request)} {where}."
    if record.request.waits:
        line += (
            " It needs approval first. I ask for it in the channel, and tell you what"
            " is decided."
        )
    else:
        line += " I show it in the channel and mention you there when it has ended."
    freeze = b.ruling(f"It passes a freeze: {passes}.") if passes else None
    return b.message(b.marked(line), freeze)


def busy_already(running: Record) -> Message:
    """Say that the instance is being restarted by *running*, whose end is told."""
    request, verb = running.request, t.verb(running.request)
    return b.message(
        b.marked(
            f"{signs.acting(running).begins} already: {t.place(request.target)}, asked"
            f" by {t.mention(request.user_id)} {t.date(request.asked_at)}."
            f" No second {verb} is sent. You are mentioned when this one has ended."
        )
    )


def joined_already(host: Record) -> Message:
    """Say which open request a new one has joined; its end is told."""
    return pending_already(host) if host.state is State.PENDING else busy_already(host)


def pending_already(waiting: Record) -> Message:
    """Say that *waiting* asks for the same already; its end is told."""
    request = waiting.request
    return b.message(
        b.marked(
            f"{signs.PENDING.begins} already: the {t.verb(request)} of"
            f" {t.place(request.target)}, asked by {t.mention(request.user_id)}"
            f" {t.date(request.asked_at)}. Your request joins that one. You are"
            " mentioned when it has ended."
        )
    )


def nothing_pending(target: Target) -> Message:
    """Say that there is nothing to cancel."""
    return b.message(
        b.marked(
            f"No request for {t.place(target)} waits for approval, so there is nothing"
            " to cancel. A restart that has been sent cannot be taken back."
        )
    )


def cancelled(record: Record, what: str = "") -> Message:
    """Confirm to whoever cancelled a request that it is cancelled.

    *what*, markup, is what was cancelled (default: its place).
    """
    request, verb = record.request, t.verb(record.request)
    return b.message(
        b.marked(
            f"{signs.CANCELLED.begins}: the request of {t.mention(request.user_id)} to"
            f" {verb}"
            f" {what or t.place(request.target)}. Nothing was {verb}ed."
        )
    )


def cancel_refused(decision: Decision, target: Target) -> Message:
    """Say why somebody may not withdraw a request."""
    return refusal(decision, opening=f"The request for {t.spot(target)} still stands.")


def click_refused(decision: Decision) -> Message:
    """Say why a click on an approval request does not count."""
    return refusal(decision, opening="Your click does not count.")


def decided(record: Record, user_id: str = "", what: str = "") -> Message:
    """Answer a click that came late, or the second one of *user_id*.

    *what*, markup, is what it was about (default: its place).
    """
    if record.state is not State.PENDING:
        about = what or t.place(record.request.target)
        line = f"{signs.of(record).begins}: {about} was decided already."
        return b.message(b.marked(f"{line} {how_decided(record)}"))
    needed = record.request.approval.needed if record.request.approval else 1
    agreed = t.approvals(record)
    so_far = f"{len(agreed)} of {needed} approvals so far."
    if t.mention(user_id) in agreed:
        return plain(f"You have approved already; one person counts once: {so_far}")
    return plain(f"Your click is noted: {so_far}")


def unknown_request() -> Message:
    """Answer a click on something that the database does not know."""
    return plain(
        "This request is not known any more: it has expired, and nothing was restarted"
        " by your click.",
        f"Ask again with {t.COMMAND} restart <project> <instance>.",
    )
