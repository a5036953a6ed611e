"""Log lines: one JSON object each on stderr, and no secret in any of them.

Every record goes one way, whoever wrote it: the bot through structlog, the libraries
through logging. The last step but one takes the secrets out, after exceptions have
become text, so that nothing can be added behind it. Lines of the audit trail alone go
out as they are, in either format: their secrets were taken out before they were
recorded, and they have to fit their hashes.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Literal, NoReturn, TextIO

import structlog
from structlog.contextvars import merge_contextvars
from structlog.stdlib import BoundLogger, ProcessorFormatter
from structlog.typing import EventDict, Processor, WrappedLogger

from bot.config.redaction import HIDDEN, redactor
from bot.ledger.audit_line import LOGGER as AUDIT
from bot.telemetry.repeats import Repeats

Format = Literal["json", "console"]
# A value under such a key is hidden whole, whatever it looks like.
_KEYS = re.compile(
    r"(?i)(authorization|cookie|credential|password|secret|token|private_key"
    r"|response_url)$"
)
_FIRST = ("timestamp", "level", "event", "request")  # the order to read in
# Whatever moves a terminal's cursor; JSON escapes it by itself.
_CONTROL = {code: f"\\x{code:02x}" for code in (*range(9), *range(11, 32), 127)}


def configure(
    style: Format = "json",
    *,
    secrets: Iterable[str] = (),
    level: str = "INFO",
    stream: TextIO | None = None,
) -> None:
    """Send every record of this process to *stream* (stderr) as *style*.

    *secrets* are the values to hide wherever they appear; *level* is for the bot's own
    records, the libraries' start at WARNING.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_formatter(style, secrets))
    handler.addFilter(Repeats(handler))
    audit = AuditHandler(handler.stream)
    audit.lock = handler.lock  # no line stands in the middle of another
    handler.addFilter(lambda record: record.name != AUDIT)
    logging.getLogger(AUDIT).handlers = [audit]
    logging.getLogger(AUDIT).setLevel(logging.INFO)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("bot").setLevel(level)
    # Without a handler of its own dbos writes its plain lines past ours.
    engine = logging.getLogger("dbos")
    engine.handlers = [logging.NullHandler()]
    engine.setLevel(logging.WARNING)  # a bot that stops in this process lowers it
    logging.captureWarnings(capture=True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_common(),
            ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=BoundLogger,
        cache_logger_on_first_use=False,
    )


class AuditHandler(logging.StreamHandler[TextIO]):
    """Writes each line of the audit trail as it is, or raises what kept it back."""

    def handleError(self, _record: logging.LogRecord) -> NoReturn:  # noqa: N802
        """Let whoever writes the trail know that the line was not written."""
        raise  # noqa: PLE0704 - it is called while the exception is handled


def _common() -> list[Processor]:
    """Return what happens to a record first, ours or a library's."""
    return [
        merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _formatter(style: Format, secrets: Iterable[str]) -> ProcessorFormatter:
    clean = partial(_clean, redact=redactor(secrets), style=style)
    last: Processor = (
        structlog.processors.JSONRenderer()
        if style == "json"
        else structlog.dev.ConsoleRenderer(
            colors=False, exception_formatter=structlog.dev.plain_traceback
        )
    )
    return ProcessorFormatter(
        foreign_pre_chain=_common(),
        processors=[
            ProcessorFormatter.remove_processors_meta,
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            clean,
            last,
        ],
    )


def _clean(
    _logger: WrappedLogger,
    _method: str,
    event: EventDict,
    *,
    redact: Callable[[str], str],
    style: Format,
) -> EventDict:
    """Return *event* with its usual fields first and every secret hidden."""
    first = [key for key in _FIRST if key in event]
    cleaned = _fields({key: event[key] for key in (*first, *event)}, redact)
    if style == "json":
        return cleaned
    return {
        key: value.translate(_CONTROL) if isinstance(value, str) else value
        for key, value in cleaned.items()
    }


def _fields(fields: Mapping[Any, object], redact: Callable[[str], str]) -> EventDict:
    """Return *fields* cleaned; what is named like a secret is hidden whole."""
    return {
        redact(str(key)): HIDDEN
        if value and _KEYS.search(str(key))
        else _value(value, redact)
        for key, value in fields.items()
    }


def _value(value: object, redact: Callable[[str], str]) -> object:
    """Return *value* as JSON values in which every text went through *redact*."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return _fields(value, redact)
    if isinstance(value, list | tuple | set | frozenset):
        return [_value(item, redact) for item in value]
    return redact(str(value))
