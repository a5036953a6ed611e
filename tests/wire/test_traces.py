"""What somebody who collects OpenTelemetry traces may rely on."""

from __future__ import annotations

import logging
import sys

import pytest
import structlog

from bot.model import State
from bot.telemetry.traces import SentTraces, Traces, ids_of, traces_of
from tests.support.bot_world import Bench

ON = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}


@pytest.fixture
def sdk():
    """Return the SDK's exporter that keeps spans; skipped without the extra."""
    kept = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    return kept.InMemorySpanExporter()


def sent_to(exporter) -> SentTraces:
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: PLC0415

    return SentTraces(SimpleSpanProcessor(exporter), {})


async def test_one_trace_a_story(make_bench, sdk, monkeypatch) -> None:
    """A restart is one trace: a span for the whole, and below it one for each step,
    with what was asked for and how it ended.
    """
    monkeypatch.setattr("bot.app.clients.traces_of", lambda _: sent_to(sdk))
    bench: Bench = await make_bench()

    delivery, _, _ = await bench.restart()
    record = await bench.story(delivery)

    spans = {span.name: span for span in sdk.get_finished_spans()}
    root = spans.pop("restart")
    trace_id, span_id = ids_of(record.request.id)
    assert (root.context.trace_id, root.context.span_id) == (trace_id, span_id)
    assert root.parent is None
    assert root.attributes["mlstudio.instance"] == "trainer-7"
    assert root.attributes["mlstudio.outcome"] == "ready"
    assert {"prepare", "announce", "send", "watch", "say_end"} <= spans.keys()
    for span in spans.values():
        assert span.context.trace_id == trace_id
        assert span.parent.span_id == span_id
        assert root.start_time <= span.start_time <= root.end_time
    assert root.resource.attributes["service.name"] == "mlstudio-bot"


async def test_two_stories_are_two_traces(make_bench, sdk, monkeypatch) -> None:
    """What was asked for apart is apart in the traces."""
    monkeypatch.setattr("bot.app.clients.traces_of", lambda _: sent_to(sdk))
    bench: Bench = await make_bench()

    for _ in range(2):
        delivery, _, _ = await bench.restart()
        assert (await bench.story(delivery)).state is State.READY

    roots = [one for one in sdk.get_finished_spans() if one.name == "restart"]
    assert len({one.context.trace_id for one in roots}) == len(roots) == 2


def test_every_replica_adds_to_the_same_trace(sdk) -> None:
    """Two processes that take steps of one story write one trace, without a word."""
    for replica in (sent_to(sdk), sent_to(sdk)):
        with replica.step("send", "r1"):
            pass

    one, other = sdk.get_finished_spans()
    assert one.context.trace_id == other.context.trace_id
    assert one.parent.span_id == other.parent.span_id
    assert one.context.span_id != other.context.span_id


def test_a_step_that_fails_shows_it(sdk) -> None:
    """A span tells of the failure that ended its step, and the failure goes on."""
    with pytest.raises(OSError, match="gone"), sent_to(sdk).step("send", "r1"):
        raise OSError("gone")

    (span,) = sdk.get_finished_spans()
    assert not span.status.is_ok
    assert span.events[0].name == "exception"


def test_a_sampler_keeps_a_story_whole(sdk, monkeypatch) -> None:
    """With OTEL_TRACES_SAMPLER a story is traced with all its steps, or not at all."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")
    traces = sent_to(sdk)
    for number in range(60):
        for name in ("prepare", "send"):
            with traces.step(name, f"r{number}"):
                pass

    kept = [span.context.trace_id for span in sdk.get_finished_spans()]
    assert 0 < len(set(kept)) < 60
    assert len(kept) == 2 * len(set(kept))


@pytest.mark.parametrize(
    "environ",
    [
        {},
        ON | {"OTEL_SDK_DISABLED": "true"},
        ON | {"OTEL_TRACES_EXPORTER": "none"},
        ON | {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
    ],
)
def test_nothing_is_traced_unasked(environ) -> None:
    """Without the usual variables, or with those that say no, nothing is traced."""
    assert type(traces_of(environ)) is Traces


async def test_it_is_switched_on_by_the_usual_variable(sdk) -> None:
    """An endpoint is enough; a collector that is away does not hold up the end."""
    traces = traces_of(ON)

    assert isinstance(traces, SentTraces)
    await traces.close()


def test_without_the_extra_it_says_so(monkeypatch) -> None:
    """Who asks for traces and has not installed the extra reads which one."""
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace.export", None)

    with structlog.testing.capture_logs() as logs:
        assert type(traces_of(ON)) is Traces

    assert "mlstudio-bot[otel]" in logs[0]["event"]
    assert logs[0]["log_level"] == logging.getLevelName(logging.WARNING).lower()
