"""Whoever is on call is known from the source itself; in doubt, nobody is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from bot.demo.rota import Schedule, Shift
from bot.errors import (
    RotaDenied,
    RotaError,
    RotaOdd,
    RotaUnknownLine,
    RotaUnreachable,
)
from bot.listeners.requests import DECIDE_WITHIN_S
from bot.oncall import rotas
from tests.support.rota_world import HOUR, NOW, RotaWorld, rota_world

BOTH = pytest.mark.parametrize("line", ["pd", "irm"])


@pytest_asyncio.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RotaWorld]:
    monkeypatch.setattr(rotas, "APART_S", 0.0)
    monkeypatch.setattr("bot.oncall.grafana.SHIFTS_WITHIN_S", 20.0)
    async with rota_world() as opened:
        yield opened


def utc(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


# --- who it is ------------------------------------------------------------------------


@BOTH
async def test_who_is_on_call_is_known_with_the_end_of_the_shift(
    world: RotaWorld, line: str
) -> None:
    """Who is on call has a name, an id in Slack, and an end that a clock change in
    between does not move; at that instant it is the next one.
    """
    duty = await world.now(line)
    (ann,) = duty.people
    assert (ann.user_id, ann.label) == ("U0ANN", "Ann Okafor")
    assert (ann.until, ann.at_least) == (utc(NOW + HOUR), False)
    assert (duty.line, duty.read_at) == (line, utc(NOW))
    assert duty.source == {"pd": "PagerDuty", "irm": "Grafana"}[line]

    world.at = NOW + HOUR

    assert [ref for ref, _ in await world.people(line)] == ["PBOB"]


@BOTH
async def test_several_at_once_on_several_schedules_all_count(
    world: RotaWorld, line: str
) -> None:
    """A line of two schedules is their union, and each person is in it once."""
    server = world.server.rota.schedules
    server["P1"].shifts.append(Shift("PHUGO", NOW - 1, NOW + 60))
    server["P2"].shifts += [Shift("PANN", NOW - 1, NOW + 2 * HOUR)]
    world.change(line, schedule=("P1", "P2"))

    duty = await world.now(line)

    assert [one.ref for one in duty.people] == ["PANN", "PHUGO"]
    assert [one.until for one in duty.people] == [utc(NOW + 2 * HOUR), utc(NOW + 60)]
    assert duty.people[1].user_id is None  # the map does not know him


@BOTH
async def test_nobody_on_call_is_an_answer(world: RotaWorld, line: str) -> None:
    """A gap in the rota is nobody, and no error."""
    world.server.rota.schedules["P1"].hand_over("", NOW)

    assert (await world.now(line)).people == ()


@BOTH
async def test_no_email_address_is_asked_for_or_kept(
    world: RotaWorld, line: str
) -> None:
    """What the bot keeps of a person holds no address, even as a user name."""
    people = world.server.rota.people
    people["PANN"] = type(people["PANN"])("PANN", "ann@example.com", None)

    duty = await world.now(line)

    asked = {name for call in world.server.calls for name, _ in call.query}
    assert not asked & {"include[]", "earliest", "since", "until"}
    if line == "irm":
        assert "@" not in repr(duty)


async def test_a_row_counts_only_for_our_schedule_and_now(world: RotaWorld) -> None:
    """Rows of other schedules, of no schedule, begun later or over name nobody."""

    def row(schedule: str | None, start: float, end: float | None) -> str:
        ref = "null" if schedule is None else f'{{"id": "{schedule}"}}'
        until = "null" if end is None else f'"{utc(end):%Y-%m-%dT%H:%M:%SZ}"'
        return (
            f'{{"user": {{"id": "PANN", "summary": "Ann"}}, "schedule": {ref},'
            f' "start": "{utc(start):%Y-%m-%dT%H:%M:%SZ}", "end": {until}}}'
        )

    no_rows = (
        row("P9", NOW - 9, None),
        row(None, NOW - 9, None),
        row("P1", NOW + 9, None),
        row("P1", NOW - 9, NOW),
    )
    world.server.faults.body = f'{{"oncalls": [{",".join(no_rows)}], "more": false}}'
    assert (await world.now("pd")).people == ()
    permanent = row("P1", NOW, None)
    world.server.faults.body = f'{{"oncalls": [{permanent}], "more": false}}'

    (ann,) = (await world.now("pd")).people

    assert (ann.ref, ann.until) == ("PANN", None)


async def test_all_pages_or_nothing(world: RotaWorld) -> None:
    """Somebody on the third page is known; a page that fails is no answer at all."""
    schedule = world.server.rota.schedules["P1"]
    schedule.policies = tuple(f"PP{number}" for number in range(205))
    schedule.shifts += [Shift("PHUGO", NOW - 1, NOW + 1)]
    world.server.rota.schedules["P1"].shifts.reverse()
    assert {ref for ref, _ in await world.people("pd")} == {"PANN", "PHUGO"}
    assert [dict(call.query)["offset"] for call in world.server.calls] == [
        *("0", "100", "200", "300", "400")
    ]
    world.server.faults.statuses.extend([0, 0, 500])

    with pytest.raises(RotaUnreachable):
        await world.now("pd")


async def test_an_upgraded_schedule_is_read_like_any_other(world: RotaWorld) -> None:
    """Layers or shifts: the same call tells; on no policy there is nobody."""
    schedule = world.server.rota.schedules["P1"]
    schedule.upgraded = True
    assert await world.people("pd") == [("PANN", "U0ANN")]
    schedule.policies = ()

    assert await world.people("pd") == []


# --- who that is in Slack, by Grafana -------------------------------------------------


async def test_the_link_to_slack_counts_at_home_and_where_the_map_is_silent(
    world: RotaWorld,
) -> None:
    """Somebody's own link to our workspace is him, to another one nobody; what stands
    in the map comes first.
    """
    shifts = world.server.rota.schedules["P1"].shifts
    shifts += [Shift("PBOB", NOW - 1, NOW + 1), Shift("PHUGO", NOW - 1, NOW + 1)]
    assert await world.people("irm") == [
        ("PANN", "U0ANN"),
        ("PBOB", None),
        ("PHUGO", None),
    ]
    world.change("irm", people={"PANN": "U0GINA", "PBOB": "U0BOB"})

    assert await world.people("irm") == [
        ("PANN", "U0GINA"),
        ("PBOB", "U0BOB"),
        ("PHUGO", None),
    ]


async def test_a_shift_beyond_what_was_asked_is_at_least_so_long(
    world: RotaWorld,
) -> None:
    """The end of the days asked for is said to be no end; shifts that follow on are
    one.
    """
    schedule = world.server.rota.schedules["P1"]
    schedule.shifts = [
        Shift("PANN", NOW - 1, NOW + HOUR),
        Shift("PANN", NOW + HOUR, NOW + 2 * HOUR),
        Shift("PBOB", NOW - 1),
    ]

    ann, bob = (await world.now("irm")).people

    assert (ann.until, ann.at_least) == (utc(NOW + 2 * HOUR), False)
    assert (bob.until, bob.at_least) == (utc(NOW + 14 * 24 * HOUR), True)


async def test_without_the_ends_of_shifts_it_is_still_known_who_it_is(
    world: RotaWorld,
) -> None:
    """That only the end cannot be had lets nobody wait; that a user cannot, does."""
    world.server.faults.statuses.extend([0, 0, 500])  # schedule, user, shifts
    (ann,) = (await world.now("irm")).people
    assert (ann.user_id, ann.until) == ("U0ANN", None)
    world.server.faults.statuses.extend([0, 500])

    with pytest.raises(RotaUnreachable):
        await world.now("irm")


@pytest.mark.parametrize(("form", "calls"), [("bare", 1), ("bearer", 2)])
async def test_either_form_of_the_token_works(
    world: RotaWorld, form: str, calls: int
) -> None:
    """The token goes out bare, and as a bearer only to who has refused that."""
    world.server.forms = {form}

    assert await world.people("irm") == [("PANN", "U0ANN")]
    asked = [call for call in world.server.calls if call.path.endswith("/P1/")]
    assert len(asked) == calls
    assert sum(call.status == 403 for call in world.server.calls) == calls - 1


async def test_a_stack_that_syncs_is_asked_once_more(world: RotaWorld) -> None:
    """The 429 of a first call is passed over; a second one refuses."""
    world.server.faults.statuses.append(429)
    assert await world.people("irm") == [("PANN", "U0ANN")]
    world.server.faults.statuses.extend([429, 429])

    with pytest.raises(RotaUnreachable):
        await world.now("irm")


# --- what goes wrong ------------------------------------------------------------------


ANSWERS: dict[int, type[RotaError]] = {
    **dict.fromkeys((400, 404), RotaUnknownLine),
    **dict.fromkeys((401, 402, 403), RotaDenied),
    **dict.fromkeys((408, 500, 503), RotaUnreachable),
    **dict.fromkeys((302, 406), RotaOdd),
}


@BOTH
async def test_every_failed_answer_is_one_sentence(world: RotaWorld, line: str) -> None:
    """Whatever the source answers, one sentence names the line and the source."""
    for status, error in ANSWERS.items():
        world.server.faults.every = status
        with pytest.raises(error) as caught:
            await world.now(line)
        said = str(caught.value)
        assert f"“{line}”" in said
        assert {"pd": "PagerDuty", "irm": "Grafana"}[line] in said
        assert said.endswith(".")
        assert world.server.pagerduty_token not in said
        assert world.server.grafana_token not in said


@BOTH
async def test_an_answer_without_sense_names_nobody(
    world: RotaWorld, line: str
) -> None:
    """Broken JSON, or JSON of another shape, is no answer."""
    for body in (" ", "{", "[]", "{}", '{"oncalls": {}, "on_call_now": 3}'):
        world.server.faults.body = body
        with pytest.raises(RotaOdd):
            await world.now(line)


async def test_pages_without_end_end(world: RotaWorld) -> None:
    """A source that always has more is not believed."""
    world.server.faults.body = '{"oncalls": [], "more": true}'

    with pytest.raises(RotaOdd):
        await world.now("pd")


async def test_an_answer_about_another_schedule_names_nobody(world: RotaWorld) -> None:
    """Grafana's answer has to be about the schedule that was asked for."""
    world.server.faults.body = '{"id": "P9", "on_call_now": ["PANN"]}'

    with pytest.raises(RotaOdd):
        await world.now("irm")


