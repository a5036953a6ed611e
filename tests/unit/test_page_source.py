"""What the sources of the demo's page promise, without a browser."""

from __future__ import annotations

import re

from bot.slack.command import FORMS, NAMES
from tests.support.page_server import PAGE


def test_nothing_becomes_html_or_code():
    """No script of the page turns a string into HTML or code."""
    scripts = {path.name: path.read_text() for path in PAGE.glob("*.js")}
    signs = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(")

    found = [(name, s) for name, text in scripts.items() for s in signs if s in text]

    assert found == []


def test_every_part_is_there():
    """All that the page loads lies beside it; nothing comes from elsewhere."""
    index = (PAGE / "index.html").read_text()
    loaded = re.findall(r'(?:src|href)="([^"#]+)"', index)
    for script in PAGE.glob("*.js"):
        loaded += re.findall(r' from "([^"]+)"', script.read_text())

    own = {name.removeprefix("./") for name in loaded if not name.startswith("data:")}

    assert own == {path.name for path in PAGE.iterdir()} - {"index.html"}
    assert "url(" not in (PAGE / "page.css").read_text()


def test_it_suggests_every_command():
    """The page completes the commands that the bot knows, typed as its help says."""
    source = (PAGE / "commands.js").read_text()
    listed = re.search(r"const COMMANDS = \[(.*?)\n\];", source, re.DOTALL)[1]
    row = r'\[\s*"(\w+)",\s*(?:INSTANCE|\[[^\]]*\]),\s*"([^"]*)",\s*"[^"]+",?\s*\]'
    first = {form.name: form.rest for form in reversed(FORMS)}

    assert re.findall(row, listed) == [(name, first[name]) for name in NAMES]
