"""What the bot says: complete, within Slack's limits, and deaf to what people type."""

import copy
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block
from slack_sdk.models.views import View

from bot.errors import UsageError
from bot.model import (
    Aftermath,
    AlertCard,
    Approval,
    Decision,
    Duty,
    Freeze,
    Instance,
    KnownAlert,
    Message,
    OnCallPerson,
    Record,
    Request,
    Sender,
    State,
    Target,
    Verdict,
    Vote,
)
from bot.slack.command import FORMS
from bot.slack.messages import (
    alerts,
    app_home,
    approval,
    batch_dialog,
    blocks,
    buttons,
    dialogs,
    escalation,
    followup,
    freezes,
    oncall,
    owners,
    queries,
    replies,
    restart,
)
from bot.slack.messages import formatting as t
from bot.slack.messages.outcome import Seen
from tests.support.sentences import said, words

NOON = datetime(2025, 11, 23, 12, 0, tzinfo=UTC)
BOX = Target("ml-prod", "a4a5", "trainer-7", "47cf4ff3-0c59-44fe-9821-2840a34c02a9")
REQUEST = Request(
    id="r" * 32,
    team_id="T1",
    user_id="U1ANN",
    target=BOX,
    channel_id="C1",
    asked_at=NOON,
    reason="disk is full",
    approval=Approval(by=("@ml-leads",), needed=2),
)
INSTANCE = Instance(
    id=BOX.instance_id,
    status="ACTIVE",
    name="Trainer Seven",
    owner="ann",
    flavor="modelarts.vm.gpu",
    kept_path="/home/ma-user/work",
)
RECORD = Record(
    request=REQUEST,
    state=State.RESTARTING,
    previous="ACTIVE",
    current="REBOOTING",
    last_status="REBOOTING",
    baseline=INSTANCE,
    sent_at=NOON,
    ref="req-77",
)
DECISION = Decision(
    Verdict.DENY, "Nobody may.", remedy="Ask ann.", rule="night", rule_version="1"
)
LEADS = ("<!subteam^S0LEADS>", "<@U2BOB>")
YES = Vote("U2BOB", approve=True, at=NOON)
NO = Vote("U3CEM", approve=False, at=NOON, note="after the demo")
ALLOWED = re.compile(
    r"<@[UW][A-Z0-9]+>|<!subteam\^S[A-Z0-9]+>|<#[CDG][A-Z0-9]+>"
    r"|<!date\^\d+\^\{date_short_pretty\} \{time\}\|[-0-9: ]+ UTC>"
)
LINK = re.compile(r"<(https://[^|<>]+)\|([^<>]+)>")

# --- every message and every view, drawn from one record ------------------------------

Drawer = Callable[[Record, Instance], Message]


def drawn(record: Record, look: Seen | None = None) -> Message:
    """Return the message of one restart."""
    seen = {record.request.id: look} if look else {}
    return restart.message([record], seen, mentions=LEADS)


def announced(record: Record) -> Record:
    """Return *record* as it is before anything was sent."""
    return replace(record, state=State.RESTARTING, answered="", previous="", current="")


def lost(record: Record) -> Record:
    """Return *record* as it is when the cloud's answer was lost."""
    return replace(announced(record), answered="lost")


def asks(record: Record, instance: Instance | None, **more: Any) -> Message:
    """Return the card of one restart."""
    return approval.card([replace(record, baseline=instance)], approvers=LEADS, **more)


def ending(state: State) -> Drawer:
    """Return what draws the end of a restart in *state*."""
    return lambda r, _: drawn(replace(r, state=state, duration_s=125.0))


def told(state: State) -> Drawer:
    """Return what draws the follow-up of a restart in *state*."""
    return lambda r, _: followup.ended(
        [replace(r, state=state, duration_s=125.0)], followers=("U3CEM",)
    )


def closed(state: State) -> Drawer:
    """Return what draws the closed card in *state*."""
    return lambda r, _: approval.card_closed([replace(r, state=state, ended_at=NOON)])


def notice(state: State) -> Drawer:
    """Return what draws the reply to the requester in *state*."""
    return lambda r, _: approval.notice(
        replace(r, state=state, ended_at=NOON), ["U1ANN", "U3CEM"]
    )


WATCH_ENDS = (
    State.READY,
    State.FAILED,
    State.TIMED_OUT,
    State.UNKNOWN,
    State.NOT_RESTARTED,
)
APPROVAL_ENDS = (
    State.APPROVED,
    State.DENIED,
    State.EXPIRED,
    State.CANCELLED,
    State.VOIDED,
)
SEEN = Seen("REBOOTING", 40.0, 125.0)


def several(record: Record) -> list[Record]:
    """Return twenty requests that were asked for together, in every state there is."""
    states = [*State, *[State.RESTARTING, State.FAILED] * 2][:20]
    return [replace(record, state=state, duration_s=125.0) for state in states]


def frozen(record: Record) -> Freeze:
    """Return a freeze for the reason of *record*."""
    at = {"since": NOON, "until": NOON + timedelta(hours=2)}
    who = {"user_id": "U1ANN", "team_id": "T1", "channel_id": "C1"}
    return Freeze("f", "ml-prod", reason=record.request.reason, zone="UTC", **who, **at)


def alert(record: Record) -> KnownAlert:
    """Return an alert with the reason of *record* as its words."""
    return KnownAlert(
        id="a",
        sender=Sender.ALERTMANAGER,
        project="ml-prod",
        instance_id=BOX.instance_id,
        name=record.request.reason,
        summary=record.request.reason,
        link="https://alerts.example.com/7",
        began=NOON,
        ended=None,
        no_data=False,
        heard_at=NOON,
        times=3,
    )


