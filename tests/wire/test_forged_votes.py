"""Only an approval that stands in the trail counts right before the restart."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest

from bot.model import State
from tests.support.bot_world import Bench


def forge(bench: Bench, *statements: tuple[str, Any]) -> None:
    """Write straight into the database."""
    database = sqlite3.connect(bench.path.parent / "bot.db")
    with database:
        for statement, values in statements:
            database.execute(statement, values)
    database.close()


def vote(bench: Bench, request_id: str, user_id: str) -> None:
    """Add a vote that nobody has cast, and let the request be approved by it."""
    cast = "INSERT INTO mlstudio_votes VALUES (?, ?, 1, 1, '')"
    approved = "UPDATE mlstudio_requests SET state = 'approved' WHERE id = ?"
    forge(bench, (cast, (request_id, user_id)), (approved, (request_id,)))


async def test_a_vote_written_into_the_database_restarts_nothing(bench: Bench) -> None:
    """A vote of somebody who may approve, but never did, does not count."""
    card = await bench.card()
    request_id = bench.id_of(card)
    vote(bench, request_id, "U0BOB")
    record = await bench.end_of(request_id)
    assert record.state is State.VOIDED
    assert "not in the audit trail" in record.detail
    assert bench.sent == 0


@pytest.mark.parametrize("link", ["hash", "previous_hash"])
async def test_an_entry_out_of_the_chain_restarts_nothing(
    bench: Bench, link: str
) -> None:
    """An entry of the trail that is not linked to its neighbours is no approval."""
    card = await bench.card()
    request_id = bench.id_of(card)
    last = (await bench.trail())[-1]
    entry = last | {"seq": last["seq"] + 1, "kind": "approval", "user_id": "U0BOB"}
    entry |= {"previous_hash": last["hash"], link: "0" * 64}
    names, marks = ", ".join(entry), ", ".join("?" * len(entry))
    write = f"INSERT INTO mlstudio_trail ({names}) VALUES ({marks})"  # noqa: S608
    forge(bench, (write, tuple(entry.values())))
    vote(bench, request_id, "U0BOB")
    assert (await bench.end_of(request_id)).state is State.VOIDED
    assert bench.sent == 0


async def test_a_list_of_approvers_changed_in_the_database_restarts_nothing(
    bench: Bench,
) -> None:
    """Who may approve is what the rule says, not what the record says it said."""
    card = await bench.card()
    request_id = bench.id_of(card)
    row = await bench.ledger.existing(request_id)
    data = row.request.to_json()
    data["approval"]["by"] = ["U0DAVE"]
    change = "UPDATE mlstudio_requests SET request = ? WHERE id = ?"
    forge(bench, (change, (json.dumps(data), request_id)))
    await bench.slack.click("dave", card, "approve")
    assert (await bench.end_of(request_id)).state is State.VOIDED
    assert bench.sent == 0
