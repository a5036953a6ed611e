"""Several instances in one go: confirmed once, approved once, restarted in turn."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio

from bot.demo.deliveries import Delivery
from bot.demo.instances import Reboot, ScriptedInstance
from bot.demo.posts import Post, View
from bot.demo.seed_world import Login, Project, World
from bot.listeners.payloads import delivery_of
from bot.model import ENDS, Record, State, request_id
from tests.support.bot_world import (
    ANN,
    BOB,
    GINA,
    Bench,
    benched,
    buttons,
    quick,
    text_of,
)
from tests.support.processes import until

RULES = """
[[rules]]
name = "never"
who = ["*"]
instances = ["closed-*"]
deny = true

[[rules]]
name = "a lead agrees"
who = ["@ml-oncall"]
instances = ["gated-*"]
reason = "required"
approval = { by = ["@ml-leads"], expires = "30s", break_glass = ["@ml-oncall"] }

[[rules]]
name = "two agree"
who = ["@ml-oncall"]
instances = ["vault-*"]
approval = { by = ["@ml-leads", "@sre"], needed = 2 }

[[rules]]
name = "on call"
who = ["@ml-oncall", "@ml-leads"]
"""
NAMES = (
    *(f"trainer-{number}" for number in range(1, 6)),
    *("gated-1", "gated-2", "gated-3", "vault-1", "closed-1"),
    *(f"many-{number}" for number in range(1, 22)),
)


def wide_world() -> World:
    """Return one project with many quick instances."""
    boxes = tuple(
        ScriptedInstance(id=id_of(name), name=name, owner="ann", reboot=quick())
        for name in NAMES
    )
    return World(
        login=Login("mlstudio-bot", "not-a-real-password", "OTC00000000001000000001"),
        keys={},
        projects=(Project("ml-prod", "a4a5d4098fb4474fa22cd05f897d6b99", boxes),),
    )


def id_of(name: str) -> str:
    """Return the id of an instance."""
    return f"00000000-0000-4000-8000-{name.encode().hex()[-12:]:0>12}"


@dataclass
class Batch:
    """What a test of batches drives, beside the bench."""

    bench: Bench
    busy: set[str] = field(default_factory=set)
    most_busy: int = 0

    def watch(self) -> None:
        """Count how many instances reboot at the same time."""

        def changed(event: object) -> None:
            current = getattr(event, "current", "")
            if not current:
                return
            instance = event.instance_id  # type: ignore[attr-defined]
            (self.busy.discard if current == "ACTIVE" else self.busy.add)(instance)
            self.most_busy = max(self.most_busy, len(self.busy))

        self.bench.cloud.on_change.append(changed)

    async def confirm(self, text: str, *, user: str = "ann") -> View:
        """Type a command, and return the confirmation that it opens."""
        return await self.bench.open_dialog(f"restart ml-prod {text}", user)

    async def ask(
        self, text: str, *, user: str = "ann", reason: str = "OOM", go_on: bool = False
    ) -> Delivery:
        """Ask for several restarts, and confirm them."""
        view = await self.confirm(text, user=user)
        return await self.submit(view, user=user, reason=reason, go_on=go_on)

    async def submit(
        self, view: View, *, user: str = "ann", reason: str = "OOM", go_on: bool = False
    ) -> Delivery:
        """Confirm what a dialog asks."""
        values = {"reason": reason, "go_on": ["go_on"] if go_on else []}
        delivery = await self.bench.slack.submit(user, view, values)
        assert delivery.ok, delivery.error
        return delivery

    async def records(self, delivery: Delivery, *names: str) -> list[Record]:
        """Return the records of what was confirmed, in the order of *names*."""
        sent = delivery_of(delivery.payload["view"])
        ids = [request_id(f"{sent} {id_of(name)}") for name in names]
        return [await self.bench.ledger.existing(one) for one in ids]

    async def ended(self, delivery: Delivery, *names: str) -> list[Record]:
        """Return them when the story of each has ended."""
        records = await self.records(delivery, *names)
        stories = [one.request.id for one in records if one.state is not State.JOINED]
        await asyncio.gather(*map(self.bench.end_of, stories))
        return await self.records(delivery, *names)

    async def under_way(self, count: int) -> Post:
        """Return the message as soon as it shows so many under way."""
        words = f"{count} under way"
        found = await self.bench.wait_for(
            lambda: [post for post in self.bench.posts() if words in post.text]
        )
        return found[0]

    def order(self) -> list[str]:
        """Return the names of the instances in the order of their restart calls."""
        name = {id_of(name): name for name in NAMES}
        return [name[call.instance] for call in self.bench.looks("restart")]

    def in_turn(self, *names: str) -> bool:
        """Say whether each was restarted once, in this order but for the two at a time.

        They claim their instances in order; of two that go together, either may be the
        quicker one on its way to the cloud.
        """
        order = self.order()
        place = {name: order.index(name) for name in order}
        return sorted(order) == sorted(names) and all(
            place[one] < place[later]
            for one, later in zip(names, names[2:], strict=False)
        )


@pytest_asyncio.fixture
async def batch(tmp_path: Path, hurried: None) -> AsyncIterator[Batch]:
    """Return a bench with many instances; two at a time."""
    async with AsyncExitStack() as stack:
        bench = await stack.enter_async_context(
            benched(tmp_path, rules=RULES, head="max_parallel = 2", world=wide_world())
        )
        made = Batch(bench)
        made.watch()
        yield made


def states(records: list[Record]) -> list[State]:
    """Return where records stand."""
    return [record.state for record in records]


READY = State.READY

# --- the whole job ------------------------------------------------------------------


async def test_one_confirmation_restarts_them_all_in_turn(batch: Batch) -> None:
    """One dialog, one message, one last word; each is restarted once, two at a time."""
    names = ("trainer-1", "trainer-2", "trainer-3", "trainer-4")
    view = await batch.confirm("trainer-1,trainer-2, trainer-3,trainer-4 OOM")
    for word in (*names, "ACTIVE", "at most 2 at a time", "on call"):
        assert word in text_of(view)
    delivery = await batch.submit(view)
    records = await batch.ended(delivery, *names)
    assert states(records) == [READY] * 4
    assert batch.in_turn(*names)
    assert batch.most_busy <= 2
    shown, told = batch.bench.posts()
    assert told.thread_ts == shown.ts
    assert told.reply_broadcast
    assert told.text.startswith(
        f"✅ Ready. {ANN}: all 4 instances in ml-prod are ready."
    )
    for name in names:
        assert re.search(rf"{name}: ✅ ready after .*ACTIVE → REBOOTING", shown.text)
    assert shown.text.startswith("✅ Ready: all 4 instances")
    assert "OOM" in shown.text
    assert all(record.told for record in records)
    assert len({record.request.batch for record in records}) == 1


async def test_a_pattern_stands_for_all_names_that_it_matches(batch: Batch) -> None:
    """A pattern over the project's names is as good as the names, each of them once."""
    names = [f"trainer-{number}" for number in range(1, 6)]
    delivery = await batch.ask("trainer-*,TRAINER-2")
    assert states(await batch.ended(delivery, *names)) == [READY] * 5
    assert batch.in_turn(*names)
    assert batch.most_busy <= 2


