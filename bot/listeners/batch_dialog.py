"""Asking for several restarts in one go: confirmed in a dialog, recorded as one."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from slack_bolt.context.ack.async_ack import AsyncAck

from bot.config import Settings
from bot.errors import LedgerError, UsageError
from bot.ledger import Ledger
from bot.listeners.payloads import Actor, who_submitted
from bot.listeners.refusal_limit import RefusalLimit
from bot.listeners.requests import RECORD_WITHIN_S, RequestListeners
from bot.listeners.responses import Responses, Submitted
from bot.listeners.status_cache import StatusCache
from bot.listeners.tasks import Tasks
from bot.model import (
    Decision,
    Message,
    Person,
    Record,
    Request,
    State,
    Target,
    Verdict,
    request_id,
)
from bot.policy import Question, explained
from bot.policy.authorizer import Authorizer
from bot.restarts import Restarts
from bot.slack import command as words
from bot.slack.client import SlackClient
from bot.slack.messages import batch_dialog as dialog
from bot.slack.messages import replies
from bot.slack.messages.batch_dialog import Confirmed
from bot.slack.messages.dialogs import REASON
from bot.telemetry.metrics import Metrics

log = structlog.get_logger()

Decided = list[tuple[Request, Decision]]


class Several:
    """Opens the confirmation and takes on what comes back from it."""

    def __init__(
        self,
        *,
        settings: Callable[[], Settings],
        authorizer: Authorizer,
        asking: RequestListeners,
        ledger: Ledger,
        restarts: Restarts,
        slack: SlackClient,
        replies: Responses,
        looks: StatusCache,
        tasks: Tasks,
        refusals: RefusalLimit,
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._authorizer = authorizer
        self._asking = asking
        self._ledger = ledger
        self._restarts = restarts
        self._slack = slack
        self._replies = replies
        self._looks = looks
        self._tasks = tasks
        self._refusals = refusals
        self._metrics = metrics

    # --- before -----------------------------------------------------------------------

    async def open(
        self, actor: Actor, trigger_id: str, command: words.Several
    ) -> Message | None:
        """Open the confirmation; the trigger lives 3 s. One alone needs none."""
        targets = self._settings().several(command.project, command.instances)
        if len(targets) == 1 and len(command.instances) > 1:
            return await self._asking.restart(
                actor,
                targets[0].project,
                targets[0].instance,
                reason=command.reason,
                break_glass=command.break_glass,
            )
        asked = Confirmed(
            project=targets[0].project,
            instances=tuple(target.instance_id for target in targets),
            channel=actor.channel_id,
            reason=command.reason,
            break_glass=command.break_glass,
        )
        await self._slack.open_view(trigger_id, await self._view(actor, targets, asked))
        return None

    async def _view(
        self, actor: Actor, targets: Sequence[Target], asked: Confirmed
    ) -> dict[str, Any]:
        """Return the confirmation, with the statuses that are known in time."""
        outlooks = (self._outlook(actor, target, asked) for target in targets)
        statuses, decisions = await asyncio.gather(
            self._looks.statuses(targets), asyncio.gather(*outlooks)
        )
        return dialog.confirm_view(
            targets,
            decisions,
            statuses=statuses,
            parallel=self._settings().max_parallel,
            asked=asked,
        )

    async def _outlook(
        self, actor: Actor, target: Target, asked: Confirmed
    ) -> Decision:
        """Return what the rules will say to a restart with a reason that fits."""
        return await self._authorizer.decide(
            Question(
                actor.user_id,
                actor.team_id,
                target,
                actor.channel_id,
                reason=None,
                break_glass=asked.break_glass,
            )
        )

    # --- after ------------------------------------------------------------------------

    async def on_submit(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """Ask for what was confirmed; a wrong reason is said in the dialog."""
        asked = dialog.confirmed(body["view"])
        actor = who_submitted(body, asked.channel)
        work = self._tasks.start(self._submit(actor, asked), "submit several")
        await self._replies.submitted(ack, actor, work)

    async def _submit(self, actor: Actor, asked: Confirmed) -> Submitted:
        """Decide on each, record all or none, and begin their stories."""
        try:
            requests = self._requests(actor, asked)
            async with asyncio.timeout(RECORD_WITHIN_S):
                known = await self._ledger.known([one.id for one in requests])
        except UsageError as error:
            return Submitted.wrong(REASON, str(error))
        except (LedgerError, TimeoutError) as error:
            log.error("not recorded", error=str(error), user=actor.user_id)
            return Submitted(replies.cannot_record())
        if known:  # the same delivery again
            return Submitted(await self._begin(known))
        verdicts = await asyncio.gather(*map(self._asking.decide, requests))
        message = next((one for one in verdicts if isinstance(one, Message)), None)
        if message is not None:
            return Submitted(message)
        decisions = [one for one in verdicts if isinstance(one, Decision)]
        return await self._decided(list(zip(requests, decisions, strict=True)))

    def _requests(self, actor: Actor, asked: Confirmed) -> list[Request]:
        """Return one request for each instance, in the order of the dialog."""
        now = datetime.now(UTC)
        targets = [self._settings().target(asked.project, i) for i in asked.instances]
        return [
            Request(
                id=request_id(f"{actor.delivery} {target.key}"),
                team_id=actor.team_id,
                user_id=actor.user_id,
                target=target,
                channel_id=actor.channel_id,
                asked_at=now,
                reason=explained(asked.reason),
                break_glass=asked.break_glass,
                place=place,
                go_on=asked.go_on,
            )
            for place, target in enumerate(targets)
        ]

    async def _decided(self, decided: Decided) -> Submitted:
        """Take all of it on if the rules let all of it pass, else none of it."""
        denied = [(r, d) for r, d in decided if d.verdict is Verdict.DENY]
        wants_reason = next((d for _, d in denied if d.wants_reason), None)
        try:
            async with asyncio.timeout(RECORD_WITHIN_S + 0.2):
                if wants_reason is not None:
                    return await self._ask_reason(denied, wants_reason)
                if denied:
                    return Submitted(
                        await self._refuse(denied, len(decided) - len(denied))
                    )
                if apart := _apart(decided):
                    return Submitted(dialog.apart(apart))
                return Submitted(await self._take_on(decided))
        except (LedgerError, TimeoutError) as error:
            user = decided[0][0].user_id
            log.error("not recorded", error=str(error), user=user)
            return Submitted(replies.cannot_record())

    async def _ask_reason(self, denied: Decided, wanting: Decision) -> Submitted:
        """Refuse all of it in the dialog, where the missing reason can be given."""
        first = denied[0][0]
        person = Person(first.user_id, first.team_id)
        refused = [(request.target, decision) for request, decision in denied]
        await self._asking.refuse(person, refused)
        problem = f"{wanting.why} {wanting.remedy}".strip()
        return Submitted(replies.refusal(wanting), {REASON: problem})

    async def _refuse(self, denied: Decided, rest: int) -> Message:
        """Refuse all of it, and put each refusal on record."""
        news = 0
        for request, decision in denied:
            _, new = await self._ledger.record(
                request.ruled_by(decision), refusal=decision.why, deadline=_deadline()
            )
            news += new
        if news:  # however many they are, the person was refused once
            request, decision = denied[0]
            self._refusals.count(request.user_id, decision)
            self._metrics.requests.labels(str(State.REFUSED)).inc(news)
        return dialog.refusals(
            [
                (request.target.instance, f"{decision.why} {decision.remedy}".strip())
                for request, decision in denied
            ],
            rest,
        )

    async def _take_on(self, decided: Decided) -> Message:
        """Record all of it as one batch."""
        requests = [request.ruled_by(decision) for request, decision in decided]
        records, new = await self._ledger.record_all(requests, deadline=_deadline())
        glass = sum(one.request.break_glass for one in records)
        if new and glass:
            self._metrics.break_glass.inc(glass)
        return await self._begin(records)

    async def _begin(self, records: list[Record]) -> Message:
        """Begin the stories of those that are asked for, and say what was recorded."""
        for record in records:
            if record.state is State.ASKED:
                story = self._restarts.begin(record.request.id)
                self._tasks.start(story, "begin")
        refused = [one for one in records if one.state is State.REFUSED]
        if refused:
            named = [(one.request.target.instance, one.detail) for one in refused]
            return dialog.refusals(named, len(records) - len(refused))
        joined = [one.joined for one in records if one.joined]
        hosts = await self._ledger.known(joined)
        return dialog.accepted(records, {host.request.id: host for host in hosts})


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


def _deadline() -> datetime:
    """Return until when it has to be recorded."""
    return datetime.now(UTC) + timedelta(seconds=RECORD_WITHIN_S)
