"""Several replicas on one PostgreSQL are one bot, whichever of them dies or freezes."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from bot.demo.cloud_http import Fault
from bot.demo.deliveries import Delivery
from bot.model import State
from bot.restarts.engine.replicas import PEERS_EVERY_S
from bot.slack.messages.approval import APPROVE, DENY
from tests.support.postgres import Postgres
from tests.support.processes import Count, Running, Site, count, request_of, until

pytestmark = [pytest.mark.postgres, pytest.mark.process]

BOX, GATED = "trainer-7", "gated-1"
TAKEN_OVER_WITHIN_S = 15.0
FROZEN_S = 2 * PEERS_EVERY_S + 0.5  # the other one looks after its peers twice
TOLD = Count(
    state=State.READY,
    posts=1,
    ends=("ready",),
    transitions=1,
    followups=1,
    early=0,
    messages=2,
)
APPROVED = Count(
    state=State.READY,
    posts=1,
    ends=("ready",),
    transitions=1,
    followups=1,
    early=0,
    messages=3,
)
Open = Callable[..., Awaitable[Site]]


@pytest_asyncio.fixture
async def replicas(server: Postgres, tmp_path: Path) -> AsyncIterator[Open]:
    """Return a function that opens both far sides with so many replicas."""
    async with AsyncExitStack() as stack:

        async def open_site(number: int) -> Site:
            site = Site(tmp_path, database=server.database())
            await stack.enter_async_context(site)
            for _ in range(number):
                await site.start()
            return site

        yield open_site


def who_acts(site: Site, delivery: Delivery, step: str) -> Running | None:
    """Return the replica that has done a *step* of a story, if one has."""
    for running in site.running:
        for event in running.events():
            if (event.get("request"), event.get("step"), event.get("event")) == (
                request_of(delivery),
                step,
                "step done",
            ):
                return running
    return None


async def in_charge(site: Site, delivery: Delivery, step: str) -> Running:
    """Return the replica that tells a story, once it has done a *step*."""
    found = await until(lambda: who_acts(site, delivery, step), what=step)
    if found is None:
        raise AssertionError("unreachable")
    return found


def others(site: Site, one: Running) -> list[Running]:
    """Return the replicas but one."""
    return [running for running in site.running if running is not one]


# --- as long as all live --------------------------------------------------------------


async def test_a_click_that_lands_on_another_replica_counts(replicas: Open):
    """It does not matter which replica a click reaches."""
    site = await replicas(2)
    delivery = await site.ask(GATED)
    runner = await in_charge(site, delivery, "card")
    (other,) = others(site, runner)
    # Deliveries go round: help goes to one of the two until a click is the other's.
    while not any(event["event"] == "command" for event in other.events()):
        await site.slack.command("ann", "incidents", "help")
    runner.send(signal.SIGSTOP)
    (card,) = site.open_cards()
    while not (await site.slack.click("bob", card, APPROVE)).ok:
        pass  # it went to the frozen one
    runner.send(signal.SIGCONT)
    await site.seen_rebooting(GATED)
    site.finish_reboot(GATED)
    assert await count(site, delivery, GATED) == APPROVED


async def test_one_restart_of_an_instance_over_all_replicas(replicas: Open):
    """People who ask several replicas in one moment get one restart, and its end."""
    site = await replicas(2)
    asks = [
        site.ask(BOX, user=user, channel=channel)
        for user, channel in (
            ("ann", "incidents"),
            ("bob", "ml-ops"),
            ("gina", "incidents"),
            ("carol", "ml-ops"),
        )
    ]
    deliveries = await asyncio.gather(*asks)
    await site.seen_rebooting(BOX)

    async def one_for_all() -> bool:
        host, *more = await site.ledger.open_requests()
        joined = await site.ledger.joined(host.request.id)
        return not more and len(joined) == len(deliveries) - 1

    await until(one_for_all)
    site.finish_reboot(BOX)
    await until(lambda: told_all(site))
    assert site.posts(BOX) == 1


def told_all(site: Site) -> bool:
    """Whether everybody who asked was mentioned in a follow-up of his channel."""
    here = {"incidents": ("U0ANN", "U0GINA"), "ml-ops": ("U0BOB", "U0CAROL")}
    return all(
        any(
            f"<@{user}>" in post.text and "is ready" in post.text
            for post in site.said(channel)
        )
        for channel, users in here.items()
        for user in users
    )


async def test_the_same_delivery_to_two_replicas_is_one_request(replicas: Open):
    """A delivery that Slack repeats, to whomever, is one request and one restart."""
    site = await replicas(2)
    delivery = await site.ask(BOX)
    again = await asyncio.gather(*(site.slack.redeliver(delivery) for _ in range(4)))
    assert all(one.ok for one in again)
    await site.seen_rebooting(BOX)
    site.finish_reboot(BOX)
    assert await count(site, delivery, BOX) == TOLD
    assert len(await site.ledger.recent(limit=9)) == 1


# --- one dies -------------------------------------------------------------------------


async def test_another_replica_goes_on_watching(replicas: Open):
    """Whoever watches a restart may die: another one tells its end, within seconds."""
    site = await replicas(2)
    delivery = await site.ask(BOX)
    runner = await in_charge(site, delivery, "send")
    await site.seen_rebooting(BOX)
    await runner.kill()
    site.finish_reboot(BOX)
    assert await count(site, delivery, BOX, TAKEN_OVER_WITHIN_S) == TOLD


async def test_another_replica_goes_on_waiting_for_approval(replicas: Open):
    """Whoever waits for approval may die: the click counts with another one."""
    site = await replicas(2)
    delivery = await site.ask(GATED)
    runner = await in_charge(site, delivery, "card")
    await runner.kill()
    await site.approve()
    await site.seen_rebooting(GATED)
    site.finish_reboot(GATED)
    assert await count(site, delivery, GATED, TAKEN_OVER_WITHIN_S) == APPROVED


async def test_a_call_that_dies_with_its_replica_is_not_repeated(replicas: Open):
    """A restart whose answer nobody can know any more is watched, never sent again."""
    site = await replicas(2)
    site.cloud.faults.plant("restart", Fault(delay_s=2.0))
    delivery = await site.ask(BOX)
    await until(lambda: site.posts(BOX))
    runner = await in_charge(site, delivery, "announce")
    await runner.kill()
    counted = await count(site, delivery, BOX, TAKEN_OVER_WITHIN_S)
    assert (counted.state, counted.posts) == (State.UNKNOWN, 1)
    assert counted.followups == 1


async def test_the_last_of_three_tells_it(replicas: Open):
    """Two of three may die one after the other: the last one tells the end."""
    site = await replicas(3)
    delivery = await site.ask(BOX)
    await site.seen_rebooting(BOX)
    first = await in_charge(site, delivery, "send")
    await first.kill()
    begun = time.time()
    await site.seen_rebooting(BOX, begun)
    left = others(site, first)
    await left[0].kill()
    site.finish_reboot(BOX)
    assert await count(site, delivery, BOX, TAKEN_OVER_WITHIN_S) == TOLD


async def test_a_replica_that_is_stopped_hands_over(replicas: Open):
    """Stopped in order, a replica leaves its stories to the others."""
    site = await replicas(2)
    delivery = await site.ask(BOX)
    runner = await in_charge(site, delivery, "send")
    await site.seen_rebooting(BOX)
    runner.send(signal.SIGTERM)
    assert await runner.ended(10) == 0
    site.finish_reboot(BOX)
    assert await count(site, delivery, BOX, TAKEN_OVER_WITHIN_S) == TOLD


# --- one freezes ----------------------------------------------------------------------


@pytest.mark.parametrize("step", ["examine", "announce", "send"])
async def test_a_frozen_replica_repeats_nothing_when_it_wakes(
    replicas: Open, step: str
):
    """A replica that was frozen in the middle goes on, and nothing is done twice."""
    site = await replicas(2)
    delivery = await site.ask(BOX)
    runner = await in_charge(site, delivery, step)
    runner.send(signal.SIGSTOP)
    await asyncio.sleep(FROZEN_S)  # how long it is frozen, not a wait for something
    runner.send(signal.SIGCONT)
    await site.seen_rebooting(BOX)
    site.finish_reboot(BOX)
    assert await count(site, delivery, BOX) == TOLD


# --- the database goes ----------------------------------------------------------------


async def test_the_database_goes_and_comes_back(replicas: Open, server: Postgres):
    """Without PostgreSQL nothing is taken on; with it again nothing is lost."""
    site = await replicas(2)
    watched = await site.ask(BOX)
    await site.seen_rebooting(BOX)
    gated = await site.ask(GATED)

    async def card_is_on_record() -> bool:  # what is not, is posted once more
        record = await site.record(gated)
        return record is not None and bool(record.card_ts)

    await until(card_is_on_record)
    await asyncio.to_thread(server.stop)
    try:
        for _ in range(2):
            refused = await site.ask("other")
            assert "could not record" in refused.text or (
                "I could not find that out" in refused.text
            )
        (card,) = site.open_cards()
        assert (await site.slack.click("bob", card, DENY)).ok
        assert (await site.slack.click("carol", card, APPROVE)).ok
        site.finish_reboot(BOX)
    finally:
        await asyncio.to_thread(server.start)
    assert await count(site, watched, BOX) == TOLD
    await site.approve()
    await site.seen_rebooting(GATED)
    site.finish_reboot(GATED)
    assert await count(site, gated, GATED) == APPROVED
    assert site.posts("other") == 0


async def test_stopped_without_its_database(replicas: Open, server: Postgres):
    """Even without its database a replica stops in time, and loses nothing."""
    site = await replicas(1)
    delivery = await site.ask(BOX)
    await site.seen_rebooting(BOX)
    await asyncio.to_thread(server.stop)
    try:
        site.finish_reboot(BOX)
        (bot,) = site.running
        await until(lambda: any("database" in word for word in bot.words))
        bot.send(signal.SIGTERM)
        assert await bot.ended(10) == 0
    finally:
        await asyncio.to_thread(server.start)
    await site.start()
    assert await count(site, delivery, BOX) == TOLD


async def test_stopped_while_its_database_hangs(replicas: Open, server: Postgres):
    """Not even a database that neither answers nor refuses keeps a replica running."""
    site = await replicas(1)
    delivery = await site.ask(BOX)
    await site.seen_rebooting(BOX)
    server.signal(signal.SIGSTOP)
    try:
        refused = await site.ask("other")
        site.finish_reboot(BOX)
        (bot,) = site.running
        bot.send(signal.SIGTERM)
        assert await bot.ended(10) == 0
    finally:
        server.signal(signal.SIGCONT)
    await site.start()
    assert await count(site, delivery, BOX) == TOLD
    assert await site.record(refused) is None
    assert site.posts("other") == 0
