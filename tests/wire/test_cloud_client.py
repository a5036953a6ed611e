"""The two calls to ModelArts: what they send, what they return, what they never do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import attrs
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.cloud import Cloud, Rank
from bot.cloud.schemas import InstanceAnswer
from bot.errors import (
    CloudBusy,
    CloudError,
    CloudFollow,
    CloudMisfit,
    CloudRefused,
    CloudUnknown,
)
from bot.model import Act, Answer, Instance
from tests.support.cloud_wire import (
    ACTIVE,
    INSTANCE_ID,
    KEY_POINT,
    LOGIN,
    PROJECT_ID,
    REBOOTING,
    TOKEN_POINT,
    TRAINER,
    Clock,
    Wire,
    clocks_of,
    cloud_over,
    refused,
)

GUARDED = attrs.evolve(LOGIN, hidden=("not-a-real-password",))
PATH = f"/v1/{PROJECT_ID}/demanager/instances/{INSTANCE_ID}"


@pytest.fixture
def clock() -> Clock:
    """Return a clock that only the test moves."""
    return Clock()


@pytest.fixture
def wire(clock: Clock) -> Wire:
    """Return the far side."""
    return Wire(clock)


@pytest.fixture
def cloud(wire: Wire, clock: Clock) -> Cloud:
    """Return the client under test."""
    return cloud_over(wire, clock)


def ok(body: object, status: int = 200) -> httpx.Response:
    """Return a good answer."""
    return httpx.Response(status, json=body, headers={"X-Request-Id": "req-7"})


# --- reading -----------------------------------------------------------------------


async def test_what_a_look_sends(wire, cloud):
    """A look is one GET of the instance, without a body."""
    await cloud.read(TRAINER)

    [call] = wire.calls
    assert (call.method, call.url.path, call.content) == ("GET", PATH, b"")
    assert call.extensions["timeout"] == {
        "connect": 5.0,
        "read": 15.0,
        "write": 15.0,
        "pool": 5.0,
    }


async def test_a_full_answer(wire, cloud):
    """Everything that the bot uses of the detail comes through, secrets do not."""
    detail = {
        "id": INSTANCE_ID,
        "name": "bert <b>",
        "status": "RUNNING",
        "latest_update_timestamp": "1584430231613",
        "user": {"id": "u-1", "name": "ann"},
        "flavor": "modelarts.p3",
        "flavor_details": {"name": "p3", "status": "soldOut", "is_permitted": True},
        "spec": {
            "storage": {"type": "evs", "location": {"path": "/home/ma-user/work"}},
            "credential": {"ssh_private_key": "SECRET"},
            "failed_reasons": {
                "code": "ModelArts.1",
                "message": "no disk",
                "detail": "ak:ABCD",
            },
        },
        "queuing_info": {"rank": "3"},
        "error_code": "ModelArts.6401",
        "new_field": {"anything": 1},
    }
    wire.answers = [ok(detail)]

    look = await cloud.read(TRAINER)

    assert look == Instance(
        id=INSTANCE_ID,
        status="RUNNING",
        name="bert <b>",
        updated_ms=1584430231613,
        owner="ann",
        flavor="modelarts.p3",
        kept_path="/home/ma-user/work",
        failure="ModelArts.1: no disk: ak:***",
        warning="Its machine type is sold out: it might not come back.",
    )
    assert len(wire.logins) == 1  # the instance's own error_code is not the call's


NULLS = dict.fromkeys(
    [
        "id",
        "name",
        "latest_update_timestamp",
        "user",
        "flavor",
        "flavor_details",
        "spec",
        "queuing_info",
        "error_code",
    ]
)


@pytest.mark.parametrize(
    "more",
    [
        {},
        NULLS,
        {"spec": {"storage": None, "failed_reasons": None}, "user": {"name": None}},
        {"spec": {"storage": {"location": None}}, "queuing_info": {"rank": None}},
        {"spec": [], "user": "ann", "flavor": {}, "latest_update_timestamp": "soon"},
    ],
)
async def test_a_sparse_answer(wire, cloud, more):
    """A status is enough; whatever else is missing, null or odd is left empty."""
    wire.answers = [ok({"status": "ACTIVE", **more})]

    assert await cloud.read(TRAINER) == Instance(id=INSTANCE_ID, status="ACTIVE")


@pytest.mark.parametrize("status", [None, "", {}, True])
async def test_an_instance_without_a_status_is_followed(wire, cloud, status):
    """A missing status of the right instance is an unknown status, not an error."""
    wire.answers = [ok({"id": INSTANCE_ID, "status": status})]

    assert (await cloud.read(TRAINER)).status == ""


async def test_a_status_is_one_short_word(wire, cloud):
    """An odd status is shown without control characters, 40 characters at most."""
    wire.answers = [ok({"status": "WAR\nMING" + "X" * 100})]

    status = (await cloud.read(TRAINER)).status

    assert status.startswith("WAR MINGXXX")
    assert len(status) == 40


@pytest.mark.parametrize(
    ("given_value", "updated_ms"),
    [
        ("1584430231613", 1584430231613),
        (1584430231613, 1584430231613),
        (1584430231613.0, 1584430231613),
        (-1, None),
        (True, None),
        ("9" * 400, None),
        ("٣", None),
        ([1], None),
    ],
)
def test_numbers_in_any_dress(given_value, updated_ms):
    """A timestamp is taken as number or as text; anything else counts as missing."""
    answer = InstanceAnswer.model_validate({"latest_update_timestamp": given_value})

    assert answer.instance("x").updated_ms == updated_ms


@pytest.mark.parametrize("permitted", [False, "false"])
def test_a_machine_type_that_is_not_permitted(permitted):
    """A machine type taken from the account is worth a warning before a restart."""
    answer = InstanceAnswer.model_validate(
        {"flavor_details": {"name": "p3", "is_permitted": permitted}}
    )

    look = answer.instance("x")

    assert "not permitted any more" in look.warning
    assert look.flavor == "p3"


@given(
    st.dictionaries(
        st.sampled_from(["id", "status", "user", "spec", "flavor_details", "name"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: (
                st.lists(inner, max_size=2)
                | st.dictionaries(
                    st.sampled_from(["storage", "location", "path", "id", "name"]),
                    inner,
                )
            ),
            max_leaves=6,
        ),
    )
)
def test_no_answer_breaks_the_models(body):
    """Whatever types the cloud puts where, the answer is read."""
    InstanceAnswer.model_validate(body).instance("x")


async def test_the_case_of_an_id_does_not_matter(wire, cloud):
    """An id in other letters is still the same instance."""
    wire.answers = [ok({**ACTIVE, "id": INSTANCE_ID.upper()})]

    assert (await cloud.read(TRAINER)).status == "ACTIVE"


@pytest.mark.parametrize(
    "answer",
    [
        ok({**ACTIVE, "id": "another"}),
        ok({}),
        ok([]),
        httpx.Response(200, content=b"<html>welcome</html>"),
        httpx.Response(204),
        httpx.ReadTimeout("late"),
        refused(500, "ModelArts.6102"),
        httpx.Response(502, content=b"<html>"),
    ],
)
async def test_a_look_that_tells_nothing(wire, cloud, answer):
    """Another instance, an empty page or silence is no look; it may be repeated."""
    wire.answers = [answer]

    with pytest.raises(CloudUnknown):
        await cloud.read(TRAINER)


async def test_a_missing_instance(wire, cloud):
    """ "Not found" is HTTP 400 with 6309, and the sentence names the project."""
    body = {"error_message": "not exist", "error_code": "ModelArts.6309"}
    wire.answers = [httpx.Response(400, json=body)]

    with pytest.raises(CloudRefused) as caught:
        await cloud.read(TRAINER)

    assert str(caught.value) == (
        "There is no such instance in project ml-prod; deleted, or wrong project or"
        " region. (ModelArts.6309)"
    )


async def test_an_error_in_a_good_look_without_an_instance(wire, cloud):
    """An error code with HTTP 200 and no instance is an error."""
    wire.answers = [refused(200, "ModelArts.6309")]

    with pytest.raises(CloudRefused, match="no such instance"):
        await cloud.read(TRAINER)


async def test_looks_wait_their_turn(wire, clock):
    """Looks beyond the burst of 40 wait for the limit; a restart goes before them."""
    cloud = cloud_over(wire, clock, calls_per_minute=60)
    for _ in range(40):
        await cloud.read(TRAINER, rank=Rank.RESTART)
    assert clock.slept == []

    await cloud.act(TRAINER, Act.RESTART)
    assert clock.slept == []
    await cloud.read(TRAINER, rank=Rank.RESTART)

    assert clock.slept == [2.0]


async def test_looks_of_a_watch_go_behind_those_of_people(wire, clock):
    """Watching never uses up the calls that somebody who asks now needs."""
    cloud = cloud_over(wire, clock, calls_per_minute=60)
    for _ in range(31):
        await cloud.read(TRAINER, rank=Rank.LOOK)
    assert clock.slept == [1.0]

    for _ in range(5):
        await cloud.read(TRAINER, rank=Rank.QUESTION)
    for _ in range(5):
        await cloud.read(TRAINER, rank=Rank.RESTART)

    assert clock.slept == [1.0]


async def test_a_resting_login_answers_before_the_queue(wire, clock):
    """While logins rest, a look is refused at once and takes nobody's turn."""
    cloud = cloud_over(wire, clock)
    wire.login_answers = [httpx.Response(401)]
    for _ in range(50):
        with pytest.raises(CloudMisfit):
            await cloud.read(TRAINER)

    assert clock.slept == []