DRAWERS: dict[str, Drawer] = {
    "announcing": lambda r, _: drawn(announced(r)),
    "transition": lambda r, _: drawn(r, SEEN),
    "following": lambda r, _: drawn(
        replace(r, state=State.FOLLOWING), Seen(r.last_status, 3, 2)
    ),
    "checking": lambda r, _: drawn(lost(r)),
    **{f"ended {state}": ending(state) for state in WATCH_ENDS},
    **{f"followup {state}": told(state) for state in WATCH_ENDS},
    "card": lambda r, i: asks(r, i, last=r, others=(r, r, r, r, r, r, r)),
    "card of the unreadable": lambda r, _: asks(r, None),
    **{f"card closed {state}": closed(state) for state in APPROVAL_ENDS},
    **{f"notice {state}": notice(state) for state in APPROVAL_ENDS},
    **{
        f"joined {state}": (
            lambda r, _, state=state: followup.joined_end(
                replace(r, state=state), "U3CEM"
            )
        )
        for state in WATCH_ENDS
    },
    "reminder": lambda r, _: approval.reminder(r, LEADS),
    "refusal": lambda r, _: replies.refusal(
        replace(DECISION, why=f"No: {r.request.reason}"), r.request.target
    ),
    "refused click": lambda _, __: replies.click_refused(DECISION),
    "pending_already": lambda r, _: replies.pending_already(r),
    "nothing_pending": lambda r, _: replies.nothing_pending(r.request.target),
    "cancelled": lambda r, _: replies.cancelled(r),
    "mistake": lambda r, _: replies.mistake(r.request.reason, "restart"),
    "help": lambda _, __: replies.help_text("restart"),
    "cannot_record": lambda _, __: replies.cannot_record(),
    "accepted": lambda r, _: replies.accepted(r),
    "busy_already": lambda r, _: replies.busy_already(r),
    "status": lambda r, i: queries.status(
        queries.Row(r.request.target, i), records=[r] * 60, decision=DECISION, who=LEADS
    ),
    "status of the unreadable": lambda r, _: queries.status(
        queries.Row(r.request.target, None, r.detail), records=()
    ),
    "listing": lambda r, i: queries.listing(
        "ml-prod", [queries.Row(r.request.target, i, r.detail)] * 60
    ),
    "history": lambda r, _: queries.history([r] * 60, project="ml-prod"),
    "can": lambda r, _: queries.can(
        DECISION, r.request.target, person="<@U1ANN>", approvers=LEADS
    ),
    "decided": lambda r, _: replies.decided(replace(r, state=State.DENIED)),
    "decided twice": lambda r, _: replies.decided(
        replace(r, state=State.PENDING), "U2BOB"
    ),
    "unknown_request": lambda _, __: replies.unknown_request(),
    "trouble": lambda r, _: followup.trouble(r, t.date(NOON)),
    "doubt": lambda r, _: followup.doubt(r, 600.0),
    "up again": lambda r, _: followup.up_again(r, "RUNNING"),
    "by break-glass": lambda r, _: drawn(
        replace(r, request=replace(r.request, break_glass=True))
    ),
    "approval taken off": lambda r, i: asks(r, i, closed=DECISION, owners=["U1ANN"]),
    "next line": lambda r, _: escalation.next_line(r, 300.0, LEADS, ["No answer."]),
    "asked again": lambda r, _: escalation.asked_again(r, ["U2BOB"], LEADS),
    "owner before": lambda r, _: owners.before([r]),
    "owner after": lambda r, _: owners.after([replace(r, state=State.READY)]),
    "frozen": lambda r, _: freezes.begun(frozen(r), NOON),
    "thawed": lambda r, _: freezes.ended(replace(frozen(r), thawed_by="U2BOB")),
    "freeze confirmed": lambda r, _: freezes.confirmed(frozen(r), NOON, in_utc=True),
    "thaw confirmed": lambda r, _: freezes.thawed(frozen(r)),
    "frozen already": lambda r, _: freezes.already(frozen(r), NOON),
    "not frozen": lambda r, _: freezes.not_frozen("ml-prod", (frozen(r),), NOON),
    "freeze not told": lambda r, _: freezes.not_told(frozen(r), "I am no member"),
    "oncall": lambda r, _: oncall.lines(
        {
            "primary": Duty(
                "primary",
                "PagerDuty",
                (
                    OnCallPerson("P1", "Bob", "U2BOB", NOON),
                    OnCallPerson("P2", "Dave", None, None),
                ),
                NOON,
            ),
            "second": "PagerDuty did not answer within 1.1 s.",
        }
    ),
    "alert": lambda r, i: alerts.card(
        alert(r), alerts.Surroundings(BOX, i, last=r, usual_s=125.0, requests=[r])
    ),
    "alert resolved": lambda r, i: alerts.card(
        replace(alert(r), ended=NOON), alerts.Surroundings(BOX, i)
    ),
    "more alerts": lambda r, _: alerts.more(
        AlertCard(
            "c",
            Sender.GRAFANA,
            "C1",
            "1.1",
            1,
            more=True,
            count=12,
            over=1,
            alerts=(alert(r),),
        ),
        [r.request.target.instance],
    ),
    "aftermath": lambda r, _: alerts.aftermath(
        alerts.became(replace(alert(r), ended=NOON), r, Aftermath.CLEARED),
        [alert(r)],
        r.request.target.instance,
    ),
    "board": lambda r, _: restart.message(
        several(r), {r.request.id: SEEN}, mentions=LEADS
    ),
    "summary": lambda r, _: followup.ended(several(r), hosts={r.joined: r}),
    "accepted together": lambda r, _: batch_dialog.accepted(several(r), {r.joined: r}),
    "refused together": lambda r, _: batch_dialog.refusals(
        [(r.request.target.instance, r.detail or "No.")] * 20, 1
    ),
    "apart": lambda r, _: batch_dialog.apart(
        {"one": ["a", "b"], r.request.reason: ["c"]}
    ),
    "card of several": lambda r, i: approval.card(
        [replace(one, baseline=i) for one in several(r)], approvers=LEADS
    ),
    **{
        f"card of several closed {state}": (
            lambda r, _, state=state: approval.card_closed(
                [replace(r, state=state, card_ts="1.1", ended_at=NOON), *several(r)[2:]]
            )
        )
        for state in APPROVAL_ENDS
    },
}
VIEWS: dict[str, Callable[[Record, Instance], dict[str, Any]]] = {
    "restart": lambda r, _: dialogs.restart_view(
        ["ml-prod", "ml-test"],
        dialogs.Filled("ml-prod", "trainer-7", r.request.reason),
        hint=dialogs.hints("The rule asks for a reason.", queries.would_ask(LEADS)),
        where=dialogs.Opened("C1", break_glass=True),
    ),
    "restart, empty": lambda _, __: dialogs.restart_view(
        [], dialogs.Filled(), where=dialogs.Opened()
    ),
    "confirm": lambda r, _: batch_dialog.confirm_view(
        [r.request.target] * 20,
        [
            (
                replace(DECISION, why=r.request.reason or "No."),
                queries.would_ask(LEADS),
            )
        ]
        * 20,
        statuses={r.request.target.instance: r.last_status},
        parallel=3,
        asked=batch_dialog.Confirmed(
            project="ml-prod",
            instances=(r.request.target.instance_id,) * 20,
            channel="C1",
            reason=r.request.reason,
            break_glass=True,
        ),
    ),
    "deny": lambda r, _: dialogs.deny_view(r),
    "home": lambda r, _: app_home.home_view(
        app_home.Home(
            waiting=[
                (replace(r, request=replace(r.request, id=f"{n:032}")), LEADS)
                for n in range(30)
            ],
            mine=[r] * 30,
            rebooting=[(r, SEEN)] * 30,
            last=[r] * 30,
            boxes=[app_home.Glance(r.request.target, "ACTIVE", 130)] * 30,
            more=3,
            on_call=["`primary` (PagerDuty): <@U2BOB>."] * 3,
        )
    ),
    "home, empty": lambda _, __: app_home.home_view(app_home.Home()),
}


