"""Every failure of the cloud ends as the right error with a sentence for people."""

from __future__ import annotations

import json
from email.utils import formatdate

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.cloud.error_mapping import Asked, broken, failure, result_of
from bot.cloud.error_response import Problem, problem_of
from bot.cloud.error_table import ROWS
from bot.errors import (
    CloudBusy,
    CloudFollow,
    CloudGone,
    CloudMisfit,
    CloudRefused,
    CloudUnknown,
)

NOW = 1_700_000_000.0
RESTART = Asked(
    "trainer-7", "ml-prod", "modelarts.example.com", act="restart", right="action"
)
LOOK = Asked("trainer-7", "ml-prod", "modelarts.example.com")

# HTTP statuses, codes, error, words of the sentence; the codes are those of
# https://support.huaweicloud.com/intl/en-us/api-modelarts/modelarts_03_0095.html
# https://support.huaweicloud.com/intl/en-us/usermanual-apig/apig-ug-180530090.html
PAGE = [
    ("400 404", "6309 6404", CloudGone, "no such instance in project ml-prod; deleted"),
    ("400", "6357", CloudFollow, "trainer-7 is already busy with another operation"),
    ("400", "6306 6308", CloudFollow, "a restart is not possible now"),
    ("400", "6305", CloudRefused, "trainer-7 is already running and did not restart"),
    ("400", "6307 6327", CloudRefused, "it has to be started, not restarted"),
    ("400", "6333", CloudFollow, "trainer-7 is being restored by the cloud"),
    ("400", "6355", CloudBusy, "resource pool is starting up"),
    ("400", "6360", CloudRefused, "no capacity for trainer-7 right now"),
    ("400", "6329 6716 6528", CloudRefused, "is sold out; later"),
    ("400", "6326", CloudMisfit, "frozen for billing reasons"),
    ("400", "6323 6328 6792", CloudMisfit, "is not usable for this account"),
    (
        "400",
        "6319 6350 6353 6354 6374 6376 6377 6378 6379 6320 6782",
        CloudMisfit,
        "cannot use the owner's storage credentials",
    ),
    ("400", "6789 6797", CloudMisfit, "key pair or image of trainer-7"),
    ("400", "0113 0118 0116", CloudRefused, "quota is used up"),
    ("400", "6361", CloudRefused, "open a support ticket with the ref"),
    (
        "400",
        "0101 0104 0107 6332 6335 6336 6400 6600 6651",
        CloudMisfit,
        "did not accept the request",
    ),
    ("400", "0102 0204 0210", CloudMisfit, "project settings are wrong"),
    (
        "401",
        "0201 0202 0203 0204 0207 0212 6608 6620",
        CloudMisfit,
        "refused the bot's login",
    ),
    ("401", "0205 0206 0208 0209 0210", CloudMisfit, "another kind of login"),
    ("401", "6201 6203", CloudMisfit, "account is blocked"),
    ("401 403", "0112", CloudMisfit, "lacks the permission modelarts:notebook:action"),
    ("403", "0108", CloudMisfit, "lacks the permission modelarts:notebook:action"),
    ("403", "0203", CloudUnknown, "refused the bot's login"),
    ("403", "0206", CloudMisfit, "access key was refused"),
    ("403", "0210", CloudMisfit, "Project id and login do not match"),
    ("403", "6653", CloudMisfit, "Only the project owner"),
    ("404", "6650 6623 6624", CloudMisfit, "does not know this project"),
    ("404", "G0101", CloudMisfit, "restart call at modelarts.example.com, or the"),
    ("429", "6101 G0308", CloudBusy, "busy or limits our calls"),
    ("408", "6100", CloudUnknown, "checking what happened"),
    (
        "500",
        "6102 6200 6691 6692 6699 0010 0109",
        CloudUnknown,
        "had an error; checking what happened",
    ),
    ("401", "G0301", CloudMisfit, "refused the bot's login"),
    ("401", "G0307", CloudMisfit, "wrong region or endpoint"),
    ("401", "G0303 G0305 G0311", CloudMisfit, "refused the bot's kind of login"),
    ("405", "G0501 G0502", CloudMisfit, "refused the bot's kind of login"),
    ("403", "G0302 G0304 G0306", CloudMisfit, "may not call this"),
    (
        "403",
        "G0310 G0401 G0402 G0404 G0801 G0802",
        CloudMisfit,
        "Project, network address or region is blocked",
    ),
    ("400 413 414 494", "G0201", CloudMisfit, "A fault of the bot"),
    (
        "400",
        "G0602 G0607 G0104 G0105 G0106",
        CloudMisfit,
        "gateway is misconfigured",
    ),
    ("500", "G0104 G0105 G0103", CloudUnknown, "gateway is misconfigured"),
    ("404", "G0103", CloudMisfit, "gateway is misconfigured"),
    ("502 504", "G0201 G0202 G0610", CloudUnknown, "did not answer; checking"),
    (
        "500",
        "G0601 G0605 G0606 G0608 G0609 G0611 G0612 G0705",
        CloudUnknown,
        "did not answer; checking",
    ),
    ("503", "G0613", CloudUnknown, "login service is down"),
    ("400 401 403 500", "6401", CloudUnknown, "refused the bot's login"),
    ("400 403", "6407", CloudMisfit, "lacks the permission"),
    ("500", "6407", CloudUnknown, "lacks the permission"),
    ("301 302 307", "", CloudMisfit, "endpoint setting is wrong"),
    ("400 409 422", "6301 9999", CloudRefused, "The cloud refused: ModelArts."),
    ("500 502 503 504 599", "9999", CloudUnknown, "could not learn the outcome"),
    ("200 202", "6309", CloudGone, "no such instance in project"),
    ("200", "6357", CloudFollow, "already busy"),
    ("200", "6102", CloudUnknown, "had an error"),
    ("200", "0203 9999", CloudRefused, "The cloud refused: ModelArts."),
]


