"""The nouns of the bot, frozen and without I/O; every other module speaks in them."""

from bot.model.digests import canonical, digest
from bot.model.instances import (
    HOPELESS,
    STATUS_CLASSES,
    Answer,
    Instance,
    StatusClass,
    Target,
    class_of,
)
from bot.model.message import Message
from bot.model.people import Person
from bot.model.requests import REASON_LIMIT, Record, Request, Vote, may_move, request_id
from bot.model.rules import Approval, Decision, Rule, Verdict
from bot.model.states import ENDS, TRANSITIONS, UNDER_WAY, State
from bot.model.times import Seconds, seconds, utc

__all__ = [
    "ENDS",
    "HOPELESS",
    "REASON_LIMIT",
    "STATUS_CLASSES",
    "TRANSITIONS",
    "UNDER_WAY",
    "Answer",
    "Approval",
    "Decision",
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
    "canonical",
    "class_of",
    "digest",
    "may_move",
    "request_id",
    "seconds",
    "utc",
]
