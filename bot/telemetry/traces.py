"""OpenTelemetry, where it is set up: one trace a story over all replicas; else none.

The trace's id is reckoned from the request's, so that whichever process takes a step,
before or after a crash, adds to the same trace without being told. It needs the extra
``mlstudio-bot[otel]`` and the usual variables (OTEL_EXPORTER_OTLP_ENDPOINT, …).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import structlog

from bot import __version__
from bot.model import Record, State

log = structlog.get_logger()

FLUSH_WITHIN_S = 2.0
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_CERTIFICATES = (
    "OTEL_EXPORTER_OTLP_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
)
_BAD = {State.FAILED, State.TIMED_OUT, State.UNKNOWN}
_ROOT: ContextVar[tuple[int, int] | None] = ContextVar("root span", default=None)


class Traces:
    """Traces nothing; what the bot has where OpenTelemetry is not set up."""

    @contextmanager
    def step(self, name: str, request_id: str) -> Iterator[None]:  # noqa: ARG002
        """Trace what happens inside as the step *name* of a story."""
        yield

    def story(self, record: Record) -> None:
        """Trace a story that has ended, as what all its steps belong to."""

    async def close(self) -> None:
        """Send what has not been sent."""


def traces_of(environ: Mapping[str, str]) -> Traces:
    """Return what *environ* asks for; what cannot be had is said in the log."""
    kind = environ.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    off = environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if off or kind not in {"", "otlp"} or not any(map(environ.get, _ENDPOINTS)):
        return Traces()
    protocol = next(filter(None, map(environ.get, _PROTOCOLS)), "http/protobuf")
    if protocol != "http/protobuf":
        log.warning("no traces: only OTLP over http/protobuf is known", asked=protocol)
        return Traces()
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError as error:
        log.warning("no traces: install mlstudio-bot[otel]", error=str(error))
        return Traces()
    # It asks the environment for the proxy, and for other certificates than we do.
    own = any(map(environ.get, _CERTIFICATES))
    trusted = None if own else environ.get("SSL_CERT_FILE")
    exporter = OTLPSpanExporter(certificate_file=trusted or None)
    return SentTraces(BatchSpanProcessor(exporter), environ)


class SentTraces(Traces):
    """Sends spans to *processor*, which belongs to the SDK of OpenTelemetry."""

    def __init__(self, processor: Any, environ: Mapping[str, str]) -> None:
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415

        about = {"service.version": __version__}
        if not environ.get("OTEL_SERVICE_NAME"):
            about["service.name"] = "mlstudio-bot"
        self._provider = TracerProvider(
            resource=Resource.create(about), id_generator=_ids()
        )
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("bot", __version__)

    @contextmanager
    def step(self, name: str, request_id: str) -> Iterator[None]:
        """Trace what happens inside, and whether it failed, below the story's span."""
        with self._tracer.start_as_current_span(
            name,
            context=self._below(request_id),
            attributes={"mlstudio.request": request_id},
        ):
            yield

    def story(self, record: Record) -> None:
        """Trace the whole story, from the command to the last word."""
        from opentelemetry.context import Context  # noqa: PLC0415
        from opentelemetry.trace import Status, StatusCode  # noqa: PLC0415

        request = record.request
        token = _ROOT.set(ids_of(request.id))
        try:
            span = self._tracer.start_span(
                "restart",
                context=Context(),
                start_time=_ns(request.asked_at),
                attributes={
                    "mlstudio.request": request.id,
                    "mlstudio.project": request.target.project,
                    "mlstudio.instance": request.target.instance,
                    "mlstudio.rule": request.rule,
                    "mlstudio.outcome": str(record.state),
                },
            )
        finally:
            _ROOT.reset(token)
        if record.state in _BAD:
            span.set_status(Status(StatusCode.ERROR, str(record.state)))
        span.end(_ns(datetime.now(UTC)))

    async def close(self) -> None:
        """Send what has not been sent; a collector that hangs is not waited for."""
        # A thread of our own: the loop's are gone once the engine has stopped.
        thread = ThreadPoolExecutor(1, thread_name_prefix="traces")
        end = asyncio.get_running_loop().run_in_executor(
            thread, self._provider.shutdown
        )
        await asyncio.wait([end], timeout=FLUSH_WITHIN_S)
        thread.shutdown(wait=False)

    def _below(self, request_id: str) -> Any:
        """Return the context of a step: the story's span, which is sent at its end."""
        from opentelemetry import trace  # noqa: PLC0415
        from opentelemetry.sdk.trace.sampling import Decision  # noqa: PLC0415

        trace_id, span_id = ids_of(request_id)
        sampled = self._provider.sampler.should_sample(None, trace_id, "restart")
        kept = sampled.decision is Decision.RECORD_AND_SAMPLE
        flags = trace.TraceFlags(int(kept))
        above = trace.SpanContext(trace_id, span_id, is_remote=True, trace_flags=flags)
        return trace.set_span_in_context(trace.NonRecordingSpan(above))


def ids_of(request_id: str) -> tuple[int, int]:
    """Return the ids of a request's trace and of its first span, never nought."""
    digest = hashlib.sha256(f"trace {request_id}".encode()).digest()
    return int.from_bytes(digest[:16]) or 1, int.from_bytes(digest[16:24]) or 1


def _ids() -> Any:
    """Return the SDK's source of ids, which a story's own span passes by."""
    from opentelemetry.sdk.trace.id_generator import (  # noqa: PLC0415
        RandomIdGenerator,
    )

    class Ids(RandomIdGenerator):
        def generate_trace_id(self) -> int:
            root = _ROOT.get()
            return root[0] if root else super().generate_trace_id()

        def generate_span_id(self) -> int:
            root = _ROOT.get()
            return root[1] if root else super().generate_span_id()

    return Ids()


def _ns(at: datetime) -> int:
    """Return *at* in nanoseconds since 1970, as OpenTelemetry counts."""
    return int(at.timestamp() * 1e9)
