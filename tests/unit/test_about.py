"""What the first line of the log says of a bot that is ready."""

from pathlib import Path

import pytest

from bot import __version__
from bot.app.about import about
from bot.config import validate
from bot.errors import LedgerError

BOX = "47cf4ff3-0c59-44fe-9821-2840a34c02a9"
SETTINGS = validate(
    {
        "database": "postgresql://bot@db.example/mlstudio",
        "slack": {"mode": "http", "listen": "127.0.0.1:3000"},
        "server": {"listen": "127.0.0.1:8080"},
        "cloud": {"iam_url": "https://i/v3", "modelarts_url": "https://m"},
        "projects": {
            "p": {"id": "1", "instances": {"n": {"id": BOX, "kind": "notebook"}}}
        },
    }
)


async def two() -> int:
    return 2


async def nobody_knows() -> int:
    raise LedgerError("away")


async def test_it_names_what_serves():
    """Version, file, database, listeners, kinds and replicas stand there."""
    assert await about(SETTINGS, Path("/etc/bot.toml"), two) == {
        "version": __version__,
        "mode": "http",
        "config": "/etc/bot.toml",
        "rules": SETTINGS.version,
        "database": "postgresql://bot@db.example/mlstudio",
        "listeners": {"slack": "127.0.0.1:3000", "server": "127.0.0.1:8080"},
        "kinds": ["notebook", "studio"],
        "replicas": 2,
    }


async def test_a_database_that_does_not_tell_keeps_nobody_from_serving():
    """How many replicas there are is then not known."""
    assert (await about(SETTINGS, None, nobody_knows))["replicas"] is None


@pytest.mark.parametrize("given", ["postgresql://bot:s3cret@db/x", "sqlite:///bot.db"])
async def test_no_password_is_shown(given):
    """Whatever got into the address, a password does not get into the log."""
    settings = SETTINGS.model_copy(update={"database": given})

    assert "s3cret" not in str(await about(settings, None, two))
