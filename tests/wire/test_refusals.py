"""What the bot refuses, and that nobody but the person who asked hears of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from bot.demo.slack_directory import Group, User, demo_people
from bot.demo.slack_server import LocalSlack
from bot.model import State, request_id
from tests.support.bench_fixtures import MakeBench
from tests.support.bot_world import GATES, OPEN, Bench, benched, text_of

shared = pytest.mark.asyncio(loop_scope="module")

RULES = """
[[rules]]
name = "frozen for the audit"
instances = ["flaky-*"]
deny = true

[[rules]]
name = "with a ticket"
who = ["@ml-oncall"]
instances = ["sandbox-*"]
reason = "required"
reason_pattern = "INC-\\\\d+"

[[rules]]
name = "where all see it"
who = ["*"]
instances = ["trainer-*"]
channels = ["C0INCIDENTS"]

[[rules]]
name = "nobody is in there"
who = ["@nobody"]
instances = ["notebook-*"]

[[rules]]
name = "no such group"
who = ["@ghosts", "U0GINA"]
instances = ["gated-*"]
"""


def crowded() -> LocalSlack:
    """Return a local Slack with all kinds of people who may not act."""
    cast = demo_people()
    more = (
        User("U0HANK", "hank", "Hank Left", deleted=True),
        User("U0ROBO", "robo", "Robo", is_bot=True),
        User("U0IVY", "ivy", "Ivy Invited", invited=True),
    )
    channels = [
        channel
        if channel.id != "C0INCIDENTS"
        else type(channel)(
            channel.id,
            channel.name,
            channel.members | {"U0HANK", "U0ROBO", "U0IVY", "U0FRANK"},
        )
        for channel in cast.channels
    ]
    groups = (*cast.groups, Group("S0NOBODY", "nobody", ()))
    return LocalSlack((*cast.people, *more), groups, channels)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def crowd(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    """Return one bench for all rows: what is refused leaves nothing behind."""
    folder = tmp_path_factory.mktemp("crowd")
    async with benched(folder, rules=RULES, slack=crowded()) as bench:
        yield bench


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A restart that is refused, and the words that say why and what would help."""

    about: str
    user: str = "ann"
    channel: str = "incidents"
    rest: str = "ml-prod trainer-7"
    said: tuple[str, ...]

    @property
    def outsider(self) -> bool:
        """Whether it is somebody whom no rule can let in."""
        return self.user not in ("ann", "dave")


ROWS = (
    Refused(
        about="a rule that forbids it",
        rest="ml-prod flaky-1",
        said=("frozen for the audit", "forbids"),
    ),
    Refused(
        about="a reason that is missing",
        rest="ml-dev sandbox-1",
        said=("with a ticket", "requires a reason", "INC-"),
    ),
    Refused(
        about="a reason that does not fit",
        rest="ml-dev sandbox-1 it hangs",
        said=("with a ticket", "requires a reason", "INC-"),
    ),
    Refused(
        about="no rule for this person",
        user="dave",
        rest="ml-dev sandbox-1 INC-1",
        said=("No rule allows", "with a ticket", "@ml-oncall"),
    ),
    Refused(
        about="no rule for this channel",
        channel="ml-ops",
        said=("No rule allows", "where all see it", "C0INCIDENTS"),
    ),
    Refused(
        about="a group without members",
        rest="ml-prod notebook-2",
        said=("nobody is in there", "@nobody"),
    ),
    Refused(
        about="a group that does not exist",
        rest="ml-prod gated-1",
        said=("no such group", "cannot read", "@ghosts"),
    ),
    Refused(about="a guest", user="erin", said=("Guests",)),
    Refused(about="somebody only invited", user="ivy", said=("Guests",)),
    Refused(about="a deactivated account", user="hank", said=("Deactivated",)),
    Refused(about="a bot", user="robo", said=("Bots",)),
    Refused(about="another workspace", user="frank", said=("another workspace",)),
    Refused(
        about="another workspace in a shared channel",
        user="frank",
        channel="partners",
        said=("another workspace",),
    ),
)