# --- restarting --------------------------------------------------------------------


async def test_what_a_restart_sends(wire, cloud):
    """A restart is one POST of the 20 documented bytes, with 30 s for the answer."""
    await cloud.act(TRAINER, Act.RESTART)

    [call] = wire.calls
    assert (call.method, call.url.path) == ("POST", f"{PATH}/action")
    assert call.content == b'{"action":"restart"}'
    assert call.headers["Content-Type"] == "application/json"
    assert call.extensions["timeout"]["read"] == 30.0


@pytest.mark.parametrize("status", [200, 202])
async def test_an_accepted_restart(wire, cloud, status):
    """Any 2xx answer gives the two statuses in the cloud's own words."""
    wire.answers = [ok(REBOOTING, status)]

    assert await cloud.act(TRAINER, Act.RESTART) == Answer(
        "ACTIVE", "REBOOTING", "req-7"
    )


async def test_an_accepted_restart_without_the_status_before(wire, cloud):
    """The status before may be missing; the restart is accepted all the same."""
    wire.answers = [ok({"current_status": "REBOOTING", "previous_state": None})]

    assert await cloud.act(TRAINER, Act.RESTART) == Answer("", "REBOOTING", "req-7")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refused(400, "ModelArts.6357"), CloudFollow),
        (refused(400, "ModelArts.6307"), CloudRefused),
        (refused(404, "APIG.0101"), CloudMisfit),
        (refused(429, "APIG.0308"), CloudBusy),
        (refused(500, "ModelArts.6102"), CloudUnknown),
        (httpx.Response(502, content=b"<html>"), CloudUnknown),
        (
            httpx.Response(302, headers={"Location": "https://evil.example"}),
            CloudMisfit,
        ),
        (refused(200, "ModelArts.6307"), CloudRefused),
        (ok({"previous_state": "ACTIVE"}), CloudUnknown),
        (ok({"current_status": None}), CloudUnknown),
        (httpx.Response(200, content=b"<html>"), CloudUnknown),
        (httpx.Response(204), CloudUnknown),
        (httpx.ConnectError("no"), CloudBusy),
        (httpx.ConnectTimeout("no"), CloudBusy),
        (httpx.PoolTimeout("no"), CloudBusy),
        (httpx.WriteError("cut"), CloudUnknown),
        (httpx.WriteTimeout("slow"), CloudUnknown),
        (httpx.ReadTimeout("slow"), CloudUnknown),
        (httpx.ReadError("cut"), CloudUnknown),
        (httpx.RemoteProtocolError("cut"), CloudUnknown),
    ],
)
async def test_a_restart_is_sent_once_however_it_ends(wire, cloud, answer, kind):
    """Whatever comes back, the client sends one POST and says what it means."""
    wire.answers = [answer]

    with pytest.raises(CloudError) as caught:
        await cloud.act(TRAINER, Act.RESTART)

    assert type(caught.value) is kind
    assert len(wire.calls) == 1


