"""Who may restart what: in doubt the answer is no."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model import Approval, Decision, Person, Rule, Target, Verdict
from bot.policy import (
    Facts,
    Question,
    approvers,
    decide,
    explained,
    may_approve,
    references,
)

HOME = "T1"
NOW = datetime(2025, 3, 1, 12, tzinfo=UTC)
ID = "47cf4ff3-0c59-44fe-9821-2840a34c02a9"
ANN = Person("U0ANN", HOME, "ann")
TRAINER = Target("ml-prod", "a4a5", "trainer-7", ID, ("trainer-7", "gpu-box"))
GROUPS = {
    "@ml-oncall": frozenset({"U0ANN", "U0BOB"}),
    "@ml-leads": frozenset({"U0LEA", "U0LEO"}),
    "@sre": frozenset({"U0SRE"}),
    "@empty": frozenset(),
    "@hidden": None,
}
WITH_LEADS = Approval(by=("@ml-leads",))


def rule(name="r", who=("*",), **fields):
    return Rule(name=name, who=who, **fields)


QUESTION = Question(ANN.user_id, HOME, TRAINER, "C0OPS")
FACTS_NOW = Facts(
    person=ANN,
    home_team=HOME,
    groups=GROUPS,
    name="studio-7",
    last_restart=None,
    now=NOW,
)
ASKED = {field.name for field in fields(Question)}


def decided(*rules, **changes) -> Decision:
    asked = {name: value for name, value in changes.items() if name in ASKED}
    known = {name: value for name, value in changes.items() if name not in ASKED}
    return decide(rules, replace(QUESTION, **asked), replace(FACTS_NOW, **known))


def voted(approval, person="U0LEA", requester="U0ANN", groups=GROUPS, **kind):
    return may_approve(
        approval,
        person=Person(person, **({"team_id": HOME} | kind)),
        home_team=HOME,
        requester_id=requester,
        groups=groups,
    )


def approval_of(by, needed, break_glass):
    """An approval as a file may hold it: never more people than are named."""
    most = needed if set(by) - set(PEOPLE) else len(set(by))
    return Approval(by=by, needed=min(needed, most), break_glass=break_glass)


def gist(decision: Decision):
    """What a decision does, without its sentences."""
    return replace(decision, why="", remedy="")


OUTSIDERS = pytest.mark.parametrize(
    "kind",
    [
        {"deleted": True},
        {"is_bot": True},
        {"is_guest": True},
        {"is_stranger": True},
        {"team_id": "T2"},
        {"team_id": ""},
    ],
)

# --- who ----------


@OUTSIDERS
def test_outsiders_are_refused_whatever_the_rules_say(kind):
    """Guests, bots, deactivated and foreign people never restart anything."""
    decision = decided(rule(who=("*", "U0ANN")), person=replace(ANN, **kind))

    assert (decision.verdict, decision.rule) == (Verdict.DENY, "")


@OUTSIDERS
def test_outsiders_never_approve(kind):
    """Guests, bots, deactivated and foreign people never approve anything."""
    assert voted(Approval(by=("*", "U0LEA")), **kind).verdict is Verdict.DENY


def test_nobody_is_at_home_when_the_home_is_unknown():
    """A bot that does not know its own workspace refuses everybody."""
    stray = replace(ANN, team_id="")

    assert decided(rule(), person=stray, home_team="").verdict is Verdict.DENY


@pytest.mark.parametrize("who", ["*", "U0ANN", "@ml-oncall"])
def test_a_person_can_be_listed_in_three_ways(who):
    """Every full member, a user id and a group each let a person in."""
    found = rule(who=(who,))

    assert Decision(Verdict.ALLOW, "", rule="r", rule_version=found.version) == gist(
        decided(found)
    )


def test_who_is_not_listed_is_refused_and_told_who_is():
    """A refusal names the rules about the instance and whom they let."""
    decision = decided(
        rule("leads", who=("@ml-leads",), instances=("trainer-*",), channels=("C0X",)),
        rule("others", instances=("gated-*",)),
        rule("never", deny=True, who=("U0EVE",)),
    )

    assert decision.verdict is Verdict.DENY
    assert decision.why == "No rule allows this restart of trainer-7 in ml-prod."
    assert decision.remedy == "Rule “leads” lets @ml-leads restart it in C0X."


def test_without_any_rule_nothing_is_allowed():
    """No rules at all means that nobody may do anything, and says whom to ask."""
    decision = decided()

    assert decision.verdict is Verdict.DENY
    assert "configuration" in decision.remedy


@pytest.mark.parametrize(
    ("group", "words"),
    [
        ("@hidden", "I cannot read the user group @hidden, so nobody"),
        ("@never-heard-of", "I cannot read the user group @never-heard-of, so nobody"),
        ("S0GONE", "I cannot read the user group S0GONE, so nobody"),
        ("unicorns", "I cannot read the user group unicorns, so nobody"),
        ("@empty", "The user group @empty has no members, so nobody"),
    ],
)
@pytest.mark.parametrize("deny", [True, False])
def test_a_group_that_says_nothing_refuses(group, words, deny):
    """What cannot be read, or is empty, refuses and lets no later rule decide."""
    # Unchecked: even what no file may say must not let anybody in.
    first = rule("first", deny=deny).model_copy(update={"who": (group,)})

    decision = decided(first, rule("second"))

    assert (decision.verdict, decision.rule) == (Verdict.DENY, "first")
    assert words in decision.why
    assert "mlstudio-bot check" in decision.remedy


@pytest.mark.parametrize("sure", ["U0ANN", "*", "@ml-oncall"])
def test_an_unreadable_group_does_not_hurt_who_is_listed_otherwise(sure):
    """Somebody listed for certain gets in although another group is unreadable."""
    assert decided(rule(who=("@hidden", sure))).verdict is Verdict.ALLOW


def test_an_unreadable_group_of_another_instance_matters_not():
    """Only a rule about this instance can refuse for its groups."""
    elsewhere = rule("elsewhere", who=("@hidden",), instances=("other-*",))

    assert decided(elsewhere, rule()).rule == "r"


# --- what and where ----------


@pytest.mark.parametrize(
    "pattern",
    ["trainer-?", "GPU-*", "47cf4ff3-*", ID.upper(), "studio-[0-9]", "*"],
)
def test_an_instance_is_known_by_every_name(pattern):
    """A pattern may fit any alias, the id or the cloud's name, in any case."""
    assert decided(rule(instances=(pattern,))).verdict is Verdict.ALLOW