SAID, LONGEST = said(DRAWERS, VIEWS, RECORD, INSTANCE), 25


def objects(value: Any, kind: str) -> Iterator[dict[str, Any]]:
    """Yield every object of the type *kind* inside *value*."""
    if isinstance(value, dict):
        if value.get("type") == kind:
            yield value
        for inner in value.values():
            yield from objects(inner, kind)
    elif isinstance(value, list):
        for inner in value:
            yield from objects(inner, kind)


def check_blocks(blocks: list[dict[str, Any]], limit: int) -> None:
    """Fail where *blocks* break a limit, also the three that slack_sdk lets pass."""
    assert len(blocks) <= limit
    assert not list(objects(blocks, "alert"))
    for block in blocks:
        # a copy: parsing takes the dict apart
        parsed = Block.parse(copy.deepcopy(block))
        assert parsed is not None
        assert block == parsed.to_dict()
        fields = block.get("fields", [])
        assert all(len(field["text"]) <= 2000 for field in fields)
        ids = [element.get("action_id") for element in block.get("elements", [])]
        named = [action_id for action_id in ids if action_id]
        assert len(named) == len(set(named))
    for kind in ("plain_text", "mrkdwn"):
        assert all(found["text"].strip() for found in objects(blocks, kind))


def check_message(message: Message) -> None:
    """Fail where *message* breaks a limit or its text holds any other markup."""
    assert 0 < len(message.text) < 4000
    assert not re.search("[<>]", LINK.sub("", ALLOWED.sub("", message.text)))
    check_blocks(message.blocks, 50)


def check_view(view: dict[str, Any]) -> None:
    """Fail where *view* breaks a limit."""
    View(**copy.deepcopy(view)).to_dict()
    check_blocks(view["blocks"], 100)
    assert len(str(view)) < 250_000


# --- for all of them --------------------------------------------------------------


HOSTILE = st.one_of(
    st.text(max_size=500),
    st.sampled_from(["&" * 500, "<!channel>" * 50, "\n" * 500, "`*_~" * 125]),
    st.lists(
        st.sampled_from(
            ["<@U1>", "<!here>", "&amp;", "@channel", "http://x.y", "\u202e", "\x00"]
        ),
        max_size=60,
    ).map(" ".join),
)
MARK = "zq7"


def hostile(typed: str) -> tuple[Record, Instance]:
    """Return a record and an instance in which all foreign words are *typed*."""
    typed = MARK + typed
    record = replace(
        RECORD,
        request=replace(REQUEST, reason=typed, break_glass=True),
        votes=(YES, replace(NO, note=typed[:300])),
        detail=typed,
        last_status=typed,
        previous=typed,
        current=typed,
        decided_by="U3CEM",
    )
    instance = Instance(
        id=BOX.instance_id,
        status=typed,
        name=typed,
        owner=typed,
        flavor=typed,
        kept_path=typed,
        failure=typed,
        warning=typed,
    )
    return record, instance


