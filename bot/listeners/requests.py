"""Asking for restarts: decided, recorded, then begun. One is a list of one.

Commands and dialogs come here with the same facts and get the same answers.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import attrs
import structlog

from bot.errors import LedgerError, SlackError, SlackRefused, SlackShut
from bot.ledger import Entry, entry_of
from bot.listeners.payloads import Actor
from bot.listeners.refusal_limit import RefusalLimit
from bot.listeners.responses import Submitted, wait_of
from bot.listeners.tasks import Tasks
from bot.listeners.wish import Wish
from bot.model import (
    Act,
    Decision,
    Message,
    Record,
    Request,
    State,
    Target,
    Verdict,
    request_id,
)
from bot.policy import Question, explained
from bot.restarts import Restarts
from bot.restarts.services import Services
from bot.slack import command as words
from bot.slack.messages import batch_dialog, replies
from bot.slack.messages.dialogs import REASON
from bot.telemetry import request_log

log = structlog.get_logger()

# Together less than the 3 s that Slack waits for an acknowledgement:
# https://docs.slack.dev/interactivity/implementing-slash-commands
DECIDE_WITHIN_S = 1.4
RECORD_WITHIN_S = 2.3  # what a quick decision has left over is for the database

Decided = list[tuple[Request, Decision]]


@attrs.frozen
class RequestListeners:
    """Takes requests on; nothing that it acknowledges is ever forgotten."""

    _services: Services
    _restarts: Restarts
    _tasks: Tasks
    _refusals: RefusalLimit

    async def typed(
        self, actor: Actor, command: words.Restart | words.Start
    ) -> Message:
        """Ask for what was typed; raise UsageError for names that mean nothing."""
        target = self._services.settings().target(command.project, command.instance)
        starts = isinstance(command, words.Start)
        wish = Wish(
            reason=command.reason,
            break_glass=command.break_glass,
            wants=Act.START if starts else Act.RESTART,
        )
        return (await self.ask(actor, [target], wish)).answer

    async def ask(
        self,
        actor: Actor,
        targets: Sequence[Target],
        wish: Wish,
        *,
        in_dialog: bool = False,
    ) -> Submitted:
        """Decide on each of *targets*, record all or none, and begin their stories.

        *in_dialog*, a reason that is missing can still be given.
        """
        template = Request(
            id=request_id(actor.delivery),
            team_id=actor.team_id,
            user_id=actor.user_id,
            target=targets[0],
            channel_id=actor.channel_id,
            asked_at=self._services.now(),
            thread_ts=actor.thread_ts,
            response_url=actor.response_url,
            **{**attrs.asdict(wish), "reason": explained(wish.reason)},
        )
        requests = _for_each(template, targets, actor.delivery)
        with structlog.contextvars.bound_contextvars(
            request=requests[0].id, user=actor.user_id, **request_log.named(targets)
        ):
            try:
                return await self._ask(actor, requests, in_dialog=in_dialog)
            except (LedgerError, TimeoutError) as error:
                log.error("not recorded", error=str(error))
                return Submitted(replies.cannot_record())

    async def _ask(
        self, actor: Actor, requests: Sequence[Request], *, in_dialog: bool
    ) -> Submitted:
        """Take *requests* on if the rules let all of them pass, else none of them."""
        known, decisions = await asyncio.gather(
            self._known(requests),
            asyncio.gather(*(self._decide(actor, one) for one in requests)),
        )
        decided = list(zip(requests, decisions, strict=True))
        denied = [(r, d) for r, d in decided if d.verdict is Verdict.DENY]
        async with asyncio.timeout_at(actor.since + RECORD_WITHIN_S + 0.2):
            if known:  # the same delivery again
                refused = all(one.state is State.REFUSED for one in known)
                return Submitted(await self._begin(known), refused=refused)
            for request, decision in decided:
                about = {**request_log.names_of(request), "rule": decision.rule}
                log.info("asked", decision=str(decision.verdict), **about)
            if in_dialog and any(decision.wants_reason for _, decision in denied):
                return await self._ask_reason(actor, denied)
            if denied:
                rest = len(decided) - len(denied)
                refusal = await self._refuse(actor, denied, rest)
                return Submitted(refusal, refused=True)
            if apart := _apart(decided):
                return Submitted(batch_dialog.apart(apart), refused=True)
            return Submitted(await self._take_on(actor, decided))

    async def _known(self, requests: Sequence[Request]) -> list[Record]:
        """Return what is on record of *requests*: their delivery has come before."""
        async with asyncio.timeout(DECIDE_WITHIN_S):
            return await self._services.ledger.known([one.id for one in requests])

    async def _decide(self, actor: Actor, request: Request) -> Decision:
        """Return what policy says; who cannot be known in time is refused."""
        if limit := self._refusals.limit(request.user_id):
            return limit
        try:
            async with asyncio.timeout_at(actor.since + DECIDE_WITHIN_S):
                question = replace(Question.of(request), private=actor.private)
                return await self._services.authorizer.decide(question)
        except (SlackError, TimeoutError) as error:
            return _unknown(error)

    async def _ask_reason(self, actor: Actor, denied: Decided) -> Submitted:
        """Refuse all of it in the dialog, where the missing reason can be given.

        It makes no request of it: the same dialog may come back with a reason.
        """
        self._refusals.count(actor.user_id, denied[0][1])
        for request, decision in denied:
            ruled = request.ruled_by(decision)
            about = {"detail": decision.why, "request_id": ""}
            await self._services.ledger.note(entry_of(ruled, "refused", **about))
        wanting = next(decision for _, decision in denied if decision.wants_reason)
        return Submitted.wrong(REASON, f"{wanting.why} {wanting.remedy}".strip())

    async def _refuse(self, actor: Actor, denied: Decided, rest: int) -> Message:
        """Refuse all of it, each on record; *rest* is how many would have passed."""
        ledger, news = self._services.ledger, 0
        for request, decision in denied:
            record, new = await ledger.record(
                request.ruled_by(decision),
                refusal=decision.why,
                deadline=self._deadline(actor),
            )
            if record.state is not State.REFUSED:  # the same delivery was quicker
                return await self._begin([record])
            if new:
                news += 1
                request_log.ended(record, self._services.now())
        request, decision = denied[0]
        if news:  # however many they are, the person was refused once
            self._refusals.count(request.user_id, decision)
            self._services.metrics.requests.labels(str(State.REFUSED)).inc(news)
        if len(denied) + rest == 1:
            return replies.refusal(decision, request.target, verb=request.wants)
        named = [
            (request.target.instance, f"{decision.why} {decision.remedy}".strip())
            for request, decision in denied
        ]
        return batch_dialog.refusals(named, rest)

    async def _take_on(self, actor: Actor, decided: Decided) -> Message:
        """Record all of it, more than one as one batch, and begin."""
        ledger = self._services.ledger
        requests = [request.ruled_by(decision) for request, decision in decided]
        if len(requests) == 1:
            record, new = await ledger.record(
                requests[0], deadline=self._deadline(actor)
            )
            records = [record]
        else:
            records, new = await ledger.record_all(
                requests, deadline=self._deadline(actor)
            )
        glass = sum(one.request.break_glass for one in records)
        if new and glass:
            self._services.metrics.break_glass.inc(glass)
        return await self._begin(records)

    async def _begin(self, records: Sequence[Record]) -> Message:
        """Begin the stories of those that are asked for, and say what was recorded."""
        for record in records:
            if record.state is State.ASKED:
                story = self._restarts.begin(record.request.id)
                self._tasks.start(story, "begin")
        joined = [one.joined for one in records if one.joined]
        hosts = await self._services.ledger.known(joined) if joined else []
        for host in hosts:  # its card is looked after: who asks again may not see it
            self._restarts.wake(host.request.speaks)
        if len(records) == 1:
            return _answer(records[0], hosts)
        refused = [one for one in records if one.state is State.REFUSED]
        if refused:
            named = [(one.request.target.instance, one.detail) for one in refused]
            return batch_dialog.refusals(named, len(records) - len(refused))
        return batch_dialog.accepted(records, {host.request.id: host for host in hosts})

    def _deadline(self, actor: Actor) -> datetime:
        """Return until when it has to be recorded."""
        left_s = actor.since + RECORD_WITHIN_S - time.monotonic()
        return self._services.now() + timedelta(seconds=left_s)

    async def is_outside(self, actor: Actor) -> bool:
        """Say whether no name of ours may be told to somebody."""
        authorizer = self._services.authorizer
        return await authorizer.outsider(actor.user_id, actor.team_id) is not None

    async def turned_away(self, actor: Actor) -> Message | None:
        """Refuse somebody whom no rule can let in, on record as every refusal is.

        It comes before anything is looked up, so that such a one learns no name.
        """
        try:
            async with asyncio.timeout_at(actor.since + DECIDE_WITHIN_S):
                decision = await self._services.authorizer.outsider(
                    actor.user_id, actor.team_id
                )
        except (SlackError, TimeoutError) as error:
            decision = _unknown(error)
        if decision is None:
            return None
        log.info("turned away", why=decision.why)
        entry = Entry("refused", request_id(actor.delivery), detail=decision.why)
        await self._refusals.note(actor, decision, "outsider", entry)
        return replies.refusal(decision)

    async def outlook(
        self, actor: Actor, target: Target, *, break_glass: bool
    ) -> Decision:
        """Return what the rules will say to a restart with a reason that fits."""
        return await self._services.authorizer.decide(
            Question(
                actor.user_id,
                actor.team_id,
                target,
                actor.channel_id,
                reason=None,
                break_glass=break_glass,
                private=actor.private,
            )
        )

    async def would_ask(self, actor: Actor, decision: Decision) -> list[str]:
        """Return the mentions of who would be asked now to approve a request."""
        approval = decision.approval
        if approval is None or decision.verdict is not Verdict.ASK:
            return []
        return await self._services.authorizer.mentions(
            approval.notified, decision.pinned, but=actor.user_id
        )


def _unknown(error: Exception) -> Decision:
    """Refuse somebody of whom Slack did not tell who he is, for *error*."""
    why = str(error) or "It gave no answer in time."
    log.warning("who asks is not known", error=why)
    if isinstance(error, SlackRefused | SlackShut):
        return Decision(
            Verdict.DENY,
            f"Slack does not tell me who you are: {why}",
            "Whoever runs the bot finds out why with mlstudio-bot check.",
        )
    return Decision(
        Verdict.DENY,
        f"Slack did not tell me in time who you are and in which groups. {why}",
        f"Try again in {wait_of(error)}.",
    )


def _for_each(
    template: Request, targets: Sequence[Target], delivery: str
) -> list[Request]:
    """Return *template* for each of *targets*, in their order, with ids of their own.

    The same delivery gives the same ids, so that it is one request each.
    """
    if len(targets) == 1:
        return [template]
    return [
        replace(
            template,
            id=request_id(f"{delivery} {target.key}"),
            target=target,
            place=place,
        )
        for place, target in enumerate(targets)
    ]


def _answer(record: Record, hosts: Sequence[Record]) -> Message:
    """Say what was recorded of one; *hosts* has the request that it joined, if any."""
    request = record.request
    if record.state is State.REFUSED:
        said = Decision(Verdict.DENY, record.detail, rule=request.rule)
        return replies.refusal(said, request.target, verb=request.wants)
    return replies.joined_already(hosts[0]) if hosts else replies.accepted(record)


def _apart(decided: Decided) -> dict[str, list[str]]:
    """Return the names by rule where different rules ask for approval, else nothing."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for request, decision in decided:
        if decision.verdict is Verdict.ASK:
            rule = decision.rule, decision.rule_version
            groups[rule].append(request.target.instance)
    if len(groups) <= 1:
        return {}
    return {name: names for (name, _), names in groups.items()}