def test_without_the_name_alias_and_id_decide():
    """Where the cloud's name is not known, rules go by alias and id."""
    named = rule("named", instances=("studio-*",), deny=True)

    assert decided(named, rule("any")).rule == "named"
    assert decided(named, rule("any"), name=None).rule == "any"


@pytest.mark.parametrize("typed", ["[a-z]*", "*", "trainer-?", "[!x]"])
def test_what_is_typed_is_never_a_pattern(typed):
    """Stars and brackets in a typed name mean themselves."""
    target = Target("ml-prod", "a4a5", typed, typed)
    only = rule(instances=("trainer-7", "gated-[0-9]"))

    assert decided(only, target=target, name=None).verdict is Verdict.DENY


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [
        ({"projects": ("ML-*",)}, Verdict.ALLOW),
        ({"projects": ("ml-test",)}, Verdict.DENY),
        ({"channels": ("C0OPS",)}, Verdict.ALLOW),
        ({"channels": ("C0INCIDENTS",)}, Verdict.DENY),
        ({"projects": ("ml-prod",), "channels": ("C1",)}, Verdict.DENY),
        ({"projects": ("ml-prod",), "instances": ("x",)}, Verdict.DENY),
    ],
)
def test_a_rule_matches_only_with_all_it_names(fields, verdict):
    """Project, instance and channel must all fit."""
    assert decided(rule(**fields)).verdict is verdict


