"""Whoever pastes the manual's commands gets what it says, from install to uninstall."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from pathlib import Path
from unittest.mock import patch

import pytest
import yaml

from bot import __version__
from tests.support.bot_world import Bench
from tests.support.command_line import Said, typed
from tests.support.manual import MANUAL, blocks
from tests.support.pasted import Call, Pasting

# What is called with a first word that is known of that program.
VERBS = {
    "pipx": {"install", "uninstall"},
    "systemctl": {
        *("daemon-reload", "enable", "disable", "reload", "restart", "start"),
        *("stop", "status"),
    },
    "journalctl": {"-u"},
    "docker": {"build", "run", "compose"},
    "kubectl": {"apply", "rollout", "exec", "get", "set"},
    "useradd": {"--system"},
    "userdel": {"mlstudio-bot"},
    "chown": {str(os.getuid())},
    "curl": {"-fsS", "-sS"},
    "pg_dump": {"--format=custom"},
    "pg_restore": {"--no-owner"},
    "createdb": {"--owner=mlstudio"},
}
ELSEWHERE = {"migrate"}  # needs a stopped bot and a PostgreSQL; process/ runs it


@pytest.fixture
def pasting(tmp_path: Path) -> Pasting:
    """Return a root with what somebody has who follows the manual, before he begins."""
    pasting = Pasting(tmp_path / "root")
    for name in ("etc/ssl/certs/ca-certificates.crt", "here/company-ca.pem"):
        (pasting.root / name).write_text("a certificate\n", "utf-8")
    (pasting.here / "new-value").write_text("a secret", "utf-8")
    (unit,) = (block for block in blocks("ini") if "[Unit]" in block)
    pasting.place("/etc/systemd/system/mlstudio-bot.service").write_text(unit, "utf-8")
    state = pasting.place("/var/lib/mlstudio-bot")
    state.mkdir(parents=True)
    with sqlite3.connect(state / "mlstudio-bot.db") as database:
        database.execute("CREATE TABLE kept (word)")
        database.execute("INSERT INTO kept VALUES ('kept')")
    database.close()
    return pasting


def filled_in(pasting: Pasting, bench: Bench) -> None:
    """Make a configuration and secrets of what was installed, as the manual asks."""
    folder = pasting.place("/etc/mlstudio-bot")
    (folder / "secrets").mkdir(parents=True)
    login = bench.cloud.world.login
    secrets = {
        "slack_bot_token": bench.slack.bot_token,
        "slack_app_token": bench.slack.app_token,
        "os_password": login.password,
    }
    for name, value in secrets.items():
        file = folder / "secrets" / name
        file.write_text(value, "utf-8")
        file.chmod(0o400)
    (pasting.root / "tmp/mlstudio-bot.log").write_text("{}", "utf-8")
    text = bench.path.read_text("utf-8")
    (folder / "mlstudio-bot.toml").write_text(text, "utf-8")


async def run(call: Call, pasting: Pasting) -> Said:
    """Run the bot's command line as it was called; nobody is called U024BE7LH here."""
    words = [one.replace("U024BE7LH", "U0ANN") for one in call.words]
    # A proxy that the manual names is none of this machine.
    kept = {n: v for n, v in call.environ.items() if n not in {"HTTPS_PROXY", "CALLS"}}
    kept.pop("SSL_CERT_FILE", None)
    # Where the tests descend from no shell, completion asks for the user's.
    kept["SHELL"] = "/bin/bash"
    with patch.dict(os.environ, kept, clear=True):
        return await asyncio.to_thread(typed, *words)


async def test_every_command_does_what_it_says(
    pasting: Pasting, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every block runs to its end in a shell; each command of the bot in it ends with
    0 between a Slack and a cloud; and whatever else is called is called as it can be.
    """
    pasting.paste()

    monkeypatch.chdir(pasting.here)
    every = {call.words: call for call in pasting.calls("mlstudio-bot")}
    words = {one[0] for one in every}
    assert words >= {"init", "check", "explain", "history", "assets", *ELSEWHERE}
    for call in every.values():
        if call.words[0] == "init":
            pasting.place("/etc/mlstudio-bot").mkdir()
            done = await run(call, pasting)
            assert done.code == 0, done.err
            pasting.place("/etc/mlstudio-bot/mlstudio-bot.toml").unlink()
            pasting.place("/etc/mlstudio-bot").rmdir()
            filled_in(pasting, bench)
        elif call.words[0] not in ELSEWHERE:
            done = await run(call, pasting)
            assert done.code == 0, f"{call.words}: {done.out}{done.err}"
            assert done.out
    assert (pasting.root / "tmp/mlstudio-bot.zip").exists()
    for program, verbs in VERBS.items():
        called = {call.words[0] for call in pasting.calls(program)}
        assert called == verbs, program


def test_what_is_called_is_called_by_its_name(pasting: Pasting) -> None:
    """Image, Deployment, container, label and service are those of the manual's own
    files; the restore has brought the backup's rows back; nothing is left at the end.
    """
    pasting.paste()

    compose, manifests = blocks("yaml")[:2]
    (service,) = yaml.safe_load(compose)["services"]
    documents = {one["kind"]: one for one in yaml.safe_load_all(manifests)}
    deployment = documents["Deployment"]["metadata"]["name"]
    (container,) = documents["Deployment"]["spec"]["template"]["spec"]["containers"]
    kubectl = [" ".join(call.words) for call in pasting.calls("kubectl")]
    assert f"rollout undo deployment/{deployment}" in kubectl
    assert (
        f"set image deployment/{deployment} {container['name']}={container['image']}"
    ) in kubectl
    assert "exec pod/mlstudio-bot-0 -- sh -c kill -HUP 1" in kubectl
    docker = [" ".join(call.words) for call in pasting.calls("docker")]
    assert f"build -t mlstudio-bot:{__version__} ." in docker
    assert f"compose kill -s HUP {service}" in docker
    units = {c.words[-1] for c in pasting.calls("systemctl")} - {"daemon-reload"}
    assert units <= {"mlstudio-bot", "--no-pager"}
    assert f"mlstudio-bot:{__version__}" in MANUAL
    old = pasting.place("/var/backups/mlstudio-bot/mlstudio-bot.db")
    database = sqlite3.connect(old)
    assert database.execute("SELECT word FROM kept").fetchall() == [("kept",)]
    database.close()
    for gone in ("/etc/mlstudio-bot", "/var/lib/mlstudio-bot", "/usr/local/bin/mlbot"):
        assert not pasting.place(gone).exists()
