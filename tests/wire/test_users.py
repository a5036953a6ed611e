"""Who somebody is and which groups he is in: read from Slack, and closed on failure."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from bot.errors import SlackBusy, SlackRefused, SlackUnknown
from bot.model import Person
from bot.slack.users import Users
from tests.support.tiny_slack import (
    TinySlack,
    connected,
    cut,
    held,
    ok,
    refused,
    reply,
    tiny_slack,
)

HOME = "T1HOME"
LEADS = {"id": "S1", "handle": "ml-leads", "date_delete": 0, "users": ["U1", "U2"]}
THROTTLED = reply(429, {"ok": False, "error": "ratelimited"}, Retry_After="60")


class Clock:
    """A clock that stands still until it is moved."""

    now = 1000.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now


@pytest_asyncio.fixture
async def slack() -> AsyncIterator[TinySlack]:
    """A workspace with one person and one group."""
    async with tiny_slack() as far:
        far.play("users.info", user())
        far.play("usergroups.list", ok(usergroups=[LEADS]))
        yield far


@pytest.fixture
def clock() -> Clock:
    """The time by which things are kept."""
    return Clock()


@pytest_asyncio.fixture
async def users(slack: TinySlack, clock: Clock) -> AsyncIterator[Users]:
    """The bot's people, connected to the far side."""
    async with connected(slack.url) as (_, idem, _session):
        yield Users(idem, HOME, ttl_s=60.0, clock=clock)


def user(**facts: Any) -> Any:
    """Answer users.info with a full member of ours, but for *facts*."""
    return ok(user={"id": "U1", "team_id": HOME, "name": "ann"} | facts)


# --- people -------------------------------------------------------------------------


async def test_full_member(users: Users) -> None:
    """An ordinary member is known by id and team, with nothing against him."""
    assert await users.person("U1") == Person("U1", HOME, "ann")


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"deleted": True}, "deleted"),
        ({"is_bot": True}, "is_bot"),
        ({"is_workflow_bot": True}, "is_bot"),
        ({"is_restricted": True}, "is_guest"),
        ({"is_ultra_restricted": True}, "is_guest"),
        ({"is_invited_user": True}, "is_guest"),
        ({"is_stranger": True}, "is_stranger"),
        ({"team_id": "T9"}, "is_stranger"),
        ({"team_id": None}, "is_stranger"),
        ({"team_id": "T9", "enterprise_user": {"teams": ["T8"]}}, "is_stranger"),
    ],
)
async def test_those_who_never_may(
    users: Users, slack: TinySlack, facts: dict[str, Any], expected: str
) -> None:
    """Guests, bots, deactivated people and those of other workspaces are told apart."""
    slack.play("users.info", user(**facts))

    person = await users.person("U1")

    marks = ("deleted", "is_bot", "is_guest", "is_stranger")
    assert [mark for mark in marks if getattr(person, mark)] == [expected]


async def test_slackbot_is_a_bot(users: Users) -> None:
    """Slackbot, which Slack does not mark as a bot, is one."""
    assert (await users.person("USLACKBOT")).is_bot


async def test_sister_workspace_on_grid(users: Users, slack: TinySlack) -> None:
    """On Enterprise Grid a member of ours may come in from a sister workspace."""
    grid = {"id": "W1", "enterprise_id": "E1", "teams": ["T9", HOME]}
    for team in ("T9", None):
        slack.play("users.info", user(team_id=team, enterprise_user=grid))
        for clicked_from in ("T9", "T7", HOME, ""):
            person = await users.person("U1", team_id=clicked_from, fresh=True)
            assert (person.is_stranger, person.team_id) == (False, HOME)
            assert (person.identity, person.ids) == ("W1", {"U1", "W1"})