def test_the_first_rule_that_matches_decides():
    """Order is what the author of the rules wrote."""
    assert decided(rule("a", deny=True), rule("b")).rule == "a"
    assert decided(rule("b"), rule("a", deny=True)).rule == "b"


@pytest.mark.parametrize("who", [(), ("*",), ("U0ANN",), ("@ml-oncall",)])
def test_a_deny_rule_refuses_whom_it_names(who):
    """A deny rule without names refuses everybody, else those it names."""
    decision = decided(rule("never", who=who, deny=True), rule())

    assert (decision.verdict, decision.rule) == (Verdict.DENY, "never")
    assert "“never”" in decision.why


def test_a_deny_rule_for_others_is_passed_over():
    """Who is surely not named by a deny rule is decided by the next one."""
    assert decided(rule("never", who=("@sre", "U0EVE"), deny=True), rule()).rule == "r"


# --- reason ----------


@pytest.mark.parametrize(
    ("fields", "reason", "verdict"),
    [
        ({}, "", Verdict.ALLOW),
        ({"reason": "required"}, "", Verdict.DENY),
        ({"reason": "required"}, " \u00a0", Verdict.DENY),
        ({"reason": "required"}, "stuck", Verdict.ALLOW),
        ({"reason_pattern": r"INC-\d+"}, "", Verdict.ALLOW),
        ({"reason_pattern": r"INC-\d+"}, "stuck", Verdict.DENY),
        ({"reason_pattern": r"INC-\d+"}, "stuck, INC-12", Verdict.ALLOW),
        ({"reason": "required", "reason_pattern": r"INC-\d+"}, "", Verdict.DENY),
    ],
)
def test_a_reason_is_asked_for_as_the_rule_says(fields, reason, verdict):
    """A required reason must be given, and a given one must fit the pattern."""
    decision = decided(rule(**fields), reason=reason)

    assert decision.verdict is verdict
    if verdict is Verdict.DENY:
        assert "after the instance" in decision.remedy
        assert fields.get("reason_pattern", "") in decision.why


# --- cooldown ----------


@pytest.mark.parametrize(
    ("ago", "verdict", "wait"),
    [
        (timedelta(minutes=3), Verdict.DENY, "7 min"),
        (timedelta(minutes=9, seconds=15), Verdict.DENY, "45 s"),
        (timedelta(minutes=-5), Verdict.DENY, "10 min"),
        (timedelta(minutes=10), Verdict.ALLOW, ""),
    ],
)
def test_a_cooldown_says_how_long_to_wait(ago, verdict, wait):
    """Another restart within the cooldown is refused, with the time to wait."""
    decision = decided(rule(cooldown=600.0), last_restart=NOW - ago)

    assert decision.verdict is verdict
    assert wait in decision.remedy


@pytest.mark.parametrize(
    ("cooldown", "words"), [(7200.0, "2 h."), (7260.0, "2 h 1 min.")]
)
def test_long_waits_are_told_in_hours(cooldown, words):
    """A wait of hours reads as hours."""
    remedy = decided(rule(cooldown=cooldown), last_restart=NOW).remedy

    assert f"Ask again in {words}" == remedy


def test_an_instance_never_restarted_has_no_cooldown():
    """The first restart does not wait."""
    assert decided(rule(cooldown=600.0)).verdict is Verdict.ALLOW


# --- approval ----------


def test_approval_is_asked_for():
    """A rule with an approval asks, and hands the approval on."""
    decision = decided(rule(approval=WITH_LEADS))

    assert (decision.verdict, decision.approval) == (Verdict.ASK, WITH_LEADS)
    assert "1 of @ml-leads" in decision.why
    assert "30 min" in decision.remedy


