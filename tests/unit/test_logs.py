"""What somebody who reads the bot's log, or fears it, may rely on."""

import io
import json
import logging
import warnings
from datetime import datetime, timedelta

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from structlog.contextvars import bound_contextvars

from bot.config import redaction
from bot.telemetry import logs

SECRET = 'p4ss "wörd"/+'


@pytest.fixture
def written():
    """Return a function that configures logging into a text and gives that text."""
    root, dbos = logging.getLogger(), logging.getLogger("dbos")
    before = root.handlers, root.level, dbos.handlers
    stream = io.StringIO()

    def start(style="json", **how):
        logs.configure(style, stream=stream, **how)
        return stream

    yield start
    root.handlers, level, dbos.handlers = before
    root.setLevel(level)
    logging.getLogger("bot").setLevel(logging.NOTSET)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def _lines(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_record_is_one_json_object_a_line(written):
    """Each record is one line of JSON: when (UTC), how grave, what, for whom."""
    stream = written()

    with bound_contextvars(request="r1"):
        structlog.get_logger("bot.x").info("restart sent", instance="a\nb", tries=2)

    (line,) = _lines(stream)
    assert list(line)[:4] == ["timestamp", "level", "event", "request"]
    assert datetime.fromisoformat(line.pop("timestamp")).utcoffset() == timedelta(0)
    assert line == {
        "level": "info",
        "event": "restart sent",
        "request": "r1",
        "logger": "bot.x",
        "instance": "a\nb",
        "tries": 2,
    }


def test_a_logger_without_a_name_is_its_module(written):
    """A record says which module of the bot wrote it, though no module repeats its
    name; so the bot's level holds for it.
    """
    stream = written()
    module = {"__name__": "bot.restarts.watch", "structlog": structlog}

    exec("structlog.get_logger().info('seen')", module)  # noqa: S102 a module's code

    (line,) = _lines(stream)
    assert line["logger"] == "bot.restarts.watch"


def test_the_request_id_ends_with_its_request(written):
    """A line outside of a request carries no id of an earlier one."""
    stream = written()

    with bound_contextvars(request="r1"):
        pass
    structlog.get_logger("bot.x").info("idle")

    (line,) = _lines(stream)
    assert "request" not in line


@pytest.mark.parametrize("name", ["slack_bolt.App", "dbos", "httpx", "aiohttp.server"])
def test_libraries_write_the_same_lines(written, name):
    """A library's warning has the same form and the request's id; its chatter is not
    shown.
    """
    stream = written()

    with bound_contextvars(request="r1"):
        logging.getLogger(name).info("chatter")
        logging.getLogger(name).warning("lost %s", "it")

    (line,) = _lines(stream)
    assert ("warning", "lost it", "r1", name) == (
        line["level"],
        line["event"],
        line["request"],
        line["logger"],
    )


def test_python_warnings_are_lines_too(written):
    """A Python warning does not break the form of the log."""
    stream = written()

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old way", stacklevel=1)

    (line,) = _lines(stream)
    assert "old way" in line["event"]


def test_the_level_is_for_the_bot(written):
    """DEBUG shows more of the bot and no more of the libraries."""
    stream = written(level="DEBUG")

    structlog.get_logger("bot.x").debug("mine")
    logging.getLogger("httpx").debug("theirs")

    assert [line["event"] for line in _lines(stream)] == ["mine"]


def test_people_get_text(written):
    """The console format is text for people, on one line, with nothing that moves the
    cursor.
    """
    stream = written("console")

    structlog.get_logger("bot.x").info("hello", reason="a\x1b[2Jb")

    assert "hello" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize("style", ["json", "console"])
def test_no_secret_in_any_field_or_traceback(written, style):
    """A known secret is hidden wherever it stands: text, arguments, fields, tracebacks,
    URLs, other people's records.
    """
    stream = written(style, secrets=[SECRET])

    log = structlog.get_logger("bot.x")
    log.info(SECRET, deep={"x": [SECRET, (SECRET,)]}, kept=SecretStr(SECRET))
    log.info("with %s", SECRET, **{SECRET: 1}, error=ValueError(SECRET))
    try:
        int(SECRET)
    except ValueError:
        log.exception("failed")
        logging.getLogger("httpx").exception("sent %s", {"password": SECRET})
    log.info("url", url="https://h/?k=p4ss%20%22w%C3%B6rd%22%2F%2B")

    text = stream.getvalue()
    assert "p4ss" not in text
    assert "ValueError: invalid literal" in text
    assert text.count(redaction.HIDDEN) >= 10


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("token xoxb-12345-abcdef!", "token [hidden]!"),
        ("xapp-1-A02-345-deadbeef", "[hidden]"),
        ("X-Auth-Token: MIIabc", "X-Auth-Token: [hidden]"),
        (
            "{'x-subject-token': 'gAB', 'a': 1}",
            "{'x-subject-token': '[hidden]', 'a': 1}",
        ),
        ("[(b'X-Auth-Token', b'abc')]", "[(b'X-Auth-Token', b'[hidden]')]"),
        ("Authorization: SDK-HMAC-SHA256 Access=A, S=b", "Authorization: [hidden]"),
        ('{"password": "pw1", "x": 2}', '{"password": "[hidden]", "x": 2}'),
        ("https://hooks.slack.com/commands/T1/2/x", "https://hooks.slack.com/[hidden]"),
        ("wss://w/link/?ticket=t1&app_id=2", "wss://w/link/?ticket=[hidden]&app_id=2"),
        ("Get secretKey failed, ak:AKIA-1", "Get secretKey failed, ak:[hidden]"),
        ("postgresql://bot:pw1@db/x", "postgresql://bot:[hidden]@db/x"),
        (f"got gAAAAA{'b' * 80}.", "got [hidden]."),
    ],
)
def test_what_looks_like_a_secret_is_hidden(text, shown):
    """A token that nobody told the log about is hidden by its look; the rest stays."""
    assert redaction.redactor([])(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "The password was refused: mend OS_PASSWORD.",
        "Authorization, said U024BE7LH, failed",
        "47cf4ff3-0c59-44fe-9821-2840a34c02a9",
        "https://iam.eu-de.otc.t-systems.com/v3",
        "postgresql://bot@db/x",
        "MIIT",
    ],
)
def test_ordinary_text_stays(text):
    """What is no secret can be read."""
    assert redaction.redactor(["s3cret"])(text) == text


def test_a_field_named_like_a_secret_is_hidden(written):
    """A field called token or password is hidden whatever its value; an empty one is
    shown, which tells that it is missing.
    """
    stream = written()

    structlog.get_logger("bot.x").info("set", slack_bot_token="abc", password="")

    (line,) = _lines(stream)
    assert (line["slack_bot_token"], line["password"]) == (redaction.HIDDEN, "")


# Without the letters of the mark, so that the mark cannot look like a secret.
_SECRETS = st.text(st.characters(exclude_characters=redaction.HIDDEN), min_size=4)


@given(_SECRETS, st.text(), st.text())
def test_any_secret_in_any_text_is_hidden(secret, before, after):
    """There is no secret and no text around it that lets it through."""
    assert secret not in redaction.redactor([secret])(before + secret + after)


def test_the_longer_of_two_secrets_is_hidden_whole():
    """A secret that begins like another leaves no rest behind."""
    assert redaction.redactor(["abcd", "abcdefgh"])("abcdefgh") == redaction.HIDDEN