async def test_team_of_the_payload(users: Users, slack: TinySlack) -> None:
    """The team that a click names counts: ours fills a gap, a foreign one refuses."""
    assert (await users.person("U1", team_id="T9")).is_stranger

    slack.play("users.info", user(team_id=None))
    person = await users.person("U1", team_id=HOME, fresh=True)

    assert (person.team_id, person.is_stranger) == (HOME, False)


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        ({"profile": {"display_name": "Annie", "real_name": "Ann B"}}, "Annie"),
        ({"profile": {"display_name": "", "real_name": "Ann B"}}, "Ann B"),
        ({"real_name": "Ann C"}, "Ann C"),
        ({"name": None}, ""),
    ],
)
async def test_shown_name(
    users: Users, slack: TinySlack, facts: dict[str, Any], name: str
) -> None:
    """People are called as Slack calls them."""
    slack.play("users.info", user(**facts))

    assert (await users.person("U1")).name == name


async def test_person_is_kept_for_a_while(
    users: Users, slack: TinySlack, clock: Clock
) -> None:
    """A person is read once in a while, and anew when it matters."""
    await users.person("U1")
    clock.now += 59
    await users.person("U1")
    assert len(slack.calls) == 1

    await users.person("U1", fresh=True)
    assert len(slack.calls) == 2

    clock.now += 61
    await users.person("U1")
    assert len(slack.calls) == 3


async def test_unknown_person(users: Users, slack: TinySlack) -> None:
    """Somebody whom Slack does not know is an error with a sentence."""
    slack.play("users.info", refused("user_not_found"))

    with pytest.raises(SlackRefused, match="not known in this workspace"):
        await users.person("U9")


@pytest.mark.parametrize("facts", [ok(), ok(user={"deleted": "perhaps"})])
async def test_nonsense_about_a_person(
    users: Users, slack: TinySlack, facts: Any
) -> None:
    """An answer that cannot be understood never makes somebody a member."""
    slack.play("users.info", facts)

    with pytest.raises(SlackUnknown, match="makes no sense"):
        await users.person("U1")


# --- groups -------------------------------------------------------------------------


async def test_groups_by_handle_and_id(users: Users, slack: TinySlack) -> None:
    """Groups are found by handle, in any case, and by id, all in one call."""
    members = frozenset({"U1", "U2"})

    groups = await users.groups(["@ml-leads", "@ML-Leads", "S1", "@nobody"])

    assert groups == {
        "@ml-leads": members,
        "@ML-Leads": members,
        "S1": members,
        "@nobody": None,
    }
    assert slack.calls == [
        ("usergroups.list", {"include_users": "1", "include_disabled": "1"})
    ]


async def test_no_groups_no_call(users: Users, slack: TinySlack) -> None:
    """Rules without groups cost no call."""
    assert await users.groups([]) == {}
    assert slack.calls == []


@pytest.mark.parametrize(
    "listed",
    [
        [],
        [LEADS | {"users": []}],
        [LEADS | {"date_delete": 1700000000}],
        [LEADS, LEADS | {"id": "S2"}],
    ],
    ids=["unknown", "empty", "disabled", "two of a name"],
)
async def test_group_that_counts_for_nobody(
    users: Users, slack: TinySlack, listed: list[dict[str, Any]]
) -> None:
    """A group that is unknown, empty, disabled or not the only one names nobody."""
    slack.play("usergroups.list", ok(usergroups=listed))

    assert await users.groups(["@ml-leads"]) == {"@ml-leads": None}


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refused("missing_scope", needed="usergroups:read"), type(None)),
        (refused("plan_upgrade_required"), type(None)),
        (THROTTLED, SlackBusy),
        (reply(502, "bad gateway"), SlackUnknown),
        (ok(), SlackUnknown),
        (cut, SlackUnknown),
    ],
    ids=["scope", "plan", "throttled", "failure", "nonsense", "cut"],
)
async def test_groups_that_cannot_be_read(
    users: Users,
    slack: TinySlack,
    capsys: pytest.CaptureFixture[str],
    answer: Any,
    kind: type,
) -> None:
    """Groups that cannot be read name nobody, or say that it may pass; the log too."""
    slack.play("usergroups.list", answer)

    assert isinstance((await users.groups(["@ml-leads"]))["@ml-leads"], kind)
    assert "groups_unread" in capsys.readouterr().out