@pytest.mark.parametrize(
    ("by", "needed", "verdict"),
    [
        (("@ml-leads",), 2, Verdict.ASK),
        (("@ml-leads",), 3, Verdict.DENY),
        (("U0ANN",), 1, Verdict.DENY),
        (("U0ANN", "U0LEA"), 1, Verdict.ASK),
        (("@ml-oncall",), 2, Verdict.DENY),
        (("@hidden",), 1, Verdict.DENY),
        (("@hidden", "U0LEA"), 1, Verdict.ASK),
        (("@empty",), 1, Verdict.DENY),
        (("*",), 5, Verdict.ASK),
    ],
)
def test_what_nobody_could_approve_is_refused_at_once(by, needed, verdict):
    """Without enough approvers besides the requester nobody is kept waiting."""
    decision = decided(rule(approval=Approval(by=by, needed=needed)))

    assert decision.verdict is verdict
    assert decision.remedy


def test_approvers_are_everybody_listed_but_the_requester():
    """Users and group members count, the requester and unreadable groups do not."""
    approval = Approval(by=("@ml-oncall", "@hidden", "U0LEA"))

    assert {"U0BOB", "U0LEA"} == approvers(
        approval, requester_ids={"U0ANN"}, groups=GROUPS
    )


@pytest.mark.parametrize("by", ["*", "U0LEA", "@ml-leads"])
def test_who_is_listed_may_approve(by):
    """An approver can be listed by id, by group, or as a full member."""
    assert voted(Approval(by=(by,))).verdict is Verdict.ALLOW


@pytest.mark.parametrize(
    ("by", "words"),
    [
        ("@sre", "@sre only"),
        ("@hidden", "cannot read the user group @hidden"),
        ("@empty", "@empty has no members"),
    ],
)
def test_who_is_not_surely_listed_may_not_approve(by, words):
    """Approving needs a place on the list that can be read."""
    decision = voted(Approval(by=(by,)))

    assert decision.verdict is Verdict.DENY
    assert words in decision.why


def test_rules_name_their_groups():
    """Every group of a rule is known: who, approvers and break-glass."""
    approval = Approval(by=("@ml-leads", "U1"), break_glass=("@sre", "*"))
    rules = [rule(who=("S123", "U0ANN", "W0X"), approval=approval), rule(who=("*",))]

    assert {"@ml-leads", "@sre", "S123"} == references(rules)


# --- break-glass ----------

GLASS = Approval(by=("@ml-leads",), break_glass=("@ml-oncall",))


def test_break_glass_goes_past_approval_and_cooldown():
    """Who is listed and says why restarts at once; the approvers stay known."""
    decision = decided(
        rule(approval=GLASS, cooldown=600.0),
        break_glass=True,
        reason="on fire",
        last_restart=NOW,
    )

    assert decision.verdict is Verdict.ALLOW
    assert (decision.approval, decision.break_glass) == (GLASS, True)


@pytest.mark.parametrize(
    ("listed", "reason", "words"),
    [
        ("@ml-oncall", " ", "only with a reason"),
        ("@sre", "on fire", "needs a place on the break-glass list"),
        ("@hidden", "on fire", "cannot read the user group @hidden"),
        ("@empty", "on fire", "@empty has no members"),
    ],
)
def test_break_glass_is_for_those_listed_and_with_a_reason(listed, reason, words):
    """Break-glass without a right to it, or without a reason, is refused."""
    approval = Approval(by=("@ml-leads",), break_glass=(listed,))
    decision = decided(rule(approval=approval), break_glass=True, reason=reason)

    assert (decision.verdict, decision.break_glass) == (Verdict.DENY, False)
    assert words in decision.why
    assert decision.remedy


def test_break_glass_is_no_way_around_the_reason_pattern():
    """What the rule wants of a reason holds for break-glass too."""
    strict = rule(approval=GLASS, reason_pattern=r"INC-\d+")

    assert decided(strict, break_glass=True, reason="fire").verdict is Verdict.DENY