@shared
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.about)
async def test_a_refusal_is_private_explained_and_on_record(
    crowd: Bench, row: Refused
) -> None:
    """Who is refused reads why and what would help, and nobody else reads anything."""
    before = crowd.seen()
    delivery = await crowd.ask(
        f"restart {row.rest}", user=row.user, channel=row.channel
    )
    assert delivery.shown is not None
    for word in row.said:
        assert word in delivery.text
        assert word in text_of(delivery)
    assert crowd.seen() == {**before, row.user: before.get(row.user, 0) + 1}
    asked = request_id(delivery.payload["trigger_id"])
    record = await crowd.ledger.get(asked)
    if row.outsider:
        assert record is None
    else:
        assert record is not None
        assert record.state is State.REFUSED
    entry = (await crowd.trail("refused"))[-1]
    assert entry["request_id"] == asked
    assert entry["user_id"] == crowd.slack.directory.user(row.user).id
    assert entry["detail"]
    assert crowd.sent == 0


@shared
async def test_whom_a_rule_names_by_id_needs_no_group(crowd: Bench) -> None:
    """A group that cannot be read does not stop somebody who is named by id."""
    await crowd.ask("can ml-prod gated-1", user="gina")
    assert "may restart" in crowd.slack.ephemerals("gina")[-1].text


@shared
@pytest.mark.parametrize("user", ["erin", "hank", "robo", "frank"])
@pytest.mark.parametrize(
    "text",
    [
        "status ml-prod trainer-7",
        "list ml-prod",
        "history",
        "can ml-prod trainer-7",
        "cancel ml-prod trainer-7",
        "restart",
        "restart nowhere trainer-7",
    ],
)
async def test_who_may_not_act_learns_nothing_either(
    crowd: Bench, user: str, text: str
) -> None:
    """An outsider's question is refused, on record, and tells no name of ours."""
    before = len(await crowd.trail("refused"))
    delivery = await crowd.ask(text, user=user)
    assert "may neither restart nor approve" in delivery.text
    assert "ml-prod" not in delivery.text
    assert not crowd.slack.views(user)
    assert len(await crowd.trail("refused")) == before + 1


@shared
@pytest.mark.parametrize("text", ["help", "", "restrat"])
async def test_everybody_reads_what_can_be_typed(crowd: Bench, text: str) -> None:
    """A guest's call for help is answered, and is no refusal."""
    before = len(await crowd.trail("refused"))
    delivery = await crowd.ask(text, user="erin")
    assert "/mlstudio status" in delivery.text
    assert len(await crowd.trail("refused")) == before


async def test_without_the_groups_nobody_passes_a_rule(make_bench: MakeBench) -> None:
    """A bot that may not read user groups restarts nothing for their members."""
    slack = LocalSlack(scopes={"commands", "chat:write", "users:read"})
    bench = await make_bench(slack=slack, rules=OPEN)
    delivery = await bench.ask("restart ml-prod trainer-7")
    assert "cannot read the user group" in delivery.text
    assert (await bench.record(delivery)).state is State.REFUSED
    assert bench.sent == 0


async def test_a_cooldown_refuses_the_next_restart(make_bench: MakeBench) -> None:
    """Within its cooldown an instance is not restarted again, not even by another."""
    bench = await make_bench(rules=OPEN.replace("\n[[", "[[") + 'cooldown = "10m"\n')
    await bench.restart()
    delivery = await bench.ask("restart ml-prod trainer-7", user="gina")
    assert "10 min between two restarts" in delivery.text
    assert "Ask again in" in delivery.text
    assert (await bench.record(delivery)).state is State.REFUSED
    assert bench.sent == 1


async def test_a_person_who_was_deactivated_since_is_refused(
    make_bench: MakeBench,
) -> None:
    """Right before the restart the requester's right is read anew."""
    bench = await make_bench(rules=GATES)
    card = await bench.card()
    bench.slack.change_user("ann", deleted=True)
    await bench.slack.click("bob", card, "approve")
    assert (await bench.end_of_card(card)).state is State.VOIDED
    assert bench.sent == 0