def written(code: str) -> list[str]:
    """Return how the cloud writes a *code* of the table; the gateway has two ways."""
    if not code:
        return [""]
    if code.startswith("G"):
        return [f"APIG.{code[1:]}", f"APIGW.{code[1:]}"]
    return [f"ModelArts.{code}"]


CASES = [
    pytest.param(int(status), name, kind, words, id=f"{status}-{name}")
    for statuses, codes, kind, words in PAGE
    for status in statuses.split()
    for code in codes.split() or [""]
    for name in written(code)
]


@pytest.mark.parametrize(("status", "code", "kind", "words"), CASES)
def test_the_page(status, code, kind, words):
    """Status and code together decide what is said and what may be done."""
    error = failure(Problem(status, code, "their words", "req-1"), RESTART)

    assert type(error) is kind
    assert words in str(error)
    assert str(error).endswith(f" ({code or status}, req-1)")
    assert (error.status, error.code, error.ref) == (status, code, "req-1")


def test_every_row_of_the_table_is_on_the_page():
    """The table holds nothing that the page above does not prove."""
    proven = {
        (status, code)
        for statuses, codes, *_ in PAGE
        for status in statuses.split()
        for code in codes.split() or [""]
    }
    broad = {(f"{status[0]}xx", code) for status, code in proven}
    fallbacks = {("401", ""), ("408", ""), ("429", ""), ("3xx", ""), ("4xx", "")}
    gateway = {("5xx", f"G{code}") for code in ("0106", "0602", "0607")}

    assert set(ROWS) <= proven | broad | fallbacks | gateway


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, CloudUnknown), (408, CloudUnknown), (429, CloudBusy), (404, CloudRefused)],
)
def test_a_status_without_a_code_is_enough(status, kind):
    """An answer that is no JSON is judged by its HTTP status."""
    assert type(failure(Problem(status), RESTART)) is kind


@pytest.mark.parametrize(
    ("problem", "sentence"),
    [
        (
            Problem(404, "APIG.0101"),
            (
                "The cloud does not offer this call at modelarts.example.com, or the"
                " endpoint is wrong."
            ),
        ),
        (Problem(502), "The cloud gave no usable answer when asked about trainer-7."),
        (
            Problem(403, "ModelArts.0112"),
            "The bot's cloud user lacks the permission modelarts:notebook:get.",
        ),
    ],
)
def test_a_look_speaks_of_looking(problem, sentence):
    """A look that fails says nothing of a restart, which may have happened before."""
    assert str(failure(problem, LOOK)).startswith(sentence)


