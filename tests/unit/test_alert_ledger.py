"""What holds for alerts over all replicas: each kept once, limits, one who tells."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot.ledger import Ledger
from bot.ledger.alert_tables import alerts, cards, notes
from bot.model import Aftermath, Alert, KnownAlert, Sender, State, Target, aftermath
from tests.support.ledger_world import NOON, Clock, asking, boxed, opened, together

FEW = timedelta(minutes=3)


@pytest.fixture
def clock() -> Clock:
    """Return the clock of all replicas."""
    return Clock()


@pytest.fixture
def replicas(tmp_path: Path, clock: Clock) -> Iterator[list[Ledger]]:
    """Return two ledgers over one database."""
    path = tmp_path / "bot.db"
    both = [opened(path, now=clock), opened(path, now=clock, clean=hidden)]
    yield both
    for ledger in both:
        ledger.close()


def hidden(text: str) -> str:
    """Take a secret out."""
    return text.replace("s3cret", "[hidden]")


def firing(number: int = 1, **more: Any) -> Alert:
    """Return an alert with a *number*."""
    plain = {"sender": Sender.ALERTMANAGER, "key": f"key-{number}", "name": "Stuck"}
    return Alert(**{**plain, "began": NOON - FEW, **more})


async def restarted(ledger: Ledger, target: Target, name: str = "r") -> None:
    """Let an instance be restarted now, and be ready at once."""
    await ledger.record(asking(name, target=target))
    await ledger.move(name, State.RESTARTING, message_ts="1.5")
    await ledger.take_send(name, "life")
    await ledger.answered(name, "accepted")
    await ledger.move(name, State.READY)


async def test_one_card_a_minute_and_instance_ten_a_sender(replicas, clock):
    """Whichever replica hears of them: the others are one message of each sender."""
    one, two = replicas
    for number in range(30):
        about = [(firing(number), boxed(number)), (firing(99 + number), boxed(number))]
        await (one, two)[number % 2].hear(about, "C1")
    await two.hear([(firing(sender=Sender.GRAFANA), boxed(99))], "C1")

    found = await one.take_cards()

    more = [card for card in found if card.more]
    assert [(card.sender, card.count) for card in more] == [(Sender.ALERTMANAGER, 50)]
    assert len(more[0].alerts) == 10
    own = [card.sender for card in found if not card.more]
    assert (own.count("alertmanager"), own.count("grafana")) == (10, 1)
    assert found[0].more  # it is due within seconds
    clock.ahead(seconds=61)
    await one.hear([(firing(500), boxed(1))], "C1")
    assert [card.more for card in await two.take_cards()][-1:] == [False]


async def test_of_two_replicas_one_draws(replicas, clock):
    """What one has begun to draw the other leaves alone, unless that one has died."""
    one, two = replicas
    await one.hear([(firing(), boxed(1))], "C1")
    found = await together(one.take_cards(), two.take_cards())
    (card,) = [card for each in found for card in each]
    clock.ahead(seconds=31)
    (again,) = await two.take_cards()
    await two.drawn(again, "1.5")

    assert again == card
    assert await one.take_cards() == []
    clock.ahead(seconds=1)
    await one.hear([(firing(), boxed(1))], "C1")
    assert [(c.ts, c.alerts[0].times) for c in await one.take_cards()] == [("1.5", 2)]


async def test_a_card_is_kept_up_to_date_however_old_it_is(replicas, clock):
    """It says the end hours later; and what nobody could be shown for hours is shown,
    the untried before what was tried in vain.
    """
    ledger, _ = replicas
    await ledger.hear([(firing(1), boxed(1)), (firing(2), boxed(1))], "C1")
    for card in await ledger.take_cards():
        await ledger.drawn(card, "1.5")
    await ledger.hear([(firing(3), boxed(2))], "C1")
    await ledger.take_cards()  # which Slack does not take
    clock.ahead(hours=5)
    await ledger.hear([(firing(4), boxed(3))], "C1")
    over = [(firing(n, ended=clock()), boxed(1)) for n in (1, 2)]
    await ledger.hear(over, "C1")

    found = await ledger.take_cards()
    assert [(one.more, one.over, one.alerts[0].instance_id) for one in found] == [
        (True, 1, boxed(1).instance_id),
        (False, 1, boxed(1).instance_id),
        (False, 0, boxed(3).instance_id),
        (False, 0, boxed(2).instance_id),
    ]
    clock.ahead(days=2)
    assert await ledger.take_cards() == []


async def test_what_changes_while_it_is_drawn_is_drawn_anew(replicas, clock):
    """The last state is the one that is shown."""
    ledger, _ = replicas
    await ledger.hear([(firing(), boxed(1))], "C1")
    (card,) = await ledger.take_cards()
    await ledger.hear([(firing(ended=NOON), boxed(1))], "C1")
    await ledger.drawn(card, "1.5")

    (after,) = await ledger.take_cards()
    assert (after.over, after.count, after.ts) == (1, 1, "1.5")


async def test_of_two_replicas_one_tells_and_once(replicas, clock):
    """A thread is told of an end once; who died on the way has it told half a minute
    later by another one.
    """
    one, two = replicas
    await one.hear([(firing(), boxed(1))], "C1")
    await restarted(one, boxed(1))
    clock.ahead(minutes=3)
    await two.hear([(firing(ended=clock()), boxed(1))], "C1")

    found = await together(one.take_outcomes(), two.take_outcomes())
    assert [told.aftermath for each in found for told in each] == [Aftermath.CLEARED]
    assert await one.take_outcomes() == []  # it is being told
    clock.ahead(seconds=31)
    (told,) = await two.take_outcomes()
    assert (told.restart.request.id, told.restart.message_ts) == ("r", "1.5")
    await two.outcome_told(told)
    clock.ahead(hours=1)
    await one.hear([(firing(ended=NOON), boxed(1))], "C1")
    assert await one.take_outcomes() == []


async def test_an_end_whose_beginning_nobody_heard_is_told(replicas, clock):
    """It fired while the bot could not hear it, and was restarted all the same; of what
    no restart came after, nothing is told.
    """
    ledger, _ = replicas
    await restarted(ledger, boxed(1))
    clock.ahead(minutes=3)
    ended = firing(ended=clock()), firing(2, ended=clock())
    await ledger.hear(list(zip(ended, (boxed(1), boxed(2)), strict=True)), "C1")
    (told,) = await ledger.take_outcomes()
    assert (told.aftermath, told.restart.request.id) == (Aftermath.CLEARED, "r")
    await ledger.outcome_told(told)
    clock.ahead(minutes=3)
    assert await ledger.take_outcomes() == []
    assert await ledger.take_cards() == []


async def test_the_last_restart_before_the_end_is_meant(replicas, clock):
    """Of several the last; one after everybody knew of the end is none of its."""
    ledger, _ = replicas
    await ledger.hear([(firing(), boxed(1))], "C1")
    for name in ("first", "second"):
        clock.ahead(minutes=5)
        await restarted(ledger, boxed(1), name)
    clock.ahead(minutes=1)
    await ledger.hear([(firing(ended=clock()), boxed(1))], "C1")
    clock.ahead(minutes=1)
    await restarted(ledger, boxed(1), "later")

    (told,) = await ledger.take_outcomes()
    assert told.restart.request.id == "second"


@pytest.mark.parametrize(
    ("ended", "heard", "passed", "said"),
    [
        (None, 0, 1799, None),
        (None, 1, 1800, Aftermath.FIRING),
        (None, -1, 1800, Aftermath.SILENT),
        (60, 61, 61, Aftermath.CLEARED),
        (-60, 61, 61, Aftermath.BEFORE),
    ],
)
def test_what_can_be_said(ended, heard, passed, said):
    """Only what the sender has said, by its clock; seconds are after the restart."""

    def at(seconds: int):
        return NOON + timedelta(seconds=seconds)

    known = KnownAlert(
        *("a", Sender.GRAFANA, "p", "i", "Stuck", "", "", NOON - FEW),
        None if ended is None else at(ended),
        no_data=False,
        heard_at=at(heard),
        times=1,
    )
    assert aftermath(known, NOON, at(passed)) is said


async def test_a_late_firing_does_not_undo_an_end(replicas, clock):
    """What fires again a good while later does, and is watched again."""
    ledger, _ = replicas
    about = boxed(1)
    await ledger.hear([(firing(), about)], "C1")
    await ledger.hear([(firing(ended=NOON), about)], "C1")
    await ledger.hear([(firing(), about)], "C1")
    (card,) = await ledger.take_cards()
    assert card.over == 1
    clock.ahead(minutes=5)
    await ledger.hear([(firing(), about)], "C1")
    (card,) = await ledger.take_cards()
    assert card.over == 0


async def test_a_told_time_decides_which_word_is_later(replicas, clock):
    """Where the sender says when it said so, that counts, however late it comes."""
    ledger, _ = replicas
    ended, reopened = NOON, NOON + timedelta(seconds=20)
    for said_at, over in ((ended, ended), (NOON - FEW, None), (reopened, None)):
        alert = firing(sender=Sender.PAGERDUTY, ended=over, said_at=said_at)
        await ledger.hear([(alert, boxed(1))], "C1")
        known = await ledger.alert((await _only(ledger, alerts))["id"])
        assert (known.ended is None) is (said_at == reopened)


async def test_secrets_are_not_kept(replicas):
    """What looks like one in a sender's words is hidden before it is written."""
    _, clean = replicas
    await clean.hear([(firing(summary="s3cret"), boxed(1))], "C1")
    assert (await _only(clean, alerts))["summary"] == "[hidden]"


