"""Mistakes that no table shows by itself: rules against projects, names against ids.

Pure. Everything here reads the file as it was parsed and skips whatever has the wrong
type, so that all mistakes are found at once, whichever else there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from bot.config.error_messages import Path, Problem, echo, fold, meant
from bot.config.tables import ID_SHAPE
from bot.model import Kind

Document = dict[str, Any]


def of_relations(document: Document) -> Iterator[Problem]:
    """Yield every mistake of this kind in *document*."""
    yield from _of_addresses(document)
    for name, project in _tables(document, "projects"):
        yield from _of_aliases(("projects", name, "instances"), project)
        yield from _of_kinds(("projects", name), project)
    yield from _of_second_names(document)
    yield from _of_repeated_names(document)
    for index, rule in _rules(document):
        names = list(table(document, "projects"))
        yield from _of_patterns(("rules", index), rule, names)
    yield from _of_alert_maps(document)


# --- reading what may have any shape -------------------------------------------------


def table(document: Document, *path: str) -> Document:
    """Return the table at *path*, an empty one where there is none."""
    value: Any = document
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def logins(document: Document) -> list[object]:
    """Return how each project logs in; where there is none, the common way.

    A project with a cloud of its own brings its own user name and password.
    """
    common = table(document, "cloud").get("auth", "token")
    projects = [project for _, project in _tables(document, "projects")]
    if not projects:
        return [common]
    ways = [(project.get("auth", common), project.get("cloud")) for project in projects]
    return [auth for auth, own in ways if not (own and auth == "token")]


def _tables(document: Document, key: str) -> Iterator[tuple[str, Document]]:
    """Yield each table below *key* with its name."""
    for name, value in table(document, key).items():
        if isinstance(value, dict):
            yield name, value


def _rules(document: Document) -> Iterator[tuple[int, Document]]:
    """Yield each rule with its index."""
    rules = document.get("rules")
    for index, rule in enumerate(rules if isinstance(rules, list) else ()):
        if isinstance(rule, dict):
            yield index, rule


def _texts(value: object) -> Iterator[tuple[int, str]]:
    """Yield each text of a list with its index."""
    for index, item in enumerate(value if isinstance(value, list) else ()):
        if isinstance(item, str):
            yield index, item


# --- the mistakes --------------------------------------------------------------------


def _of_addresses(document: Document) -> Iterator[Problem]:
    """Yield what a project needs to be reached and nobody has set."""
    common = table(document, "cloud")
    for _, project in _tables(document, "projects"):
        known = common | project
        if "modelarts_url" not in known:
            yield Problem(
                ("cloud", "modelarts_url"), "is missing; it is where ModelArts answers"
            )
        if "iam_url" not in known and known.get("auth", "token") == "token":
            yield Problem(
                ("cloud", "iam_url"), "is missing; it is where a token is fetched"
            )


def _of_aliases(path: Path, project: Document) -> Iterator[Problem]:
    """Yield each name that somebody could take for the id of another instance."""
    ids = _ids(project)
    for alias, instance_id in ids.items():
        word = alias.lower()
        looks = ID_SHAPE.fullmatch(word) or word in ids.values()
        if looks and word != instance_id:
            yield Problem((*path, alias), "the name is an id itself; choose another")


def _of_kinds(path: Path, project: Document) -> Iterator[Problem]:
    """Yield what is said of instances of a kind that they cannot be."""
    kind = project.get("kind", Kind.STUDIO)
    if project.get("discover") is True and kind == Kind.STUDIO:
        yield Problem(
            (*path, "discover"), 'works for notebooks: say kind = "notebook", too'
        )
    kinds: dict[str, object] = {}
    given, ids = table(project, "instances"), _ids(project)
    for alias, instance_id in ids.items():
        own = given[alias]
        said = own.get("kind", kind) if isinstance(own, dict) else kind
        if kinds.setdefault(instance_id, said) != said:
            yield Problem(
                (*path, "instances", alias), "has another kind under another name"
            )


def _ids(project: Document) -> dict[str, str]:
    """Return the ids of a *project* by their aliases, in small letters."""
    given = table(project, "instances").items()
    ids = ((a, i.get("id") if isinstance(i, dict) else i) for a, i in given)
    return {a: i.lower() for a, i in ids if isinstance(i, str)}


def _of_second_names(document: Document) -> Iterator[Problem]:
    """Yield each project, and each instance, that another project names as well.

    Rules go by the names of projects: under a second one they could be passed. An id
    means the same in any case, and with hyphens or without.
    """
    projects: dict[str, str] = {}
    instances: dict[str, tuple[str, str]] = {}
    for name, project in _tables(document, "projects"):
        if (word := _id_of(project)) and projects.setdefault(word, name) != name:
            yield Problem(
                ("projects", name, "id"),
                f'is the id of "{echo(projects[word])}" already; one project has one'
                " name here, so remove one of the two",
            )
        for alias, value in table(project, "instances").items():
            word = _id_of(value)
            other, its = instances.setdefault(word, (name, alias))
            if word and other != name:
                yield Problem(
                    ("projects", name, "instances", alias),
                    f'is the id of "{echo(its)}" in "{echo(other)}" already; an'
                    " instance belongs to one project, so remove one of the two",
                )


def _id_of(value: object) -> str:
    """Return the id in an entry, a text or a table, as it is compared."""
    found = value.get("id") if isinstance(value, dict) else value
    return found.lower().replace("-", "") if isinstance(found, str) else ""


def _of_repeated_names(document: Document) -> Iterator[Problem]:
    """Yield each rule that is named like an earlier one."""
    seen: dict[str, int] = {}
    for index, rule in _rules(document):
        name = rule.get("name")
        if isinstance(name, str) and seen.setdefault(fold(name), index) != index:
            earlier = f"rules[{seen[fold(name)]}]"
            yield Problem(("rules", index, "name"), f"is the name of {earlier} already")


def _of_patterns(path: Path, rule: Document, names: list[str]) -> Iterator[Problem]:
    """Yield each pattern of a rule that no project matches; policy ignores case too."""
    for index, wanted in _texts(rule.get("projects")):
        if wanted.strip() and not any(_fits(n, wanted) for n in names):
            shown = echo(wanted, also="*? []!/")
            glob = set(wanted) & set("*?[")
            said = "no project matches" if glob else "there is no project"
            near = meant(wanted, names)
            yield Problem((*path, "projects", index), f'{said} "{shown}"{near}')


def _of_alert_maps(document: Document) -> Iterator[Problem]:
    """Yield each entry of the map of alerts that names what there is not."""
    entries = table(document, "alerts").get("map")
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        path: Path = ("alerts", "map", index)
        given = entry if isinstance(entry, dict) else {}
        names = [given.get(key) for key in ("project", "instance")]
        if not all(isinstance(name, str) for name in names):
            continue  # of the wrong type, which its table says
        wanted, instance = map(str, names)
        projects = {fold(name): own for name, own in _tables(document, "projects")}
        own = projects.get(fold(wanted))
        if own is None:
            near = meant(wanted, table(document, "projects"))
            yield Problem(
                (*path, "project"), f'there is no project "{echo(wanted)}"{near}'
            )
            continue
        aliases = table(own, "instances")
        known = {fold(alias) for alias in aliases} | set(_ids(own).values())
        if own.get("discover") is not True and fold(instance) not in known:
            near = meant(instance, aliases)
            yield Problem(
                (*path, "instance"), f'there is no instance "{echo(instance)}"{near}'
            )


def _fits(name: str, wanted: str) -> bool:
    """Say whether *name* fits the pattern *wanted*."""
    return fnmatchcase(name.lower(), wanted.lower())