@pytest.mark.parametrize("name", DRAWERS)
@given(typed=HOSTILE)
def test_foreign_words_cannot_speak(name: str, typed: str) -> None:
    """Whatever is typed, a message keeps Slack's limits and its mentions are ours."""
    record, instance = hostile(typed)

    message = DRAWERS[name](record, instance)

    check_message(message)
    for markup in objects(message.blocks, "mrkdwn"):
        assert MARK not in markup["text"]
        assert not re.search("[<>]", LINK.sub("", ALLOWED.sub("", markup["text"])))


@pytest.mark.parametrize("name", VIEWS)
@given(typed=HOSTILE)
def test_foreign_words_cannot_break_a_view(name: str, typed: str) -> None:
    """Whatever is typed, a dialog and the home page keep Slack's limits."""
    record, instance = hostile(typed)

    view = VIEWS[name](record, instance)

    check_view(view)
    assert all(MARK not in found["text"] for found in objects(view, "mrkdwn"))


@pytest.mark.parametrize("name", sorted(DRAWERS.keys() - {"status", "history"}))
def test_plain_text_is_complete(name: str) -> None:
    """Who hears a message read aloud hears what the others see, in the same order."""
    message = DRAWERS[name](RECORD, INSTANCE)
    at = 0

    for block in message.blocks:
        seen = {key: block[key] for key in block.keys() - {"accessory"}}
        if block["type"] == "actions":
            continue
        lines = [
            found["text"].replace("`", "").lstrip("█░ ")
            for kind in ("plain_text", "mrkdwn")
            for found in objects(seen, kind)
        ]
        assert all(line in message.text[at:] for line in lines)
        at = min(message.text.index(line, at) for line in lines)


def test_plain_text_of_a_long_list_says_that_it_is_cut() -> None:
    """A list too long for Slack's plain text ends with how much is missing."""
    text = queries.history([RECORD] * 40).text

    shown = text.count("trainer-7 in ml-prod")
    assert 20 < shown < 40
    assert text.endswith(f"… and {40 - shown} more lines")


BEGINS = re.compile(r"\W+ [A-Z][a-z]")  # a sign and its word
NO_STATE = {  # of a request, an instance, an alert or a freeze
    *("mistake", "help", "nothing_pending", "cannot_record", "unknown_request"),
    *("listing", "history", "can", "decided twice", "frozen already", "not frozen"),
    *("freeze not told", "oncall", "more alerts", "aftermath"),
}


@pytest.mark.parametrize("name", sorted(DRAWERS.keys() - NO_STATE))
def test_state_comes_first(name: str) -> None:
    """Each message about a state begins with its sign and its word, never one alone."""
    message = DRAWERS[name](RECORD, INSTANCE)
    first = next(objects(message.blocks[:1], "plain_text"), None)
    first = first or next(objects(message.blocks[:1], "mrkdwn"))

    for begins in (message.text, first["text"]):
        assert BEGINS.match(begins), begins
        assert not begins[0].isascii()


@pytest.mark.parametrize("name", [*DRAWERS, *(f"view: {name}" for name in VIEWS)])
def test_sentences_are_short(name: str) -> None:
    """No sentence has more than 25 words, whatever the message."""
    long = [one for one in SAID[name] if words(one) > LONGEST]

    assert long == []


# --- the restart's message --------------------------------------------------------


def everything(message: Message) -> str:
    """Return the text and all words in the blocks of *message*."""
    found = [
        o["text"]
        for k in ("plain_text", "mrkdwn")
        for o in objects([*message.blocks], k)
    ]
    return "\n".join([message.text, *found])


@pytest.mark.parametrize(
    "message",
    [
        drawn(RECORD, Seen("", 40)),
        drawn(replace(RECORD, state=State.READY, duration_s=125.0)),
        drawn(replace(RECORD, state=State.FAILED, duration_s=125.0)),
        drawn(replace(RECORD, state=State.UNKNOWN)),
    ],
)
def test_transition_stays_to_the_end(message: Message) -> None:
    """The two statuses, instance, project, requester and reason stay in every edit."""
    for part in ("text", "blocks"):
        shown = str(getattr(message, part))
        for fact in (
            "ACTIVE → REBOOTING",
            "trainer-7",
            "ml-prod",
            "<@U1ANN>",
            "disk is full",
        ):
            assert fact in shown


def test_announcement_claims_nothing() -> None:
    """Before the cloud has answered nobody reads a status change."""
    message = drawn(announced(RECORD))

    assert "→" not in everything(message)
    assert message.text.startswith("🔄 Restarting trainer-7\nIn ml-prod, asked by")


def test_progress_without_a_usual_time() -> None:
    """The first two restarts of an instance show the time passed only."""
    text = drawn(RECORD, Seen("", 40)).text

    assert "\nTime passed: 40 s.\n" in text
    assert "usually" not in text


def test_progress_with_a_usual_time() -> None:
    """From the third restart on people see how far it is, in words and a bar."""
    message = drawn(RECORD, Seen("", 50, 125))

    assert "Time passed: 50 s, usually 2 min 5 s (40 % of that)." in message.text
    assert "████░░░░░░" in str(message.blocks)
    assert "█" not in message.text


def test_progress_past_the_usual_time() -> None:
    """A restart that takes long is said to, with a full bar."""
    message = drawn(RECORD, Seen("", 500, 125))

    assert "usually 2 min 5 s (longer than usual)." in message.text
    assert "█" * 10 + " " in str(message.blocks)


