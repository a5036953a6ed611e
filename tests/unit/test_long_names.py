"""Names of the cloud may be longer than aliases, and are typed all the same."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bot.config import Settings
from bot.config.tables import Found
from bot.errors import UsageError
from bot.ledger.audit import entry_of
from bot.ledger.schema import trail
from bot.model import Kind, Request, Target
from bot.slack.messages import dialogs

LONGEST = "n" * 127 + "b"
PROJECT = {"id": "5b1d0e6f2c8a4f7e9d3b6a0c1e8f4d27", "kind": "notebook"}
NB_ID = "3f0c9a52-71de-4b86-a4e3-5d28c7b1f690"


def test_the_longest_name_of_the_cloud_is_understood():
    """128 characters are a name, with its near miss guessed; more are none."""
    settings = Settings.model_validate({"projects": {"ml-nb": PROJECT}})
    settings = settings.with_found({"ml-nb": Found(((LONGEST, NB_ID),))})

    assert settings.target("ml-nb", LONGEST).instance_id == NB_ID
    with pytest.raises(UsageError, match="at most 128 letters"):
        settings.target("ml-nb", f"{LONGEST}b")
    assert dialogs.options([LONGEST])[0]["value"] == LONGEST


def test_the_trail_keeps_as_much_of_it_as_it_holds():
    """What does not fit into its column is cut; the id beside it is whole."""
    target = Target("ml-nb", PROJECT["id"], LONGEST, NB_ID, kind=Kind.NOTEBOOK)
    asked = Request("r", "T", "U", target, "C", datetime(2026, 11, 26, tzinfo=UTC))

    entry = entry_of(asked, "asked")

    assert len(entry.instance) == trail.c.instance.type.length
    assert entry.instance_id == NB_ID
