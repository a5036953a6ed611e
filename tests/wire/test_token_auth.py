"""Token login: one login for everybody, renewed in time, never hammered."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import httpx
import pytest
from structlog.testing import capture_logs

from bot.errors import CloudBusy, CloudMisfit, CloudUnknown
from bot.model import Act
from tests.support.cloud_wire import (
    LOGIN,
    MODELARTS,
    PASSWORD,
    PROJECT_ID,
    TOKEN_POINT,
    TRAINER,
    Clock,
    Wire,
    cloud_over,
    iso,
    refused,
)

DAY = 86400.0
LIFE_WITHOUT_MARGIN = DAY - 600


@pytest.fixture
def clock() -> Clock:
    """Return a clock that only the test moves."""
    return Clock()


@pytest.fixture
def wire(clock: Clock) -> Wire:
    """Return the far side."""
    return Wire(clock)


async def test_the_login_that_goes_out(wire, clock):
    """The login names the user with his domain and the project by its id."""
    await cloud_over(wire, clock).read(TRAINER)

    user = {"name": "bot", "password": PASSWORD, "domain": {"name": "OTC0001"}}
    assert wire.logins == [
        {
            "auth": {
                "identity": {"methods": ["password"], "password": {"user": user}},
                "scope": {"project": {"id": PROJECT_ID}},
            }
        }
    ]


async def test_ten_calls_at_once_log_in_once(wire, clock):
    """Ten calls that start together share one login and its 9 KB token."""
    cloud = cloud_over(wire, clock)
    wire.together = 10

    looks = await asyncio.gather(*(cloud.read(TRAINER) for _ in range(10)))

    assert [look.status for look in looks] == ["ACTIVE"] * 10
    assert len(wire.logins) == 1
    assert len(wire.calls[0].headers["X-Auth-Token"]) > 9000


async def test_a_revoked_token_costs_one_login(wire, clock):
    """Ten calls in flight with a revoked token lead to one new login, and all work."""
    cloud = cloud_over(wire, clock)
    await cloud.read(TRAINER)
    wire.tokens.clear()
    wire.calls.clear()
    wire.together = 10  # all ten are on the way before the first is refused

    looks = await asyncio.gather(*(cloud.read(TRAINER) for _ in range(10)))

    assert [look.status for look in looks] == ["ACTIVE"] * 10
    assert len(wire.logins) == 2
    assert len(wire.calls) == 20


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, "ModelArts.0201"),
        (401, "APIGW.0307"),
    ],
)
async def test_a_refused_token_is_renewed_once(wire, clock, status, code):
    """A restart whose token is refused is sent once more with a new one, as it was."""
    wire.answers = [refused(status, code)]

    answer = await cloud_over(wire, clock).act(TRAINER, Act.RESTART)

    assert answer.current == "REBOOTING"
    first, second = wire.calls
    assert first.content == second.content == b'{"action":"restart"}'
    assert len(wire.logins) == 2


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, "ModelArts.0201"),
        (401, ""),
        (403, "ModelArts.0203"),
        (400, "ModelArts.6401"),
        (500, "ModelArts.6401"),
    ],
)
async def test_a_look_logs_in_anew_on_all_that_speaks_of_the_login(
    wire, clock, status, code
):
    """A look may be repeated, so it is, whichever way its token was refused."""
    wire.answers = [refused(status, code)]

    assert (await cloud_over(wire, clock).read(TRAINER)).status == "ACTIVE"
    assert len(wire.logins) == 2


async def test_a_token_refused_twice_is_the_operators_matter(wire, clock):
    """A second refusal of the same request ends it: the endpoint may be wrong."""
    wire.answers = [refused(401, "APIG.0307"), refused(401, "APIG.0307")]

    with pytest.raises(CloudMisfit, match="wrong region or endpoint"):
        await cloud_over(wire, clock).act(TRAINER, Act.RESTART)

    assert (len(wire.calls), len(wire.logins)) == (2, 2)


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, "ModelArts.6201"), (401, "ModelArts.0112"), (403, "ModelArts.6407")],
)
async def test_a_new_login_is_not_tried_where_it_cannot_help(wire, clock, status, code):
    """A blocked account or an error of the cloud is not answered with a new login."""
    wire.answers = [refused(status, code)]

    with pytest.raises(CloudMisfit):
        await cloud_over(wire, clock).act(TRAINER, Act.RESTART)

    assert (len(wire.calls), len(wire.logins)) == (1, 1)


# --- life --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("life_s", "still_s", "over_s"),
    [(DAY, LIFE_WITHOUT_MARGIN - 1, LIFE_WITHOUT_MARGIN), (3.0, 1.4, 1.5)],
)
async def test_a_token_is_renewed_early(wire, clock, life_s, still_s, over_s):
    """A token is kept until ten minutes before its end, a short one half its life."""
    wire.life_s = life_s
    start = clock.at
    cloud = cloud_over(wire, clock)
    await cloud.read(TRAINER)

    clock.at = start + still_s
    await cloud.read(TRAINER)
    assert len(wire.logins) == 1
    clock.at = start + over_s
    await cloud.read(TRAINER)

    assert len(wire.logins) == 2


@pytest.mark.parametrize("ahead_s", [-7200.0, 7200.0])
async def test_a_wrong_clock_does_not_shorten_a_token(wire, clock, ahead_s):
    """The life counts from the receipt on our own clock, whatever IAM's clock says."""
    wire.iam_ahead_s = ahead_s
    cloud = cloud_over(wire, clock)
    await cloud.read(TRAINER)
    clock.at += LIFE_WITHOUT_MARGIN - 1

    await cloud.read(TRAINER)

    assert len(wire.logins) == 1
    assert cloud.skew_s("ml-prod") == -ahead_s


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"token": {"user": null}}'])
async def test_a_token_without_a_stated_life_is_used(wire, clock, body):
    """The header is what counts: an odd body does not spoil the login."""
    headers = {"X-Subject-Token": "t"}
    wire.tokens.add("t")
    wire.login_answers = [httpx.Response(201, headers=headers, content=body)]

    assert (await cloud_over(wire, clock).read(TRAINER)).status == "ACTIVE"


