"""What somebody may rely on who reads the operator's manual at three in the morning."""

from __future__ import annotations

import configparser
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from bot.cli.assets import text_of
from tests.support.manual import MANUAL, blocks, headings, prose, section

RULES = [
    rule["alert"]
    for group in yaml.safe_load(text_of("alerts"))["groups"]
    for rule in group["rules"]
]


def anchor(heading: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def test_the_contents_lead_everywhere() -> None:
    """Every section stands in the contents, and every link within the page leads to a
    heading of which there is one.
    """
    contents, _ = prose().split("\n## ", 1)
    linked = set(re.findall(r"\]\(#([\w-]+)\)", contents))
    every = [anchor(one) for level in (2, 3) for one in headings(level)]

    assert {anchor(one) for one in headings(2)} <= linked
    assert len(every) == len(set(every))
    assert set(re.findall(r"\]\(#([\w-]+)\)", prose())) <= set(every)


@pytest.mark.parametrize("rule", RULES)
def test_every_alert_has_its_section(rule: str) -> None:
    """Whoever is woken finds a section with the alert's name, above what it means."""
    assert headings(3).count(rule) == 1
    assert len(section(rule)) > 80


def test_sections_are_short() -> None:
    """Nobody has to read for long to find out what to do."""
    for level in (2, 3):
        for heading in headings(level):
            assert len(section(heading).split()) < 600, heading


# --- blocks ---------------------------------------------------------------------------


def test_every_block_is_of_a_language_that_is_looked_at() -> None:
    """No block escapes the tests by being called something else."""
    languages = set(re.findall(r"(?m)^```(\w*)$", MANUAL)) - {""}

    assert languages <= {"sh", "ini", "yaml", "json", "sql"}
    assert MANUAL.count("\n```") % 2 == 0


@pytest.mark.parametrize("block", blocks("sh"))
def test_a_shell_can_read_every_block(block: str) -> None:
    """What is pasted is shell as it stands."""
    read = subprocess.run(
        ["bash", "-n"], input=block, text=True, capture_output=True, check=False
    )

    assert (read.returncode, read.stderr) == (0, "")


# What systemd.exec(5), systemd.service(5), systemd.unit(5) and systemd.kill(5) know.
KEYS = {
    "Unit": {"Description", "Wants", "After"},
    "Service": {
        *("Type", "User", "Group", "EnvironmentFile", "WorkingDirectory"),
        *("StateDirectory", "StateDirectoryMode", "ExecStart", "ExecReload"),
        *("Restart", "RestartSec", "RestartPreventExitStatus", "TimeoutStopSec"),
        *("NoNewPrivileges", "ProtectSystem", "ProtectHome", "PrivateTmp"),
        *("PrivateDevices", "ProtectKernelTunables", "ProtectControlGroups"),
        *("RestrictAddressFamilies", "CapabilityBoundingSet"),
    },
    "Install": {"WantedBy"},
}


def test_the_unit_is_one(tmp_path: Path) -> None:
    """systemd takes the unit; it stops later than the bot, and not at a mistake of the
    configuration.
    """
    (text,) = (block for block in blocks("ini") if "[Unit]" in block)
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(text)

    assert {name: set(unit[name]) for name in unit.sections()} == KEYS
    assert int(unit["Service"]["TimeoutStopSec"]) > 10
    assert unit["Service"]["RestartPreventExitStatus"] == "2"
    assert unit["Service"]["ExecStart"].endswith("/mlstudio-bot run")
    if shutil.which("systemd-analyze"):
        file = tmp_path / "mlstudio-bot.service"
        # The program and the file of variables are not on this machine.
        here = text.replace("/usr/local/bin/mlstudio-bot", "/bin/true")
        file.write_text(here, "utf-8")
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", file],
            text=True,
            capture_output=True,
            check=False,
        )
        assert [one for one in done.stderr.splitlines() if file.name in one] == []


# The keys that kubectl knows, of the kinds in the manual, as far as they stand there:
# https://kubernetes.io/docs/reference/kubernetes-api/
MANIFEST_KEYS = {
    "": {"apiVersion", "kind", "metadata", "spec", "data", "stringData"},
    "spec": {"replicas", "strategy", "selector", "template", "minAvailable"},
    "spec.template.spec": {
        *("terminationGracePeriodSeconds", "automountServiceAccountToken"),
        *("securityContext", "containers", "volumes"),
    },
    "container": {
        *("name", "image", "envFrom", "ports", "startupProbe", "livenessProbe"),
        *("readinessProbe", "resources", "securityContext", "volumeMounts"),
    },
}
VERSIONS = {
    "ConfigMap": "v1",
    "Secret": "v1",
    "Deployment": "apps/v1",
    "PodDisruptionBudget": "policy/v1",
}


def test_the_manifests_have_known_keys() -> None:
    """Kubernetes would pass over a key that it does not know without a word."""
    _, manifests = blocks("yaml")[:2]
    for document in yaml.safe_load_all(manifests):
        assert document["apiVersion"] == VERSIONS[document["kind"]]
        assert set(document) <= MANIFEST_KEYS[""]
        assert set(document.get("spec", ())) <= MANIFEST_KEYS["spec"]
        assert document["metadata"]["name"] == "mlstudio-bot"
        pod = document.get("spec", {}).get("template", {}).get("spec", {})
        assert set(pod) <= MANIFEST_KEYS["spec.template.spec"]
        for container in pod.get("containers", ()):
            assert set(container) <= MANIFEST_KEYS["container"]


def test_every_example_can_be_read() -> None:
    """Whatever is called YAML or JSON on the page is that."""
    for block in blocks("yaml"):
        assert all(yaml.safe_load_all(block))
    for block in blocks("json"):
        assert json.loads(block)
