"""What the client has to know about a kind of instance, whichever it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from bot.model import Act, Answer, AutoStop, Instance


class Call(NamedTuple):
    """One call: *suffix* follows the address of the instance, *body* goes as JSON."""

    method: str
    suffix: str = ""
    body: Mapping[str, Any] | None = None
    query: Mapping[str, str] | None = None


class Api(Protocol):
    """One kind of instance: where it is, what is sent, and what the answers mean."""

    @property
    def NAME(self) -> str:  # noqa: N802 - modules are the ones who have it
        """What people call one of this kind, with its article."""

    def path(self, instance_id: str) -> str:
        """Return where an instance is, below its project."""

    def call(self, act: Act, auto_stop: AutoStop) -> Call:
        """Return the call that carries out *act*; ValueError where there is none."""

    def right(self, act: Act | None) -> str:
        """Return the permission that an *act*, or a look (None), needs."""

    def instance(self, body: dict[str, Any], asked_id: str) -> Instance:
        """Return the instance that *body* describes."""

    def answer(self, body: dict[str, Any]) -> Answer:
        """Return what the answer to an act says."""
