"""What the rule that matched says: no, not without a reason, not yet, ask, yes."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from bot.model import Act, Approval, Decision, Rule, Verdict
from bot.model.reason_pattern import example, fits
from bot.model.wall_clock import shown
from bot.model.window import closing
from bot.policy.approvers import approvers
from bot.policy.question import Facts, Question
from bot.policy.subjects import MEND_GROUP, closed, in_words, lists
from bot.policy.timing import closes

MEND_RULES = "Whoever keeps the bot's configuration can change that."
# Letters and a symbol that show as nothing: Hangul fillers, the empty braille cell.
_FILLERS = frozenset("\u115f\u1160\u3164\uffa0\u2800")


@dataclass(frozen=True, slots=True)
class Case:
    """A request under the rule that matched it."""

    rule: Rule
    question: Question
    facts: Facts

    @property
    def named(self) -> str:
        return f"the rule “{self.rule.name}”"

    @property
    def glass(self) -> str:
        return f"the break-glass list of {self.named}"

    @property
    def instance(self) -> str:
        return self.question.target.instance

    @property
    def ids(self) -> frozenset[str]:
        return self.facts.person.ids

    @property
    def reason(self) -> str | None:
        """What was typed, if it can be seen; None: taken as given."""
        typed = self.question.reason
        return None if typed is None else explained(typed)

    @property
    def breaks_glass(self) -> bool:
        """Whether the person breaks the glass of this rule, and is listed for that.

        The list is one of its own: who is on it need not be in *who* as well.
        """
        approval = self.rule.approval
        listed = approval.break_glass if approval else ()
        return self.question.break_glass and lists(listed, self.ids, self.facts.groups)

    def decided(
        self,
        verdict: Verdict,
        why: str,
        remedy: str = "",
        *,
        approval: Approval | None = None,
        break_glass: bool = False,
    ) -> Decision:
        name, version = self.rule.name, self.rule.version
        why = why[0].upper() + why[1:]  # no sentence begins with a name
        wants_reason = self.rule.reason == "required" and self.reason is None
        window = "" if self.rule.deny else closes(self.rule, self.facts.now)
        if verdict is not Verdict.DENY:
            why = f"{why} {window}".strip()
        return Decision(
            verdict,
            why,
            remedy,
            name,
            version,
            approval,
            break_glass,
            wants_reason,
            window=window,
            pattern=self.rule.reason_pattern or "",
        )

    def refused(self, why: str, remedy: str, *, doubt: bool = False) -> Decision:
        return replace(self.decided(Verdict.DENY, why, remedy), doubt=doubt)

    def words(self, entries: Iterable[str]) -> str:
        """Return *entries* in words, with who is on call now."""
        return in_words(entries, self.facts.groups)


def ruling(case: Case) -> Decision:
    """Return what the matching rule says; break-glass comes before the cooldown."""
    return (
        _forbidden(case)
        or _unexplained(case)
        or _broken_glass(case)
        or _cooling(case)
        or _asking(case)
        or case.decided(
            Verdict.ALLOW,
            f"{case.named} lets {case.words(case.rule.who)} {case.question.verb} it.",
        )
    )


def _forbidden(case: Case) -> Decision | None:
    if not case.rule.deny:
        return None
    why = f"{case.named} forbids {case.question.verb}ing {case.instance}."
    end = closing(case.rule.windows, case.facts.now) if case.rule.when else None
    if end is None:
        return case.refused(why, MEND_RULES)
    until = f"until {shown(*end, case.facts.now)}"
    decision = case.refused(f"{why[:-1]} {until}.", "Ask again then.")
    return replace(decision, window=f"Forbidden {until}.", until=end[0])


def _unexplained(case: Case) -> Decision | None:
    if case.reason is None:
        return None
    pattern = case.rule.reason_pattern
    matching = f" that matches “{pattern}”" if pattern else ""
    if not case.reason:
        fine = case.rule.reason == "optional"
    else:
        fine = not pattern or fits(pattern, case.reason)
    if fine:
        return None
    why = f"{case.named} requires a reason{matching}."
    such = (
        f" such as “{example(pattern)}”" if pattern and example(pattern) else matching
    )
    remedy = f"Type a reason{such}, after the instance or in the dialog."
    return replace(case.refused(why, remedy), wants_reason=True)


def explained(reason: str) -> str:
    """Return *reason*, or nothing where it holds nothing that can be seen."""
    return reason.strip() if any(map(_is_seen, reason)) else ""


def _is_seen(char: str) -> bool:
    """Say whether a character leaves a mark: no blank, joiner, filler, accent alone."""
    return unicodedata.category(char)[0] in "LNPS" and char not in _FILLERS


def _broken_glass(case: Case) -> Decision | None:
    """Decide on break-glass, which means something only where approval is due."""
    approval = case.rule.approval
    if not case.question.break_glass or approval is None:
        return None
    if not lists(approval.break_glass, case.ids, case.facts.groups):
        return unread_glass(case) or case.refused(
            f"Break-glass needs a place on {case.glass}.",
            f"Without --break-glass, {case.words(approval.by)} can approve it.",
        )
    if case.reason == "":
        why = f"{case.named} grants break-glass only with a reason."
        return case.refused(why, "Type a reason after the instance.")
    return _unseen(case) or case.decided(
        Verdict.ALLOW,
        f"{case.words(approval.break_glass)} may break the glass by {case.named}.",
        approval=approval,
        break_glass=True,
    )


def unread_glass(case: Case) -> Decision | None:
    """Refuse where nobody can tell who may break the glass, else None.

    Raises the SlackError of a group that cannot be read now.
    """
    approval = case.rule.approval
    if approval is None:
        return None
    shut = closed(approval.break_glass, case.facts.groups, case.glass)
    if shut is None:
        return None
    asks = f"Without --break-glass, {case.words(case.rule.who)} can ask for it"
    remedy = f"{asks}, and {case.words(approval.by)} can approve it."
    return case.refused(shut.why, remedy, doubt=shut.doubt)


def _unseen(case: Case) -> Decision | None:
    """Refuse what others have to see where they do not: approvers, or who is told."""
    channel, named = case.question.channel_id or "", case.rule.channels or ()
    direct = channel.startswith("D")
    if not direct and (channel in named or not case.question.private):
        return None
    place = "a direct message" if direct else "this private channel"
    seen = [one for one in named if not one.startswith("D")]
    return case.refused(
        f"{case.named} wants others to see it, and in {place} they do not.",
        f"Ask in {in_words(seen) or 'a public channel that I am in'}.",
    )


def _cooling(case: Case) -> Decision | None:
    cooldown = case.rule.cooldown
    if cooldown is None or case.facts.last_restart is None:
        return None
    if case.question.wants is Act.START:  # what is down need not stay so
        return None
    # Another replica's clock may run ahead of ours.
    since = max(0.0, (case.facts.now - case.facts.last_restart).total_seconds())
    if since >= cooldown:
        return None
    return case.refused(
        f"The last restart of {case.instance} was {_span(since)} ago, and"
        f" {case.named} wants {_span(cooldown)} between two restarts.",
        f"Ask again in {_span(cooldown - since)}.",
    )


def _asking(case: Case) -> Decision | None:
    approval = case.rule.approval
    if approval is None:
        return None
    ever = approval.after(math.inf)  # the next lines may be needed
    could = approvers(ever, requester_ids=case.ids, groups=case.facts.groups)
    if could is not None and len(could) < approval.needed:
        return _too_few(case, ever, len(could))
    return _unseen(case) or case.decided(
        Verdict.ASK,
        f"{case.named} lets {case.words(case.rule.who)} {case.question.verb} it after"
        f" {approval.needed} of {case.words(approval.by)} approved.",
        " ".join(
            [f"The request waits {_span(approval.expires)} for that.", *_next(case)]
        ),
        approval=approval,
    )


def _too_few(case: Case, approval: Approval, could: int) -> Decision:
    """Refuse what could never be approved."""
    shut = closed(
        approval.by, case.facts.groups, "the list of approvers", approval.break_glass
    )
    needs = (
        f"{case.named} needs {approval.needed} of {case.words(approval.by)} to approve,"
        f" and only {could} besides the requester could."
    )
    if shut is None:
        return case.refused(needs, _who_breaks(approval, case) or MEND_RULES)
    if shut.remedy == MEND_GROUP:
        return case.refused(needs, f"{shut.why} {MEND_GROUP}")
    why = f"{shut.why} {needs[0].upper()}{needs[1:]}"
    return case.refused(why, shut.remedy, doubt=shut.doubt)


def _who_breaks(approval: Approval, case: Case) -> str:
    """Return who needs no approval, if anybody: it is night, and who asks is alone."""
    if not approval.break_glass:
        return ""
    glass = case.words(approval.break_glass)
    return f"Who still can: with --break-glass and a reason {glass}."


def _next(case: Case) -> Iterator[str]:
    """Yield who may approve as well after a while."""
    for stage in case.rule.approval.then if case.rule.approval else ():
        yield (
            f"After {_span(stage.after)} {case.words(stage.by)} may approve it as well."
        )


def _span(seconds: float) -> str:
    """Return *seconds* in words, rounded up so that waiting that long is enough."""
    if seconds <= 60:  # noqa: PLR2004
        return f"{math.ceil(seconds)} s"
    minutes = math.ceil(seconds / 60)
    if minutes < 60:  # noqa: PLR2004
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"