async def test_the_message_shows_where_each_stands(batch: Batch) -> None:
    """While it goes on, everybody sees what reboots and what is still to come."""
    batch.bench.hold()
    delivery = await batch.ask("trainer-1,trainer-2,trainer-3")
    shown = await batch.under_way(2)
    seen = r"trainer-[12]: 🔄 ACTIVE → REBOOTING, [a-z0-9 ]+ s\n"
    await batch.bench.wait_for(
        lambda: len(re.findall(seen, batch.bench.now(shown).text)) == 2
    )
    shown = batch.bench.now(shown)
    assert "2 under way, 1 to come" in shown.text
    assert "trainer-3: ⏳ waits for its turn" in shown.text
    assert "3 to come" in shown.history[0].text
    posted = batch.bench.slack.called("chat.postMessage")[0]
    assert posted.at < batch.bench.looks("restart")[0].at
    batch.bench.go_on()
    await batch.bench.wait_for(lambda: len(batch.order()) == 3)
    batch.bench.go_on()
    await batch.ended(delivery, "trainer-1", "trainer-2", "trainer-3")


async def test_each_has_its_own_lines_in_the_trail(batch: Batch) -> None:
    """Who asks later finds every step of each instance, and that none was changed."""
    delivery = await batch.ask("trainer-1,trainer-2")
    for record in await batch.ended(delivery, "trainer-1", "trainer-2"):
        kinds = [
            entry["kind"]
            for entry in await batch.bench.trail()
            if entry["request_id"] == record.request.id
        ]
        assert kinds == ["asked", "restarting", "sending", "accepted", "ready"]
    assert await batch.bench.ledger.verify() == []


