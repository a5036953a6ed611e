"""A secret that comes back, in whichever form, goes nowhere from here."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.errors import SlackApiError

from bot.cli.check import check_file
from bot.config.redaction import HIDDEN, cleaned, hider, redactor, unescaped
from bot.demo.cloud_http import Reply
from bot.slack.errors import meaning
from tests.support.bot_world import Bench

TOKEN = "xoxb-1234-5678-a/b"
PLAIN = "Sommer/2026-Pass"  # looks like nothing


def escaped(text: str) -> str:
    """Return *text* as a cautious writer of JSON has it: no sign stands for itself."""
    return "".join(c if c.isalnum() else f"\\u{ord(c):04x}" for c in text)


@pytest.mark.parametrize("secret", [TOKEN, PLAIN])
@pytest.mark.parametrize(
    "write",
    [
        str,
        escaped,
        lambda text: text.replace("/", "\\/"),
        lambda text: json.dumps(json.dumps({"a": escaped(text)})),
        lambda text: text.replace("-", "%2D").replace("/", "%2f"),
        lambda text: text.replace("-", "\\x2d"),
        lambda text: text.replace("-", "&#45;").replace("/", "&#x2f;"),
    ],
)
def test_a_secret_in_escapes_is_hidden(secret: str, write: Any) -> None:
    """Whoever reads the line cannot put the secret together from it."""
    shown = redactor([secret])(f'{{"error": "no {write(secret)} here"}}')

    for _ in range(4):
        assert secret not in shown
        shown = unescaped(shown)
    assert HIDDEN in shown


@given(st.text(max_size=60))
def test_what_holds_no_secret_stays_as_it_is(text: str) -> None:
    """Escapes of ordinary text are not touched."""
    assert hider(["correct-horse"])(text) == text


@given(st.recursive(st.none() | st.integers() | st.text(), st.lists))
def test_a_value_without_a_secret_stays_the_same(value: Any) -> None:
    """What the cloud says is read as it was said."""
    assert cleaned(value, hider(["correct-horse"])) == value


@pytest.mark.parametrize("status", [200, 403, 429, 500, 502])
def test_an_error_word_that_is_none_is_not_repeated(status: int) -> None:
    """A proxy's or Slack's answer with a token in it tells nobody the token."""
    told = {"ok": False, "error": f"denied for Bearer {TOKEN}", "needed": TOKEN}
    answer = type("Answer", (), {"data": told, "status_code": status, "headers": {}})

    error = meaning(SlackApiError("no", answer))

    assert "xoxb" not in f"{error} {error!r} {error.code} {vars(error)}"
    scope = type(
        "Answer", (), {**vars(answer), "data": {**told, "error": "missing_scope"}}
    )
    assert "xoxb" not in str(meaning(SlackApiError("no", scope)))


async def test_a_secret_that_the_cloud_escapes_reaches_nobody(bench: Bench) -> None:
    """Neither the channel, nor a private answer, nor the database or the trail, nor
    the log gets what the cloud echoes JSON-escaped.
    """
    secret = bench.cloud.world.login.password
    body = f'{{"error_code": "X.1", "error_msg": "wrong: {escaped(secret)}"}}'
    bench.fail("read", times=None, reply=Reply(400, body))

    answer = await bench.ask("status ml-prod trainer-7")
    record = await bench.story(await bench.ask(f"restart ml-prod trainer-7 {secret}"))

    said = [answer.text, json.dumps(answer.blocks), record.detail, str(record)]
    said += [json.dumps(entry) for entry in await bench.trail()]
    said += [json.dumps([post.text, post.blocks]) for post in bench.posts()]
    said += bench.whispers("ann")
    assert "wrong" in "".join(said)
    assert secret not in "".join(said)
    with sqlite3.connect(bench.path.parent / "bot.db") as database:
        assert secret not in "\n".join(database.iterdump())


async def test_check_shows_no_secret_that_a_login_echoes(bench: Bench) -> None:
    """What IAM says of a refused login is shown without the password in it."""
    login = bench.cloud.world.login
    said = f"no {escaped(login.password)} here"
    body = f'{{"error": {{"code": 400, "message": "{said}"}}}}'
    bench.fail("login", times=None, reply=Reply(400, body))
    environ = {
        "OS_USERNAME": login.user,
        "OS_PASSWORD": login.password,
        "OS_USER_DOMAIN_NAME": login.domain,
    }

    lines = [x async for x in check_file(bench.path, environ, offline=False)]

    told = "\n".join(map(str, lines))
    assert "✗ ml-prod: the login failed" in told
    assert login.password not in told
