"""Key login: the signatures are the vendor's, and a refused key is left in peace."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from email.utils import formatdate
from hashlib import sha256

import attrs
import httpx
import pytest
from pydantic import SecretStr

from bot.cloud.aksk_auth import authorization, canonical_request
from bot.errors import CloudMisfit
from bot.model import Act
from tests.support.cloud_wire import (
    ACTIVE,
    INSTANCE_ID,
    KEY_POINT,
    LOGIN,
    TRAINER,
    Clock,
    Wire,
    cloud_over,
    refused,
)

DATE = "20200608T023900Z"
HOST = "service.endpoint.myhuaweicloud.com"
OTC = "modelarts.eu-de.otc.t-systems.com"
PROJECT = "0123456789abcdef0123456789abcdef"
ACTION = f"/v1/{PROJECT}/demanager/instances/{INSTANCE_ID}/action"
RESTART = b'{"action":"restart"}'
# 1 and 2 are those of tests/test_signer.py in
# https://github.com/huaweicloud/huaweicloud-sdk-python-v3; 3 is that of the signing
# guide (https://support.huaweicloud.com/intl/en-us/devg-apisign/apisign-devg-pdf.pdf);
# the others were calculated, and 4 is what huaweicloudsdkcore signs as well.
VECTORS = {
    1: "cfb4171acec81de07d50e53d57eb77edd537414d66ddb1d7d780f128e12cd842",
    2: "436b1ac0a1ae03705934bb70ef2f2e09f7bfed2117d731a38235053199323a1f",
    3: "7be6668032f70418fcc22abc52071e57aff61b84a1d2381bb430d6870f4f6ebe",
    4: "15b57efec8d5f6b944147b8eca6c72f1e3ef2c60e99e3095e61edc9f865a267a",
    5: "5585b7d8db5d1cefc54b91de7a4d027d24095bb743352e2babe25de1c4e69d46",
    6: "84a04f31ee7f78cd9897cc73bc167552258966f035ffedd070363724ee4aac01",
}
SIMPLE = {"Host": HOST, "X-Sdk-Date": DATE}
OURS = {"host": OTC, "x-sdk-date": DATE, "x-project-id": PROJECT}


def signed(
    method: str,
    target: str,
    headers: dict[str, str],
    body: bytes = b"",
    *,
    date: str = DATE,
    ak: str = "AccessKey",
    sk: str = "SecretKey",
    scope: tuple[str, str] | None = None,
) -> str:
    """Return the signature alone."""
    text = canonical_request(method, target, headers, body)
    header = authorization(text, headers, date, ak=ak, sk=sk, scope=scope)
    return header.rpartition("Signature=")[2]


def test_published_get():
    """Vector 1, from the vendor's own tests, comes out the same."""
    assert signed("GET", "/resources?size=1", SIMPLE) == VECTORS[1]


def test_published_post():
    """Vector 2: a body is part of what is signed."""
    body = b'{"name":"test","id":1}'

    assert signed("POST", "/resources?size=1", SIMPLE, body) == VECTORS[2]


def test_published_guide():
    """Vector 3, from the signing guide, with the content type signed too."""
    target = (
        "/v1/77b6a44cba5143ab91d13ab9a8ff44fd/vpcs"
        "?limit=2&marker=13551d6b-755d-4757-b956-536f674975c0"
    )
    headers = {
        "host": "service.region.example.com",
        "x-sdk-date": "20191115T033655Z",
        "content-type": "application/json",
    }
    canonical = canonical_request("GET", target, headers, b"")

    assert sha256(canonical.encode()).hexdigest() == (
        "b25362e603ee30f4f25e7858e8a7160fd36e803bb2dfe206278659d71a9bcd7a"
    )
    assert VECTORS[3] == signed(
        "GET",
        target,
        headers,
        date="20191115T033655Z",
        ak="QTWAOYTTINDUT2QVKYUC",
        sk="MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc",
    )


def test_restart_in_the_access_form():
    """Vector 4: the restart call, signed as the vendor's SDK signs it."""
    canonical = canonical_request("POST", ACTION, OURS, RESTART)

    assert sha256(canonical.encode()).hexdigest() == (
        "6a035ec80c94627ee603b2c8e7843d70e377aacacfbc6058bfe013633d7f6928"
    )
    assert signed("POST", ACTION, OURS, RESTART) == VECTORS[4]


