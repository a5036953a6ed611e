"""The tables ``[oncall.NAME]``: which schedule says who is on call, and who that is.

Pure. What only the whole file shows is here, too: which lines are named, and by whom.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from bot.config.cross_checks import Document
from bot.config.error_messages import Path, Problem, echo, meant
from bot.config.tables import Table, Url, UserId
from bot.model.rule import line_of

Source = Literal["pagerduty", "grafana"]
PREFIX = "oncall:"
# https://support.pagerduty.com/main/docs/service-regions
REGIONS = {"us": "https://api.pagerduty.com", "eu": "https://api.eu.pagerduty.com"}
_SCHEDULE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NEEDS = {
    "pagerduty": {},
    "grafana": {
        "url": "it is where Grafana IRM answers: IRM, Settings, Admin & API",
        "stack": "it is the address of the stack, https://STACK.grafana.net",
    },
}
_FOREIGN = {"pagerduty": ("stack",), "grafana": ("region",)}


def _listed(value: Any) -> Any:
    """Return the list that one id stands for."""
    return [value] if isinstance(value, str) else value


def _schedule(text: str) -> str:
    """Check an id before it becomes part of a URL."""
    if not _SCHEDULE.fullmatch(text):
        raise ValueError(
            "is not the id of a schedule: letters, digits, _ and -, such as PABC123;"
            " it stands at the end of the schedule's address"
        )
    return text


def _some(ids: tuple[str, ...]) -> tuple[str, ...]:
    if not ids:
        raise ValueError("must not be empty; name a schedule")
    return ids


def _ref(text: str) -> str:
    if not text.strip() or text != text.strip():
        raise ValueError("is not the id of a person in the source")
    return text


class OnCallSettings(Table):
    """One line: its *source*, its schedules, and who of theirs is whom in Slack."""

    source: Source = Field(description='it is "pagerduty" or "grafana"')
    schedule: Annotated[
        tuple[Annotated[str, AfterValidator(_schedule)], ...],
        Field(strict=False, description="it is the id of a schedule, or a list of ids"),
        BeforeValidator(_listed),
        AfterValidator(_some),
    ]
    people: dict[Annotated[str, AfterValidator(_ref)], UserId] = Field(
        default_factory=dict
    )
    region: Literal["us", "eu"] | None = None
    url: Url | None = None
    stack: Url | None = None

    @property
    def api_url(self) -> str:
        """Where the source is asked."""
        return (self.url or REGIONS[self.region or "us"]).removesuffix("/api/v1")

    @property
    def said(self) -> str:
        """What the source is called, as people call it."""
        return {"pagerduty": "PagerDuty", "grafana": "Grafana"}[self.source]


# --- what only the whole file shows --------------------------------------------------


def sources(document: Document) -> set[str]:
    """Return which sources the lines of *document* use."""
    found = (line.get("source") for _, line in _lines(document))
    return {one for one in found if isinstance(one, str)}


def of_lines(document: Document) -> Iterator[Problem]:
    """Yield what is wrong with the lines, and with who names them."""
    mapped: dict[tuple[object, str], object] = {}
    for name, line in _lines(document):
        source = line.get("source")
        yield from _of_keys(("oncall", name), line, str(source))
        yield from _of_people(("oncall", name, "people"), line, mapped)
    for path, entry in _named(document):
        line_name = entry.removeprefix(PREFIX)
        if line_of(entry) and line_name not in (known := _names(document)):
            near = meant(line_name, known)
            yield Problem(
                path,
                f"there is no [oncall.{echo(line_name)}]{near or '; add that table'}",
            )


def _of_keys(path: Path, line: Document, source: str) -> Iterator[Problem]:
    """Yield the keys that a source lacks, or has no use for."""
    for key, what in _NEEDS.get(source, {}).items():
        if key not in line:
            yield Problem((*path, key), f"is missing; {what}")
    for key in _FOREIGN.get(source, ()):
        if key in line:
            yield Problem((*path, key), f'has no meaning with source = "{source}"')
    if source == "pagerduty" and "url" in line and "region" in line:
        yield Problem((*path, "region"), "says where, and url does, too; keep one")


def _of_people(
    path: Path, line: Document, mapped: dict[tuple[object, str], object]
) -> Iterator[Problem]:
    """Yield each person who is mapped to somebody else's id, here or elsewhere.

    *mapped* is what earlier lines say.
    """
    people = line.get("people")
    of: dict[object, str] = {}
    for ref, user in people.items() if isinstance(people, dict) else ():
        if not isinstance(user, str):
            continue
        other = of.setdefault(user, ref)
        if other != ref:
            yield Problem(
                (*path, ref),
                f"is {echo(user)}, and so is {echo(other)}: a person is mapped once,"
                " so remove one of the two",
            )
        before = mapped.setdefault((line.get("source"), ref), user)
        if before != user:
            yield Problem(
                (*path, ref),
                f"is {echo(user)} here and {echo(str(before))} in another line; say"
                " the same in both",
            )


def _named(document: Document) -> Iterator[tuple[Path, str]]:
    """Yield each entry of a list of people, wherever the file has one."""
    yield from _entries(("freeze", "by"), document.get("freeze"), "by")
    rules = document.get("rules")
    for index, rule in enumerate(rules if isinstance(rules, list) else ()):
        path: Path = ("rules", index)
        yield from _entries((*path, "who"), rule, "who")
        approval = rule.get("approval") if isinstance(rule, dict) else None
        for key in ("by", "break_glass", "notify"):
            yield from _entries((*path, "approval", key), approval, key)
        then = approval.get("then") if isinstance(approval, dict) else None
        for stage, each in enumerate(then if isinstance(then, list) else ()):
            yield from _entries((*path, "approval", "then", stage, "by"), each, "by")


def _entries(path: Path, table: object, key: str) -> Iterator[tuple[Path, str]]:
    value = table.get(key) if isinstance(table, dict) else None
    for index, item in enumerate(value if isinstance(value, list) else ()):
        if isinstance(item, str):
            yield (*path, index), item


def _names(document: Document) -> list[str]:
    return [name for name, _ in _lines(document)]


def _lines(document: Document) -> Iterator[tuple[str, Document]]:
    """Yield each line with its name."""
    lines = document.get("oncall")
    for name, line in lines.items() if isinstance(lines, dict) else ():
        if isinstance(line, dict):
            yield name, line
