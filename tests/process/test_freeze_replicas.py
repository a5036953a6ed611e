"""A freeze typed to one replica holds for all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from bot.model import State
from bot.slack.messages.approval import APPROVE
from tests.support.postgres import Postgres
from tests.support.processes import RULES, Site, until

pytestmark = [pytest.mark.postgres, pytest.mark.process]

BY = '\n[freeze]\nby = ["@ml-leads"]\n'
HELPS = 8  # deliveries go round: so many in a row reach both


@pytest_asyncio.fixture
async def site(server: Postgres, tmp_path: Path) -> AsyncIterator[Site]:
    """Return both far sides with two replicas on one PostgreSQL."""
    async with Site(tmp_path, database=server.database(), rules=RULES + BY) as one:
        for _ in range(2):
            await one.start()
        yield one


async def test_every_replica_refuses_what_one_was_told_to_freeze(site: Site) -> None:
    """Whoever answers: it is frozen, told once, and over at the thaw."""
    delivery = await site.ask("gated-1")
    await until(site.open_cards, what="card")
    (card,) = site.open_cards()
    typed = "/mlstudio freeze ml-prod 2h release"
    assert "Recorded" in (await site.slack.command("bob", "incidents", typed)).text
    await until(lambda: "Not now" in site.slack.message(card.channel_id, card.ts).text)
    for _ in range(HELPS):
        asked = "/mlstudio restart ml-prod trainer-7"
        refused = await site.slack.command("ann", "incidents", asked)
        assert "frozen until" in refused.text
        await site.slack.click("bob", card, APPROVE)
    record = await site.record(delivery)
    assert record is not None
    assert record.state is State.PENDING
    answering = [
        one
        for one in site.running
        if any(e["event"] == "command" for e in one.events())
    ]
    assert len(answering) == 2
    told = [post for post in site.said() if "Frozen: " in post.text]
    assert len([post for post in told if post.ts != card.ts]) == 1
    thaw = await site.slack.command("bob", "incidents", "/mlstudio thaw ml-prod")
    assert "has ended" in thaw.text
    await until(
        lambda: "Not now" not in site.slack.message(card.channel_id, card.ts).text
    )
    await site.slack.click("bob", card, APPROVE)
    await site.seen_rebooting("gated-1")
    site.finish_reboot("gated-1")
    await until(lambda: any("is ready" in post.text for post in site.said()))
