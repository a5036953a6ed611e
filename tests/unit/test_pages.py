"""Whoever reads a page or a comment finds what it sends him to."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.unit.test_layers import HOUSE

ROOT = Path(__file__).parents[2]
BOT = ROOT / "bot"
README = (ROOT / "README.md").read_text(encoding="utf-8")
ARCHITECTURE = (BOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted(
    path
    for folder in (".", ".github", "bot", "bot/cli/assets", "tests", "tests/bench")
    for path in (ROOT / folder).glob("*.md")
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_picture_and_link_exists(page: Path) -> None:
    """Whatever a page points to in the repository is there."""
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []


# --- the architecture, and comments ---------------------------------------------------


def paths(text: str) -> Iterator[str]:
    """Yield what stands in backticks and is a file or a folder."""
    for quoted in re.findall(r"`([^`\s]+)`", text):
        if re.fullmatch(r"(\.\./|\w+/)[\w./-]*|\w+\.(py|md|toml|yaml)", quoted):
            yield quoted


def test_every_path_of_the_architecture_exists() -> None:
    """Whoever looks where the architecture sends him finds a file there."""
    named = set(paths(ARCHITECTURE))

    assert len(named) > 50
    assert [one for one in sorted(named) if not (BOT / one).exists()] == []


def test_every_path_of_the_readme_exists() -> None:
    """Whoever looks where the README sends him finds a file there."""
    named = [one for one in paths(README) if one.startswith(("bot/", "tests/"))]

    assert named
    assert [one for one in named if not (ROOT / one).exists()] == []


def test_every_package_has_its_paragraph() -> None:
    """Whoever opens a package finds what it is for, and no other one is told of."""
    told = re.findall(r"\*\*`([\w/]+)/`\*\*", ARCHITECTURE)
    packages = {
        str(path.parent.relative_to(BOT))
        for path in BOT.rglob("__init__.py")
        if path.parent != BOT
    }

    assert len(told) == len(set(told))
    assert set(told) <= packages
    assert {one for one in packages if "/" not in one} <= set(told)
    assert [one for one in sorted(packages) if f"`{one}/`" not in ARCHITECTURE] == []


def test_the_floors_are_those_of_the_house() -> None:
    """The order of the packages is the one that the imports are held to."""
    line = next(one for one in ARCHITECTURE.splitlines() if one.startswith("cli → "))
    floors = [set(floor.split(", ")) for floor in line.split(" → ")]

    assert floors == list(HOUSE)[-2:0:-1]


# Words for pages that whoever reads the code does not have.
ABSENT = re.compile(
    r"\b(D[E]SIGN|C[O]NTRACT)\b"
    r"|\b(contract|reference)\s+(sections?\s+)?\d|\bthe[ ]contract\b"
)
PAGE = re.compile(r"[\w./:-]+\.md\b")


def absent(path: Path, root: Path = ROOT) -> Iterator[str]:
    """Yield each place in a file that points at a page that is not there."""
    text = path.read_text(encoding="utf-8")
    for found in (*ABSENT.finditer(text), *PAGE.finditer(text)):
        word = found.group()
        there = word.endswith(".md") and any(
            (folder / word).exists() for folder in (ROOT, path.parent)
        )
        if not there and "://" not in word:
            line = text.count("\n", 0, found.start()) + 1
            yield f"{path.relative_to(root)}:{line} {word}"


def test_no_comment_points_at_a_page_that_is_not_here() -> None:
    """Whatever a comment refers to can be read: in the repository, or by a URL."""
    texts = {".py", ".js", ".css", ".html", ".toml", ".yaml"}
    files = [
        path
        for folder in (BOT, ROOT / "tests")
        for path in sorted(folder.rglob("*"))
        if path.suffix in texts
    ]

    assert [place for path in files for place in absent(path)] == []


# Put together so that they are not found in this file, too.
FACTS, PAPER, SECTION = (
    "notes/facts" + ".md",
    "C" + "ONTRACT",
    "contract" + " section 6",
)


@pytest.mark.parametrize(
    ("comment", "found"),
    [
        ("see bot/README.md", []),
        ("https://example.org/page.md", []),
        (f"as {FACTS} says", [FACTS]),
        (f"{PAPER} 3", [PAPER]),
        (f"held ({SECTION})", [SECTION]),
    ],
)
def test_a_planted_pointer_is_found(
    tmp_path: Path, comment: str, found: list[str]
) -> None:
    """A comment that names a page that is not there fails; any other does not."""
    (tmp_path / "x.py").write_text(f"# {comment}", "utf-8")

    places = list(absent(tmp_path / "x.py", tmp_path))

    assert places == [f"x.py:1 {one}" for one in found]


# --- what GitHub reads ----------------------------------------------------------------

FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_an_issue_form_is_one_that_github_shows(path: Path) -> None:
    """Whoever opens an issue gets a form: GitHub drops one with a mistake."""
    form = yaml.safe_load(path.read_text("utf-8"))
    asked = [part for part in form["body"] if part["type"] != "markdown"]
    ids = [part["id"] for part in asked]

    assert set(form) <= {"name", "description", "title", "labels", "assignees", "body"}
    assert form["name"]
    assert form["description"]
    assert {part["type"] for part in asked} <= {"input", "textarea", "dropdown"}
    assert asked
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[\w-]+", one) for one in ids)
    assert all(part["attributes"]["label"] for part in asked)
    for part in form["body"]:
        options = part["attributes"].get("options", [])
        assert bool(options) == (part["type"] == "dropdown")
        assert len(set(options)) == len(options)
        assert set(part) <= {"type", "id", "attributes", "validations"}