async def test_one_alone_may_be_asked_for_by_a_pattern(batch: Batch) -> None:
    """A pattern that matches one is confirmed too, and is then as one by its name."""
    view = await batch.confirm("trainer-[1]")
    delivery = await batch.submit(view)
    story = request_id(delivery_of(delivery.payload["view"]))
    assert (await batch.bench.end_of(story)).state is READY
    assert "trainer-1 is ready. Its restart" in batch.bench.followups()[0].text


# --- after a failure ----------------------------------------------------------------


def broken(batch: Batch, name: str) -> None:
    """Let an instance not come back from its restart."""
    lack = {"code": "ModelArts.6360", "message": "Not enough GPUs."}
    batch.bench.behave(quick(ends="START_FAILED", failed_reasons=lack), name)


async def test_it_stops_at_the_first_failure(batch: Batch) -> None:
    """After a failure no further restart is begun, and everybody reads why."""
    broken(batch, "trainer-2")
    names = [f"trainer-{number}" for number in range(1, 6)]
    batch.bench.behave(Reboot(phases=(("REBOOTING", 9.0),)), "trainer-1")
    delivery = await batch.ask("trainer-*")

    async def failed() -> bool:
        return states(await batch.records(delivery, "trainer-2")) == [State.FAILED]

    await until(failed)
    batch.bench.go_on()
    records = await batch.ended(delivery, *names)
    assert states(records) == [READY, State.FAILED, *[State.VOIDED] * 3]
    assert batch.in_turn(*names[:2])
    (told,) = batch.bench.followups()
    for word in (
        "1 of 5",
        "START_FAILED",
        "Not enough GPUs",
        "because trainer-2 did not",
    ):
        assert word in told.text
    assert "3 not restarted" in batch.bench.posts()[0].text


async def test_it_goes_on_after_a_failure_if_it_is_told_to(batch: Batch) -> None:
    """Who says so in the dialog gets the others restarted all the same."""
    broken(batch, "trainer-1")
    names = [f"trainer-{number}" for number in range(1, 6)]
    delivery = await batch.ask("trainer-*", go_on=True)
    records = await batch.ended(delivery, *names)
    assert states(records) == [State.FAILED, *[READY] * 4]
    assert batch.in_turn(*names)
    assert "4 of 5" in batch.bench.followups()[0].text


async def test_one_that_cannot_be_restarted_stops_the_others_too(batch: Batch) -> None:
    """An instance that is stopped is a failure like any other.

    Who asked is told once: in the channel where a message stands, else in private.
    """
    batch.bench.cloud.put("trainer-1", "STOPPED")
    delivery = await batch.ask("trainer-1,trainer-2")
    records = await batch.ended(delivery, "trainer-1", "trainer-2")
    assert states(records) == [State.NOT_RESTARTED, State.VOIDED]
    assert batch.order() == []
    shown = [post.text for post in batch.bench.followups()]
    told = [*shown, *batch.bench.whispers("ann")]
    assert len([text for text in told if "none of 2 instances" in text]) == 1


# --- approval -----------------------------------------------------------------------

GATED = ("gated-1", "gated-2", "gated-3")


async def card_of(batch: Batch) -> Post:
    """Return the card, as soon as it stands."""
    bench = batch.bench
    return (await bench.wait_for(lambda: bench.posts(having="approve")))[0]