def test_break_glass_is_loud() -> None:
    """A break-glass restart is named so and calls the approvers from the start."""
    record = replace(RECORD, request=replace(REQUEST, break_glass=True))
    for message in (
        drawn(announced(record)),
        drawn(record),
        drawn(lost(record)),
        drawn(replace(record, state=State.READY)),
    ):
        assert "break-glass" in message.text
        assert "Please review it: <!subteam^S0LEADS> and <@U2BOB>." in message.text
    assert "break-glass" in restart.message([announced(record)]).text


def test_approvers_are_named() -> None:
    """The restart's message says who approved it, each person once."""
    record = replace(RECORD, votes=(YES, YES, replace(YES, user_id="U3CEM")))

    assert "approved by <@U2BOB> and <@U3CEM>." in drawn(record).text


def test_following_sends_nothing() -> None:
    """Who finds the instance rebooting already reads that no restart was sent."""
    busy = replace(INSTANCE, status="REBOOTING")
    record = replace(
        RECORD, state=State.FOLLOWING, baseline=busy, previous="", current=""
    )
    for text in (
        drawn(record).text,
        drawn(replace(record, baseline=None)).text,
    ):
        assert "🔄 Busy already: trainer-7 is REBOOTING" in text
        assert "no restart was sent" in text


def test_lost_answer_is_not_sent_again() -> None:
    """When the cloud's answer is lost people read what is known and what follows."""
    text = drawn(lost(RECORD)).text

    assert "answer was lost" in text
    assert "I do not send it again" in text


def test_not_restarted_says_why() -> None:
    """A restart that the cloud refused says why, here and in the record's own words."""
    record = replace(RECORD, state=State.NOT_RESTARTED, detail="It is frozen")

    assert "🚫 Not restarted: trainer-7" in drawn(record).text
    assert "It is frozen" in drawn(record).text


# --- the follow-up ----------------------------------------------------------------


def test_followup_ready() -> None:
    """Requester and followers are called, and read that it is ready and how long."""
    record = replace(RECORD, state=State.READY, duration_s=125.0)

    message = followup.ended([record], followers=["U3CEM", "U1ANN"])

    assert message.text == (
        "✅ Ready. <@U1ANN> and <@U3CEM>: trainer-7 is ready."
        " Its restart in ml-prod took 2 min 5 s."
    )


def test_followup_ready_without_a_duration() -> None:
    """A duration that is not known is not made up."""
    text = followup.ended([replace(RECORD, state=State.READY)]).text

    assert text == (
        "✅ Ready. <@U1ANN>: trainer-7 is ready. It was restarted in ml-prod."
    )


def test_followup_of_what_was_busy_already() -> None:
    """Who was told that nothing is sent reads at the end that nothing was sent."""
    record = replace(
        RECORD, state=State.READY, sent_at=None, current="", duration_s=42.0
    )

    assert followup.ended([record]).text == (
        "✅ Ready. <@U1ANN>: trainer-7 is ready."
        " It was busy already, so no restart was sent."
        " I watched it in ml-prod for 42 s."
    )


def test_followup_failed() -> None:
    """A failure names the status reached, the cloud's reason and a way on."""
    record = replace(
        RECORD,
        state=State.FAILED,
        last_status="START_FAILED",
        detail="no GPU left",
        duration_s=9.0,
    )

    assert followup.ended([record]).text == (
        "❌ Failed. <@U1ANN>: trainer-7 has not come back.\n"
        "The restart failed: it reached START_FAILED after 9 s.\n"
        "The cloud's reason: no GPU left.\n"
        "Look at it in the ModelArts console before you restart it again."
    )


def test_followup_failed_without_a_reason() -> None:
    """Where the cloud gives no reason, that is said; a stopped one is to be started."""
    record = replace(RECORD, state=State.FAILED, last_status="STOPPED")

    text = followup.ended([record]).text

    assert "The cloud gave no reason." in text
    assert "Start it with /mlstudio start" in text


def test_followup_timed_out() -> None:
    """At the time limit people read the status that still stands."""
    record = replace(RECORD, state=State.TIMED_OUT, duration_s=1800.0)

    text = followup.ended([record]).text

    assert "<@U1ANN>: trainer-7 has not come back in time." in text
    assert "Its status still stands at REBOOTING after 30 min." in text
    assert "/mlstudio status ml-prod trainer-7" in text


def test_followup_unknown() -> None:
    """What cannot be known is said to be unknown, with what to do."""
    record = replace(RECORD, state=State.UNKNOWN, detail="", last_status="")

    text = followup.ended([record]).text

    assert "The outcome is unknown." in text
    assert "The last status seen was no status." in text
    assert "/mlstudio status ml-prod trainer-7" in text


@pytest.mark.parametrize("state", sorted(set(WATCH_ENDS) - {State.READY}))
def test_only_ready_is_called_ready(state: State) -> None:
    """No other end can be mistaken for a success."""
    record = replace(RECORD, state=state, duration_s=5.0)

    assert "is ready" not in everything(followup.ended([record]))
    assert "is ready" not in everything(drawn(record))


# --- the approval request -----------------------------------------------------------


def test_card_holds_what_an_approver_needs() -> None:
    """An approver sees who wants what, why, what it costs, and until when."""
    pending = replace(RECORD, state=State.PENDING)

    text = asks(pending, INSTANCE).text

    for fact in (
        "<@U1ANN> asks to restart trainer-7 in ml-prod.",
        "2 approvals are needed from <!subteam^S0LEADS> or <@U2BOB>.",
        f"Instance id: {BOX.instance_id}",
        "Status now: ACTIVE",
        "Owner: ann",
        "Reason: disk is full",
        "running jobs, kernels and everything outside the work directory",
        f"<!date^{int((NOON + timedelta(minutes=30)).timestamp())}^",
        "nothing is restarted",
    ):
        assert fact in text