@BOTH
async def test_an_unknown_schedule_is_named(world: RotaWorld, line: str) -> None:
    """A schedule id that is none is said, with the key to mend."""
    world.change(line, schedule=("P1", "PNONE"))

    with pytest.raises(RotaUnknownLine, match="PNONE") as caught:
        await world.now(line)

    assert f"[oncall.{line}]" in caught.value.remedy


async def test_a_limit_is_kept_to(world: RotaWorld) -> None:
    """Who was asked too often is left alone for as long as he says, and all get to
    know it.
    """
    world.server.faults.left = 1
    await world.now("pd")

    with pytest.raises(RotaUnreachable, match="20 s"):
        await world.now("pd")
    asked = len(world.server.calls)
    with pytest.raises(RotaUnreachable, match="asked too often"):
        await world.now("pd")

    assert len(world.server.calls) == asked == 2


async def test_a_limit_without_a_word_on_its_end_lasts_a_minute(
    world: RotaWorld,
) -> None:
    """A bare 429 of PagerDuty's is taken for one of a whole window."""
    world.server.faults.left, world.server.faults.reset_s = 0, None

    with pytest.raises(RotaUnreachable, match="60 s"):
        await world.now("pd")


@BOTH
async def test_a_source_that_is_slow_or_away_is_given_up_in_time(line: str) -> None:
    """A command is answered in time, whatever the source does."""
    assert rotas.ROTA_WITHIN_S < DECIDE_WITHIN_S
    async with rota_world(within_s=0.05) as world:
        world.server.faults.delay_s = 60
        with pytest.raises(RotaUnreachable, match="did not answer within"):
            await world.now(line)
    async with rota_world() as world:
        await world.server.close()
        with pytest.raises(RotaUnreachable, match="refused"):
            await world.now(line)