async def test_a_note_is_due_once_its_request_has_ended(replicas, clock):
    """One replica writes it; one that was begun comes again, with what was tried."""
    one, two = replicas
    await one.hear([(firing(incident="PINC1"), boxed(1))], "C1")
    alert_id = (await _only(one, alerts))["id"]
    await one.record(asking("r", target=boxed(1), alert=alert_id))
    assert await one.take_notes() == []
    await one.move("r", State.NOT_RESTARTED)

    found = await together(one.take_notes(), two.take_notes())
    (note,) = [note for each in found for note in each]
    assert (note.incident, note.record.request.id, note.tries) == ("PINC1", "r", 0)
    assert await two.take_notes() == []
    clock.ahead(seconds=61)
    (again,) = await two.take_notes()
    assert again.tries == 1
    await two.note_written("r")
    clock.ahead(minutes=5)
    assert await one.take_notes() == []


async def test_a_private_refusal_is_not_noted(replicas, clock):
    """It reaches nobody else; what was refused after all had read of it is noted."""
    ledger, _ = replicas
    await ledger.hear([(firing(incident="PINC1"), boxed(1))], "C1")
    alert_id = (await _only(ledger, alerts))["id"]
    refused = asking("no", target=boxed(1), alert=alert_id)
    await ledger.record(refused, refusal="Not you.")
    assert await ledger.take_notes() == []

    await ledger.record(asking("late", target=boxed(1), alert=alert_id))
    await ledger.move("late", State.REFUSED, detail="Frozen since.")
    (note,) = await ledger.take_notes()
    assert note.request_id == "late"