async def test_a_copy_that_is_clicked_first_is_about_what_waits(batch: Batch) -> None:
    """Of several whose first has joined another request, the card tells the rest."""
    bench = batch.bench
    await bench.ask("restart ml-prod gated-1 stuck", user="gina")
    other = await card_of(batch)
    bench.slack.fail("chat.postMessage", cut=True, acts=True)
    bench.slack.fail("chat.postMessage", delay_s=1.5)
    delivery = await batch.ask("gated-1,gated-2")
    await bench.wait_for(lambda: len(bench.slack.called("chat.postMessage")) == 3)
    (card,) = (one for one in bench.posts(having="approve") if one.ts != other.ts)
    assert (await bench.slack.click("bob", card, "approve")).ok
    (record,) = await batch.records(delivery, "gated-2")
    assert (await bench.end_of(record.request.id)).state is READY

    def closed() -> list[Post]:
        told = (bench.now(one) for one in bench.posts() if one.ts == card.ts)
        return [one for one in told if f"approved by {BOB}" in one.text]

    await bench.wait_for(closed)
    assert [one.ts for one in bench.posts(having="approve")] == [other.ts]


async def test_one_approval_stands_for_all(batch: Batch) -> None:
    """One card names them all, one click lets them all go, each with its approval."""
    delivery = await batch.ask("gated-*,trainer-1")
    card = await card_of(batch)
    for name in (*GATED, "trainer-1"):
        assert name in card.text
        assert id_of(name) in card.text
    assert card.text.count("status now ACTIVE") == 3
    assert "needs no approval itself" in card.text
    assert batch.bench.sent == 0
    assert (await batch.bench.slack.click("bob", card, "approve")).ok
    records = await batch.ended(delivery, *GATED, "trainer-1")
    assert states(records) == [READY] * 4
    assert batch.in_turn(*GATED, "trainer-1")
    assert len(batch.bench.posts()) == 3
    closed = batch.bench.now(card)
    assert "3 instances" not in closed.text
    assert "Approved: restart 4 instances" in closed.text
    assert f"approved by {BOB}" in closed.text
    assert buttons(closed) == []
    approvals = await batch.bench.trail("approval")
    assert {entry["instance"] for entry in approvals} == set(GATED)


async def test_a_denial_stands_for_all(batch: Batch) -> None:
    """One denial ends all of it, and its reason is shown; nothing is restarted."""
    delivery = await batch.ask("trainer-1,gated-1,gated-2")
    card = await card_of(batch)
    await batch.bench.slack.click("bob", card, "deny")
    view = (await batch.bench.wait_for(lambda: batch.bench.slack.views("bob")))[0]
    assert "gated-2" in text_of(view)
    assert (await batch.bench.slack.submit("bob", view, {"note": "not today"})).ok
    records = await batch.ended(delivery, "trainer-1", "gated-1", "gated-2")
    assert states(records) == [State.VOIDED, State.DENIED, State.DENIED]
    assert batch.order() == []
    (told,) = batch.bench.followups()
    assert told.thread_ts == card.ts
    for word in (ANN, "denied", BOB, "gated-1", "gated-2"):
        assert word in told.text
    await batch.bench.wait_for(lambda: "not today" in batch.bench.now(card).text)
    assert len(await batch.bench.trail("denied")) == 2


@pytest.mark.parametrize("name", ["gated-1", "gated-2"])
async def test_withdrawing_one_withdraws_all(batch: Batch, name: str) -> None:
    """Whoever cancels one of them cancels what waits with it, by any of the names."""
    delivery = await batch.ask("gated-1,gated-2")
    card = await card_of(batch)
    answer = await batch.bench.ask(f"cancel ml-prod {name}")
    assert "Cancelled" in answer.text
    assert "gated-1 and gated-2" in answer.text
    records = await batch.ended(delivery, "gated-1", "gated-2")
    assert states(records) == [State.CANCELLED] * 2
    assert "cancelled" in batch.bench.now(card).text
    late = await batch.bench.slack.click("bob", card, "approve")
    assert late.ok
    await batch.bench.wait_for(lambda: batch.bench.whispers("bob", "decided already"))
    assert batch.order() == []