async def test_a_rule_by_the_clouds_name_holds_for_a_raw_id(
    make_bench: MakeBench,
) -> None:
    """A rule about a name cannot be passed by typing the id of an instance."""
    bench = await make_bench(
        rules='[[rules]]\nname = "no"\ninstances = ["trainer-*"]\ndeny = true\n' + OPEN
    )
    for name in (
        "47cf4ff3-0c59-44fe-9821-2840a34c02a9",
        "47CF4FF3-0C59-44FE-9821-2840A34C02A9",
        "TRAINER-7",
    ):
        delivery = await bench.ask(f"restart ml-prod {name}")
        assert "forbids" in delivery.text
    assert bench.sent == 0


# --- names --------------------------------------------------------------------------


@shared
@pytest.mark.parametrize(
    ("rest", "said"),
    [
        ("ml-prud trainer-7", 'Did you mean "ml-prod"?'),
        ("ml-prod trainer-8", 'Did you mean "trainer-7"?'),
        ("xyzzy trainer-7", "There is no project"),
        ("ml-prod 00000000-0000-0000-0000-00000000000g", "There is no instance"),
    ],
)
async def test_an_unknown_name_is_answered_with_a_guess(
    crowd: Bench, rest: str, said: str
) -> None:
    """Who mistypes a name is told so, privately, with what was probably meant."""
    delivery = await crowd.ask(f"restart {rest}")
    assert said in delivery.text
    assert crowd.sent == 0


@shared
@pytest.mark.parametrize(
    "name",
    [
        "../47cf4ff3-0c59-44fe-9821-2840a34c02a9",
        "..%2f..%2faction",
        "%2e%2e",
        "trainer-7/action",
        "trainer-7?x=1",
        "a" * 300,
        "@bob",
        "#incidents",
        "@here",
        "https://evil.example.com/x",
        "`*_~",
        "trainer-7\u202e",
        "'; drop table mlstudio_requests; --",
        "\x00",
    ],
)
async def test_a_hostile_name_reaches_neither_the_cloud_nor_anybody(
    crowd: Bench, name: str
) -> None:
    """No name that somebody types gets into a URL, mentions or formats anything."""
    before = len(crowd.cloud.calls), crowd.seen()
    delivery = await crowd.ask(f"restart ml-dev {name} INC-1", user="dave")
    assert delivery.text
    assert "<!" not in delivery.text
    assert "<@" not in delivery.text
    assert "<http" not in delivery.text
    assert len(delivery.text) < 1000
    assert len(crowd.cloud.calls) == before[0]
    assert crowd.seen() == {**before[1], "dave": before[1].get("dave", 0) + 1}
    assert crowd.sent == 0


HOSTILE = "*bold* _it_ <!here> <@U0BOB> @bob @channel :fire: `code` https://evil.com &"


async def test_markup_in_a_reason_stays_words(bench: Bench) -> None:
    """What somebody types as a reason neither formats, links nor mentions anybody."""
    _, shown, told = await bench.restart(f"ml-prod trainer-7 {HOSTILE}")
    for post in (shown, told):
        assert "<@U0BOB" not in post.text
        assert "<!here" not in post.text
        assert "<http" not in post.text
    blocks = [block for block in shown.blocks if "Reason" in str(block)]
    (reason,) = [block["text"] for block in blocks]
    assert reason["type"] == "plain_text"
    assert reason["emoji"] is False
    assert "*bold* _it_ &lt;!here&gt;" in reason["text"]
    call = bench.slack.called("chat.postMessage")[0]
    assert call.args.get("link_names") is None
    assert str(call.args.get("mrkdwn")).lower() in ("0", "false")


@pytest.mark.parametrize(
    "typed",
    [
        "“ml-prod” ‘trainer-7’ it’s stuck",
        "ml–prod trainer—7 it’s stuck",
        "ml-prod\u00a0trainer-7\u00a0it’s stuck",
        "\"ml-prod\" 'trainer-7' it’s stuck",
    ],
)
async def test_what_phones_make_of_a_command_is_understood(
    bench: Bench, typed: str
) -> None:
    """Curly quotes, long dashes and no-break spaces do not get in the way."""
    _, shown, told = await bench.restart(typed)
    assert "it’s stuck" in shown.text
    assert "is ready" in told.text