async def test_what_is_old_is_forgotten(replicas, clock):
    """Of all three tables, what was not heard of for as long."""
    ledger, _ = replicas
    await ledger.hear([(firing(incident="PINC1"), boxed(1))], "C1")
    alert_id = (await _only(ledger, alerts))["id"]
    await ledger.record(asking("r", target=boxed(1), alert=alert_id))
    await ledger.move("r", State.NOT_RESTARTED)
    await ledger.take_notes()
    clock.ahead(days=1)
    await ledger.hear([(firing(2), boxed(2))], "C1")

    await ledger.forget_alerts(clock() - timedelta(hours=1))

    assert [await _count(ledger, table) for table in (alerts, cards, notes)] == [
        1,
        1,
        0,
    ]


async def test_no_look_reads_a_whole_table(replicas):
    """However many alerts there have been, a look at what is due costs the same."""
    ledger, _ = replicas
    await ledger.hear([(firing(), boxed(1))], "C1")
    sent: list[tuple[str, Any]] = []
    sa.event.listen(
        ledger.database.engine,
        "before_cursor_execute",
        lambda _c, _cursor, sql, values, *_: sent.append((sql, values)),
    )
    await ledger.hear([(firing(), boxed(1)), (firing(2), boxed(2))], "C1")
    await ledger.take_outcomes()
    await ledger.take_notes()
    await ledger.take_cards()

    with ledger.database.reading() as connection:
        for sql, values in [one for one in sent if one[0].startswith("SELECT")]:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values)
            steps = [str(row[-1]) for row in plan]
            whole = [s for s in steps if re.fullmatch(r"SCAN mlstudio_\w+", s)]
            assert not whole, (sql, steps)


async def _only(ledger: Ledger, table: sa.Table) -> sa.RowMapping:
    with ledger.database.reading() as connection:
        return connection.execute(table.select()).mappings().one()


async def _count(ledger: Ledger, table: sa.Table) -> int:
    with ledger.database.reading() as connection:
        return len(connection.execute(table.select()).all())
