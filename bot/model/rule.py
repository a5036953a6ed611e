"""Rules: what each may say, and what policy decides by them.

All checks of a rule's own values stand here, so that a new key is one line beside its
meaning. Each check returns the text or raises ValueError with the end of a sentence;
what a rule says of the rest of the file (projects, other rules) is checked in
``bot.config``.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from bot.model.duration import Seconds
from bot.model.reason_pattern import checked_pattern
from bot.model.window import Window, windows_of

_STRICT = ConfigDict(extra="forbid", frozen=True, strict=True)
USER_ID = re.compile(r"[UW][A-Z0-9]+")
_ON_CALL = re.compile(r"oncall:(\w[\w.-]{0,63})")
_REFERENCE = re.compile(rf"[UWS][A-Z0-9]+|@[\w.-]{{1,80}}|\*|{_ON_CALL.pattern}")
CHANNEL = re.compile(r"[CDG][A-Z0-9]+")


# --- checks of single values ----------------------------------------------------------


def _reference(text: str) -> str:
    """Check a mention of people: a user, a user group, who is on call, everybody."""
    if not _REFERENCE.fullmatch(text):
        handle = f"@{text}"
        near = f'; did you mean "{handle}"?' if _REFERENCE.fullmatch(handle) else ""
        raise ValueError(
            "names nobody; write a user id (U… or W…), the id (S…) or @handle of a"
            ' user group, "oncall:" and the name of a line, or "*" for every full'
            f" member{near}"
        )
    return text


def line_of(reference: str) -> str:
    """Return which line's people on call *reference* means, "" for all others."""
    found = _ON_CALL.fullmatch(reference)
    return found[1] if found else ""


def _channel(text: str) -> str:
    """Check the id of a conversation; its name may change at any time."""
    if not CHANNEL.fullmatch(text):
        raise ValueError(
            "is not the id of a channel (C…); Slack shows it at the end of the"
            ' channel\'s "About" tab'
        )
    return text


def _pattern(text: str) -> str:
    """Check a glob pattern."""
    if not text.strip():
        raise ValueError("is empty and matches nothing")
    return text


def _when(text: str) -> str:
    """Check the windows of a rule."""
    windows_of(text)
    return text


def _some(items: tuple[str, ...]) -> tuple[str, ...]:
    """Check that a list names something; min_length would count only the good ones."""
    if not items:
        raise ValueError("must not be empty")
    return items


_AsTuple = Field(strict=False)  # TOML and JSON have lists
_Some = AfterValidator(_some)
_Reference = Annotated[str, AfterValidator(_reference)]
# Whom a list of the file names: users, user groups, lines of on-call, everybody.
References = Annotated[tuple[_Reference, ...], _AsTuple]
_Channel = Annotated[str, AfterValidator(_channel)]
_Pattern = Annotated[str, AfterValidator(_pattern)]
_Regex = Annotated[str, AfterValidator(checked_pattern)]
_When = Annotated[str, AfterValidator(_when)]


# --- rules ----------------------------------------------------------------------------


class Stage(BaseModel):
    """The next line: who may approve as well, and is mentioned, *after* so long."""

    model_config = _STRICT

    after: Seconds
    by: Annotated[tuple[_Reference, ...], _AsTuple, _Some]


class Approval(BaseModel):
    """Who else has to agree: *needed* different people out of *by* within *expires*.

    *notify* is who is mentioned, None: *by*. *then* are the next lines, in time.
    """

    model_config = _STRICT

    by: Annotated[tuple[_Reference, ...], _AsTuple, _Some]
    then: Annotated[tuple[Stage, ...], _AsTuple] = ()
    needed: Annotated[int, Field(ge=1)] = 1
    expires: Seconds = 1800.0
    break_glass: Annotated[tuple[_Reference, ...], _AsTuple] = ()
    notify: Annotated[tuple[_Reference, ...], _AsTuple, _Some] | None = None

    @field_validator("needed")
    @classmethod
    def _enough(cls, needed: int, info: ValidationInfo) -> int:
        """Refuse more people than are named; of a group nobody knows here."""
        by, then = info.data.get("by", ()), info.data.get("then", ())
        people = {*by, *(entry for stage in then for entry in stage.by)}
        if by and all(map(USER_ID.fullmatch, people)) and needed > len(people):
            named = "approval.by names" if not then else "approval.by and then name"
            raise ValueError(f"is {needed}, but {named} only {len(people)}")
        return needed

    @model_validator(mode="after")
    def _in_time(self) -> Self:
        """Refuse a next line that would never be asked, or not in its turn."""
        before = 0.0
        for number, stage in enumerate(self.then):
            if stage.after <= before and number:
                raise ValueError(
                    f"then[{number}].after must be later than the one before"
                )
            if stage.after >= self.expires:
                raise ValueError(
                    f"then[{number}].after comes too late: the request has expired"
                    " by then, so raise expires or lower it"
                )
            before = stage.after
        return self

    @property
    def later(self) -> tuple[str, ...]:
        """Whom the next lines name."""
        return tuple(entry for stage in self.then for entry in stage.by)

    @property
    def everybody(self) -> tuple[str, ...]:
        """Who may approve sooner or later, each entry once."""
        return tuple(dict.fromkeys((*self.by, *self.later)))

    @property
    def notified(self) -> tuple[str, ...]:
        """Who is mentioned when approval is asked for."""
        return self.by if self.notify is None else self.notify

    def after(self, age_s: float) -> Self:
        """Return it as it is *age_s* seconds after the ask: *by* is who may approve."""
        due = (
            entry for stage in self.then if stage.after <= age_s for entry in stage.by
        )
        by = tuple(dict.fromkeys((*self.by, *due)))
        return self.model_copy(update={"by": by})

    @property
    def unused(self) -> set[str]:
        """What came later and says nothing here: it is left out where it is kept."""
        return {name for name in ("then", "notify") if not getattr(self, name)}