async def test_the_wait_that_the_cloud_asks_for(wire, cloud):
    """A busy cloud's Retry-After comes with the error."""
    headers = {"Retry-After": "9"}
    wire.answers = [httpx.Response(429, json={}, headers=headers)]

    with pytest.raises(CloudBusy) as caught:
        await cloud.act(TRAINER, Act.RESTART)

    assert caught.value.retry_after == 9.0


@asynccontextmanager
async def listening(answer: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Serve on loopback: take each request whole, send *answer*, cut the connection."""
    requests: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r")[0])
        requests.append(head + await reader.readexactly(length))
        writer.write(answer)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1")
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", requests


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="before the answer"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n{", id="within it"),
    ],
)
async def test_a_cut_connection_never_sends_twice(clock, answer):
    """When a real connection breaks after the restart arrived, it arrived once."""
    async with listening(answer) as (url, requests), httpx.AsyncClient() as http:
        point = replace(KEY_POINT, modelarts_url=url)
        cloud = Cloud({"ml-prod": point}, LOGIN, http, clocks=clocks_of(clock))

        with pytest.raises(CloudUnknown, match="could not learn the outcome"):
            await cloud.act(TRAINER, Act.RESTART)

    assert [request.partition(b"\r\n\r\n")[2] for request in requests] == [
        b'{"action":"restart"}'
    ]


async def test_a_closed_port_is_surely_not_restarted(clock):
    """When nobody listens, nothing was sent and it may be tried again."""
    async with listening(b"") as (url, _):
        pass
    async with httpx.AsyncClient() as http:
        point = replace(KEY_POINT, modelarts_url=url)
        cloud = Cloud({"ml-prod": point}, LOGIN, http, clocks=clocks_of(clock))

        with pytest.raises(CloudBusy, match=r"cannot be reached at 127.0.0.1:"):
            await cloud.act(TRAINER, Act.RESTART)


# --- ids and projects --------------------------------------------------------------


@pytest.mark.parametrize(
    "bad", ["", "../other", "a/b", "a%2Fb", "a b", "a\n", "ä", "a" * 65, "a?x=1"]
)
@pytest.mark.parametrize("field", ["instance_id", "project_id"])
async def test_a_bad_id_never_reaches_a_url(wire, cloud, bad, field):
    """An id of anything but letters, digits and dashes is refused before any call."""
    target = replace(TRAINER, **{field: bad})

    for call in (cloud.read, partial(cloud.act, act=Act.RESTART)):
        with pytest.raises(CloudRefused, match=f"no {field[:-3]} id: .*Nothing was"):
            await call(target)

    assert (wire.calls, wire.logins) == ([], [])


async def test_a_project_that_left_the_configuration(wire, cloud):
    """A request for a project that a reload removed ends in a clear refusal."""
    cloud.use({})

    with pytest.raises(CloudMisfit, match="ml-prod is not in the bot's configuration"):
        await cloud.act(TRAINER, Act.RESTART)

    assert wire.calls == []


async def test_a_project_that_got_another_id(wire, cloud):
    """What was asked for one project id is never done in another."""
    cloud.use({"ml-prod": replace(TOKEN_POINT, project_id="b" * 32)})

    with pytest.raises(CloudMisfit, match="another id now"):
        await cloud.act(TRAINER, Act.RESTART)

    assert wire.calls == []


async def test_a_reload_keeps_logins(wire, cloud):
    """New endpoints take effect at once, and unchanged ones keep their token."""
    await cloud.read(TRAINER)

    cloud.use({"ml-prod": TOKEN_POINT})
    await cloud.read(TRAINER)

    assert len(wire.logins) == 1


async def test_a_url_with_a_slash_at_its_end(wire, clock):
    """It does not matter whether the configured addresses end in a slash."""
    point = replace(
        TOKEN_POINT,
        iam_url=f"{TOKEN_POINT.iam_url}/",
        modelarts_url=f"{TOKEN_POINT.modelarts_url}/",
    )

    await cloud_over(wire, clock, point).read(TRAINER)

    assert wire.calls[0].url.path == PATH


# --- proof and figures -------------------------------------------------------------


async def test_a_proof_of_everything(wire, cloud):
    """A project is proven by "no such instance": login, endpoint and right are good."""
    wire.answers = [refused(400, "ModelArts.6309"), refused(404, "APIG.0101")]

    await cloud.prove("ml-prod")
    with pytest.raises(CloudMisfit, match=r"does not offer this call at modelarts"):
        await cloud.prove("ml-prod")


async def test_every_call_is_counted(wire, clock):
    """Each call is counted once, by its kind and how it ended."""
    counted: list[tuple[str, str]] = []
    wire.login_answers = [httpx.Response(503)]
    wire.answers = [refused(400, "ModelArts.6357")]
    cloud = cloud_over(
        wire, clock, on_call=lambda kind, result: counted.append((kind, result))
    )

    with pytest.raises(CloudBusy):
        await cloud.read(TRAINER)
    with pytest.raises(CloudFollow):
        await cloud.act(TRAINER, Act.RESTART)
    await cloud.read(TRAINER)

    assert counted == [
        ("login", "busy"),
        ("read", "busy"),
        ("login", "ok"),
        ("restart", "follow"),
        ("read", "ok"),
    ]


# --- secrets that come back ----------------------------------------------------------


@pytest.mark.parametrize("kind", ["read", "restart"])
@pytest.mark.parametrize("secret", ["not-a-real-password", "MII"])
async def test_what_a_gateway_echoes_of_our_secrets_goes_nowhere(
    wire, clock, kind, secret
):
    """Neither password nor token gets into an error, a status or a reference."""
    cloud = cloud_over(wire, clock, login=GUARDED)
    await cloud.log_in("ml-prod")
    (token,) = wire.tokens
    told = token if secret == "MII" else secret
    wire.answers = [
        httpx.Response(
            400,
            headers={"X-Request-Id": f"ref {told}"},
            json={"error_code": "ModelArts.9", "error_msg": told, "request_id": told},
        )
    ]

    with pytest.raises(CloudRefused) as caught:
        await (cloud.read(TRAINER) if kind == "read" else cloud.act(TRAINER, Act(kind)))

    shown = f"{caught.value} {caught.value.ref} {caught.value!r}"
    assert secret not in shown
    assert "hidden" in shown


async def test_a_status_that_holds_a_secret_is_hidden(wire, clock):
    """What stands where a status should be is not shown as it came."""
    cloud = cloud_over(wire, clock, login=GUARDED)
    wire.answers = [
        httpx.Response(200, json=ACTIVE | {"status": "not-a-real-password"})
    ]

    seen = await cloud.read(TRAINER)

    assert "password" not in repr(seen)
