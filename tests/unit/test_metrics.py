"""What somebody who watches the bot's figures may rely on."""

import re

from prometheus_client.parser import text_string_to_metric_families

from bot.model import ENDS
from bot.telemetry.metrics import CONTENT_TYPE, Metrics
from tests.support.figures import FAMILIES


def _shown(metrics):
    """Return name -> (type, help) of the families that a scraper sees."""
    families = text_string_to_metric_families(metrics.text().decode())
    return {
        # The parser drops the suffix that the text format puts behind a counter.
        family.name + ("_total" if family.type == "counter" else ""): (
            family.type,
            family.documentation,
        )
        for family in families
        if family.name.startswith("mlstudio_")
    }


def test_every_declared_family_is_served():
    """What the bot declares is what a scraper sees, no more and no less."""
    # In the text format an info family is a gauge named …_info.
    declared = {
        family.name: ("gauge" if family.kind == "info" else family.kind, family.help)
        for family in FAMILIES
    }

    assert declared == _shown(Metrics())


def test_names_follow_prometheus_custom():
    """A name ends in what it counts (…_total, …_seconds); help is a sentence."""
    endings = {
        "counter": "_total",
        "histogram": "_seconds",
        "gauge": "",
        "info": "_info",
    }
    for family in FAMILIES:
        assert re.fullmatch(r"mlstudio_[a-z_]+", family.name)
        assert family.name.endswith(endings[family.kind])
        assert family.help.endswith(".")


def test_every_outcome_exists_from_the_start():
    """A rate over an outcome misses no event: each stands at 0 before its first."""
    metrics = Metrics()

    for outcome in ENDS:
        assert (
            metrics.registry.get_sample_value(
                "mlstudio_requests_total", {"outcome": outcome}
            )
            == 0.0
        )


def test_what_is_counted_is_shown():
    """An event that the bot counts stands in the text with its labels."""
    metrics = Metrics()

    metrics.cloud_calls.labels("restart", "ok").inc()
    metrics.ack.observe(0.03)

    text = metrics.text().decode()
    assert 'mlstudio_cloud_calls_total{kind="restart",result="ok"} 1.0' in text
    assert 'mlstudio_ack_seconds_bucket{le="0.05"} 1.0' in text
    assert 'mlstudio_ack_seconds_bucket{le="0.025"} 0.0' in text


def test_two_bots_do_not_share_figures():
    """Two bots in one process count apart."""
    one, other = Metrics(), Metrics()

    one.break_glass.inc()

    name = "mlstudio_break_glass_total"
    assert one.registry.get_sample_value(name) == 1.0
    assert other.registry.get_sample_value(name) == 0.0


def test_the_process_itself_is_measured():
    """Memory, processor time and open files of the process are there to watch."""
    text = Metrics().text().decode()

    assert "process_resident_memory_bytes" in text
    assert "_created" not in text
    assert CONTENT_TYPE.startswith("text/plain")
