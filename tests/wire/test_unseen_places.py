"""What others have to see is refused where they do not see it."""

from __future__ import annotations

import pytest

from bot.demo.slack_directory import Channel, demo_people
from bot.demo.slack_server import LocalSlack
from bot.model import State
from tests.support.bench_fixtures import MakeBench
from tests.support.bot_world import GATES, OPEN, Bench, text_of

NAMED = GATES.replace('reason = "required"', 'channels = ["C0WARROOM", "C0INCIDENTS"]')
GLASS = "--break-glass fire"


def with_private() -> LocalSlack:
    """Return a local Slack with private channels and a group direct message."""
    cast = demo_people()
    people = {"U0ANN", "U0GINA", "U0BOB", "U0MLSTUDIO"}
    more = (
        Channel("C0WARROOM", "war-room", set(people), private=True),
        Channel("C0CELLAR", "cellar", set(people), private=True),
        Channel("C0MPDM", "mpdm-ann--gina--bob-1", set(people)),
    )
    return LocalSlack(cast.people, cast.groups, (*cast.channels, *more))


def place(bench: Bench, name: str) -> str:
    """Return the channel of a *name*; "direct" is that of Gina with the bot."""
    return bench.slack.directory.im("U0GINA").id if name == "direct" else name


@pytest.mark.parametrize(
    "name", ["direct", "war-room", "cellar", "mpdm-ann--gina--bob-1"]
)
@pytest.mark.parametrize("reason", ["stuck", GLASS], ids=["approval", "break-glass"])
async def test_what_others_have_to_see_is_refused_in_private(
    make_bench: MakeBench, name: str, reason: str
) -> None:
    """Neither an approval nor break-glass is to be had where nobody sees it."""
    bench = await make_bench(rules=GATES + OPEN, slack=with_private())
    refused = await bench.ask(
        f"restart ml-prod gated-1 {reason}", user="gina", channel=place(bench, name)
    )
    assert "wants others to see it" in refused.text
    assert "Ask in a public channel" in refused.text
    assert (await bench.record(refused)).state is State.REFUSED
    assert bench.posts() == []
    assert bench.sent == 0


@pytest.mark.parametrize("reason", ["stuck", GLASS], ids=["approval", "break-glass"])
async def test_a_private_channel_that_the_rule_names_will_do(
    make_bench: MakeBench, reason: str
) -> None:
    """Where the rule says that a private channel is the place, it is."""
    bench = await make_bench(rules=NAMED, slack=with_private())
    rest = f"restart ml-prod gated-1 {reason}"
    await bench.ask(rest, user="gina", channel="war-room")
    await bench.wait_for(lambda: bench.posts("war-room"))


async def test_what_nobody_has_to_approve_may_be_asked_for_anywhere(
    make_bench: MakeBench,
) -> None:
    """An ordinary restart is as good in a direct message or a private channel."""
    bench = await make_bench(rules=GATES + OPEN, slack=with_private())
    for name in ("direct", "cellar"):
        await bench.restart(
            "ml-prod trainer-7", user="gina", channel=place(bench, name)
        )
    assert bench.sent == 2


@pytest.mark.parametrize(
    "typed", ["restart ml-prod", "restart ml-prod gated-1,trainer-7"]
)
async def test_a_dialog_remembers_where_it_was_opened(
    make_bench: MakeBench, typed: str
) -> None:
    """What a command from a private channel is refused, its dialogs are, too."""
    bench = await make_bench(rules=GATES + OPEN, slack=with_private())
    await bench.ask(typed, user="gina", channel="cellar")
    (view,) = await bench.wait_for(lambda: bench.slack.views("gina"))
    await bench.slack.submit("gina", view, {"instance": "gated-1", "reason": "stuck"})
    said = await bench.wait_for(
        lambda: bench.whispers("gina", "wants others to see it")
    )
    assert said
    assert bench.sent == 0


async def test_a_dialog_from_nowhere_offers_public_channels(bench: Bench) -> None:
    """A chosen channel is public: what it is cannot be told from its id."""
    await bench.slack.shortcut("ann", "restart_instance")
    (view,) = await bench.wait_for(lambda: bench.slack.views("ann"))
    (select,) = [b["element"] for b in view.blocks if b.get("block_id") == "channel"]
    assert select["filter"]["include"] == ["public"]
    assert "In a private one, type the command" in text_of(view)
