"""What an operator may rely on who copies the manual's blocks or builds the image."""

import re
import tomllib
from functools import cache
from pathlib import Path, PurePosixPath

import pytest
import yaml
from packaging.requirements import Requirement

from bot import __version__
from bot.cli.assets import text_of
from bot.config import validate
from bot.config.secrets import VARIABLES
from bot.listeners.refusal_limit import MOST_REFUSALS
from bot.slack.http_mode import LARGEST_BYTES

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
CONFIG = PurePosixPath(re.search(r"MLSTUDIO_BOT_CONFIG=(\S+)", DOCKERFILE)[1])
UID = int(re.search(r"USER (\d+):", DOCKERFILE)[1])
VOLUME = re.search(r"VOLUME (\S+)", DOCKERFILE)[1]
PORT = int(re.search(r"'127\.0\.0\.1', (\d+)", DOCKERFILE)[1])
ELSEWHERE = {"PGPASSWORD"}  # read by the PostgreSQL driver


@cache
def _documents(title):
    """Return the YAML documents of a section of the manual."""
    section = text_of("operations").split(f"\n### {title}\n", 1)[1]
    section = section.split("\n### ", 1)[0]
    (block,) = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
    return list(yaml.safe_load_all(block))


def _kind(kind):
    return next(one for one in _documents("Kubernetes") if one["kind"] == kind)


def _pod():
    return _kind("Deployment")["spec"]["template"]["spec"]


def _is_secret(name):
    return name.removesuffix("_FILE") in {*VARIABLES, *ELSEWHERE}


# --- compose -------------------------------------------------------------------------


def test_the_compose_file_fits_the_image():
    """Its mounts, secrets and variables are those that image and bot know."""
    (compose,) = _documents("Compose")
    (service,) = compose["services"].values()

    mounts = {place.split(":")[1] for place in service["volumes"]}
    assert mounts == {VOLUME, str(CONFIG.parent)}
    assert service["volumes"][1].endswith(":ro")
    assert all(map(_is_secret, service["environment"]))
    files = {
        value
        for name, value in service["environment"].items()
        if name.endswith("_FILE")
    }
    assert files == {f"/run/secrets/{name}" for name in service["secrets"]}
    assert set(service["secrets"]) == set(compose["secrets"])
    needed = {"SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "OS_USERNAME", "OS_PASSWORD"}
    given = {name.removesuffix("_FILE") for name in service["environment"]}
    assert needed <= given
    assert service["read_only"]
    assert int(service["stop_grace_period"].rstrip("s")) > 10


# --- kubernetes ----------------------------------------------------------------------


def test_the_configuration_of_the_example_loads():
    """The example's file is one that the bot takes, for several replicas."""
    (text,) = _kind("ConfigMap")["data"].values()

    settings = validate(tomllib.loads(text))

    assert settings.database.startswith("postgresql://")
    assert settings.server.listen == f"0.0.0.0:{PORT}"
    assert settings.canary


def test_the_secrets_of_the_example_exist():
    """It names every variable that its configuration needs, and holds no value."""
    secrets = _kind("Secret")["stringData"]

    assert all(map(_is_secret, secrets))
    assert {"SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "OS_PASSWORD"} <= set(secrets)
    assert not any(secrets.values())


def test_the_probes_ask_what_is_there():
    """Each probe asks a page that the bot serves, on the port where it does."""
    (container,) = _pod()["containers"]
    (port,) = container["ports"]
    assert port["containerPort"] == PORT
    for probe, path in (
        ("startupProbe", "/livez"),
        ("livenessProbe", "/livez"),
        ("readinessProbe", "/readyz"),
    ):
        assert container[probe]["httpGet"] == {"path": path, "port": port["name"]}
    source = (ROOT / "bot/telemetry/health.py").read_text("utf-8")
    annotations = _kind("Deployment")["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(PORT)
    for page in ("/livez", "/readyz", annotations["prometheus.io/path"]):
        assert f'"{page}"' in source


def test_no_replica_goes_before_another_is_there():
    """An update never leaves fewer replicas than before; each may finish its work."""
    spec = _kind("Deployment")["spec"]

    assert spec["replicas"] == 2
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert _pod()["terminationGracePeriodSeconds"] > 10
    labels = spec["template"]["metadata"]["labels"]
    assert spec["selector"]["matchLabels"] == labels
    assert _kind("PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == labels


def test_the_pod_has_no_more_rights_than_the_image_needs():
    """Not root, a read-only root, no capabilities; the file lies where it is sought."""
    (container,) = _pod()["containers"]

    assert _pod()["securityContext"]["runAsUser"] == UID
    assert _pod()["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["image"] == f"mlstudio-bot:{__version__}"
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    # The folder: a file that is mounted by subPath stays as it was at the start.
    (key,) = _kind("ConfigMap")["data"]
    assert PurePosixPath(mounts["config"]["mountPath"]) / key == CONFIG
    assert not any("subPath" in mount for mount in mounts.values())
    assert set(mounts) == {volume["name"] for volume in _pod()["volumes"]}


def test_the_figures_of_the_security_section():
    """What the manual says of limits is what the code has."""
    manual = text_of("operations")
    security = manual.split("\n## Trust and limits\n", 1)[1].split("\n## ", 1)[0]

    assert f"over {LARGEST_BYTES // 1024} kB" in security
    assert f"more than {MOST_REFUSALS} refusals" in security


# --- the image -----------------------------------------------------------------------


def _locked(name):
    """Return name -> version of a file of requirements, all of which have hashes."""
    text = (ROOT / ".ci" / name).read_text("utf-8")
    entries = re.split(r"\n(?=\S)", re.sub(r"(?m)^#.*\n", "", text).strip())
    found = {}
    for entry in entries:
        match = re.match(r"([\w.-]+)==(\S+?)(?: ; .*?)? \\\n", entry)
        assert match, entry[:60]
        assert "--hash=sha256:" in entry, match[1]
        found[match[1].lower().replace("_", "-")] = match[2]
    return found


def test_what_the_image_installs_is_what_the_project_asks_for():
    """Each dependency is locked, at a version that the project allows."""
    locked = _locked("requirements.txt")
    asked = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["otel"]]
    for requirement in map(Requirement, asked):
        assert requirement.specifier.contains(locked[requirement.name.lower()])


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-build.txt"])
def test_the_locked_files_name_no_index(name):
    """They can be used with any mirror: they say what, not where from."""
    assert _locked(name)
    text = (ROOT / ".ci" / name).read_text("utf-8")
    assert not re.search(r"(?m)^-|https?://|index-url|find-links", text)


def test_every_install_of_the_image_is_locked():
    """Nothing gets into the image but by its hash, or from this folder."""
    installs = re.findall(r"pip (?:--python \S+ )?(?:install|wheel)[^\n&]*", DOCKERFILE)
    assert len(installs) == 4
    for line in installs:
        assert "--require-hashes" in line or "--no-deps" in line, line
    assert "--no-build-isolation" in DOCKERFILE


def test_what_the_image_copies_is_let_through():
    """Every file that the Dockerfile copies is there, and .dockerignore lets it in."""
    ignore = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    for line in re.findall(r"(?m)^COPY (?!--from)(.*)$", DOCKERFILE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists()
            assert f"!{source}" in ignore