def test_break_glass_means_nothing_without_approval():
    """Where no approval is due it is an ordinary restart, cooldown included."""
    plain = decided(rule(), break_glass=True)
    cooling = decided(rule(cooldown=60.0), break_glass=True, last_restart=NOW)

    assert (plain.verdict, plain.break_glass) == (Verdict.ALLOW, False)
    assert cooling.verdict is Verdict.DENY


# --- what always holds ----------

PEOPLE = ["U0ANN", "U0BOB", "U0LEA", "U0SRE"]
ENTRIES = st.lists(st.sampled_from([*PEOPLE, *GROUPS, "*", "@x"]), min_size=1).map(
    tuple
)
APPROVALS = st.builds(
    approval_of, by=ENTRIES, needed=st.integers(1, 3), break_glass=ENTRIES | st.just(())
)
GLOBS = st.none() | st.sampled_from(
    [("trainer-*",), ("gpu-box",), ("47CF*",), ("Studio-?",), ("other",), ("*",)]
)
RULES = st.lists(
    st.builds(
        Rule,
        name=st.sampled_from("abc"),
        who=ENTRIES,
        instances=GLOBS,
        channels=st.none() | st.just(("C0OPS",)) | st.just(("C1",)),
        reason=st.sampled_from(["required", "optional"]),
        cooldown=st.none() | st.just(600.0),
        deny=st.booleans(),
        approval=st.none() | APPROVALS,
    ),
    max_size=4,
)
MEMBERS = st.none() | st.frozensets(st.sampled_from(PEOPLE))
WORLDS = st.fixed_dictionaries({}, optional=dict.fromkeys(GROUPS, MEMBERS))
FACTS = st.fixed_dictionaries(
    {
        "person": st.sampled_from([Person(one, HOME) for one in PEOPLE]),
        "reason": st.sampled_from(["", "on fire"]),
        "break_glass": st.booleans(),
        "groups": WORLDS,
        "last_restart": st.sampled_from([None, NOW]),
    }
)


def recased(text: str):
    """Return ways to type *text* in another case."""
    return st.lists(st.booleans(), min_size=len(text), max_size=len(text)).map(
        lambda ups: "".join(
            letter.upper() if up else letter.lower()
            for letter, up in zip(text, ups, strict=True)
        )
    )


@given(RULES, FACTS, st.sets(st.sampled_from(list(GROUPS))), st.booleans())
def test_knowing_less_never_opens_a_door(rules, facts, lost, forgotten):
    """A group that becomes unreadable changes nothing, or refuses."""
    less = dict(facts["groups"])
    for group in lost:
        if forgotten:
            less.pop(group, None)
        else:
            less[group] = None
    before, after = (
        decided(*rules, **facts),
        decided(*rules, **facts | {"groups": less}),
    )

    assert Verdict.DENY is after.verdict or gist(before) == gist(after)


@given(APPROVALS, st.sampled_from(PEOPLE), WORLDS, st.sampled_from(list(GROUPS)))
def test_knowing_less_never_lets_anybody_approve(approval, person, groups, lost):
    """A group that becomes unreadable makes nobody an approver."""
    before = voted(approval, person, "U0NEW", groups).verdict
    after = voted(approval, person, "U0NEW", groups | {lost: None}).verdict

    assert after in (before, Verdict.DENY)


def named(entries, facts) -> bool:
    """Say whether a list surely names the person of *facts*."""
    user_id = facts["person"].user_id
    return bool({"*", user_id} & {*entries}) or any(
        user_id in (facts["groups"].get(one) or ()) for one in entries
    )


@given(RULES, FACTS)
def test_what_is_allowed_was_granted_by_a_rule(rules, facts):
    """Nothing is allowed but by a rule that names the person and does not deny.

    Who breaks the glass is named on the rule's list for that.
    """
    decision = decided(*rules, **facts)
    granting = [
        each
        for each in rules
        if not each.deny
        and each.version == decision.rule_version
        and (
            named(each.approval.break_glass, facts)
            if decision.break_glass
            else named(each.who, facts)
        )
    ]

    assert Verdict.DENY is decision.verdict or granting


