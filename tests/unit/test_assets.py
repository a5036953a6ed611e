"""What somebody who watches the bot may rely on: the files that ``assets`` prints."""

import json
import re

import pytest
import yaml
from typer.testing import CliRunner

from bot.cli.assets import ASSETS, text_of
from bot.cli.main import cli
from bot.errors import UsageError
from bot.model import ENDS
from bot.telemetry.metrics import Metrics
from tests.support.figures import FAMILIES

BY_NAME = {family.name: family for family in FAMILIES}
WORD = re.compile(r"mlstudio_[a-z_]+")
SELECTOR = re.compile(r"(mlstudio_[a-z_]+)\{([^}]*)\}")
MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
FUNCTIONS = {
    "absent", "by", "histogram_quantile", "increase", "instance", "le", "max", "min",
    "min_over_time", "rate", "sum", "time",
}  # fmt: skip
SCRAPED = {"instance", "job"}  # labels that Prometheus adds itself


def _rules():
    groups = yaml.safe_load(text_of("alerts"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def _panels():
    return json.loads(text_of("dashboard.json"))["panels"]


def _expressions():
    """Return every expression with the name of what it is in."""
    rules = [(rule["alert"], rule["expr"]) for rule in _rules()]
    panels = [
        (panel["title"], target["expr"])
        for panel in _panels()
        for target in panel["targets"]
    ]
    return rules + panels


def _family(word):
    """Return the family whose figure *word* is, as Prometheus stores it."""
    if word in BY_NAME and BY_NAME[word].kind != "histogram":
        return BY_NAME[word]
    base = re.sub(r"_(bucket|sum|count)$", "", word)
    family = BY_NAME.get(base)
    return family if family and family.kind == "histogram" and word != base else None


@pytest.mark.parametrize(("where", "expression"), _expressions())
def test_only_figures_that_exist(where, expression):
    """Each figure in an alert or a panel is one that the bot serves, with its labels
    and values that these can have.
    """
    words = WORD.findall(expression)
    assert words, where
    for word in words:
        assert _family(word), f"{where}: there is no {word}"
    for word, matchers in SELECTOR.findall(expression):
        family = _family(word)
        labels = {*family.labels, *SCRAPED}
        labels |= {"le"} if family.kind == "histogram" else set()
        for label, way, value in MATCHER.findall(matchers):
            assert label in labels, f"{where}: {word} has no label {label}"
            if label == "outcome":
                wanted = value.split("|") if way == "=~" else [value]
                assert set(wanted) <= set(map(str, ENDS)), where
            if label == "le":
                assert float(value) in family.buckets


@pytest.mark.parametrize(("where", "expression"), _expressions())
def test_expressions_are_well_formed(where, expression):
    """Brackets close, and only functions and labels that are known stand there."""
    for open_, close in ("()", "{}", "[]"):
        assert expression.count(open_) == expression.count(close), where
    bare = re.sub(r'"[^"]*"|\[[^\]]*\]|\{[^}]*\}', "", expression)
    labels = {label for family in FAMILIES for label in family.labels}
    words = set(re.findall(r"[a-z_]+", WORD.sub("", bare)))
    assert words <= FUNCTIONS | labels, where


def test_an_alert_says_what_to_do():
    """Whoever is woken by an alert reads what it means and what to do; names differ."""
    rules = _rules()
    for rule in rules:
        assert rule["annotations"]["summary"].strip().endswith((".", "."))
        assert rule["annotations"]["description"].strip()
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert re.fullmatch(r"MlstudioBot[A-Z]\w+", rule["alert"])
    assert len({rule["alert"] for rule in rules}) == len(rules)


def test_the_dashboard_shows_every_figure():
    """No figure of the bot is missing on the dashboard; panels do not overlap."""
    shown = {
        _family(word).name
        for panel in _panels()
        for target in panel["targets"]
        for word in WORD.findall(target["expr"])
    }
    assert shown == set(BY_NAME)
    cells = [
        (x, y)
        for panel in _panels()
        for grid in [panel["gridPos"]]
        for x in range(grid["x"], grid["x"] + grid["w"])
        for y in range(grid["y"], grid["y"] + grid["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in _panels()}) == len(_panels())


def test_labels_of_checks_are_those_that_are_served():
    """The checks that alerts name are the ones behind /readyz."""
    metrics = Metrics()
    metrics.check_ok.labels("canary").set(0)
    named = set(re.findall(r'check=~?"([a-z|]+)"', text_of("alerts.yaml")))

    assert named == {"slack|canary", "database"}
    assert 'mlstudio_check_ok{check="canary"} 0.0' in metrics.text().decode()


def test_an_asset_that_there_is_not():
    """A wrong name is answered with the right ones."""
    with pytest.raises(UsageError, match=r'"alerts\.yaml" and "dashboard\.json"'):
        text_of("grafana")


def test_the_command_lists_and_prints():
    """``assets`` names the files; ``assets NAME`` prints one, ready to be saved."""
    listed = CliRunner().invoke(cli, ["assets"])
    assert listed.exit_code == 0
    assert [line.split()[0] for line in listed.stdout.splitlines()] == [*ASSETS]

    printed = CliRunner().invoke(cli, ["assets", "alerts.yaml"])
    assert printed.stdout_bytes.decode() == text_of("alerts.yaml")

    wrong = CliRunner().invoke(cli, ["assets", "nothing"])
    assert (wrong.exit_code, "Traceback" in wrong.stderr) == (2, False)
    assert "alerts.yaml" in wrong.stderr