def test_card_buttons_carry_the_id_only() -> None:
    """A button gives nothing away and cannot be made to name another instance."""
    blocks = asks(RECORD, INSTANCE).blocks

    buttons = list(objects(blocks, "button"))

    assert [(b["text"]["text"], b["action_id"], b["style"]) for b in buttons] == [
        ("Approve", "approve", "primary"),
        ("Deny", "deny", "danger"),
    ]
    assert {b["value"] for b in buttons} == {REQUEST.id}


def test_card_shows_history_and_votes() -> None:
    """An approver sees the last restart, other open requests and who has agreed."""
    earlier = replace(RECORD, state=State.READY, duration_s=125.0)
    pending = replace(RECORD, votes=(YES,))

    text = asks(pending, INSTANCE, last=earlier, others=[RECORD]).text

    assert "asked by <@U1ANN>: ✅ ready after 2 min 5 s." in text
    assert "Also open for this instance: <@U1ANN> asked <!date^" in text
    assert "Approved so far (1 of 2): <@U2BOB>." in text


def test_card_says_what_it_does_not_know() -> None:
    """A status that could not be read and a warning of the cloud are both said."""
    warned = replace(INSTANCE, warning="sold out")

    unread = asks(RECORD, None).text
    warning = asks(RECORD, warned).text

    assert "Status now: could not be read" in unread
    assert "I know of no earlier restart" in unread
    assert "Warning, it might not come back: sold out." in warning


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (State.APPROVED, "The request was approved by <@U2BOB>."),
        (State.RESTARTING, "The request was approved by <@U2BOB>."),
        (State.DENIED, "The request was denied by <@U3CEM> <!date^"),
        (State.EXPIRED, "The request has expired <!date^"),
        (State.CANCELLED, "The request was cancelled by <@U3CEM> <!date^"),
        (State.VOIDED, "no longer holds; it had been approved by <@U2BOB>."),
    ],
)
def test_closed_card(state: State, words: str) -> None:
    """After its end a card says who or what decided, and cannot be clicked."""
    ended = {State.RESTARTING: "Approved"}.get(state, state.value.capitalize())
    record = replace(
        RECORD,
        state=state,
        votes=(YES,),
        decided_by="U3CEM",
        ended_at=NOON,
    )

    message = approval.card_closed([record])

    assert message.text.split(" ", 1)[1].startswith(f"{ended}: restart trainer-7\n")
    assert words in message.text
    assert not list(objects(message.blocks, "button"))


def test_closed_card_shows_people_by_name_and_the_notice_wakes_nobody() -> None:
    """An edit mentions without waking; a new message would wake whoever is listed."""
    why = "The shift of U0ANN has ended: ask S0LEADS"
    voided = replace(RECORD, state=State.VOIDED, detail=why)

    card, notice = approval.card_closed([voided]), approval.notice(voided, ["U3CEM"])

    assert "Why: The shift of <@U0ANN> has ended: ask <!subteam^S0LEADS>." in card.text
    assert why in notice.text


def test_closed_card_gives_the_reason() -> None:
    """A denial shows the note of who denied, a void the rule that no longer holds."""
    denied = replace(RECORD, state=State.DENIED, votes=(NO,), decided_by="U3CEM")
    voided = replace(RECORD, state=State.VOIDED, detail="Ann has left the group")

    assert "The reason given: after the demo." in approval.card_closed([denied]).text
    assert "Why: Ann has left the group." in approval.notice(voided, ["U1ANN"]).text
    assert approval.notice(voided, ["U1ANN", "U3CEM"]).text.startswith(
        "🚫 Voided. <@U1ANN> and <@U3CEM>, about the restart of trainer-7 in ml-prod:"
        " the request was voided"
    )


def test_approved_but_not_restarted() -> None:
    """Where nothing was announced any more, the requester reads why in the thread."""
    record = replace(
        RECORD, state=State.NOT_RESTARTED, votes=(YES,), detail="It is frozen"
    )

    text = approval.notice(record, ["U1ANN"]).text

    assert "approved by <@U2BOB>, but the instance was not restarted." in text
    assert "Why: It is frozen." in text


def test_reminder_calls_the_approvers() -> None:
    """At half time the approvers are called with the deadline."""
    text = approval.reminder(RECORD, LEADS).text

    assert text.startswith(
        "⏳ Waits for approval. <!subteam^S0LEADS> and <@U2BOB>: <@U1ANN> still waits"
    )
    assert "without a decision nothing is restarted" in text


def test_request_without_approval_does_not_expire() -> None:
    """Where a rule asks for no approval, no deadline is made up."""
    record = replace(RECORD, request=replace(REQUEST, approval=None))

    assert "It does not expire." in approval.reminder(record, LEADS).text
    assert "One approval is needed" in asks(record, None).text


# --- private answers -----------------------------------------------------------------


def test_refusal_says_why_and_what_helps() -> None:
    """A refusal names the reason, a remedy and the rule."""
    text = replies.refusal(DECISION, BOX).text

    assert text == (
        "⛔ Refused. I did not restart trainer-7 in ml-prod. Nobody may."
        "\nAsk ann.\nRule: night"
    )
    assert replies.refusal(Decision(Verdict.DENY, "No")).text == (
        "⛔ Refused. I did not restart. No."
    )


