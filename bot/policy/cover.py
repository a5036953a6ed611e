"""Whether the requester is on call when somebody approves, where that lets him ask.

A shift may end while the request waits; what counts is the vote that decides.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.model import Decision, Person, Rule, Verdict
from bot.model.rule import line_of
from bot.policy.subjects import Groups, closed, in_words, lists

NOTE = "requester: "  # before the line, in the trail's entry of an approval


@dataclass(frozen=True, slots=True)
class Cover:
    """The *line* that lets the requester ask, nothing where he needs none.

    *refusal* is why he is on call no longer, or why nobody knows.
    """

    line: str = ""
    refusal: Decision | None = None

    @property
    def note(self) -> str:
        """What the trail says of it beside an approval."""
        return f"{NOTE}{self.line}" if self.line else ""


def covered(note: str) -> str:
    """Return the line that a *note* of the trail names, or nothing."""
    line = note.removeprefix(NOTE)
    return line if note.startswith(NOTE) and line_of(line) else ""


def cover(rule: Rule, requester: Person, groups: Groups) -> Cover:
    """Say by which line *rule* lets *requester* ask now, if he needs one.

    Raises the SlackError of a group that it hangs on and that cannot be read now.
    """
    duty = [entry for entry in rule.who if line_of(entry)]
    others = [entry for entry in rule.who if not line_of(entry)]
    if not duty or lists(others, requester.ids, groups):
        return Cover()
    for entry in duty:
        if lists([entry], requester.ids, groups):
            return Cover(entry)
    who = in_words(duty, groups)
    shut = closed(duty, groups, f"the rule “{rule.name}”")
    if shut is not None and shut.doubt:
        return Cover("", shut.refusal())
    glass = rule.approval.break_glass if rule.approval else ()
    listed = in_words(glass, groups)
    at_once = f" Break-glass needs no approval: {listed}." if listed else ""
    return Cover(
        "",
        Decision(
            Verdict.DENY,
            f"The shift of {requester.user_id}, who asked, has ended: the rule"
            f" “{rule.name}” lets {in_words(rule.who, groups)} restart it.",
            f"Who is on call now can ask again ({who}).{at_once}",
            rule.name,
            rule.version,
        ),
    )
