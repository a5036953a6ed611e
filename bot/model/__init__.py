"""The nouns of the bot, frozen and without I/O; every other module speaks in them."""

from bot.model.duration import Seconds, seconds, utc
from bot.model.freeze import EVERYTHING, Freeze, frozen_by
from bot.model.instance import (
    HOPELESS,
    STATUS_CLASSES,
    Answer,
    Instance,
    StatusClass,
    Target,
    class_of,
)
from bot.model.message import Message
from bot.model.person import Person
from bot.model.request import (
    ENDS,
    REASON_LIMIT,
    TRANSITIONS,
    UNDER_WAY,
    Record,
    Request,
    State,
    Vote,
    asked_of,
    canonical,
    digest,
    may_move,
    request_id,
)
from bot.model.rule import Approval, Decision, Rule, Verdict

__all__ = [
    "ENDS",
    "EVERYTHING",
    "HOPELESS",
    "REASON_LIMIT",
    "STATUS_CLASSES",
    "TRANSITIONS",
    "UNDER_WAY",
    "Answer",
    "Approval",
    "Decision",
    "Freeze",
    "Instance",
    "Message",
    "Person",
    "Record",
    "Request",
    "Rule",
    "Seconds",
    "State",
    "StatusClass",
    "Target",
    "Verdict",
    "Vote",
    "asked_of",
    "canonical",
    "class_of",
    "digest",
    "frozen_by",
    "may_move",
    "request_id",
    "seconds",
    "utc",
]
