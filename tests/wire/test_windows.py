"""What whoever asks inside or outside a rule's window may rely on, over the wires."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest_asyncio

from bot.app.clock import VARIABLE
from bot.model import State
from tests.support.bench_fixtures import MakeBench
from tests.support.bot_world import Bench, buttons, text_of
from tests.support.passing_time import at_the_next_post

BERLIN = ZoneInfo("Europe/Berlin")
RULES = """
[[rules]]
name = "gated by day"
who = ["@ml-oncall"]
when = "Mon-Sun 08:00-18:00 Europe/Berlin"
instances = ["gated-*"]
approval = { by = ["@ml-leads"], expires = "2d" }

[[rules]]
name = "by day"
who = ["@ml-oncall"]
when = "Mon-Sun 08:00-18:00 Europe/Berlin"
"""


def set_to(bench: Bench, hour: int, minute: int = 0, day: int = 1) -> None:
    """Let the bot believe it is that time of a coming day in Berlin."""
    now = datetime.now(UTC).astimezone(BERLIN)
    then = (now + timedelta(days=day)).replace(hour=hour, minute=minute, second=0)
    ahead = (then.astimezone(UTC) - now.astimezone(UTC)).total_seconds()
    (bench.path.parent / "clock").write_text(str(ahead))


@pytest_asyncio.fixture
async def day(make_bench: MakeBench, tmp_path: Path) -> Bench:
    """A bench at noon, with rules that hold by day."""
    environ = {VARIABLE: str(tmp_path / "clock")}
    bench = await make_bench(rules=RULES, environ=environ)
    set_to(bench, 12)
    return bench


async def test_outside_it_the_refusal_says_when_it_opens(day: Bench) -> None:
    """The rule is named, and the opening as HH:MM in the rule's zone."""
    set_to(day, 6)
    delivery = await day.ask("restart ml-prod trainer-7")
    assert "“by day”" in text_of(delivery)
    assert "opens next at 08:00 (Europe/Berlin)" in text_of(delivery)
    set_to(day, 19)
    delivery = await day.ask("restart ml-prod trainer-7")
    assert "opens next at 08:00 on " in text_of(delivery)
    assert len(await day.trail("refused")) == 2
    assert not day.posts()
    set_to(day, 8, day=2)
    delivery, *_ = await day.restart()
    assert (await day.record(delivery)).state is State.READY


async def test_it_shows_whether_it_is_open_and_until_when(day: Bench) -> None:
    """can, status, the dialog and App Home say so, open or closed."""
    until = "Its window is open until 18:00 (Europe/Berlin)."
    for text in ("can ml-prod trainer-7", "status ml-prod trainer-7"):
        assert until in text_of(await day.ask(text)), text
    view = await day.open_dialog("restart ml-prod")
    await day.slack.click("ann", view, "instance", value="trainer-7")
    await day.wait_for(lambda: until in text_of(day.slack.views("ann")[0]))
    await day.slack.open_home("ann")
    home = await day.wait_for(lambda: day.slack.home("ann"))
    assert until in text_of(home)
    set_to(day, 20)
    opens = "It opens next at 08:00 on "
    assert opens in text_of(await day.ask("can ml-prod trainer-7"))
    await day.slack.open_home("ann")
    await day.wait_for(lambda: opens in text_of(day.slack.home("ann")))
    assert "restart_dialog" not in buttons(day.slack.home("ann"))


async def test_what_waits_stays_until_it_opens_again(day: Bench) -> None:
    """Outside the window an Approve is refused in private; inside it counts again."""
    card = await day.card()
    set_to(day, 18)
    await day.slack.click("bob", card, "approve")
    await day.wait_for(lambda: day.whispers("bob", "does not count"))
    assert "“gated by day”" in day.whispers("bob", "does not count")[0]
    assert (await day.ledger.existing(day.id_of(card))).state is State.PENDING
    set_to(day, 9, day=2)
    await day.slack.click("bob", card, "approve")
    assert (await day.end_of_card(card)).state is State.READY


async def test_one_that_closes_before_the_call_ends_it(day: Bench) -> None:
    """Asked for inside, but the call would come outside: it is not sent."""
    set_to(day, 17, 59)
    at_the_next_post(day, lambda: set_to(day, 18, 1))
    delivery = await day.ask("restart ml-prod trainer-7")
    assert (await day.story(delivery)).state is State.NOT_RESTARTED
    assert "opens next at 08:00" in day.followups()[-1].text
    assert day.sent == 0


async def test_a_rule_below_may_let_pass_what_its_window_no_longer_does(
    make_bench: MakeBench, tmp_path: Path
) -> None:
    """What nobody had to approve is decided anew, by whichever rule matches then."""
    below = '[[rules]]\nname = "always"\nwho = ["@ml-oncall"]\n'
    environ = {VARIABLE: str(tmp_path / "clock")}
    bench = await make_bench(rules=RULES + below, environ=environ)
    set_to(bench, 17, 59)
    at_the_next_post(bench, lambda: set_to(bench, 18, 1))
    delivery = await bench.ask("restart ml-prod trainer-7")
    assert (await bench.story(delivery)).state is State.READY
    assert bench.sent == 1
