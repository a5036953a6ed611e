"""Watching many notebooks of a project costs one list a look, not one read each."""

import asyncio
from dataclasses import replace

import pytest

from bot.cloud import Rank, notebook
from bot.demo.cloud_http import Fault, html
from bot.errors import CloudGone, CloudUnknown
from tests.wire.test_notebooks import TARGET, Side, many, side, uuid

__all__ = ["side"]  # the fixture


def watched(number: int):
    """Return targets for the first of the *many* notebooks."""
    return [replace(TARGET, instance_id=uuid(100 + n)) for n in range(number)]


async def look(side: Side, targets):
    """Look at all *targets* at the same time."""
    return await asyncio.gather(
        *(side.cloud.read(target, rank=Rank.LOOK) for target in targets),
        return_exceptions=True,
    )


@pytest.mark.parametrize("side", [many(45)], indirect=True)
async def test_many_looks_are_one_list(side: Side):
    """Forty looks at the same time are one page."""
    side.far.put("box-7", "STOPPED")

    seen = await look(side, watched(40))

    assert [one.id for one in seen] == [target.key for target in watched(40)]
    assert [one.name for one in seen if one.status == "STOPPED"] == ["box-7"]
    assert all(one.read_ms for one in seen)
    assert (side.asked("read"), side.asked("list")) == (0, 1)


@pytest.mark.parametrize("side", [many(120)], indirect=True)
async def test_few_looks_at_a_long_list_are_reads(side: Side):
    """Where reading each costs less than the list, each is read."""
    await look(side, watched(40))  # learns that the list has three pages
    side.far.calls.clear()
    side.cloud._looks["ml-nb", Rank.LOOK]._asked.clear()

    await look(side, watched(3))

    assert (side.asked("read"), side.asked("list")) == (3, 0)


@pytest.mark.parametrize("side", [many(45)], indirect=True)
async def test_a_look_is_never_older_than_its_question(side: Side):
    """Who asks while a list is on its way is answered by the next one."""
    side.far.faults.plant("list", Fault(delay_s=0.5))
    listing = asyncio.Event()
    side.far.on_change.append(lambda _: side.asked("list") and listing.set())
    before = asyncio.gather(*(side.cloud.read(t, rank=Rank.LOOK) for t in watched(9)))
    await listing.wait()
    side.far.put("box-0", "STOPPED")

    after = await side.cloud.read(watched(1)[0], rank=Rank.LOOK)
    await before

    assert after.status == "STOPPED"
    assert side.asked("list") == 2


@pytest.mark.parametrize("side", [many(120)], indirect=True)
async def test_a_page_that_is_asked_for_later_answers_who_came_in_between(side: Side):
    """Who asks during a list need not wait for the next, if his page is yet to come."""
    await look(side, watched(40))  # learns that the list has three pages
    side.far.calls.clear()
    side.far.faults.plant("list", Fault(delay_s=0.5))  # the first page, the newest
    listing = asyncio.Event()
    side.far.on_change.append(lambda _: side.asked("list") and listing.set())
    before = asyncio.gather(*(side.cloud.read(t, rank=Rank.LOOK) for t in watched(9)))
    await listing.wait()
    side.far.put("box-0", "STOPPED")  # the oldest: on the last page

    after = await side.cloud.read(watched(1)[0], rank=Rank.LOOK)
    await before

    assert after.status == "STOPPED"
    assert (side.asked("list"), side.asked("read")) == (3, 0)


@pytest.mark.parametrize("side", [many(45)], indirect=True)
async def test_what_is_on_no_page_is_read(side: Side):
    """A notebook that is gone is said to be gone, though a list cannot tell."""
    side.far.put("box-3", "DELETED")

    seen = await look(side, watched(9))

    assert [type(one) for one in seen].count(CloudGone) == 1
    assert isinstance(seen[3], CloudGone)


@pytest.mark.parametrize("side", [many(45)], indirect=True)
async def test_a_list_that_fails_is_a_look_that_fails(side: Side):
    """Nobody waits for ever, and the next look asks anew."""
    side.far.faults.plant("list", Fault(reply=html(502, "Bad Gateway")))

    failed = await look(side, watched(9))
    seen = await look(side, watched(9))

    assert [type(one) for one in failed] == [CloudUnknown] * 9
    assert [one.status for one in seen] == ["RUNNING"] * 9


@pytest.mark.parametrize("side", [many(45)], indirect=True)
async def test_who_may_not_list_reads(side: Side):
    """Without the permission to list each is read, and no list is tried for a while."""
    side.far.notebooks.may_list_all = False

    seen = await look(side, watched(9))
    seen += await look(side, watched(9))

    assert [one.status for one in seen] == ["RUNNING"] * 18
    assert side.asked("list") == 1


@pytest.mark.parametrize("side", [many(45)], indirect=True)
async def test_a_look_before_an_act_is_a_read(side: Side):
    """What decides about an act is read by itself, and at once."""
    await look(side, watched(9))
    side.far.calls.clear()

    await side.cloud.read(TARGET)

    assert (side.asked("read"), side.asked("list")) == (1, 0)


@pytest.mark.parametrize("side", [many(45)], indirect=True)
async def test_a_fault_of_our_own_leaves_nobody_waiting(side: Side, monkeypatch):
    """Even what nobody has thought of ends the looks, as ones that failed."""
    await look(side, watched(9))
    monkeypatch.setattr(notebook, "instances", lambda _: 1 / 0)

    async with asyncio.timeout(5):
        seen = await look(side, watched(9))

    worker = side.cloud._looks["ml-nb", Rank.LOOK]._worker
    assert isinstance(worker.exception(), ZeroDivisionError)
    assert [type(one) for one in seen] == [CloudUnknown] * 9


@pytest.mark.parametrize("side", [many(45)], indirect=True)
async def test_a_look_that_is_given_up_leaves_the_others_alone(side: Side):
    """Who stops waiting takes nothing from those who go on."""
    looks = [
        asyncio.create_task(side.cloud.read(target, rank=Rank.LOOK))
        for target in watched(9)
    ]
    await asyncio.sleep(0.05)
    looks[4].cancel()

    seen = await asyncio.gather(*looks, return_exceptions=True)

    assert [type(one) for one in seen].count(asyncio.CancelledError) == 1
    assert sum(getattr(one, "status", "") == "RUNNING" for one in seen) == 8
