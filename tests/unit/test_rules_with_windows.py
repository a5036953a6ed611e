"""A rule with a window decides inside it, and outside says when it opens."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bot.cli.check.rules import rule_lines
from bot.config import validate
from bot.errors import ConfigError
from bot.model import Approval, Decision, Freeze, Person, Rule, Target, Verdict
from bot.policy import Facts, Question, decide, who_may

BOX = Target("ml-prod", "a4a5", "trainer-7", "47cf", ("trainer-7",))
NOON = datetime(2026, 11, 26, 11, tzinfo=UTC)  # a Thursday; 12:00 in Berlin
EVENING = NOON + timedelta(hours=7)
WHEN = "Mon-Fri 08:00-18:00 Europe/Berlin"
DAY = Rule(name="by day", who=("@oncall",), when=WHEN)
FREEZE = Freeze(
    id="f",
    project="ml-prod",
    user_id="U0BOB",
    team_id="T0",
    channel_id="C0OPS",
    reason="release",
    zone="Europe/Berlin",
    since=NOON,
    until=NOON + timedelta(days=1),
)


def asked(
    rules: Sequence[Rule],
    now: datetime,
    *,
    freezes: Sequence[Freeze] = (),
    user: str = "U0ANN",
    break_glass: bool = False,
) -> Decision:
    facts = Facts(
        person=Person(user, "T0"),
        home_team="T0",
        groups={"@oncall": frozenset({"U0ANN"}), "@sre": frozenset({"U0SRE"})},
        name=None,
        last_restart=None,
        now=now,
        freezes=freezes,
    )
    question = Question(user, "T0", BOX, "C0OPS", "it burns", break_glass)
    return decide(rules, question, facts)


def test_inside_it_decides_and_says_until_when() -> None:
    """Who asks by day may, and reads until when the window is open."""
    decision = asked([DAY], NOON)
    assert (decision.verdict, decision.rule) == (Verdict.ALLOW, "by day")
    assert "open until 18:00 (Europe/Berlin)" in decision.why


def test_outside_it_names_the_rule_and_when_it_opens() -> None:
    """Tomorrow is named by its day; on the same day the clock time is enough."""
    decision = asked([DAY], EVENING)
    assert (decision.verdict, decision.rule) == (Verdict.DENY, "by day")
    assert "“by day”" in decision.why
    assert "opens next at 08:00 on Fri 2026-11-27 (Europe/Berlin)" in decision.why
    assert decision.until == datetime(2026, 11, 27, 7, tzinfo=UTC)
    early = asked([DAY], NOON - timedelta(hours=6))
    assert "opens next at 08:00 (Europe/Berlin)." in early.why


def test_the_one_that_opens_first_is_named() -> None:
    """Of two closed windows the next chance counts."""
    night = DAY.model_copy(update={"name": "by night", "when": "Thu 22:00-02:00 UTC"})
    assert asked([DAY, night], EVENING).rule == "by night"


def test_outside_it_the_rules_below_decide() -> None:
    """It matches only then: another rule may let somebody at other times."""
    always = Rule(name="always", who=("@oncall",))
    assert asked([DAY, always], EVENING).rule == "always"
    assert asked([DAY, always], NOON).rule == "by day"


def test_who_is_not_named_hears_nothing_of_the_window() -> None:
    """A window that opens for others is no help."""
    decision = asked([DAY], EVENING, user="U0EVE")
    assert "No rule allows" in decision.why
    assert WHEN in decision.remedy


def test_a_ban_holds_in_its_window_only() -> None:
    """A rule with deny forbids then, until then, and hides nobody at other times."""
    ban = Rule(name="quiet hours", deny=True, when="Mon-Fri 18:00-08:00 Europe/Berlin")
    always = Rule(name="always", who=("@oncall",))
    decision = asked([ban, always], EVENING)
    assert (decision.verdict, decision.rule) == (Verdict.DENY, "quiet hours")
    assert "until 08:00 on Fri" in decision.why
    assert asked([ban, always], NOON).verdict is Verdict.ALLOW
    assert who_may([ban, always], BOX, None) == ("@oncall",)


def test_break_glass_does_not_open_a_window() -> None:
    """Outside its window a rule grants nothing, break-glass included."""
    approval = Approval(by=("@oncall",), break_glass=("@sre",))
    gate = DAY.model_copy(update={"approval": approval})
    now = asked([gate], NOON, user="U0SRE", break_glass=True)
    assert now.break_glass
    assert asked([gate], EVENING, user="U0SRE", break_glass=True).rule == "by day"
    assert not asked([gate], EVENING, user="U0SRE", break_glass=True).break_glass


@given(
    frozen=st.booleans(),
    glass=st.booleans(),
    user=st.sampled_from(["U0ANN", "U0SRE", "U0EVE"]),
    hours=st.integers(-30, 30),
    gated=st.booleans(),
)
def test_inside_a_freeze_only_break_glass_passes(
    *, frozen: bool, glass: bool, user: str, hours: int, gated: bool
) -> None:
    """Whatever the rules say: it refuses, or break-glass was granted and says so."""
    approval = Approval(by=("U0LEA",), break_glass=("@sre",)) if gated else None
    rule = Rule(name="r", who=("@oncall",), approval=approval)
    now = NOON + timedelta(hours=hours)
    freezes = [FREEZE] if frozen else []
    decision = asked([rule], now, freezes=freezes, user=user, break_glass=glass)
    free = asked([rule], now, user=user, break_glass=glass)
    if not frozen or now >= FREEZE.until:
        assert decision == free
    elif decision.verdict is Verdict.DENY:
        assert decision.frozen
        assert "frozen until 12:00" in decision.why + decision.remedy
    else:
        assert decision.break_glass
        assert glass
        assert user == "U0SRE"
        assert "frozen until 12:00" in decision.passes


def test_a_rule_without_a_window_is_the_version_it_was() -> None:
    """What waits for approval while the bot is replaced is not voided by that."""
    assert Rule(name="r", who=("*",)).version == "f43cd880fb6f"
    assert DAY.version != DAY.model_copy(update={"when": None}).version


def test_a_mistake_of_the_file_has_its_place() -> None:
    """Whoever writes the file is told the key and what is wrong, all at once."""
    project = {"id": "a4a5", "modelarts_url": "https://x", "iam_url": "https://x"}
    document = {
        "projects": {"ml-prod": project},
        "freeze": {"by": ["leads"]},
        "rules": [
            {"name": "a", "who": ["*"], "when": "Mon-Fry 08:00-18:00 UTC"},
            {"name": "b", "who": ["*"], "when": "Mon-Fri 08:00-25:00 UTC"},
            {"name": "c", "who": ["*"], "when": "Mon 08:00-18:00 Mars/Olympus"},
            {"name": "d", "who": ["*"], "when": ""},
            {"name": "e", "who": ["*"], "when": 5},
        ],
    }
    with pytest.raises(ConfigError) as found:
        validate(document)
    starts = [line.split(":")[0] for line in found.value.problems]
    assert starts == ["freeze.by[0]", *(f"rules[{n}].when" for n in range(5))]
    with pytest.raises(ValidationError):
        Rule(name="r", who=("*",), when="always")


ALWAYS = "Mon-Sun 00:00-24:00 UTC"


@pytest.mark.parametrize(
    ("before", "when", "hidden"),
    [
        ([WHEN], "Tue 09:00-10:00 Europe/Berlin", True),
        ([WHEN], "Tue 09:00-18:01 Europe/Berlin", False),
        ([WHEN], "Sat 09:00-10:00 Europe/Berlin", False),
        ([WHEN], "Tue 09:00-10:00 UTC", False),
        ([WHEN], None, False),
        ([ALWAYS], None, True),
        ([ALWAYS], "Tue 09:00-10:00 Europe/Berlin", True),
        ([None], WHEN, True),
        (["Sun 22:00-06:00 UTC"], "Mon 00:00-06:00 UTC", True),
        (["Sun 22:00-06:00 UTC"], "Mon 00:00-06:01 UTC", False),
        (["Mon-Thu 00:00-24:00 UTC", "Fri-Sun 00:00-24:00 UTC"], None, True),
        (["Mon-Thu 00:00-24:00 UTC", "Fri-Sat 00:00-24:00 UTC"], None, False),
    ],
)
def test_check_finds_a_window_that_never_opens_beside_a_ban(
    before: list[str | None], when: str | None, *, hidden: bool
) -> None:
    """A rule whose hours are all forbidden, or decided, by those above it is an ✗."""
    bans = [
        Rule(name=f"ban {number}", deny=True, when=one)
        for number, one in enumerate(before)
    ]
    *_, line = rule_lines([*bans, Rule(name="r", who=("*",), when=when)], ["ml-prod"])
    assert line.ok is not hidden
