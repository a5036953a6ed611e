"""Whether who asked and who approved may still do so, right before the restart.

All is read anew: an approval holds for what was approved
(https://cheatsheetseries.owasp.org/cheatsheets/Transaction_Authorization_Cheat_Sheet.html).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import attrs
import structlog

from bot.errors import SlackError, SlackRefused
from bot.ledger.retry import growing
from bot.model import Decision, Person, Record, State, Verdict
from bot.policy import Question
from bot.policy.cover import covered
from bot.restarts.retry import wait_after
from bot.restarts.services import Services

log = structlog.get_logger()

ROTA_WAITS_S = (1.0, 2.0, 4.0)
# What was decided longer ago is read anew even where nobody had to approve.
DECISION_HOLDS_S = 30.0
RIGHTS_WAITS_S = (
    1.0,
    30.0,
)  # for Slack, where it does not say how long: the first, the longest


@attrs.frozen
class Lost:
    """Why what was allowed is so no longer, nothing while it is.

    *votes*: the approvals, by user id, whose givers have lost the right, each with why.
    *doubt*: it is not known who is on call, which may pass.
    """

    why: str = ""
    doubt: bool = False
    votes: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen
class Rights:
    """Asks ``policy`` again, about the requester and about everybody who approved."""

    _services: Services

    async def lost(self, record: Record) -> Lost:
        """Return why what was allowed is so no longer.

        Raises SlackError where nobody can tell that now: it is no verdict. Where it is
        not known who is on call, it is asked again a few times; then that refuses.
        """
        for wait_s in (*ROTA_WAITS_S, None):
            try:
                lost = await self._lost_right(record)
            except SlackRefused as error:
                return Lost(f"Slack did not tell who may restart it: {error}")
            if not lost.doubt or wait_s is None:
                return lost
            log.warning("who is on call is not known", why=lost.why, wait_s=wait_s)
            await asyncio.sleep(wait_s)
        raise AssertionError("unreachable")

    async def lost_in_the_end(self, record: Record) -> Lost:
        """Return what ``lost`` does, as soon as Slack tells."""
        for wait_s in growing(*RIGHTS_WAITS_S):
            try:
                return await self.lost(record)
            except SlackError as error:
                log.warning("who may restart it is not known", error=str(error))
                await asyncio.sleep(wait_after(error, wait_s))
        raise AssertionError("unreachable")

    async def _lost_right(self, record: Record) -> Lost:
        request = record.request
        cast = await self._cast(record)
        age_s = abs(request.age_s(self._services.now()))
        # Side by side, so that one reading of the groups does for both.
        decision, verdicts = await asyncio.gather(
            self._services.authorizer.decide(
                Question.of(request),
                fresh=request.waits or age_s > DECISION_HOLDS_S,
                but=request.id,
                covered=covered(next(reversed([*cast.values()]), "")),
            ),
            self._services.authorizer.verdicts(request, cast),
        )
        if decision.verdict is Verdict.DENY:
            return Lost(_in_full(decision), decision.doubt)
        if request.waits:
            return await self._lost_approval(record, decision, verdicts)
        if decision.verdict is Verdict.ASK:
            return Lost(f"The rule “{decision.rule}” now asks for approval; ask again.")
        return Lost()

    async def _cast(self, record: Record) -> Mapping[str, str]:
        """Return the approvals that stand in the trail as well, the latest last."""
        if not record.request.waits or record.state is State.ASKED:
            return {}
        cast = {vote.user_id for vote in record.votes if vote.approve}
        known = await self._services.ledger.approvers_on_trail(record.request.id)
        return {who: beside for who, beside in known.items() if who in cast}

    async def _lost_approval(
        self, record: Record, decision: Decision, verdicts: Mapping[Person, Decision]
    ) -> Lost:
        """Return why the approvals no longer carry the restart."""
        request, approval = record.request, decision.approval
        changed = decision.rule_version != request.rule_version
        if approval is None or changed or approval != request.approval:
            return Lost(
                f"The rule “{request.rule}” was changed since it was asked for."
            )
        last = await self._services.ledger.last_restart(
            request.target.key, but=request.id
        )
        if last and last.sent_at and last.sent_at > request.asked_at:
            return Lost("The instance was restarted meanwhile.")
        agreed = {  # each person once
            person.identity
            for person, one in verdicts.items()
            if one.verdict is Verdict.ALLOW
        }
        if record.state is State.ASKED or len(agreed) >= approval.needed:
            return Lost()
        lost = {
            person.user_id: one.why
            for person, one in verdicts.items()
            if one.verdict is Verdict.DENY
        }
        if doubts := [one for one in verdicts.values() if one.doubt]:
            return Lost(_in_full(doubts[0]), doubt=True)
        if lost:
            return Lost("Somebody who approved it may no longer do so.", votes=lost)
        return Lost(
            "An approval on record is not in the audit trail, so it does not count."
        )


def _in_full(decision: Decision) -> str:
    """Return why it is refused; where nobody is known to be on call, also who can."""
    return f"{decision.why} {decision.remedy}" if decision.doubt else decision.why
