"""Until when a restart may be sent: what waited too long would be a surprise.

Pure. The bot may have been away for hours; who asked has long helped himself or gone
home, and whoever works on the instance by then expects nothing.
"""

from __future__ import annotations

from datetime import datetime

from bot.model import UNDER_WAY, Record, State
from bot.restarts.batch import Batch
from bot.slack.messages.formatting import duration

# Where those stand that have been under way: each has kept a place while it was.
_WERE_UNDER_WAY = UNDER_WAY | {
    State.READY,
    State.FAILED,
    State.TIMED_OUT,
    State.UNKNOWN,
    State.DOWN,
}


def too_late(batch: Batch, now: datetime, *, within_s: float, parallel: int) -> str:
    """Return why the batch's record is not sent any more at *now*, or nothing.

    It may be sent within *within_s* seconds of the vote that decided, else of the ask;
    one of several of when its turn came, *parallel* of them at a time.
    """
    since, what = _decided(batch.record)
    turn = _turn_came(batch, parallel)
    if turn is not None and turn > since:
        since, what = turn, "its turn came"
    ago_s = (now - since).total_seconds()
    if ago_s <= within_s:
        return ""
    return (
        f"Nothing was sent to the cloud: {what} {duration(ago_s)} ago, and what was not"
        f" sent within {duration(within_s)} is not sent any more. Ask again if it is"
        " still needed."
    )


def _decided(record: Record) -> tuple[datetime, str]:
    """Return when it was allowed to go, and what happened then."""
    request = record.request
    if request.waits and request.approval is not None:
        agreed = sorted(vote.at for vote in record.votes if vote.approve)
        if len(agreed) >= request.approval.needed:
            return agreed[request.approval.needed - 1], "it was approved"
    return request.asked_at, "it was asked for"


def _turn_came(batch: Batch, parallel: int) -> datetime | None:
    """Return when those before it left it a place, None where it waited for nobody.

    One that came to nothing has kept nobody waiting.
    """
    before = [one for one in batch.earlier if one.state in _WERE_UNDER_WAY]
    began = [one.sent_at for one in before if one.sent_at is not None]
    ended = sorted(one.ended_at for one in before if one.ended_at is not None)
    surplus = len(before) - parallel  # so many had to end, and one more
    freed = ended[surplus : surplus + 1] if surplus >= 0 else []
    return max([*began, *freed], default=None)
