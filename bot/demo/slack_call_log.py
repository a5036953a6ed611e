"""What goes over the wire to the local Slack: the log of calls, and their faults."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

Args = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackFault:
    """One way in which a call of *method* goes wrong ("*" = of any method).

    *error* is Slack's error word, *status* an HTTP status such as 429 (which says
    *retry_after* seconds) or 503, *cut* means that the connection is cut instead of
    an answer. In all three cases nothing is done, unless *acts*. *delay_s* comes
    first. Only calls whose arguments pass *only* are met.
    """

    method: str
    error: str = ""
    status: int = 0
    retry_after: int = 1
    cut: bool = False
    acts: bool = False
    delay_s: float = 0.0
    only: Callable[[Args], bool] | None = None

    @property
    def lets_act(self) -> bool:
        """Whether the call is carried out."""
        return self.acts or not (self.error or self.status or self.cut)

    def meets(self, method: str, args: Args) -> bool:
        """Say whether a call is one of those that go wrong."""
        named = self.method in ("*", method)
        return named and (self.only is None or self.only(args))

    def answer(self) -> web.Response | None:
        """Return what is said instead of the true answer, or None for that one."""
        if self.status:
            throttled = self.status == 429  # noqa: PLR2004 - HTTP
            error = "ratelimited" if throttled else self.error or "internal_error"
            headers = {"Retry-After": str(self.retry_after)} if throttled else None
            body = {"ok": False, "error": error}
            return web.json_response(body, status=self.status, headers=headers)
        if self.error:
            return web.json_response({"ok": False, "error": self.error})
        return None


@dataclass(slots=True, eq=False)
class Planted:
    """A fault for *left* more calls (None = all), after *skip* that go right."""

    fault: SlackFault
    left: int | None
    skip: int


class SlackFaults:
    """The faults that are planted; the oldest that fits a call meets it."""

    def __init__(self) -> None:
        self.planted: list[Planted] = []

    def plant(self, fault: SlackFault, *, count: int | None, skip: int) -> Planted:
        """Let *fault* meet the next *count* calls after *skip*."""
        planted = Planted(fault, count, skip)
        self.planted.append(planted)
        return planted

    def take(self, method: str, args: Args) -> SlackFault:
        """Return the fault that this call meets, and count it."""
        for planted in self.planted:
            if not planted.fault.meets(method, args):
                continue
            if planted.skip:
                planted.skip -= 1
                break
            if planted.left is not None:
                planted.left -= 1
                if not planted.left:
                    self.planted.remove(planted)
            return planted.fault
        return SlackFault(method=method)


@dataclass(slots=True, eq=False)
class SlackCall:
    """A call that arrived at *at*; *args* without the token.

    *status* is None while it is in hand and 0 when the connection was cut; *done*
    says whether it was carried out; *error* is the error word that was answered.
    """

    at: float
    method: str
    args: Args
    status: int | None = None
    error: str = ""
    done: bool = False