async def test_without_a_decision_all_of_it_expires(
    tmp_path: Path, hurried: None
) -> None:
    """Nothing is restarted when nobody approves in time."""
    rules = RULES.replace('"30s"', '"2s"')
    async with benched(tmp_path, rules=rules, world=wide_world()) as bench:
        batch = Batch(bench)
        delivery = await batch.ask("gated-1,gated-2")
        records = await batch.ended(delivery, "gated-1", "gated-2")
        assert states(records) == [State.EXPIRED] * 2
        assert "has expired" in bench.followups()[0].text
        assert bench.sent == 0


async def test_what_cannot_be_restarted_needs_nobodys_approval(batch: Batch) -> None:
    """One that is stopped does not keep the others from being asked for."""
    batch.bench.cloud.put("gated-1", "STOPPED")
    delivery = await batch.ask("gated-*", go_on=True)
    card = await card_of(batch)
    assert "gated-1 is stopped" in card.text
    await batch.bench.slack.click("bob", card, "approve")
    records = await batch.ended(delivery, *GATED)
    assert states(records) == [State.NOT_RESTARTED, READY, READY]
    assert "2 of 3 instances" in batch.bench.followups()[0].text


async def test_nobody_is_asked_for_what_will_not_happen(batch: Batch) -> None:
    """Where the first one cannot be restarted, nobody has to approve the others."""
    batch.bench.cloud.put("gated-1", "STOPPED")
    delivery = await batch.ask("gated-*")
    records = await batch.ended(delivery, *GATED)
    assert states(records) == [State.NOT_RESTARTED, State.VOIDED, State.VOIDED]
    assert batch.bench.posts() == []
    assert batch.bench.whispers("ann", "gated-1 is stopped")


async def test_break_glass_opens_all_and_everybody_sees_it(batch: Batch) -> None:
    """Who may break the glass may do so for several; the approvers are told."""
    view = await batch.confirm("gated-1,gated-2 it burns --break-glass")
    assert "Break-glass" in text_of(view)
    delivery = await batch.submit(view, reason="it burns")
    records = await batch.ended(delivery, "gated-1", "gated-2")
    assert states(records) == [READY] * 2
    shown = batch.bench.posts()[0]
    assert "break-glass" in shown.text
    assert "<!subteam^S0LEADS>" in shown.text
    assert len(await batch.bench.trail("break-glass")) == 2


# --- refused ------------------------------------------------------------------------


async def refused(batch: Batch, delivery: Delivery, having: str) -> str:
    """Return the private refusal; nothing has been begun."""
    said = await batch.bench.wait_for(lambda: batch.bench.whispers("ann", having))
    assert batch.bench.posts() == []
    assert batch.bench.sent == 0
    assert await batch.bench.ledger.open_requests() == []
    return said[0]


async def test_one_that_is_refused_refuses_all(batch: Batch) -> None:
    """If the rules refuse one, none is restarted; the person reads which and why."""
    view = await batch.confirm("trainer-1,closed-1")
    assert "closed-1: You may not restart it" in text_of(view)
    delivery = await batch.submit(view)
    said = await refused(batch, delivery, "none of these")
    assert "closed-1: " in said
    assert "never" in said
    assert "trainer-1: " not in said
    (entry,) = await batch.bench.trail("refused")
    assert (entry["instance"], entry["user_id"]) == ("closed-1", "U0ANN")
    assert (await batch.bench.slack.redeliver(delivery)).ok
    assert len(await batch.bench.trail("refused")) == 1


async def test_what_is_unticked_is_left_out(batch: Batch) -> None:
    """Each instance has a checkbox; after a refusal the rest can be sent at once."""
    view = await batch.confirm("trainer-1,trainer-2,closed-1")
    ticks = [id_of("trainer-1"), id_of("closed-1")]
    values = {"reason": "OOM", "instances 1": ticks}
    assert (await batch.bench.slack.submit("ann", view, values)).ok
    (view,) = batch.bench.slack.views("ann")
    assert "I restarted none of these instances" in text_of(view)
    assert batch.bench.sent == 0
    values["instances 1"] = [id_of("trainer-1")]
    delivery = await batch.bench.slack.submit("ann", view, values)
    assert (await batch.bench.story(delivery)).state is READY
    assert batch.bench.sent == 1