@pytest.mark.parametrize(
    ("scope", "number"), [(("", ""), 5), (("eu-de", "modelarts"), 6)]
)
def test_restart_in_the_credential_form(scope, number):
    """Vectors 5 and 6: the other form, with and without region and service."""
    signature = signed("POST", ACTION, OURS, RESTART, scope=scope)

    assert signature == VECTORS[number]


def test_names_are_signed_sorted_and_encoded_once():
    """A query in any order and any encoding is signed in the one canonical form."""
    one = signed("GET", "/a%20b/%C3%A4?b=2&a=x%20y&a=&c", SIMPLE)
    other = signed("GET", "/a b/ä/?c=&a=&b=2&a=x+y", SIMPLE)

    assert one == other


@pytest.mark.parametrize(
    ("form", "more", "number"),
    [
        ("access", {}, 4),
        ("credential", {}, 5),
        ("credential", {"region": "eu-de", "service": "modelarts"}, 6),
    ],
)
async def test_the_client_sends_the_vector(form, more, number):
    """What really goes out for a restart carries the signature of the vector."""
    clock = Clock(datetime(2020, 6, 8, 2, 39, tzinfo=UTC).timestamp())
    wire = Wire(clock)
    point = replace(
        KEY_POINT,
        project_id=PROJECT,
        modelarts_url=f"https://{OTC}",
        signature=form,
        **more,
    )
    cloud = cloud_over(wire, clock, point)

    await cloud.act(replace(TRAINER, project_id=PROJECT), Act.RESTART)

    [request] = wire.calls
    header = request.headers["Authorization"]
    who = "Access=AccessKey" if form == "access" else "Credential=AccessKey/20200608/"
    assert header.startswith(f"SDK-HMAC-SHA256 {who}")
    assert "SignedHeaders=host;x-project-id;x-sdk-date, Signature=" in header
    assert header.endswith(VECTORS[number])
    assert request.headers["X-Project-Id"] == PROJECT
    assert request.content == RESTART
    assert "X-Auth-Token" not in request.headers


async def test_a_temporary_key_sends_its_token_signed():
    """The security token of a temporary key goes out and is part of the signature."""
    clock = Clock()
    wire = Wire(clock)
    login = attrs.evolve(LOGIN, security_token=SecretStr("temporary"))
    cloud = cloud_over(wire, clock, KEY_POINT, login=login)

    await cloud.read(TRAINER)

    headers = wire.calls[0].headers
    assert headers["X-Security-Token"] == "temporary"
    assert ";x-sdk-date;x-security-token," in headers["Authorization"]


async def test_a_port_is_part_of_the_signed_host():
    """A host with a port of its own is signed with it, as it is sent."""
    clock = Clock()
    wire = Wire(clock)
    point = replace(KEY_POINT, modelarts_url="http://127.0.0.1:8099")

    await cloud_over(wire, clock, point).read(TRAINER)

    headers = wire.calls[0].headers
    names = {name: headers[name] for name in ("host", "x-sdk-date", "x-project-id")}
    path = wire.calls[0].url.path
    assert names["host"] == "127.0.0.1:8099"
    assert headers["Authorization"].endswith(
        signed("GET", path, names, date=headers["x-sdk-date"])
    )


async def test_a_refused_key_rests_for_five_minutes():
    """After one 401 nothing more is sent with the key, so the cloud never locks it."""
    clock = Clock()
    wire = Wire(clock)
    wire.answers = [refused(401, "APIG.0301", "verify aksk signature fail")]
    other = replace(KEY_POINT, project="ml-dev")
    cloud = cloud_over(wire, clock, KEY_POINT, other)

    with pytest.raises(CloudMisfit, match=r"login.*5 minutes.*APIG.0301, req-1") as one:
        await cloud.act(TRAINER, Act.RESTART)
    with pytest.raises(CloudMisfit) as two:
        await cloud.read(replace(TRAINER, project="ml-dev"))
    with pytest.raises(CloudMisfit):
        await cloud.act(TRAINER, Act.RESTART)
    clock.at += 299
    with pytest.raises(CloudMisfit):
        await cloud.read(TRAINER)

    assert str(one.value) == str(two.value)
    assert len(wire.calls) == 1


