"""README and manual say what the bot does, all of it, and nothing else."""

import re
import tomllib
from pathlib import Path

import pytest
import typer.main
from pydantic import BaseModel

from bot.cli.assets import text_of
from bot.cli.main import cli
from bot.config import Settings, validate
from bot.config.secrets import VARIABLES
from bot.config.tables import ProjectSettings
from bot.model import Approval, Rule
from bot.slack.command import FORMS
from tests.support.figures import FAMILIES

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MANUAL = text_of("operations")
PROGRAM = typer.main.get_command(cli)


def section(title: str) -> str:
    """Return the README's text below a heading of level 2."""
    return README.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def block(title: str, language: str) -> str:
    """Return the first code block of a section."""
    return section(title).split(f"```{language}\n", 1)[1].split("```", 1)[0]


def test_the_readme_stays_short() -> None:
    """Whoever opens the README has read it within a few minutes."""
    assert len(README.splitlines()) < 250


@pytest.mark.parametrize("title", ["Try it", "Test it"])
def test_the_two_commands_are_one_line_each(title: str) -> None:
    """Trying and testing it take one command line to copy."""
    assert README.count(f"\n## {title}\n") == 1
    assert len(block(title, "sh").strip().splitlines()) == 1
    assert section(title).count("```sh") == 1


@pytest.mark.parametrize("name", sorted(PROGRAM.commands))
def test_every_command_and_option_is_documented(name: str) -> None:
    """Whatever the command line offers stands in its table."""
    rows = [
        line
        for line in section("The command line").splitlines()
        if line.startswith(f"| `mlstudio-bot {name}")
    ]
    options = [
        option
        for parameter in PROGRAM.commands[name].params
        for option in parameter.opts
        if option.startswith("--") and option != "--help"
    ]

    assert len(rows) == 1
    assert [one for one in options if one not in rows[0]] == []


def test_no_other_command_is_documented() -> None:
    """The README names no command that does not exist."""
    named = set(re.findall(r"mlstudio-bot ([a-z]+)", README)) - {"on"}

    assert named <= set(PROGRAM.commands)


def test_every_slash_command_is_documented() -> None:
    """Whatever the bot's help lists stands in the README, and the reverse."""
    told = {form.usage for form in FORMS}
    # A table wants its bars escaped, also in code.
    text = section("What people type").replace("\\|", "|")
    written = set(re.findall(r"`/mlstudio ([^`]+)`", text))

    assert written == told


def keys_of(model: type[BaseModel]) -> set[str]:
    """Return the keys that a table may have."""
    return set(model.model_fields)


def test_every_key_is_documented() -> None:
    """The example holds every key that the configuration knows, and is valid."""
    example = tomllib.loads(block("Configuration", "toml"))
    tables = {
        Settings: example,
        Rule: example["rules"][0],
        Approval: example["rules"][0]["approval"],
        **{
            type(value): example[name]
            for name, value in validate(example)
            if isinstance(value, BaseModel)
        },
    }
    missing = {
        f"{model.__name__}.{key}"
        for model, table in tables.items()
        for key in keys_of(model) - set(table)
        if key not in section("Configuration")
    }
    missing |= {
        key for key in keys_of(ProjectSettings) if key not in section("Configuration")
    }

    assert missing == set()


@pytest.mark.parametrize("name", sorted(VARIABLES))
def test_every_variable_is_documented(name: str) -> None:
    """Every secret stands in the table of variables."""
    assert f"`{name}`" in section("Configuration")


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_every_figure_is_documented(family) -> None:
    """Every metric stands in the manual."""
    assert f"| `{family.name}` |" in MANUAL


def test_no_other_figure_is_documented() -> None:
    """The manual's table has no metric that does not exist."""
    named = set(re.findall(r"(?m)^\| `(mlstudio_[a-z_]+)` \|", MANUAL))

    assert named <= {family.name for family in FAMILIES}
