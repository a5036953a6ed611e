"""Rules as the configuration has them, and what policy decides by them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bot.model.duration import Seconds

_STRICT = ConfigDict(extra="forbid", frozen=True, strict=True)


class Approval(BaseModel):
    """Who else has to agree: *needed* different people out of *by* within *expires*."""

    model_config = _STRICT

    by: Annotated[tuple[str, ...], Field(min_length=1, strict=False)]
    needed: Annotated[int, Field(ge=1)] = 1
    expires: Seconds = 1800.0
    break_glass: Annotated[tuple[str, ...], Field(strict=False)] = ()


class Rule(BaseModel):
    """One entry of ``[[rules]]``; omitted lists match everything (contract 3)."""

    model_config = _STRICT

    name: Annotated[str, Field(min_length=1, max_length=100)]
    who: Annotated[tuple[str, ...], Field(strict=False)] = ()
    projects: Annotated[tuple[str, ...], Field(min_length=1, strict=False)] | None = (
        None
    )
    instances: Annotated[tuple[str, ...], Field(min_length=1, strict=False)] | None = (
        None
    )
    channels: Annotated[tuple[str, ...], Field(min_length=1, strict=False)] | None = (
        None
    )
    reason: Annotated[str, Field(pattern="^(required|optional)$")] = "optional"
    reason_pattern: str | None = None
    cooldown: Seconds | None = None
    deny: bool = False
    approval: Approval | None = None

    @model_validator(mode="after")
    def _someone(self) -> Self:
        """Refuse a rule that names nobody: only ``deny`` may leave *who* out."""
        if not self.who and not self.deny:
            raise ValueError(
                'who is empty; name somebody, or "*" for every full member'
            )
        return self

    @property
    def version(self) -> str:
        """Twelve hex digits that change whenever anything in the rule changes."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]


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
    the rule wants one, and none that fits was given.
    """

    verdict: Verdict
    why: str
    remedy: str = ""
    rule: str = ""
    rule_version: str = ""
    approval: Approval | None = None
    break_glass: bool = False
    wants_reason: bool = False