async def test_throttled_groups_are_left_alone_for_as_long_as_slack_says(
    users: Users, slack: TinySlack, clock: Clock
) -> None:
    """Until the time that Slack named nobody asks again, and everybody hears it."""
    slack.play("usergroups.list", THROTTLED, ok(usergroups=[LEADS]))
    for _ in range(20):
        await users.groups(["S1"], fresh=True)
    clock.now += 59
    late = (await users.groups(["S1"], fresh=True))["S1"]
    assert isinstance(late, SlackBusy)
    assert late.retry_after == 1
    assert len(slack.calls) == 1

    clock.now += 1
    assert await users.groups(["S1"]) == {"S1": frozenset({"U1", "U2"})}


async def test_groups_are_asked_again_within_a_minute_whatever_slack_says(
    users: Users, slack: TinySlack, clock: Clock
) -> None:
    """An hour named once does not keep approvers and members unknown for an hour."""
    hour = reply(429, {"ok": False, "error": "ratelimited"}, Retry_After="3600")
    slack.play("usergroups.list", hour, ok(usergroups=[LEADS]))
    assert isinstance((await users.groups(["S1"]))["S1"], SlackBusy)
    clock.now += 60
    assert await users.groups(["S1"]) == {"S1": frozenset({"U1", "U2"})}


async def test_an_id_is_no_handle(users: Users, slack: TinySlack) -> None:
    """A group whose handle is the id of another one is not taken for that one."""
    gone = LEADS | {"date_delete": 1700000000}
    slack.play(
        "usergroups.list", ok(usergroups=[gone, LEADS | {"id": "S2", "handle": "s1"}])
    )

    assert await users.groups(["S1"]) == {"S1": None}
    assert await users.groups(["@s1"]) == {"@s1": frozenset({"U1", "U2"})}


async def test_failed_read_is_not_kept(users: Users, slack: TinySlack) -> None:
    """After a failure the next question is asked anew."""
    slack.play("usergroups.list", refused("internal_error"), ok(usergroups=[LEADS]))
    await users.groups(["S1"])

    assert await users.groups(["S1"]) == {"S1": frozenset({"U1", "U2"})}


async def test_fresh_failure_does_not_fall_back(users: Users, slack: TinySlack) -> None:
    """Where a decision hangs on it, what was known before is not good enough."""
    await users.groups(["S1"])
    slack.play("usergroups.list", refused("internal_error"))

    unread = (await users.groups(["S1"], fresh=True))["S1"]
    assert isinstance(unread, SlackUnknown)


async def test_groups_are_kept_for_a_while(
    users: Users, slack: TinySlack, clock: Clock
) -> None:
    """Groups are read once in a while, and anew when it matters."""
    await users.groups(["S1"])
    clock.now += 59
    await users.groups(["@ml-leads"])
    assert len(slack.calls) == 1

    await users.groups(["S1"], fresh=True)
    assert len(slack.calls) == 2

    clock.now += 61
    await users.groups(["S1"])
    assert len(slack.calls) == 3


async def test_one_call_for_many(users: Users, slack: TinySlack) -> None:
    """Many who wait for the same answer cost one call."""
    gate = asyncio.Event()
    slack.play("usergroups.list", held(gate, ok(usergroups=[LEADS])))
    asking = [asyncio.create_task(users.groups(["S1"], fresh=True)) for _ in range(5)]
    await slack.called.wait()
    gate.set()

    answers = await asyncio.gather(*asking)

    assert answers == [{"S1": frozenset({"U1", "U2"})}] * 5
    assert len(slack.calls) == 1