def test_help_lists_every_command() -> None:
    """Help names every command of the bot, and the one that was probably meant."""
    text = replies.help_text("restart").text

    assert text.startswith("Did you mean: /mlstudio restart\n")
    for form in FORMS:
        assert t.escape(f"/mlstudio {form.usage} – {form.purpose}") in text
    assert "--break-glass" in text
    assert "Did you mean" not in replies.help_text().text


def test_acknowledgements_differ_by_what_follows() -> None:
    """Who needs approval reads so; break-glass and the rest read what comes next."""
    glass = replace(RECORD, request=replace(REQUEST, break_glass=True))
    free = replace(RECORD, request=replace(REQUEST, approval=None))

    assert "needs approval first" in replies.accepted(RECORD).text
    assert "needs approval" not in replies.accepted(glass).text
    assert "needs approval" not in replies.accepted(free).text


def test_busy_already_shows_the_other() -> None:
    """Who asks while it restarts is told by whom."""
    assert "asked by <@U1ANN>" in replies.busy_already(RECORD).text


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        (Verdict.ALLOW, "may restart trainer-7 in ml-prod."),
        (Verdict.ASK, "may restart trainer-7 in ml-prod, once that is approved."),
        (Verdict.DENY, "may not restart trainer-7 in ml-prod."),
    ],
)
def test_can_names_rule_and_reason(verdict: Verdict, words: str) -> None:
    """``can`` says whether, why, and by which rule."""
    decision = replace(DECISION, verdict=verdict)

    text = queries.can(decision, BOX, person="<@U9>", approvers=LEADS).text

    assert text == (
        f"<@U9> {words}\nApprovers: <!subteam^S0LEADS> or <@U2BOB>.\n"
        "Nobody may.\nAsk ann.\nRule: night"
    )


def test_status_of_what_could_not_be_read() -> None:
    """A status that could not be read is said so, with the problem."""
    text = queries.status(queries.Row(BOX, None, "The cloud is down."), records=()).text

    assert "❓ Unknown: trainer-7, status could not be read" in text
    assert "The cloud is down." in text
    assert "No restarts on record." in text


def test_unknown_status_is_shown_and_named_so() -> None:
    """A word that the bot does not know is shown, cut to 40 characters."""
    odd = replace(INSTANCE, status="X" * 60)

    text = queries.status(queries.Row(BOX, odd), records=()).text

    assert "X" * 39 + "… (a status I do not know)" in text
    assert "X" * 40 not in text


def test_listing_has_a_button_each() -> None:
    """Every listed instance can be restarted from the list."""
    message = queries.listing("ml-prod", [queries.Row(BOX, INSTANCE)])

    (button,) = objects(message.blocks, "button")

    assert "trainer-7: ACTIVE" in message.text
    assert button["action_id"] == buttons.RESTART_DIALOG
    assert buttons.target_names(button["value"]) == ("ml-prod", BOX.instance_id)


def test_empty_and_long_lists_say_so() -> None:
    """An empty list is not silence, and a cut one says how many are missing."""
    rows = [queries.Row(BOX, INSTANCE)] * 40

    assert "names no instance" in queries.listing("p", []).text
    assert "… and 3 more" in str(queries.listing("p", rows, more=3).blocks)
    assert "No restarts on record." in queries.history([]).text
    assert "… and 2 more" in str(queries.history([RECORD] * 42).blocks)
    assert (
        "Last restarts of box in p" in queries.history([], project="p", box="box").text
    )


@pytest.mark.parametrize("value", ["", "[]", "{}", '{"project": 1}', "nonsense"])
def test_foreign_button_value(value: str) -> None:
    """A button value that is not ours leads to a sentence, not to a crash."""
    with pytest.raises(UsageError, match="nothing was restarted"):
        buttons.target_names(value)


def test_late_and_double_clicks_are_answered() -> None:
    """Who clicks late or twice reads what counts."""
    denied = replace(RECORD, state=State.DENIED, decided_by="U3CEM")
    pending = replace(RECORD, state=State.PENDING, votes=(YES,))

    assert "denied by <@U3CEM>" in replies.decided(denied).text
    assert "approved already; one person counts once: 1 of 2 approvals so far." in (
        replies.decided(pending, "U2BOB").text
    )
    assert "click is noted: 1 of 2" in replies.decided(pending, "U3CEM").text


def test_refused_click_says_what_was_refused() -> None:
    """Whose click does not count is not told about a restart."""
    text = replies.click_refused(DECISION).text

    assert text == (
        "⛔ Refused. Your click does not count. Nobody may.\nAsk ann.\nRule: night"
    )


def test_ids_in_a_rule_show_as_names() -> None:
    """Who is refused reads people, groups and channels, not their ids."""
    decision = replace(DECISION, remedy="U024BE7LH or S0LEADS may, in C0INCIDENTS")

    text = replies.refusal(decision).text

    assert "<@U024BE7LH> or <!subteam^S0LEADS> may, in <#C0INCIDENTS>." in text


def test_status_words_are_no_ids() -> None:
    """A word in capitals is not taken for somebody's id."""
    assert t.named("UNAVAILABLE and STOPPED on GPU01") == (
        "UNAVAILABLE and STOPPED on GPU01"
    )


def test_joined_elsewhere_reads_the_same_end() -> None:
    """Who joined from another channel is called there and reads the same end."""
    ready = replace(RECORD, state=State.READY, duration_s=125.0)

    assert followup.joined_end(ready, "U3CEM").text == (
        "✅ Ready. <@U3CEM>: trainer-7 is ready. Its restart in ml-prod took 2 min 5 s."
    )


# --- dialogs -----------------------------------------------------------------------