async def test_the_old_token_bridges_an_outage_of_iam(wire, clock):
    """While IAM is down a living token is used, and IAM asked once a minute."""
    cloud = cloud_over(wire, clock)
    await cloud.read(TRAINER)
    clock.at += LIFE_WITHOUT_MARGIN
    wire.login_answers = [httpx.ConnectError("down"), httpx.ConnectError("down")]

    for _ in range(3):
        await cloud.read(TRAINER)
    assert len(wire.logins) == 2
    clock.at += 60
    await cloud.read(TRAINER)
    assert len(wire.logins) == 3
    clock.at += 60
    await cloud.read(TRAINER)

    assert len(wire.logins) == 4
    assert len(wire.tokens) == 2


async def test_a_dead_token_does_not_bridge(wire, clock):
    """Once the token is over, an outage of IAM is told."""
    cloud = cloud_over(wire, clock)
    await cloud.read(TRAINER)
    clock.at += DAY
    wire.login_answers = [httpx.ConnectError("down")]

    with pytest.raises(CloudBusy):
        await cloud.read(TRAINER)


async def test_a_password_that_ends_soon_is_logged(wire, clock):
    """The operator is warned two weeks before the bot's password ends."""
    soon, late = (iso(clock.at + days * DAY) for days in (10, 20))
    for ends in (soon, late):
        token = {"user": {"password_expires_at": ends}}
        answer = httpx.Response(
            201, headers={"X-Subject-Token": "t"}, json={"token": token}
        )
        wire.login_answers.append(answer)
    wire.tokens.add("t")

    with capture_logs() as logs:
        await cloud_over(wire, clock).log_in("ml-prod")
        await cloud_over(wire, clock).log_in("ml-prod")

    assert [(entry["event"], entry["days"]) for entry in logs] == [
        ("cloud_password_expires", 10)
    ]


# --- refusals and outages ----------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "OS_USER_DOMAIN_NAME"),
        (401, "OS_PASSWORD"),
        (403, "wrong iam_url"),
        (404, "wrong iam_url"),
        (302, "wrong iam_url"),
        (200, "wrong iam_url"),
    ],
)
async def test_a_refused_login_says_what_to_mend(wire, clock, status, words):
    """A refused login names the settings to check, and never the answer's words."""
    headers = {"X-IAM-Trace-Id": "trace-9"}
    body = {"error": {"code": status, "message": f"echo {PASSWORD}"}}
    wire.login_answers = [httpx.Response(status, json=body, headers=headers)]

    with pytest.raises(CloudMisfit, match=words) as caught:
        await cloud_over(wire, clock).act(TRAINER, Act.RESTART)

    assert str(caught.value).endswith(f"({status}, trace-9)")
    assert "echo" not in str(caught.value)
    assert wire.calls == []