@pytest.mark.parametrize(
    ("problem", "wait_s", "attempts"),
    [
        (Problem(400, "ModelArts.6355"), 60.0, 1),
        (Problem(429, "APIG.0308"), None, 3),
        (Problem(429, "APIG.0308", retry_after=7.0), 7.0, 3),
        (Problem(429, "APIG.0308", retry_after=0.0), 0.0, 3),
    ],
)
def test_how_long_to_wait(problem, wait_s, attempts):
    """A busy cloud says how long to wait and how often it is worth trying."""
    error = failure(problem, RESTART)

    assert isinstance(error, CloudBusy)
    assert (error.retry_after, error.attempts) == (wait_s, attempts)


def test_words_of_people_and_cloud_are_not_templates():
    """Braces in a name or in the cloud's message are shown as they are."""
    error = failure(
        Problem(409, "", "{a} {0}"),
        Asked("{p}", "{x}", "h", act="restart", right="action"),
    )

    assert str(error).startswith("The cloud refused: 409 {a} {0}")


# --- reading the answer ------------------------------------------------------------


def read(status: int, body: object, **headers: str) -> Problem:
    """Return what is read from an answer; *body* is bytes or becomes JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return problem_of(httpx.Response(status, content=content, headers=headers), NOW)


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"error_message": "m", "error_code": "ModelArts.6309"}, "ModelArts.6309", "m"),
        ({"error_msg": "m", "error_code": "APIGW.0301"}, "APIGW.0301", "m"),
        ({"error": {"code": 400, "message": "m", "title": "t"}}, "", "m"),
        ({"error": {"code": "IAM.0001", "title": "t"}}, "IAM.0001", "t"),
        ({"error": "text"}, "", "text"),
        ({"error": None, "error_code": None, "error_msg": None}, "", "Bad Request"),
        ({"error_code": 6309}, "6309", "Bad Request"),
        (["no", "object"], "", "Bad Request"),
        (b"<html>Bad gateway</html>", "", "Bad Request"),
        (b"", "", "Bad Request"),
        (b"\xff\xfe", "", "Bad Request"),
        (b"[" * 100_000, "", "Bad Request"),
        (b'{"error_code": ' + b"9" * 5000 + b"}", "", "Bad Request"),
    ],
)
def test_every_shape_is_read(body, code, message):
    """Code and message are found in each of the four shapes, or left empty."""
    problem = read(400, body)

    assert (problem.code, problem.message) == (code, message)


def test_a_nameless_status_is_still_a_sentence():
    """A status that HTTP does not know is shown as its number."""
    assert read(499, b"").message == "no explanation"


@pytest.mark.parametrize(
    ("body", "headers", "ref"),
    [
        ({"request_id": "a"}, {"X-Request-Id": "b"}, "a"),
        ({}, {"X-Request-Id": "b", "X-IAM-Trace-Id": "c"}, "b"),
        ({}, {"X-IAM-Trace-Id": "c", "x-openstack-request-id": "d"}, "c"),
        ({"request_id": None}, {"x-openstack-request-id": "d"}, "d"),
        ({}, {}, ""),
    ],
)
def test_the_ref_is_the_first_that_is_given(body, headers, ref):
    """The request id for the cloud's support is found wherever the cloud puts it."""
    assert read(400, body, **headers).ref == ref


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Get secretKey failed, ak:HSTKXXG8DEMO", "Get secretKey failed, ak:***"),
        ("bad ak: ABCDEFGHIJ0123456789.", "bad ak: ***"),
        ('{"ak":"abc","sk":"def"}', '{"ak":"***","sk":"***"}'),
        ("ak:AB\u200bCDEF refused", "ak:*** refused"),
        ("no such key ABCDEFGHIJ0123456789 here", "no such key *** here"),
        ("x-auth-token: gAAAAABh-x_y", "x-auth-token: ***"),
        ("decrypt token fail", "decrypt token fail"),
        ("token MIIZmgYJKoZIhvcNAQcCoIIZizCCGYc bad", "token *** bad"),
        ("token expires, expires_at: 2026", "token expires, expires_at: 2026"),
        (
            "instance DE-47cf4ff3-0c59-44fe-9821-2840a34c02a9 CREATE_QUEUING",
            "instance DE-47cf4ff3-0c59-44fe-9821-2840a34c02a9 CREATE_QUEUING",
        ),
        ("two\r\nlines\x1b[31m\u202e", "two lines[31m"),
        ("lone \ud800 surrogate", "lone surrogate"),
    ],
)
def test_the_clouds_words_are_safe_to_show(text, shown):
    """Keys, tokens and control characters never reach a person; the rest does."""
    assert read(400, {"error_msg": text}).message == shown


