"""Who asks who is on call may rely on an answer that is not older than the question."""

from __future__ import annotations

import asyncio

import pytest

from bot.config import OnCallSettings
from bot.errors import RotaUnknownLine, RotaUnreachable
from bot.model import OnCallPerson
from bot.oncall import Rotas, rotas

LINE = OnCallSettings(source="pagerduty", schedule=("P1",), people={"PANN": "U0ANN"})


class Source:
    """Somebody who is on call, and a count of the calls that asked for him."""

    def __init__(self) -> None:
        self.calls = 0
        self.on_call = "PANN"
        self.news = asyncio.Condition()
        self.gate = asyncio.Event()
        self.gate.set()
        self.fails = False

    async def called(self, times: int) -> None:
        """Return when it was called so often."""
        async with asyncio.timeout(20), self.news:
            await self.news.wait_for(lambda: self.calls >= times)

    async def read(
        self, line: str, settings: OnCallSettings
    ) -> tuple[OnCallPerson, ...]:
        self.calls, seen = self.calls + 1, self.on_call
        async with self.news:
            self.news.notify_all()
        await self.gate.wait()
        if self.fails:
            raise RotaUnreachable("away")
        return (OnCallPerson(seen, seen, settings.people.get(seen), None),)


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Source:
    monkeypatch.setattr(rotas, "APART_S", 0.0)
    monkeypatch.setattr(rotas, "ROTA_WITHIN_S", 20.0)
    return Source()


async def test_questions_of_one_moment_share_a_call(source: Source) -> None:
    """Twenty who ask at once are answered by one call."""
    port = Rotas(lambda: {"primary": LINE}, source.read)

    duties = await asyncio.gather(*(port.now("primary") for _ in range(20)))

    assert source.calls == 1
    assert {duty.people[0].user_id for duty in duties} == {"U0ANN"}
    assert {duty.source for duty in duties} == {"PagerDuty"}


async def test_a_question_is_never_answered_by_an_earlier_call(source: Source) -> None:
    """Who asks while a call is under way gets the answer of a later one."""
    port = Rotas(lambda: {"primary": LINE}, source.read)
    source.gate.clear()
    first = asyncio.create_task(port.now("primary"))
    await source.called(1)
    source.on_call = "PBOB"
    second = asyncio.create_task(port.now("primary"))
    await source.called(2)
    source.gate.set()

    assert (await first).people[0].ref == "PANN"
    assert (await second).people[0].ref == "PBOB"


async def test_what_is_shown_may_be_a_minute_old(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Showing asks once a minute; deciding asks each time."""
    port = Rotas(lambda: {"primary": LINE}, source.read)
    await port.shown("primary")
    source.on_call = "PBOB"

    assert (await port.shown("primary")).people[0].ref == "PANN"
    monkeypatch.setattr(rotas, "SHOWN_S", 0.0)
    assert (await port.shown("primary")).people[0].ref == "PBOB"
    assert source.calls == 2


async def test_what_failed_is_not_kept(source: Source) -> None:
    """A source that is back is believed at once, and one that is away is not shown."""
    port = Rotas(lambda: {"primary": LINE}, source.read)
    source.fails = True
    asked = await asyncio.gather(
        port.now("primary"), port.now("primary"), return_exceptions=True
    )
    assert [type(one) for one in asked] == [RotaUnreachable] * 2
    with pytest.raises(RotaUnreachable):
        await port.shown("primary")
    source.fails = False

    assert (await port.shown("primary")).people


async def test_a_reload_counts_at_once(source: Source) -> None:
    """A line that a reload changes is not shown from before, one that is gone is not
    known any more.
    """
    lines = {"primary": LINE}
    port = Rotas(lambda: lines, source.read)
    assert port.lines == ("primary",)
    await port.shown("primary")
    lines["primary"] = LINE.model_copy(update={"people": {"PANN": "U0GINA"}})
    assert (await port.shown("primary")).people[0].user_id == "U0GINA"
    lines.clear()

    with pytest.raises(RotaUnknownLine):
        await port.shown("primary")
    with pytest.raises(RotaUnknownLine):
        await Rotas().now("primary")


async def test_who_gives_up_takes_the_answer_from_nobody(source: Source) -> None:
    """One who waits no longer leaves the call to the others; a close ends it."""
    port = Rotas(lambda: {"primary": LINE}, source.read)
    source.gate.clear()
    hasty, patient = (asyncio.create_task(port.now("primary")) for _ in range(2))
    await source.called(1)
    hasty.cancel()
    source.gate.set()
    assert (await patient).people
    source.gate.clear()
    left = asyncio.create_task(port.now("primary"))
    await source.called(2)

    await port.close()

    with pytest.raises(asyncio.CancelledError):
        await left


async def test_a_call_that_somebody_has_given_up_goes_on(source: Source) -> None:
    """Who waits too long learns which line and source it was; what comes later is
    kept to be shown.
    """
    port = Rotas(lambda: {"primary": LINE}, source.read, within_s=0.05)
    source.gate.clear()

    with pytest.raises(RotaUnreachable, match=r"PagerDuty .*“primary”.* within 0.05 s"):
        await port.now("primary")
    (call,) = port._running
    source.gate.set()
    await call

    assert (await port.shown("primary")).people
    assert source.calls == 1