async def test_a_refused_login_is_not_hammered(wire, clock):
    """For a minute after a refusal all calls get its sentence and send nothing."""
    cloud = cloud_over(wire, clock)
    wire.login_answers = [httpx.Response(401), httpx.Response(401)]
    with pytest.raises(CloudMisfit) as first:
        await cloud.read(TRAINER)

    clock.at += 59
    said = await asyncio.gather(
        *(cloud.read(TRAINER) for _ in range(10)),
        cloud.act(TRAINER, Act.RESTART),
        cloud.log_in("ml-prod"),
        return_exceptions=True,
    )
    assert {(type(one), str(one)) for one in said} == {(CloudMisfit, str(first.value))}
    assert len(wire.logins) == 1
    clock.at += 1
    with pytest.raises(CloudMisfit):
        await cloud.read(TRAINER)

    assert len(wire.logins) == 2


async def test_a_password_that_was_changed_is_not_hammered(wire, clock):
    """Two projects that are refused after all was well are enough: the others rest."""
    points = [replace(TOKEN_POINT, project=f"p{number}") for number in range(7)]
    targets = [replace(TRAINER, project=point.project) for point in points]
    cloud = cloud_over(wire, clock, *points)
    for target in targets:
        await cloud.read(target)
    wire.tokens.clear()
    wire.login_answers = [httpx.Response(401) for _ in targets]
    before = len(wire.logins)

    for target in targets:
        with pytest.raises(CloudMisfit):
            await cloud.read(target)

    assert len(wire.logins) - before == 2


async def test_one_project_that_is_refused_rests_no_other(wire, clock):
    """What is wrong with one project does not keep the others from logging in."""
    points = [replace(TOKEN_POINT, project=name) for name in ("good", "bad", "new")]
    good, bad, new = (replace(TRAINER, project=point.project) for point in points)
    cloud = cloud_over(wire, clock, *points)
    await cloud.read(good)
    wire.login_answers = [httpx.Response(401), httpx.Response(401)]
    for _ in range(2):
        with pytest.raises(CloudMisfit):
            await cloud.read(bad)
        clock.at += 60

    assert (await cloud.read(new)).status == "ACTIVE"


async def test_calls_that_wait_for_a_refused_login_share_it(wire, clock):
    """Ten calls at once with a wrong password are one failed login, not ten."""
    cloud = cloud_over(wire, clock)
    wire.login_answers = [httpx.Response(401)]

    said = await asyncio.gather(
        *(cloud.read(TRAINER) for _ in range(10)), return_exceptions=True
    )

    assert [type(one) for one in said] == [CloudMisfit] * 10
    assert len(wire.logins) == 1


async def test_calls_that_wait_for_a_dead_iam_share_its_silence(wire, clock):
    """Ten calls at once while IAM is down wait for one attempt, not for ten."""
    cloud = cloud_over(wire, clock)
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def slow(request: httpx.Request) -> httpx.Response:
        wire.logins.append({})
        entered.set()
        await go_on.wait()
        raise httpx.ReadTimeout("silence", request=request)

    cloud = cloud_over(slow, clock)
    calls = [asyncio.create_task(cloud.read(TRAINER)) for _ in range(10)]
    await entered.wait()
    go_on.set()
    said = await asyncio.gather(*calls, return_exceptions=True)

    assert [type(one) for one in said] == [CloudBusy] * 10
    assert len(wire.logins) == 1
    assert len(set(map(id, said))) == 10  # each with a traceback of its own


async def test_a_wrong_password_is_tried_once_for_all_projects(wire, clock):
    """Several projects with one wrong password are one failed login: accounts lock."""
    other = replace(TOKEN_POINT, project="ml-dev", project_id="b" * 32)
    cloud = cloud_over(wire, clock, TOKEN_POINT, other)
    wire.login_answers = [httpx.Response(401)]

    for project in ("ml-prod", "ml-dev"):
        with pytest.raises(CloudMisfit):
            await cloud.log_in(project)

    assert len(wire.logins) == 1


async def test_one_wrong_project_does_not_hold_up_the_others(wire, clock):
    """Once the password has proved right, a refusal rests its own project only."""
    other = replace(TOKEN_POINT, project="ml-dev", project_id="b" * 32)
    third = replace(TOKEN_POINT, project="ml-lab", project_id="c" * 32)
    cloud = cloud_over(wire, clock, TOKEN_POINT, other, third)
    await cloud.log_in("ml-prod")
    wire.login_answers = [httpx.Response(401)]

    with pytest.raises(CloudMisfit, match="ml-dev"):
        await cloud.log_in("ml-dev")
    await cloud.log_in("ml-lab")

    assert len(wire.logins) == 3


