"""The bot as ``python -m bot`` starts it, made to kill itself at one point.

``CRASH`` names the point: ``before:send`` or ``after:send`` a step of the story (after
its effect, before its record), or ``after:SlackClient.post#2`` the second call of a
method.
``FULL`` names one from which on nothing can be written to the disk, until the limit
is lifted from outside.
``FAULT`` names a method that raises; ``HURRY`` shortens the waits between two tries.
"""

from __future__ import annotations

import os
import resource
import signal
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import bot.restarts.engine.steps
import bot.restarts.lifecycle
import bot.restarts.retry
from bot.cli.main import main
from bot.cloud import Cloud
from bot.ledger import Ledger
from bot.restarts.engine import StepRunner
from bot.restarts.watch import Watcher
from bot.restarts.workflow import STEPS
from bot.slack.client import SlackClient

OWNERS: dict[str, type] = {
    kind.__name__: kind for kind in (SlackClient, Cloud, Ledger, Watcher)
}
Work = Callable[..., Awaitable[Any]]
Act = Callable[[], None]


def die() -> None:
    """End this process as a crash does."""
    os.kill(os.getpid(), signal.SIGKILL)
    threading.Event().wait()


def fill() -> None:
    """Let no file grow any more, as if the disk were full."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))


def dying(work: Work, moment: str, act: Act, number: int = 1) -> Work:
    """Return *work*, with *act* right before or after its *number*th call."""
    calls = 0

    async def wrapped(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        ours = calls == number  # others may begin while this one is under way
        if ours and moment == "before":
            act()
        result = await work(*args, **kwargs)
        if ours and moment == "after":
            act()
        return result

    return wrapped


def crash_at_step(moment: str, step: str, act: Act) -> None:
    """Let *act* happen in the first run of a *step*.

    Of several, whoever has the card speaks for all: then it is his step, and not one
    that another is still in while he posts. ("turn" is a step of the others.)
    """
    told = StepRunner.step
    met, speaks = False, ""

    async def run(self: StepRunner[Any], name: str, work: Work, request_id: str) -> Any:
        nonlocal met, speaks
        speaks = request_id if name == "card" else speaks
        his = step == "turn" or speaks in {"", request_id}
        if name == step and not met and his:
            met, work = True, dying(work, moment, act)
        return await told(self, name, work, request_id)

    StepRunner.step = run  # type: ignore[method-assign]


def crash_in_call(moment: str, call: str, act: Act) -> None:
    """Let *act* happen in a call of a method: ``Class.method#number``."""
    path, _, number = call.partition("#")
    owner, _, method = path.partition(".")
    kind = OWNERS[owner]
    wrapped = dying(getattr(kind, method), moment, act, int(number or 1))

    async def bound(self: Any, *args: Any, **kwargs: Any) -> Any:
        return await wrapped(self, *args, **kwargs)

    setattr(kind, method, bound)


def raise_in(call: str) -> None:
    """Make a method raise what nobody expects."""
    owner, _, method = call.partition(".")

    async def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("a fault on purpose")

    setattr(OWNERS[owner], method, broken)


def arm() -> None:
    """Do what the environment asks for."""
    for name, act in (("CRASH", die), ("FULL", fill)):
        moment, _, point = os.environ.get(name, "").partition(":")
        if point in STEPS:
            crash_at_step(moment, point, act)
        elif point:
            crash_in_call(moment, point, act)
    if call := os.environ.get("FAULT"):
        raise_in(call)
    if os.environ.get("HURRY"):
        bot.restarts.engine.steps.STEP_WAITS_S = (0.05, 0.05)
        bot.restarts.retry.AGAIN_AFTER_S = 0.05
        bot.restarts.lifecycle.FIRST_WAIT_S = 0.5


if __name__ == "__main__":
    arm()
    main()