class Rule(BaseModel):
    """One entry of ``[[rules]]``; omitted lists match everything, ``deny`` everybody.

    See "Configuration" in ``bot/README.md``.
    """

    model_config = _STRICT

    name: Annotated[str, Field(min_length=1, max_length=100)]
    who: Annotated[tuple[_Reference, ...], _AsTuple] = ()
    when: _When | None = None
    projects: Annotated[tuple[_Pattern, ...], _AsTuple, _Some] | None = None
    instances: Annotated[tuple[_Pattern, ...], _AsTuple, _Some] | None = None
    channels: Annotated[tuple[_Channel, ...], _AsTuple, _Some] | None = None
    reason: Literal["required", "optional"] = "optional"
    reason_pattern: _Regex | None = None
    cooldown: Seconds | None = None
    deny: bool = False
    approval: Approval | None = None

    @model_validator(mode="before")
    @classmethod
    def _left_out(cls, rule: Any) -> Any:
        """Take *who* for empty where it is left out: only ``deny`` may do that."""
        if not isinstance(rule, dict) or rule.get("deny", False) is not False:
            return rule
        return {**rule, "who": []} if rule.get("who", ()) == () else rule

    @field_validator("who", mode="before")
    @classmethod
    def _somebody(cls, who: Any) -> Any:
        """Refuse a rule that names nobody."""
        if who == []:
            raise ValueError(
                'names nobody; name somebody, or "*" for every full member'
            )
        return who

    @property
    def version(self) -> str:
        """Twelve hex digits that change whenever anything in the rule changes.

        What came later and is not used leaves them as they were: a request that waits
        while the bot is replaced was decided by the same rule.
        """
        unused: dict[str, Any] = {"when": True} if self.when is None else {}
        if self.approval is not None:
            unused["approval"] = self.approval.unused
        written = self.model_dump_json(exclude=unused)
        return hashlib.sha256(written.encode()).hexdigest()[:12]

    @property
    def windows(self) -> tuple[Window, ...]:
        """The windows in which alone it matches; none: it always does."""
        return windows_of(self.when) if self.when is not None else ()


class Verdict(StrEnum):
    """What policy says about a request."""

    ALLOW = "allow"
    ASK = "approval"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Decision:
    """What policy decided, by which rule and why; a refusal is a value, not an error.

    *why* is one sentence, *remedy* what would help (may be empty). *approval* is set
    for ASK, and for an ALLOW by break-glass (its approvers are told). *wants_reason*:
    the rule wants one, and none that fits was given. *window* says when the rule's
    window opens or closes; *frozen*: a freeze is what refuses; *passes* is the freeze
    that break-glass goes past, in words; *until* is when the refusal by a window or a
    freeze ends (UTC). *pinned*: the id that each @handle among the approvers had when
    it was decided ("": none that could be read).
    """

    verdict: Verdict
    why: str
    remedy: str = ""
    rule: str = ""
    rule_version: str = ""
    approval: Approval | None = None
    break_glass: bool = False
    wants_reason: bool = False
    window: str = ""
    frozen: bool = False
    passes: str = ""
    until: datetime | None = None
    pinned: tuple[tuple[str, str], ...] = ()
    doubt: bool = False  # who is on call could not be read, which may pass
    pattern: str = ""  # that the reason has to fit
