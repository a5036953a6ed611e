"""Pure: who may restart what, and who may approve it; in doubt the answer is no.

Every sentence here is plain text about the person in the third person, so that it
can be shown to the person and to whoever asks about the person.
"""

from bot.policy.approvers import approvers, may_approve
from bot.policy.decision import decide, lines_about, who_may
from bot.policy.question import Facts, Question
from bot.policy.rule_outcome import explained
from bot.policy.subjects import (
    EVERYBODY,
    Groups,
    is_group,
    lines,
    members,
    outsider,
    references,
)
from bot.policy.timing import may_freeze, not_now

__all__ = [
    "EVERYBODY",
    "Facts",
    "Groups",
    "Question",
    "approvers",
    "decide",
    "explained",
    "is_group",
    "lines",
    "lines_about",
    "may_approve",
    "may_freeze",
    "members",
    "not_now",
    "outsider",
    "references",
    "who_may",
]