async def test_giving_up_does_not_hurt_the_others(
    users: Users, slack: TinySlack
) -> None:
    """One who stops waiting does not take the answer from the others."""
    gate = asyncio.Event()
    slack.play("usergroups.list", held(gate, ok(usergroups=[LEADS])))
    hasty, patient = (asyncio.create_task(users.groups(["S1"])) for _ in range(2))
    await slack.called.wait()

    hasty.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hasty
    gate.set()

    assert await patient == {"S1": frozenset({"U1", "U2"})}


async def test_a_slow_answer_is_as_old_as_its_question(
    users: Users, slack: TinySlack, clock: Clock
) -> None:
    """What Slack took long to say is not kept for longer because of that."""
    gate = asyncio.Event()
    slack.play("usergroups.list", held(gate, ok(usergroups=[LEADS])))
    slow = asyncio.create_task(users.groups(["S1"]))
    await slack.called.wait()
    clock.now += 50
    gate.set()
    await slow
    clock.now += 11
    slack.play("usergroups.list", ok(usergroups=[LEADS | {"users": ["U3"]}]))

    assert await users.groups(["S1"]) == {"S1": frozenset({"U3"})}


async def test_change_makes_it_read_anew(users: Users, slack: TinySlack) -> None:
    """After Slack has said that a group changed, the old members do not count."""
    await users.groups(["S1"])
    slack.play("usergroups.list", ok(usergroups=[LEADS | {"users": ["U3"]}]))

    users.forget("S1")

    assert await users.groups(["S1"]) == {"S1": frozenset({"U3"})}


async def test_change_during_a_read(users: Users, slack: TinySlack) -> None:
    """An answer from before a change is not kept after it."""
    gate = asyncio.Event()
    slack.play(
        "usergroups.list",
        held(gate, ok(usergroups=[LEADS])),
        ok(usergroups=[LEADS | {"users": ["U3"]}]),
    )
    early = asyncio.create_task(users.groups(["S1"]))
    await slack.called.wait()

    users.forget("S1")
    late = await users.groups(["S1"])
    gate.set()
    await early

    assert late == {"S1": frozenset({"U3"})}
    assert await users.groups(["S1"]) == late


async def test_members_left_out_of_the_list(users: Users, slack: TinySlack) -> None:
    """Members that the list leaves out are asked for apart, once."""
    slack.play("usergroups.list", ok(usergroups=[LEADS | {"users": None}]))
    slack.play("usergroups.users.list", ok(users=["U7"]))

    for _ in range(2):
        assert await users.groups(["S1"]) == {"S1": frozenset({"U7"})}

    assert slack.asked("usergroups.users.list") == [{"usergroup": "S1"}]


async def test_members_that_cannot_be_read(users: Users, slack: TinySlack) -> None:
    """Members that cannot be read are nobody, until they can."""
    slack.play("usergroups.list", ok(usergroups=[LEADS | {"users": None}]))
    slack.play(
        "usergroups.users.list", refused("no_such_subteam"), ok(), ok(users=["U7"])
    )

    assert await users.groups(["S1"]) == {"S1": None}
    assert isinstance((await users.groups(["S1"]))["S1"], SlackUnknown)
    assert await users.groups(["S1"]) == {"S1": frozenset({"U7"})}


async def test_group_id(users: Users, slack: TinySlack) -> None:
    """A group is mentioned by its id, an unknown one not at all."""
    assert await users.group_id("@ml-leads") == "S1"
    assert await users.group_id("@nobody") is None
    assert await users.group_id("S404") is None


async def test_group_id_when_groups_cannot_be_read(
    users: Users, slack: TinySlack
) -> None:
    """A group named by its id is mentioned even while groups cannot be read."""
    slack.play("usergroups.list", refused("internal_error"))

    assert await users.group_id("S1") == "S1"
    assert await users.group_id("@ml-leads") is None
