"""The floors of the house: whoever changes a module may rely on what lies below it."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

BOT = Path(__file__).parents[2] / "bot"

# From the ground up. A package imports only from the floors below its own; a new one
# has to be given its place here.
HOUSE = (
    {"__init__"},  # the version
    {"model"},
    {"errors"},
    {"network"},
    {"config"},
    {"web"},
    {"ledger", "cloud", "slack", "oncall"},
    {"telemetry"},
    {"policy"},
    {"alerts", "restarts"},
    {"listeners"},
    {"app"},
    {"demo"},
    {"cli"},
    {"__main__"},
)
FLOORS = {module: number for number, floor in enumerate(HOUSE) for module in floor}
# A library that only these may know, so that it can be changed.
KNOWN_TO = {
    "dbos": ("restarts/engine/",),
    "opentelemetry": ("telemetry/traces.py",),
    "slack_bolt": (
        "listeners/",
        "slack/socket_mode.py",
        "slack/http_mode.py",
        "app/",
    ),
}
# Files and folders without I/O: what they say depends on what they are given alone.
PURE = (
    "alerts/parsers.py",
    "alerts/proofs.py",
    "alerts/routes.py",
    "errors.py",
    "model/",
    "policy/approvers.py",
    "policy/decision.py",
    "policy/question.py",
    "policy/rule_outcome.py",
    "policy/subjects.py",
    "policy/timing.py",
    "restarts/polling.py",
    "restarts/readiness.py",
    "slack/command/",
    "slack/messages/",
)
OUTSIDE = {
    "aiohttp",
    "asyncio",
    "dbos",
    "httpx",
    "os",
    "pathlib",
    "psycopg",
    "random",
    "slack_bolt",
    "slack_sdk",
    "socket",
    "sqlalchemy",
    "subprocess",
    "threading",
    "time",
}


def _imports(source, package):
    """Yield the full name of everything that *source*, in *package*, imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _file(name, root):
    """Return which file of the house the import *name* means; None for a library."""
    first, *rest = name.split(".")
    if first != "bot":
        return None
    path = root
    for part in rest:
        if (path / part).is_dir():
            path /= part
        elif (path / f"{part}.py").exists():
            return f"{(path / part).relative_to(root)}.py"
        else:
            break
    return str((path / "__init__.py").relative_to(root))


def _room(place):
    return place.partition("/")[0].removesuffix(".py")


def _wrong_library(place, library):
    if not place.startswith(KNOWN_TO.get(library, ("",))):
        yield f"{place} knows {library}"
    if place.startswith(PURE) and library in OUTSIDE:
        yield f"{place} is pure and imports {library}"


def _wrong(root):
    """Return a sentence for each import under *root* that breaks a rule."""
    wrong = []
    inside = {}  # of each package: which of its files imports which
    for path in sorted(root.rglob("*.py")):
        place = str(path.relative_to(root))
        own = _room(place)
        if own not in FLOORS:
            wrong.append(f"{place} has no floor")
            continue
        package = ["bot", *path.relative_to(root).parts[:-1]]
        for name in _imports(path.read_text("utf-8"), package):
            target = _file(name, root)
            if target is None:
                wrong += _wrong_library(place, name.split(".")[0])
            elif _room(target) != own and FLOORS[_room(target)] >= FLOORS[own]:
                wrong.append(f"{place} reaches up to {_room(target)}")
            elif _room(target) == own and target != place:
                inside.setdefault(own, {}).setdefault(place, set()).add(target)
    for room, graph in inside.items():
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as circle:
            wrong.append(f"{room} goes in a circle: {' -> '.join(circle.args[1])}")
    return wrong


def test_every_module_imports_only_from_below():
    """No package knows one on its own floor or above; pure files do no I/O."""
    assert _wrong(BOT) == []


@pytest.mark.parametrize(
    ("file", "line", "complaint"),
    [
        ("model/x.py", "import bot.cloud.x", "model/x.py reaches up to cloud"),
        ("cloud/x.py", "from bot.slack import y", "cloud/x.py reaches up to slack"),
        ("cloud/x.py", "from ..slack import y", "cloud/x.py reaches up to slack"),
        (
            "policy/decision.py",
            "def f():\n import httpx",
            "policy/decision.py is pure and imports httpx",
        ),
        ("policy/authorizer.py", "import asyncio\nfrom bot.cloud import x", None),
        ("listeners/x.py", "from dbos import DBOS", "listeners/x.py knows dbos"),
        ("restarts/x.py", "import dbos", "restarts/x.py knows dbos"),
        ("restarts/engine/x.py", "import asyncio, dbos", None),
        ("news.py", "", "news.py has no floor"),
        ("cloud/x.py", "from bot import __version__, model", None),
        (
            "slack/users.py",
            "from bot.slack import client",
            "slack goes in a circle: slack/users.py -> slack/client.py",
        ),
    ],
)
def test_a_planted_import_is_found(tmp_path, file, line, complaint):
    """An import that points the wrong way fails; one that points down does not."""
    for module in ("model/y.py", "cloud/y.py", "slack/y.py", file):
        (tmp_path / module).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / module).touch()
    (tmp_path / "slack/client.py").write_text("from bot.slack import users", "utf-8")
    (tmp_path / file).write_text(line, "utf-8")

    wrong = _wrong(tmp_path)

    assert sorted(map(_cut, wrong)) == ([_cut(complaint)] if complaint else [])


def _cut(sentence):
    """A circle begins where it likes."""
    return sentence.partition(":")[0]