@pytest.mark.parametrize(
    "exc", [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout]
)
async def test_unreachable_is_not_refused(wire, clock, exc):
    """IAM out of reach is a passing trouble, tried again at the next call."""
    cloud = cloud_over(wire, clock)
    wire.login_answers = [exc("no way")]

    with pytest.raises(CloudBusy, match=r"cannot be reached at iam.example.com"):
        await cloud.act(TRAINER, Act.RESTART)

    assert (await cloud.act(TRAINER, Act.RESTART)).current == "REBOOTING"
    assert len(wire.calls) == 1


async def test_a_login_without_an_answer_leaves_nothing_unknown(wire, clock):
    """When the login's answer is lost, the restart was surely not sent."""
    wire.login_answers = [httpx.ReadTimeout("late")]

    with pytest.raises(CloudBusy):
        await cloud_over(wire, clock).act(TRAINER, Act.RESTART)

    assert wire.calls == []


@pytest.mark.parametrize("status", [408, 429, 500, 503])
async def test_a_troubled_iam_is_asked_again(wire, clock, status):
    """A limit or an error of IAM is no refusal: it is tried again when IAM says."""
    wire.login_answers = [httpx.Response(status, headers={"Retry-After": "5"})]
    cloud = cloud_over(wire, clock)

    with pytest.raises(CloudBusy, match="down or limits") as caught:
        await cloud.act(TRAINER, Act.RESTART)

    assert caught.value.retry_after == 5.0
    clock.at += 4
    with pytest.raises(CloudBusy):
        await cloud.act(TRAINER, Act.RESTART)
    assert len(wire.logins) == 1
    clock.at += 1
    assert (await cloud.act(TRAINER, Act.RESTART)).current == "REBOOTING"


async def test_a_renewal_that_fails_after_a_refused_token_is_told(wire, clock):
    """If the token is refused and no new one can be had, the restart was not sent."""
    cloud = cloud_over(wire, clock)
    await cloud.log_in("ml-prod")
    wire.tokens.clear()
    wire.login_answers = [httpx.Response(401)]

    with pytest.raises(CloudMisfit, match="IAM refused"):
        await cloud.act(TRAINER, Act.RESTART)

    assert len(wire.calls) == 1


async def test_a_lost_answer_after_a_new_login_is_unknown(wire, clock):
    """Once a restart has been sent with the new token, its lost answer is unknown."""
    wire.answers = [refused(401, "APIG.0301"), httpx.ReadTimeout("late")]

    with pytest.raises(CloudUnknown):
        await cloud_over(wire, clock).act(TRAINER, Act.RESTART)

    assert len(wire.calls) == 2


async def test_a_wrong_address_is_the_operators_matter(wire, clock):
    """An iam_url that is no address is told as such."""
    point = replace(TOKEN_POINT, iam_url="ftp:nowhere")
    http = httpx.AsyncClient()  # real: its refusal of the address is what is tested
    cloud = cloud_over(wire, clock, point)
    cloud._auths._http = http

    with pytest.raises(CloudMisfit, match="iam_url of project ml-prod is wrong"):
        await cloud.log_in("ml-prod")

    await http.aclose()


async def test_a_call_that_is_given_up_does_not_spoil_the_login(wire, clock):
    """When the call that logs in is cancelled, the next one logs in for the others."""
    entered = asyncio.Event()
    first = True

    async def hang_once(request: httpx.Request) -> httpx.Response:
        nonlocal first
        if first:
            first = False
            entered.set()
            await asyncio.Event().wait()
        return await wire(request)

    cloud = cloud_over(hang_once, clock)
    given_up = asyncio.create_task(cloud.read(TRAINER))
    others = [asyncio.create_task(cloud.read(TRAINER)) for _ in range(3)]
    await entered.wait()
    given_up.cancel()

    looks = await asyncio.gather(*others)

    assert [look.status for look in looks] == ["ACTIVE"] * 3
    assert len(wire.logins) == 1


async def test_the_login_goes_to_iam_alone(wire, clock):
    """The login carries no token, and the password never goes to ModelArts."""
    await cloud_over(wire, clock).act(TRAINER, Act.RESTART)

    [call] = wire.calls
    assert str(call.url).startswith(MODELARTS)
    assert PASSWORD.encode() not in call.content
    assert PASSWORD not in str(call.headers)


def test_secrets_do_not_print():
    """Neither repr nor str of the credentials shows a secret."""
    assert PASSWORD not in f"{LOGIN!r} {LOGIN}"
