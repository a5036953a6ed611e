"""What is said in Slack."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Message:
    """Something to say in Slack: plain *text*, and *blocks* of Block Kit."""

    text: str
    blocks: list[dict[str, Any]] = field(default_factory=list)
