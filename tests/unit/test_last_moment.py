"""Decided in the very moment in which a request expires."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bot.ledger import Ledger
from bot.model import Approval, Rule, State
from tests.support import property_world
from tests.support.approval_world import Stage, World
from tests.support.ledger_world import LONG_AGO
from tests.support.property_world import Time

GATE = Rule(
    name="gate",
    who=("@ml-oncall",),
    approval=Approval(by=("@ml-leads",), expires=1800.0),
)
ledger, time = property_world.ledger, property_world.time


@pytest.mark.parametrize("word", [State.DENIED, State.CANCELLED])
async def test_who_decides_before_the_expiry_is_on_record_has_decided(
    ledger: Ledger, time: Time, monkeypatch: pytest.MonkeyPatch, word: State
) -> None:
    """The wait is over, and the request ends as decided: it has not expired, too."""
    stage = Stage(ledger, World((GATE,)))
    time.now = stage.world.now
    story = await stage.ask("U0ANN")
    await stage.stories()
    stage.world.ahead += timedelta(minutes=31)
    move = ledger.move

    async def overtaken(request_id: str, state: State, **how: Any) -> Any:
        await move(request_id, word)
        return await move(request_id, state, **how)

    monkeypatch.setattr(ledger, "move", overtaken)

    assert await stage.approvals.next_wait(story) is None

    assert (await ledger.existing(story)).state is word
    trail = await ledger.entries(since=LONG_AGO, instance=stage.world.instance_id)
    assert [one["kind"] for one in trail] == [word, State.PENDING, State.ASKED]