async def test_at_least_one_has_to_be_ticked(batch: Batch) -> None:
    """Nothing ticked is a mistake that is said in the dialog, which stays."""
    view = await batch.confirm("trainer-1,trainer-2")
    values = {"reason": "OOM", "instances 1": []}
    delivery = await batch.bench.slack.submit("ann", view, values)
    assert "at least one" in delivery.ack["errors"]["reason"]
    assert batch.bench.slack.views("ann")


async def test_different_approvals_have_to_be_asked_for_separately(
    batch: Batch,
) -> None:
    """One approval never stands for another rule's."""
    delivery = await batch.ask("gated-1,vault-1")
    said = await refused(batch, delivery, "separately")
    assert "gated-1 (rule “a lead agrees”)" in said
    assert "vault-1 (rule “two agree”)" in said


async def test_a_reason_that_is_missing_is_said_in_the_dialog(batch: Batch) -> None:
    """The dialog stays open until the reason is there that a rule wants."""
    view = await batch.confirm("trainer-1,gated-1")
    delivery = await batch.bench.slack.submit("ann", view, {"reason": " "})
    assert delivery.ok
    assert set(delivery.ack["errors"]) == {"reason"}
    assert batch.bench.slack.views("ann")
    assert await batch.bench.ledger.open_requests() == []


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("many-*", "21 instances, and at most 20"),
        ("gpu-*", 'called "gpu-*"'),
        ("trainer-1,trainr-2", 'Did you mean "trainer-2"?'),
        ("trainer-1,--force", "no flag"),
    ],
)
async def test_names_that_mean_nothing_are_explained(
    batch: Batch, text: str, word: str
) -> None:
    """Too many, none and misspelt ones are answered in private with one sentence."""
    answer = await batch.bench.ask(f"restart ml-prod {text}")
    assert word in answer.text
    assert batch.bench.slack.views("ann") == []
    assert batch.bench.seen() == {"ann": 1}


async def test_twenty_are_confirmed_at_once(batch: Batch) -> None:
    """As many as are allowed are shown, asked for and restarted."""
    names = [f"many-{number}" for number in range(1, 21)]
    view = await batch.confirm(",".join(names))
    assert all(name in text_of(view) for name in names)
    delivery = await batch.submit(view)
    records = await batch.ended(delivery, *names)
    assert states(records) == [READY] * 20
    assert batch.in_turn(*names)
    assert batch.most_busy <= 2


async def test_without_the_channel_there_is_no_restart(batch: Batch) -> None:
    """Where the bot cannot post, nothing of it is restarted, and it says so."""
    await batch.bench.ask("restart ml-prod trainer-1,trainer-2", channel="random")
    view = (await batch.bench.wait_for(lambda: batch.bench.slack.views("ann")))[0]
    delivery = await batch.submit(view)
    records = await batch.ended(delivery, "trainer-1", "trainer-2")
    assert states(records) == [State.NOT_RESTARTED] * 2
    assert batch.bench.whispers("ann", "/invite @mlstudio")
    assert batch.bench.sent == 0


# --- others, and again --------------------------------------------------------------


async def test_one_that_is_restarted_already_joins_that(batch: Batch) -> None:
    """One that somebody restarts already is not restarted again, and not forgotten."""
    batch.bench.hold()
    first = await batch.bench.ask("restart ml-prod trainer-2", user="gina")
    await batch.bench.rebooting()
    delivery = await batch.ask("trainer-1,trainer-2,trainer-3")
    said = await batch.bench.wait_for(
        lambda: batch.bench.whispers("ann", "another request restarts trainer-2")
    )
    assert GINA in said[0]
    await batch.under_way(2)
    batch.bench.go_on()
    await batch.bench.story(first)
    records = await batch.ended(delivery, "trainer-1", "trainer-2", "trainer-3")
    assert states(records) == [READY, State.JOINED, READY]
    assert batch.in_turn("trainer-2", "trainer-1", "trainer-3")
    told = next(post for post in batch.bench.followups() if "2 of 3" in post.text)
    assert f"trainer-2, in the request of {GINA}" in told.text
    of_gina = next(post for post in batch.bench.followups() if GINA in post.text)
    assert ANN in of_gina.text