def test_dialog_comes_back_as_it_was_filled_in() -> None:
    """What stands in the dialog is what the bot reads from its submission."""
    view = {
        "state": {
            "values": {
                "project": {"project": {"selected_option": {"value": "ml-prod"}}},
                dialogs.instance_block("ml-prod"): {
                    "instance": {"selected_option": {"value": "trainer-7"}}
                },
                "reason": {"reason": {"value": "disk"}},
                "other": {"other": {"value": None}},
            }
        }
    }

    assert dialogs.filled(view) == dialogs.Filled("ml-prod", "trainer-7", "disk")


def test_half_filled_dialog() -> None:
    """A dialog in which nothing is chosen yet is read as empty names."""
    nothing = {"state": {"values": {"project": {"project": {"selected_option": None}}}}}

    assert dialogs.filled(nothing) == dialogs.Filled()
    assert dialogs.filled({}) == dialogs.Filled()


def test_another_project_empties_the_instance_field() -> None:
    """An instance chosen for one project is not taken over to another."""
    assert dialogs.instance_block("a") != dialogs.instance_block("b")


def test_dialog_is_filled_in() -> None:
    """What was typed with the command stands in the dialog already."""
    view = dialogs.restart_view(
        ["ml-prod"],
        dialogs.Filled("ml-prod", "trainer-7", "disk"),
        decision=replace(DECISION, wants_reason=True, pattern=r"INC-\d+"),
        where=dialogs.Opened("C1"),
    )
    project, instance, reason = (x for x in view["blocks"] if x["type"] == "input")

    assert project["element"]["initial_option"]["value"] == "ml-prod"
    assert instance["element"]["initial_option"]["value"] == "trainer-7"
    assert instance["element"]["min_query_length"] == 0
    assert reason["element"]["initial_value"] == "disk"
    assert not reason["optional"]
    assert reason["hint"]["text"] == "It has to match INC-\\d+, for example: INC-1234"


def test_options_are_searched_and_bounded() -> None:
    """Typing narrows the list down, and no more than Slack takes are offered."""
    names = [f"box-{n}" for n in range(150)] + ["x" * 151]

    assert len(dialogs.options(names)) == 100
    assert [o["value"] for o in dialogs.options(names, " BOX-14 ")][:2] == [
        "box-14",
        "box-140",
    ]
    assert dialogs.options(names, "xxx") == []


def test_home_page_fits_however_much_there_is() -> None:
    """However much is going on, the home page keeps all its lists and its help."""
    blocks_ = VIEWS["home"](RECORD, INSTANCE)["blocks"]

    assert len(blocks_) <= 100
    assert "/mlstudio help" in str(blocks_[-1])


def test_message_keeps_slacks_number_of_blocks() -> None:
    """Whatever a message is made of, it has no more blocks than Slack takes."""
    assert len(blocks.message(*[blocks.words("x")] * 60).blocks) == 50


def test_options_ask_for_the_project_of_their_field() -> None:
    """The search for an instance knows the project that the field was drawn for."""
    assert dialogs.project_of(dialogs.instance_block("ml-prod")) == "ml-prod"


def test_denial_carries_the_request() -> None:
    """The dialog for a denial knows its request and asks for no more than a note."""
    view = dialogs.deny_view(RECORD)

    assert view["private_metadata"] == REQUEST.id
    assert view["callback_id"] == "deny"


# --- words ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.3, "less than 1 s"),
        (45, "45 s"),
        (59.7, "1 min"),
        (125, "2 min 5 s"),
        (3600, "1 h"),
        (3780, "1 h 3 min"),
        (3605, "1 h"),
        (90000, "1 d 1 h"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    """Durations are read as people say them."""
    assert t.duration(seconds) == words


def test_dates_carry_a_fallback() -> None:
    """A date shows in the reader's time zone, and in UTC where that is not possible."""
    assert t.date(NOON) == (
        f"<!date^{int(NOON.timestamp())}^{{date_short_pretty}} {{time}}"
        "|2025-11-23 12:00 UTC>"
    )


@pytest.mark.parametrize(
    ("reference", "shown"),
    [
        ("U024BE7LH", "<@U024BE7LH>"),
        ("W024BE7LH", "<@W024BE7LH>"),
        ("S0LEADS", "<!subteam^S0LEADS>"),
        ("*", "every full member"),
        ("@ml-leads", "@ml-leads"),
        ("<!channel>", "&lt;!channel&gt;"),
    ],
)
def test_mentions(reference: str, shown: str) -> None:
    """Only ids become mentions; anything else stays a harmless word."""
    assert t.mention(reference) == shown


def test_many_mentions_are_cut() -> None:
    """A hundred approvers still fit into one message, and the rest is counted."""
    shown = t.together([f"<@U{n}>" for n in range(100)])

    assert shown.endswith("<@U49> and 50 more")


def test_hidden_characters_are_taken_out() -> None:
    """Text cannot be made to read backwards, break lines or end early."""
    assert t.said("a\u202eb\x00c\nd\ud800e") == "ab c d\N{REPLACEMENT CHARACTER}e"


def test_cut_text_keeps_its_entities_whole() -> None:
    """Text is never cut in the middle of an escaped character."""
    assert t.said("&&&", 11) == "&amp;&amp;…"


def test_code_span_cannot_be_left() -> None:
    """A configured name with a backtick stays inside its code span."""
    assert t.code("a`*b*`") == "`a'*b*'`"


@pytest.mark.parametrize("state", State)
def test_every_state_has_words(state: State) -> None:
    """However a request stands, a list can say so."""
    assert t.outcome(replace(RECORD, state=state, duration_s=5.0))