def test_long_words_are_cut_after_redaction():
    """At most 200 characters are shown, and a key at the cut does not show its half."""
    text = "x " * 96 + "ak:SECRETSECRETSECRETSECRET and more"

    message = read(400, {"error_msg": text}).message

    assert len(message) == 200
    assert message.endswith("ak:*** …")


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("3600", 60.0),
        (formatdate(NOW + 20, usegmt=True), 20.0),
        (formatdate(NOW + 3600, usegmt=True), 60.0),
        (formatdate(NOW - 20, usegmt=True), 0.0),
        ("-1", None),
        ("soon", None),
        ("", None),
        ("Mon, 99 Foo 99999 99:99:99 GMT", None),
    ],
)
def test_retry_after(header, wait_s):
    """The wait may be seconds or a date, never below nought nor above a minute."""
    assert read(429, {}, **{"Retry-After": header}).retry_after == wait_s


def test_a_date_to_wait_for_is_read_by_the_clouds_clock():
    """A wrong clock on this host does not change the wait."""
    theirs = NOW + 5000
    headers = {
        "Date": formatdate(theirs, usegmt=True),
        "Retry-After": formatdate(theirs + 20, usegmt=True),
    }

    assert read(429, {}, **headers).retry_after == 20.0


foreign_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["error", "error_code", "error_msg", "code", "message", "request_id"]
            )
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)
header_text = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)


@given(
    status=st.integers(100, 999),
    body=st.binary() | foreign_json.map(lambda value: json.dumps(value).encode()),
    headers=st.dictionaries(
        st.sampled_from(["Retry-After", "Date", "X-Request-Id"]), header_text
    ),
)
@example(status=500, body=b'{"error_code": "\\ud800"}', headers={})
@example(status=204, body=b'{"error_msg": {"error_msg": 1e400}}', headers={})
def test_no_answer_breaks_the_reader(status, body, headers):
    """Whatever the far side sends, there is one error with a short, sendable text."""
    response = httpx.Response(status, content=body, headers=headers)

    problem = problem_of(response, NOW)
    error = failure(problem, RESTART)

    assert len(problem.message) <= 200
    assert len(problem.code) <= 200
    assert len(problem.ref) <= 128
    assert problem.retry_after is None or 0 <= problem.retry_after <= 60
    assert str(error).encode()
    assert str(error).isprintable()


# --- broken connections ------------------------------------------------------------


@pytest.mark.parametrize(
    ("exc", "kind"),
    [
        (httpx.ConnectError, CloudBusy),
        (httpx.ConnectTimeout, CloudBusy),
        (httpx.PoolTimeout, CloudBusy),
        (httpx.ProxyError, CloudBusy),
        (httpx.ReadTimeout, CloudUnknown),
        (httpx.WriteTimeout, CloudUnknown),
        (httpx.ReadError, CloudUnknown),
        (httpx.WriteError, CloudUnknown),
        (httpx.CloseError, CloudUnknown),
        (httpx.RemoteProtocolError, CloudUnknown),
        (httpx.LocalProtocolError, CloudUnknown),
        (httpx.DecodingError, CloudUnknown),
        (httpx.UnsupportedProtocol, CloudMisfit),
        (httpx.InvalidURL, CloudMisfit),
    ],
)
def test_broken_connections(exc, kind):
    """Only what broke before anything was sent may be tried again."""
    error = broken(exc("secret"), RESTART)

    assert type(error) is kind
    assert "secret" not in str(error)


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (CloudRefused(""), "refused"),
        (CloudMisfit(""), "misfit"),
        (CloudFollow(""), "follow"),
        (CloudBusy(""), "busy"),
        (CloudUnknown(""), "unknown"),
    ],
)
def test_the_word_for_the_figures(error, result):
    """Each kind of failure is counted under a word of its own."""
    assert result_of(error) == result
