"""Who only wants to know delays nobody who restarts, and costs the cloud little."""

from __future__ import annotations

import asyncio

from bot.listeners import commands
from bot.slack.messages.app_home import BOXES, FIND
from tests.support.bot_world import GATES, OPEN, TRAINER, Bench, text_of

OTHER = "47cf4ff3-0c59-44fe-9821-"  # and twelve digits: an instance that is not there
TOO_MANY = "more than 20 questions"


async def test_questions_beyond_twenty_a_minute_get_one_sentence(bench: Bench) -> None:
    """The first twenty are answered; the next ones are told so, in private, and cost
    neither Slack nor the cloud nor the trail anything.
    """
    answers = [await bench.ask("can ml-prod trainer-7") for _ in range(5)]
    answers += [await bench.ask("status ml-prod trainer-7") for _ in range(5)]
    answers += [await bench.ask("list ml-dev") for _ in range(5)]
    answers += [await bench.ask("history") for _ in range(5)]
    assert not [one for one in answers if TOO_MANY in one.text]
    before = len(bench.slack.calls), len(bench.cloud.calls), await bench.trail()

    kinds = ("can ml-prod trainer-7", "status ml-prod trainer-7", "list ml-prod")
    refused = [await bench.ask(one) for one in (*kinds, "history", "list nowhere")]

    assert {TOO_MANY in one.text for one in refused} == {True}
    assert bench.seen() == {"ann": 25}
    after = len(bench.slack.calls), len(bench.cloud.calls), await bench.trail()
    assert after == before


async def test_who_asked_too_much_may_still_restart_and_others_may_ask(
    bench: Bench,
) -> None:
    """The quota is a person's own, and one for questions only."""
    for _ in range(commands.QUESTIONS + 1):
        await bench.ask("history")

    other = await bench.ask("history", user="bob")
    _, _, follow = await bench.restart()

    assert TOO_MANY not in other.text
    assert "is ready" in follow.text


async def test_a_guest_who_asks_too_much_is_on_the_trail_no_more(bench: Bench) -> None:
    """Beyond the quota nothing is looked up, not even who it is."""
    for _ in range(commands.QUESTIONS + 20):
        await bench.ask("status ml-prod trainer-7", user="erin")

    assert len(await bench.trail("refused")) == commands.QUESTIONS


async def test_a_status_is_remembered_for_some_seconds(bench: Bench) -> None:
    """One read serves all who ask within a few seconds, at once or one by one."""
    names = ("ann", "bob", "carol", "dave", "gina")
    asked = [bench.ask("status ml-prod trainer-7", user=one) for one in names]
    answers = [
        *await asyncio.gather(*asked),
        await bench.ask("status ml-prod trainer-7"),
    ]

    assert all("ACTIVE" in text_of(one) for one in answers)
    assert len(bench.looks()) == 1


async def test_a_status_that_cannot_be_read_is_not_asked_for_again(
    bench: Bench,
) -> None:
    """A cloud that fails is not asked again by each who wants to know."""
    bench.fail("read", times=None, cut=True)

    for _ in range(10):
        assert "could not be read" in text_of(await bench.ask("status ml-prod flaky-1"))

    assert len(bench.looks()) == 2  # its status, and its name for the rules


async def test_a_status_from_before_a_restart_is_not_told_after_it(
    bench: Bench,
) -> None:
    """Who asks right after the restart gets what the cloud says now."""
    assert "ACTIVE" in text_of(await bench.ask("status ml-prod trainer-7"))
    bench.hold()
    await bench.ask("restart ml-prod trainer-7")
    await bench.rebooting()

    assert "REBOOTING" in text_of(await bench.ask("status ml-prod trainer-7"))
    bench.go_on()
    await bench.wait_for(bench.followups)


async def test_two_hundred_questions_do_not_delay_a_restart(make_bench) -> None:
    """While everybody asks thirty times, about any instance, what somebody on call
    restarts goes to the cloud at once.
    """
    bench: Bench = await make_bench(rules=GATES + OPEN, calls_per_minute=60)
    users = [
        user.name for user in bench.slack.directory.users.values() if not user.is_bot
    ]
    boxes = [f"{OTHER}{number:012x}" for number in range(200)]
    asks = [
        asyncio.create_task(
            bench.ask(f"status ml-prod {box}", user=users[n % len(users)])
        )
        for n, box in enumerate(boxes)
    ]
    await bench.wait_for(lambda: len(bench.looks()) >= 20)
    loop = asyncio.get_running_loop()
    began = loop.time()

    await bench.ask("restart ml-prod trainer-7", user="bob")
    await bench.wait_for(lambda: bench.sent)

    assert loop.time() - began < 5
    for ask in asks:
        ask.cancel()


async def test_a_home_page_asks_the_cloud_nothing(make_bench) -> None:
    """With 150 instances it is drawn at once, without one call, and shows of each what
    was seen last, with its age.
    """
    bench: Bench = await make_bench(rules=GATES + OPEN)
    many = "\n".join(
        f'box-{n:03} = "{TRAINER if n == 3 else OTHER + f"{n:012x}"}"'
        for n in range(150)
    )
    text = bench.path.read_text("utf-8")
    named = "[projects.ml-prod.instances]"
    text = text.replace(f'trainer-7 = "{TRAINER}"', "")
    bench.path.write_text(text.replace(named, f"{named}\n{many}"), "utf-8")
    bench.bot.reload()

    await bench.slack.open_home("ann")
    page = await bench.wait_for(lambda: bench.slack.home("ann"))

    assert text_of(page).count(": not looked at yet") == BOXES
    assert "and 134 more" in text_of(page)
    assert bench.looks() == []
    assert "ago" not in text_of(page)

    await bench.ask("status ml-prod box-003")
    await bench.slack.open_home("bob")
    page = await bench.wait_for(lambda: bench.slack.home("bob"))

    assert "✅ box-003: ACTIVE, just now" in text_of(page)
    found = await bench.slack.suggest("bob", page, FIND, "-00")
    labels = [one["text"]["text"] for one in found.ack["options"]]
    assert labels[2:5] == [
        "box-002 in ml-prod",
        "box-003 in ml-prod · ACTIVE, just now",
        "box-004 in ml-prod",
    ]
    assert len(bench.looks()) == 1

    chosen = found.ack["options"][3]["value"]
    await bench.slack.click("bob", page, FIND, value=chosen)
    (view,) = await bench.wait_for(lambda: bench.slack.views("bob"))
    assert "box-003" in str(view.blocks)
