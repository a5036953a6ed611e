"""The floors of the house: whoever changes a module may rely on what lies below it."""

import ast
from pathlib import Path

import pytest

BOT = Path(__file__).parent.parent / "bot"

# From the ground up. A module (a package counts as one) imports only from the floors
# below its own; a new module has to be given its place here. Where a floor is several
# sets, its modules stand on each other in that order.
HOUSE = (
    {"__init__"},  # the version
    # 0: the nouns
    {"model"},
    {"errors"},
    # 1: pure, or nearly so
    {"config", "command", "policy", "readiness", "messages"},
    {"metrics", "logs", "patience", "slack_errors", "assets", "traces"},
    # 2: the outside world
    {"cloud", "chat", "people", "ledger"},
    # 3: the story
    {"authority", "bell", "engine", "sending"},
    {"board"},
    {"speech", "progress", "preflight"},
    {"approval", "watch"},
    {"batch", "batch_speech"},
    {"restart"},
    {"batch_story"},
    {"restarts"},
    # 4: the ways in
    {"listeners", "socketmode", "httpmode", "health"},
    # 5 and 6: everything put together
    {"upkeep", "history", "explain", "canary"},
    {"app", "check"},
    {"demo"},
    {"cli"},
    {"__main__"},
)
FLOORS = {module: number for number, floor in enumerate(HOUSE) for module in floor}
# A library that only these may know, so that it can be changed.
KNOWN_TO = {
    "dbos": {"engine"},
    "opentelemetry": {"traces"},
    "slack_bolt": {"listeners", "socketmode", "httpmode", "app"},
}
PURE = {"model", "errors", "command", "policy", "readiness", "messages"}
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


def _module(name, root):
    """Return which module of the house the import *name* means; None for a library."""
    first, *rest = name.split(".")
    if first != "bot":
        return None
    inside = rest and ((root / rest[0]).is_dir() or (root / f"{rest[0]}.py").exists())
    return rest[0] if inside else "__init__"


def _wrong(root):
    """Return a sentence for each import under *root* that breaks a rule."""
    wrong = []
    for path in sorted(root.rglob("*.py")):
        place = path.relative_to(root)
        own = place.parts[0].removesuffix(".py")
        if own not in FLOORS:
            wrong.append(f"{place} has no floor")
            continue
        package = ["bot", *place.parts[:-1]]
        for name in _imports(path.read_text("utf-8"), package):
            library, module = name.split(".")[0], _module(name, root)
            if module is None:
                if own not in KNOWN_TO.get(library, {own}):
                    wrong.append(f"{place} knows {library}")
                if own in PURE and library in OUTSIDE:
                    wrong.append(f"{place} is pure and imports {library}")
            elif module not in FLOORS:
                wrong.append(f"{place} imports {module}, which has no floor")
            elif module != own and FLOORS[module] >= FLOORS[own]:
                wrong.append(f"{place} reaches up to {module}")
    return wrong


def test_every_module_imports_only_from_below():
    """No module knows one on its own floor or above; pure ones do no I/O."""
    assert _wrong(BOT) == []


@pytest.mark.parametrize(
    ("file", "line", "complaint"),
    [
        ("policy.py", "import bot.cloud.token_auth", "policy.py reaches up to cloud"),
        ("policy.py", "from bot import chat", "policy.py reaches up to chat"),
        (
            "policy.py",
            "from bot.slack.command import parse",
            "policy.py reaches up to command",
        ),
        ("policy.py", "def f():\n import httpx", "policy.py is pure and imports httpx"),
        (
            "cloud/iam.py",
            "from bot.slack.client import Chat",
            "cloud/iam.py reaches up to chat",
        ),
        ("cloud/iam.py", "from .. import chat", "cloud/iam.py reaches up to chat"),
        ("listeners.py", "from dbos import DBOS", "listeners.py knows dbos"),
        ("news.py", "", "news.py has no floor"),
        ("cloud/iam.py", "from . import signing", None),
        ("cloud/iam.py", "from bot import __version__, model", None),
        ("restart.py", "import dbos", "restart.py knows dbos"),
        ("engine/teller.py", "import asyncio, dbos", None),
        ("restart.py", "import asyncio\nfrom bot.cloud import Cloud", None),
    ],
)
def test_a_planted_import_is_found(tmp_path, file, line, complaint):
    """An import that points the wrong way fails; one that points down does not."""
    for module in ("chat.py", "command.py", "model.py", "cloud/signing.py", file):
        (tmp_path / module).parent.mkdir(exist_ok=True)
        (tmp_path / module).touch()
    (tmp_path / file).write_text(line, "utf-8")

    assert _wrong(tmp_path) == ([complaint] if complaint else [])