def test_who_breaks_the_glass_need_not_be_named_as_a_requester():
    """The break-glass list is one of its own, and means nothing without the flag."""
    gated = Rule(
        name="gated",
        who=("U1",),
        approval=Approval(by=("U2",), break_glass=("U3",)),
    )
    facts = {
        "person": Person("U3", HOME),
        "reason": "INC-1",
    }

    assert decided(gated, **facts).verdict is Verdict.DENY
    assert decided(gated, **facts, break_glass=True).verdict is Verdict.ALLOW
    assert decided(gated, **facts, break_glass=True).break_glass


@given(APPROVALS, st.sampled_from(PEOPLE), WORLDS)
def test_the_requester_never_counts(approval, person, groups):
    """Nobody approves what he asked for, however he is listed."""
    could = approvers(approval, requester_ids={person}, groups=groups)

    assert voted(approval, person, person, groups).verdict is Verdict.DENY
    assert could is None or person not in could


@given(APPROVALS, st.sampled_from(PEOPLE), WORLDS)
def test_those_who_could_approve_are_those_who_may(approval, person, groups):
    """The preflight and the click agree on who approves."""
    could = approvers(approval, requester_ids={"U0NEW"}, groups=groups)
    may = voted(approval, person, "U0NEW", groups).verdict is Verdict.ALLOW

    assert may == (could is None or person in could)


@given(RULES, FACTS, st.data())
def test_however_an_instance_is_typed_the_decision_is_the_same(rules, facts, data):
    """Alias, other alias or id, in any case: one instance, one decision."""
    typed = data.draw(st.sampled_from([*TRAINER.aliases, ID]).flatmap(recased))
    other = replace(
        TRAINER,
        instance=typed,
        project=data.draw(recased("ml-prod")),
        instance_id=data.draw(recased(ID)),
    )

    assert gist(decided(*rules, **facts)) == gist(
        decided(*rules, **facts, target=other)
    )


@given(RULES, FACTS, st.randoms(use_true_random=False))
def test_the_order_of_names_is_irrelevant(rules, facts, dice):
    """Neither the order of groups nor that of names in a list decides anything."""

    def mixed(entries):
        return tuple(dice.sample(list(entries), len(entries)))

    def shuffled(one):
        approval = one.approval and one.approval.model_copy(
            update={"by": mixed(one.approval.by)}
        )
        return one.model_copy(update={"who": mixed(one.who), "approval": approval})

    groups = dict(mixed(facts["groups"].items()))
    before = decided(*rules, **facts)
    after = decided(*map(shuffled, rules), **facts | {"groups": groups})

    assert (before.verdict, before.rule, before.break_glass) == (
        after.verdict,
        after.rule,
        after.break_glass,
    )


@given(RULES, FACTS)
def test_every_decision_says_why(rules, facts):
    """Why is one plain sentence, and a refusal says what would help."""
    decision = decided(*rules, **facts)

    assert decision.why.endswith(".")
    assert decision.why[0] == decision.why[0].upper()
    assert not set("<>`_") & set(decision.why + decision.remedy)
    assert Verdict.DENY is not decision.verdict or decision.remedy


@pytest.mark.parametrize(
    "nothing", ["", "  ", "\u200d", "\u3164", "\u2800 \u2800", "\u0301", "\ufe0f\u034f"]
)
def test_a_reason_that_nobody_can_see_is_none(nothing):
    """Blanks, joiners, fillers and lone accents explain nothing."""
    assert explained(nothing) == ""


@pytest.mark.parametrize("reason", ["x", "🔥", "-", "نه", "\u200dx"])
def test_a_reason_that_can_be_seen_stays_as_it_is(reason):
    """One letter, emoji or dash is a reason, whatever stands around it."""
    assert explained(f" {reason} ") == reason.strip()
