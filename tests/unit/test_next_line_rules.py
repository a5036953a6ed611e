"""What a rule may say of who is asked, and of who is asked next."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from bot.model import Approval, Request, Rule
from tests.support.ledger_world import asking

BY = {"by": ["oncall:one"]}


def stage(after: str, *by: str) -> dict[str, Any]:
    return {"after": after, "by": list(by or ("U0LEA",))}


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ({"then": [stage("5m"), stage("5m")]}, r"then\[1\].after must be later"),
        ({"then": [stage("9m"), stage("5m")]}, r"then\[1\].after must be later"),
        ({"then": [stage("30m")]}, r"then\[0\].after comes too late"),
        ({"then": [stage("5m")], "expires": "4m"}, r"then\[0\].after comes too late"),
        ({"then": [{"after": "5m", "by": []}]}, "must not be empty"),
        ({"then": [{"by": ["U0LEA"]}]}, "(?s)after.*required"),
        ({"then": [stage("5m", "lea")]}, "names nobody"),
        ({"notify": []}, "must not be empty"),
        ({"by": ["U0LEO"], "then": [stage("5m")], "needed": 3}, "and then name only 2"),
    ],
)
def test_a_next_line_that_cannot_be_is_a_mistake(
    said: dict[str, Any], complaint: str
) -> None:
    """It is named, whether it comes too late, out of turn, or for nobody."""
    with pytest.raises(ValidationError, match=complaint):
        Approval.model_validate({**BY, **said})


def test_who_may_approve_grows_with_the_time() -> None:
    """Each next line comes to those before it, at its time."""
    approval = Approval.model_validate(
        {**BY, "then": [stage("5m", "U0LEA"), stage("10m", "U0LEO", "U0LEA")]}
    )

    assert approval.after(299.9).by == ("oncall:one",)
    assert approval.after(300).by == ("oncall:one", "U0LEA")
    assert approval.after(600).by == ("oncall:one", "U0LEA", "U0LEO")
    assert approval.notified == ("oncall:one",)


def test_what_is_not_used_changes_no_version_and_no_record() -> None:
    """A rule of before decides what waits; an older replica reads what is new."""
    plain = Approval.model_validate(BY)
    grown = Approval.model_validate({**BY, "then": [stage("5m")], "notify": ["U0LEA"]})
    rules = [Rule(name="a", who=("*",), approval=one) for one in (plain, grown)]

    assert rules[0].version != rules[1].version
    assert {"then", "notify"}.isdisjoint(asking(approval=plain).to_json()["approval"])
    for approval in (plain, grown):
        request = asking(approval=approval)
        assert Request.from_json(request.to_json()) == request
        assert request.age_s(request.asked_at + timedelta(seconds=7)) == 7
