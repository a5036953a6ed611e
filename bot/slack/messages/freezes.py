"""What is said of freezes: loudly in the channel, and privately to who asks. Pure."""

from __future__ import annotations

from datetime import datetime

from bot.model import Decision, Freeze, Message
from bot.model.wall_clock import shown
from bot.slack.messages import blocks as b
from bot.slack.messages import formatting as t
from bot.slack.messages import signs
from bot.slack.messages.replies import plain, refusal

FROM_A_CHANNEL = (
    "A freeze and a thaw are typed in a channel, because everybody there is told: type"
    " it again in one that I am in. Nothing was changed."
)


def begun(freeze: Freeze, now: datetime) -> Message:
    """Tell the channel that a freeze has begun: who, why, until when."""
    until = shown(freeze.until, freeze.zone, now)
    what = t.code(freeze.project) if freeze.project else "every project"
    return b.message(
        b.title(f"{signs.FROZEN.begins}: {_scope(freeze)} until {until}"),
        b.marked(
            f"{t.mention(freeze.user_id)} has frozen {what} {t.date(freeze.since)},"
            f" until {t.date(freeze.until)}: nothing is restarted or started there."
        ),
        b.words(f"Reason: {freeze.reason}"),
        b.words(
            "What waits for approval stays. Break-glass passes. It ends by itself, or"
            f" with {t.COMMAND} thaw {freeze.typed}."
        ),
    )


def ended(freeze: Freeze) -> Message:
    """Tell the channel that somebody has ended a freeze."""
    what = t.code(freeze.project) if freeze.project else "every project"
    return b.message(
        b.title(f"{signs.THAWED.begins}: {_scope(freeze)}"),
        b.marked(
            f"{t.mention(freeze.thawed_by)} has thawed {what}, which"
            f" {t.mention(freeze.user_id)} had frozen {t.date(freeze.since)}. The rules"
            " decide again."
        ),
        b.words(f"Its reason was: {freeze.reason}"),
    )


def _scope(freeze: Freeze) -> str:
    """Return what is frozen, raw."""
    return freeze.project or "every project"


def confirmed(freeze: Freeze, now: datetime, *, in_utc: bool = False) -> Message:
    """Tell who froze until when it lasts; *in_utc*: no zone of his own is known."""
    until = shown(freeze.until, freeze.zone, now)
    zone = "Slack does not tell me your time zone, so I took the time for UTC."
    return plain(
        f"{signs.RECORDED.begins}: {freeze.scope} is frozen until {until}. I say so in"
        " the channel.",
        zone if in_utc else "",
    )


def thawed(freeze: Freeze) -> Message:
    """Tell who thawed that it is done."""
    return plain(
        f"{signs.RECORDED.begins}: the freeze of {freeze.scope} has ended. I say so in"
        " the channel."
    )


def already(freeze: Freeze, now: datetime) -> Message:
    """Say that it is frozen already, by whom and until when."""
    return b.message(
        b.ruling(f"Nothing was changed: {t.sentence(freeze.sentence(now))}"),
        b.words(
            f"To change it, end it first: {t.COMMAND} thaw {freeze.typed}, then freeze"
            " it anew."
        ),
    )


def not_frozen(scope: str, others: tuple[Freeze, ...], now: datetime) -> Message:
    """Say that there is nothing to thaw; *others* are the freezes there are."""
    what = scope or "every project"
    said = (
        f"{t.sentence(one.sentence(now))} To end it: {t.COMMAND} thaw {one.typed}"
        for one in others
    )
    return b.message(
        b.words(f"Nothing was changed: there is no freeze of {what} to end."),
        *map(b.ruling, said),
    )


def not_told(freeze: Freeze, why: str) -> Message:
    """Say that what was recorded holds, though the channel could not be told."""
    ends = freeze.thawed_at is not None
    state = "the freeze has ended" if ends else "it is frozen"
    return plain(
        f"I could not say it in the channel: {t.sentence(why)} What you asked for holds"
        f" all the same: {state}. Tell people yourself, and invite me there."
    )


def refused(decision: Decision, typed: str, act: str) -> Message:
    """Say why somebody may not freeze or thaw; *act* is "frozen" or "thawed"."""
    return refusal(decision, opening=f"{typed} was not {act}.")