async def test_a_key_of_another_region_is_explained(
    world: RotaWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refusal of a key says which region was asked, and how to ask the other."""
    monkeypatch.setattr(
        "bot.config.oncall.REGIONS",
        {"us": world.server.url, "eu": f"{world.server.url}/eu"},
    )
    world.server.pagerduty_token = "one-of-the-eu"
    world.change("pd", url=None)

    with pytest.raises(RotaDenied, match=r'another region.*"us"') as caught:
        await world.now("pd")

    assert 'region = "eu"' in caught.value.remedy


async def test_a_token_of_the_wrong_kind_is_explained() -> None:
    """PagerDuty's key in Grafana's place is refused in both forms, and says so."""
    async with rota_world(grafana_irm_token="y_NbAkKc66ryYTWUXYEu") as world:
        with pytest.raises(RotaDenied, match="GRAFANA_IRM_TOKEN is wrong") as caught:
            await world.now("irm")

        assert "glsa_" in caught.value.remedy
        assert len(world.server.calls) == 2


async def test_a_schedule_that_is_not_configured_counts_for_nothing(
    world: RotaWorld,
) -> None:
    """A new schedule counts once it is in the configuration, not before."""
    world.server.rota.schedules["P3"] = Schedule("P3", "x", [Shift("PHUGO", NOW - 1)])

    assert await world.people("pd") == [("PANN", "U0ANN")]