async def test_a_rested_key_is_used_again():
    """Five minutes after the refusal the next call goes out."""
    clock = Clock()
    wire = Wire(clock)
    wire.answers = [refused(401, "APIG.0301")]
    cloud = cloud_over(wire, clock, KEY_POINT)
    with pytest.raises(CloudMisfit):
        await cloud.read(TRAINER)
    clock.at += 300

    assert (await cloud.read(TRAINER)).status == "ACTIVE"


@pytest.mark.parametrize("code", ["ModelArts.0206", "ModelArts.0203"])
async def test_a_key_refused_as_forbidden_rests_too(code):
    """A refusal of the key under HTTP 403 is a refusal of the key."""
    clock = Clock()
    wire = Wire(clock)
    wire.answers = [refused(403, code)]
    cloud = cloud_over(wire, clock, KEY_POINT)

    said = set()
    for _ in range(2):
        with pytest.raises(CloudMisfit) as caught:
            await cloud.read(TRAINER)
        said.add(id(caught.value))

    assert len(wire.calls) == 1
    assert len(said) == 2  # each caller gets an error, and a traceback, of his own


async def test_a_refused_permission_does_not_rest_the_key():
    """A missing permission is told, and the key stays in use."""
    clock = Clock()
    wire = Wire(clock)
    wire.answers = [refused(403, "ModelArts.0112")]
    cloud = cloud_over(wire, clock, KEY_POINT)
    with pytest.raises(CloudMisfit, match="lacks the permission"):
        await cloud.act(TRAINER, Act.RESTART)

    assert (await cloud.read(TRAINER)).status == "ACTIVE"


@pytest.mark.parametrize(
    ("off_s", "words"),
    [(1200, "20 min behind the cloud's"), (-1200, "20 min ahead of the cloud's")],
)
async def test_a_wrong_clock_is_named(off_s, words):
    """When the key is refused and this host's clock is off, the sentence says so."""
    clock = Clock()
    wire = Wire(clock)
    date = formatdate(clock.at + off_s, usegmt=True)
    wire.answers = [refused(401, "APIG.0301", Date=date)]
    cloud = cloud_over(wire, clock, KEY_POINT)

    with pytest.raises(CloudMisfit, match=words):
        await cloud.read(TRAINER)

    assert cloud.skew_s("ml-prod") == -off_s


async def test_the_key_is_in_no_error():
    """Neither the refusal nor its repr shows the key that the cloud may echo."""
    clock = Clock()
    wire = Wire(clock)
    wire.answers = [refused(401, "APIG.0301", "Get secretKey failed, ak:AccessKey")]
    cloud = cloud_over(wire, clock, KEY_POINT)

    with pytest.raises(CloudMisfit) as caught:
        await cloud.read(TRAINER)

    assert "AccessKey" not in repr(caught.value)
    assert "SecretKey" not in repr(LOGIN)


async def test_a_key_is_proven_by_a_look_at_no_instance():
    """In key mode the login is proven when the cloud says "no such instance"."""
    clock = Clock()
    wire = Wire(clock)
    wire.answers = [refused(400, "ModelArts.6309")]

    await cloud_over(wire, clock, KEY_POINT).log_in("ml-prod")

    assert wire.calls[0].url.path.endswith("/00000000-0000-0000-0000-000000000000")


async def test_a_refused_key_is_not_proven():
    """In key mode a refused key fails the proof."""
    clock = Clock()
    wire = Wire(clock)
    wire.answers = [refused(401, "APIG.0301")]

    with pytest.raises(CloudMisfit):
        await cloud_over(wire, clock, KEY_POINT).log_in("ml-prod")


async def test_the_skew_of_a_good_answer_is_kept():
    """Every answer tells how far our clock is from the cloud's."""
    clock = Clock()
    date = {"Date": formatdate(clock.at - 30, usegmt=True)}
    wire = Wire(clock)
    wire.answers = [httpx.Response(200, json=ACTIVE, headers=date)]
    cloud = cloud_over(wire, clock, KEY_POINT)
    assert cloud.skew_s("ml-prod") is None

    await cloud.read(TRAINER)

    assert cloud.skew_s("ml-prod") == 30