async def test_who_asks_for_one_of_them_meanwhile_is_told_its_end(
    batch: Batch,
) -> None:
    """Somebody else's request joins the instance's restart and hears of its end."""
    batch.bench.hold()
    delivery = await batch.ask("trainer-1,trainer-2")
    await batch.under_way(2)
    answer = await batch.bench.ask("restart ml-prod trainer-2", user="gina")
    assert "Restarting already" in answer.text
    batch.bench.go_on()
    await batch.ended(delivery, "trainer-1", "trainer-2")
    told = [post for post in batch.bench.followups() if GINA in post.text]
    assert len(told) == 1
    assert "trainer-2 is ready" in told[0].text
    assert batch.bench.sent == 2


async def test_what_somebody_has_restarted_meanwhile_is_left_alone(
    batch: Batch,
) -> None:
    """One that waits for its turn is not restarted when somebody just has done so."""
    batch.bench.hold()
    delivery = await batch.ask("trainer-1,trainer-2,trainer-3")
    await batch.under_way(2)
    first = await batch.bench.ask("restart ml-prod trainer-3", user="gina")
    await batch.bench.wait_for(lambda: len(batch.order()) == 3)
    batch.bench.cloud.put("trainer-3", "ACTIVE")
    assert (await batch.bench.story(first)).state is READY
    batch.bench.go_on()
    records = await batch.ended(delivery, "trainer-1", "trainer-2", "trainer-3")
    assert states(records) == [READY, READY, State.JOINED]
    assert batch.bench.sent == 3


async def test_the_same_confirmation_twice_is_one_batch(batch: Batch) -> None:
    """A dialog that comes back again, at any time, starts nothing again."""
    batch.bench.hold()
    delivery = await batch.ask("trainer-1,gated-1,gated-2")
    assert (await batch.bench.slack.redeliver(delivery)).ok
    card = await card_of(batch)
    assert (await batch.bench.slack.redeliver(delivery)).ok
    await batch.bench.slack.click("bob", card, "approve")
    await batch.under_way(2)
    assert (await batch.bench.slack.redeliver(delivery)).ok
    batch.bench.go_on()
    await batch.bench.wait_for(lambda: len(batch.order()) == 3)
    batch.bench.go_on()
    await batch.ended(delivery, "trainer-1", "gated-1", "gated-2")
    assert (await batch.bench.slack.redeliver(delivery)).ok
    assert len(await batch.bench.trail("asked")) == 3
    assert batch.bench.sent == 3
    assert len(batch.bench.posts()) == 3


async def test_what_comes_again_late_is_not_refused(
    tmp_path: Path, hurried: None
) -> None:
    """A dialog that comes back when the rules say no by now is still the same one."""
    rules = RULES.replace('name = "on call"', 'name = "on call"\ncooldown = "10m"')
    async with benched(tmp_path, rules=rules, world=wide_world()) as bench:
        batch = Batch(bench)
        delivery = await batch.ask("trainer-1,trainer-2")
        await batch.ended(delivery, "trainer-1", "trainer-2")
        assert (await bench.slack.redeliver(delivery)).ok
        await bench.wait_for(lambda: len(bench.whispers("ann", "Recorded")) == 2)
        assert await bench.trail("refused") == []
        assert bench.sent == 2


async def test_a_right_that_is_lost_meanwhile_stops_what_is_left(
    batch: Batch,
) -> None:
    """Each one's right is asked for anew right before its restart."""
    batch.bench.hold()
    delivery = await batch.ask("trainer-1,trainer-2,gated-1,trainer-3")
    card = await card_of(batch)
    await batch.bench.slack.click("bob", card, "approve")
    await batch.under_way(2)
    rules = RULES.replace(
        'instances = ["gated-*"]\nreason', 'instances = ["gated-9"]\nreason'
    )
    batch.bench.write(rules)
    batch.bench.bot.reload()
    batch.bench.go_on()
    names = ("trainer-1", "trainer-2", "gated-1", "trainer-3")
    records = await batch.ended(delivery, *names)
    assert states(records) == [READY, READY, State.VOIDED, State.VOIDED]
    assert all(record.state in ENDS for record in records)
    assert batch.in_turn("trainer-1", "trainer-2")
