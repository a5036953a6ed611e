"""The local ModelArts and IAM, driven by a real HTTP client over the wire."""

from __future__ import annotations

import asyncio
import copy
import random
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from bot.demo.aksk_verifier import AccessKey, KeyRing, Signed, _canonical, signature_of
from bot.demo.clock import Clock
from bot.demo.cloud_http import FAULTS, Call, Fault, Refused, Reply
from bot.demo.instances import (
    CANARY,
    UNTIL_SEEN,
    Change,
    Reboot,
    ScriptedInstance,
)
from bot.demo.modelarts_server import LocalModelArts
from bot.demo.seed_world import Login, Project, World, demo_world

PROJECT_ID = "0123456789abcdef0123456789abcdef"
OTHER_ID = "fedcba9876543210fedcba9876543210"
BOX_ID = "47cf4ff3-0c59-44fe-9821-2840a34c02a9"
FAR_ID = "DE-7d558ef8-c73d-11ea-964c-0255ac100033"
NOW = 1_700_000_000.0


def dice(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - durations need no secrecy


class Wall:
    """The real time, as the test wants it."""

    now = NOW

    def __call__(self) -> float:
        return self.now


def small_world() -> World:
    box = ScriptedInstance(id=BOX_ID, name="box", owner="ann")
    own = ScriptedInstance(
        id="DE-11111111-2222-3333-4444-555555555555", name="own", owner="bot"
    )
    far = ScriptedInstance(id=FAR_ID, name="far", owner="ann")
    return World(
        login=Login("bot", "secret", "OTC1"),
        keys={
            "AK": AccessKey("SK"),
            "TEMPORARY": AccessKey("SK", security_token="session"),
        },
        projects=(
            Project("eu-de_one", PROJECT_ID, (own, box)),
            Project("eu-de_two", OTHER_ID, (far,)),
        ),
    )


def login_body(**scope: Any) -> dict[str, Any]:
    user = {"name": "bot", "password": "secret", "domain": {"name": "OTC1"}}
    auth: dict[str, Any] = {
        "identity": {"methods": ["password"], "password": {"user": user}}
    }
    if scope:
        auth["scope"] = {"project": scope}
    return {"auth": auth}


def changed(path: str, value: Any) -> dict[str, Any]:
    """A login body with one value changed, or taken out (None)."""
    body = copy.deepcopy(login_body(id=PROJECT_ID))
    *parents, last = path.split(".")
    place = body
    for name in parents:
        place = place[name]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return body


@dataclass
class Caller:
    """A client of the local cloud that holds a token."""

    cloud: LocalModelArts
    http: httpx.AsyncClient
    token: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    async def log_in(self, body: dict[str, Any] | None = None) -> httpx.Response:
        answer = await self.http.post(
            f"{self.cloud.iam_url}/auth/tokens?nocatalog=true",
            json=body or login_body(id=PROJECT_ID),
        )
        self.token = answer.headers.get("X-Subject-Token", self.token)
        return answer

    def at(self, path: str, project: str = PROJECT_ID) -> str:
        return f"{self.cloud.url}/v1/{project}/demanager/instances{path}"

    async def get(self, path: str, **more: Any) -> httpx.Response:
        return await self.http.get(
            self.at(path), headers={"X-Auth-Token": self.token}, **more
        )

    async def read(self, instance_id: str = BOX_ID) -> dict[str, Any]:
        answer = await self.get(f"/{instance_id}")
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def status(self) -> str:
        return str((await self.read())["status"])

    async def restart(self, instance_id: str = BOX_ID, **body: Any) -> httpx.Response:
        return await self.http.post(
            self.at(f"/{instance_id}/action"),
            headers={"X-Auth-Token": self.token} | body.pop("headers", {}),
            **(body or {"json": {"action": "restart"}}),
        )


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
async def cloud(wall: Wall) -> AsyncIterator[LocalModelArts]:
    cloud = LocalModelArts(small_world(), clock=Clock(0), wall=wall)
    await cloud.start()
    yield cloud
    await cloud.close()


@pytest.fixture
async def stranger(cloud: LocalModelArts) -> AsyncIterator[Caller]:
    async with httpx.AsyncClient(trust_env=False) as http:
        yield Caller(cloud, http)


@pytest.fixture
async def caller(stranger: Caller) -> Caller:
    await stranger.log_in()
    return stranger


@pytest.fixture
def box(cloud: LocalModelArts) -> ScriptedInstance:
    return cloud.instance("box")


def code(answer: httpx.Response) -> str:
    return str(answer.json()["error_code"])


# --- IAM ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "scope",
    [
        {"id": PROJECT_ID},
        {"name": "eu-de_one", "domain": {"name": "OTC1"}},
        {"name": "eu-de_one", "domain": {"id": Login("", "", "").domain_id}},
    ],
    ids=["by id", "by name", "by name and domain id"],
)
async def test_login_gives_a_token_for_the_project(
    stranger: Caller, scope: dict[str, Any]
):
    """A login names the project by id, or by name and domain, and gets its token."""
    answer = await stranger.log_in(login_body(**scope))

    assert answer.status_code == 201
    assert answer.json()["token"]["project"]["id"] == PROJECT_ID
    assert (await stranger.read())["id"] == BOX_ID


async def test_a_token_has_the_size_and_life_of_a_real_one(caller: Caller):
    """A token is too long for a client with default limits, and lives for 24 hours."""
    token = (await caller.log_in()).json()["token"]

    life = datetime.fromisoformat(token["expires_at"]) - datetime.fromisoformat(
        token["issued_at"]
    )
    assert 8190 < len(caller.token) < 10_000
    assert life.total_seconds() == 86_400
    assert datetime.fromisoformat(token["issued_at"]).timestamp() == NOW


async def test_the_catalog_can_be_left_out(stranger: Caller):
    """A login carries the catalogue unless nocatalog is asked for."""
    short = (await stranger.log_in()).json()["token"]
    full = await stranger.http.post(
        f"{stranger.cloud.iam_url}/auth/tokens", json=login_body(id=PROJECT_ID)
    )

    endpoint = full.json()["token"]["catalog"][0]["endpoints"][0]
    assert "catalog" not in short
    assert endpoint["url"] == f"{stranger.cloud.url}/v1/{PROJECT_ID}"


USER = "auth.identity.password.user"


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (changed(f"{USER}.password", "wrong"), 401, "password is wrong"),
        (changed(f"{USER}.name", "nobody"), 401, "password is wrong"),
        (changed(f"{USER}.domain", {"name": "OTC2"}), 401, "password is wrong"),
        (changed(f"{USER}.domain", None), 400, "domain in user"),
        (changed(f"{USER}.password", None), 400, "password in user"),
        (changed("auth.identity", None), 400, "identity in auth"),
        (changed("auth.identity.methods", ["totp"]), 401, "not supported"),
        (login_body(name="eu-de_one"), 400, "domain in project"),
        (login_body(id="0" * 32), 401, "does not exist"),
        (login_body(name="x", domain={"name": "OTC1"}), 401, "does not exist"),
        (login_body(name="eu-de_one", domain={"name": "Y"}), 401, "does not exist"),
    ],
)
async def test_a_wrong_login_is_refused_in_the_shape_of_iam(
    stranger: Caller, body: dict[str, Any], status: int, says: str
):
    """What IAM refuses is refused with its status and its error shape, tokenless."""
    answer = await stranger.log_in(body)

    assert answer.status_code == status
    assert answer.json()["error"]["code"] == status
    assert says in answer.json()["error"]["message"]
    assert answer.headers["X-IAM-Trace-Id"]
    assert stranger.token == ""


async def test_a_login_that_is_no_json_is_refused(stranger: Caller):
    """A body that is no JSON is a 400 in IAM's shape."""
    answer = await stranger.http.post(
        f"{stranger.cloud.iam_url}/auth/tokens", content=b"{"
    )

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, 400)


async def test_projects_are_listed_for_who_is_logged_in(caller: Caller):
    """A plain user may list his projects, and not everybody's."""
    url, mine = caller.cloud.iam_url, {"X-Auth-Token": caller.token}
    found = await caller.http.get(f"{url}/auth/projects", headers=mine)
    nobody = await caller.http.get(f"{url}/auth/projects")
    everybody = await caller.http.get(f"{url}/projects", headers=mine)

    assert {each["name"]: each["id"] for each in found.json()["projects"]} == {
        "eu-de_one": PROJECT_ID,
        "eu-de_two": OTHER_ID,
    }
    assert (nobody.status_code, everybody.status_code) == (401, 403)


# --- the gateway --------------------------------------------------------------


def forget(caller: Caller, _wall: Wall) -> None:
    caller.token = ""


def forge(caller: Caller, _wall: Wall) -> None:
    caller.token = "MIIZmg" + "x" * 9000


def revoke(caller: Caller, _wall: Wall) -> None:
    caller.cloud.iam.revoke_all()


def expire(_caller: Caller, wall: Wall) -> None:
    wall.now += 86_400


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (forget, "x-auth-token not found"),
        (forge, "decrypt token fail"),
        (revoke, "decrypt token fail"),
        (expire, "token expires, expires_at: 2023-"),
    ],
)
async def test_a_bad_token_is_refused_by_the_gateway(
    caller: Caller, wall: Wall, spoil: Any, says: str
):
    """A missing, wrong, revoked or expired token: 401 APIGW.0301 with a request id."""
    spoil(caller, wall)

    answer = await caller.restart()

    assert (answer.status_code, code(answer)) == (401, "APIGW.0301")
    assert says in answer.json()["error_msg"]
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"] != ""
    assert not caller.cloud.restarts[BOX_ID]


async def test_a_revoked_token_is_mended_by_a_new_login(caller: Caller):
    """After all tokens were revoked, a new login works at once."""
    caller.cloud.iam.revoke_all()
    await caller.log_in()

    assert await caller.status() == "ACTIVE"


@pytest.mark.parametrize("project", [OTHER_ID, "0" * 32])
async def test_a_token_is_good_for_its_project_only(caller: Caller, project: str):
    """A token of one project is refused in the URL of another."""
    answer = await caller.http.get(
        caller.at(f"/{FAR_ID}", project), headers={"X-Auth-Token": caller.token}
    )

    assert (answer.status_code, code(answer)) == (403, "ModelArts.0210")


async def test_a_token_without_a_project_is_refused(stranger: Caller):
    """An unscoped login succeeds and is of no use for ModelArts."""
    login = await stranger.log_in(login_body())
    answer = await stranger.get(f"/{BOX_ID}")

    assert login.status_code == 201
    assert "project" not in login.json()["token"]
    assert (answer.status_code, code(answer)) == (400, "ModelArts.0204")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", f"/v1/{PROJECT_ID}/demanager/instances/{BOX_ID}"),
        ("GET", f"/v1/{PROJECT_ID}/demanager/instances/{BOX_ID}/action"),
        ("GET", f"/v1/{PROJECT_ID}/training-jobs"),
        ("GET", "/"),
    ],
)
async def test_what_is_not_published_is_not_found(
    caller: Caller, method: str, path: str
):
    """An unknown path or method is 404 APIG.0101, as for a wrong endpoint."""
    answer = await caller.http.request(method, caller.cloud.url + path)

    assert (answer.status_code, code(answer)) == (404, "APIG.0101")


# --- reading ------------------------------------------------------------------


DOCUMENTED = {
    "ai_project",
    "creation_timestamp",
    "description",
    "error_code",
    "flavor",
    "flavor_details",
    "id",
    "latest_update_timestamp",
    "name",
    "pool",
    "profile",
    "queuing_info",
    "spec",
    "status",
    "user",
    "workspace",
}


async def test_a_read_has_the_documented_shape(caller: Caller):
    """A read answers with every documented field, times as 13 digits in strings."""
    body = await caller.read()

    assert set(body) == DOCUMENTED
    assert (body["id"], body["name"], body["status"]) == (BOX_ID, "box", "ACTIVE")
    assert body["user"]["name"] == "ann"
    assert re.fullmatch(r"\d{13}", body["latest_update_timestamp"])
    assert body["spec"]["storage"]["location"]["path"] == "/home/ma-user/work"
    assert body["flavor_details"]["status"] == "onSale"
    assert (body["spec"]["failed_reasons"], body["queuing_info"]) == (None, None)


async def test_a_read_is_full_of_secrets_that_a_client_has_to_drop(caller: Caller):
    """Every credential field holds the canary, so that a leak can be searched for."""
    spec = (await caller.read())["spec"]

    git = spec["repository"]["connection_info"]["credential"]
    assert all(CANARY in value for value in (*spec["credential"].values(),))
    assert CANARY in git["ssh_private_key"]
    assert CANARY in git["access_token"]


async def test_warnings_about_the_machine_type_are_shown(
    caller: Caller, box: ScriptedInstance
):
    """An instance can be of a flavor that is sold out or not permitted."""
    box.sold_out, box.permitted = True, False

    flavor = (await caller.read())["flavor_details"]

    assert (flavor["status"], flavor["is_permitted"]) == ("soldOut", False)


@pytest.mark.parametrize("instance_id", [FAR_ID, "nothing", "deleted"])
async def test_no_such_instance_is_a_400(caller: Caller, instance_id: str):
    """Unknown, another project's and deleted: 400 ModelArts.6309, not 404."""
    if instance_id == "deleted":
        caller.cloud.put("box", "DELETED")
        instance_id = BOX_ID

    for answer in (
        await caller.get(f"/{instance_id}"),
        await caller.restart(instance_id),
    ):
        assert (answer.status_code, code(answer)) == (400, "ModelArts.6309")
        assert answer.json()["error_message"] == "The instance does not exist."


async def test_a_list_shows_only_ones_own_unless_asked(caller: Caller):
    """show_self defaults to true, and a bot that owns nothing sees nothing."""
    own = await caller.get("", params={"de_type": "Notebook"})
    all_ = await caller.get("", params={"de_type": "Notebook", "show_self": "false"})

    assert [each["name"] for each in own.json()["instances"]] == ["own"]
    assert [each["name"] for each in all_.json()["instances"]] == ["box", "own"]
    assert all_.json()["total_count"] == 2


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"order": "desc"}, ["own", "box"]),
        ({"offset": "1"}, ["own"]),
        ({"limit": "1"}, ["box"]),
        ({"limit": "0", "sortby": "creation_timestamp"}, ["own", "box"]),
        ({"status": "STOPPED"}, []),
    ],
)
async def test_a_list_is_sorted_filtered_and_paged(
    caller: Caller, query: dict[str, str], names: list[str]
):
    """The documented query parameters of a list do what they say."""
    query = {"de_type": "Notebook", "show_self": "false", **query}

    found = (await caller.get("", params=query)).json()

    assert [each["name"] for each in found["instances"]] == names


@pytest.mark.parametrize(
    "query",
    [{}, {"de_type": "Notebook", "limit": "x"}, {"de_type": "Notebook", "sortby": "x"}],
)
async def test_a_wrong_list_is_refused(caller: Caller, query: dict[str, str]):
    """A list without de_type, or with arguments that make no sense, is a 400."""
    answer = await caller.get("", params=query)

    assert (answer.status_code, code(answer)) == (400, "ModelArts.0101")


# --- restarting ---------------------------------------------------------------


async def test_a_restart_goes_from_active_over_rebooting_to_active(
    caller: Caller, box: ScriptedInstance
):
    """The answer names both statuses, and reads follow the script to its end."""
    before = await caller.read()

    answer = await caller.restart()
    during = await caller.read()
    caller.cloud.clock.advance(7.9)
    still = await caller.status()
    caller.cloud.clock.advance(0.2)
    after = await caller.read()

    assert answer.status_code == 200
    assert answer.json() == {"current_status": "REBOOTING", "previous_state": "ACTIVE"}
    assert [during["status"], still, after["status"]] == [
        "REBOOTING",
        "REBOOTING",
        "ACTIVE",
    ]
    times = [int(each["latest_update_timestamp"]) for each in (before, during, after)]
    assert times == sorted(set(times))
    assert len(caller.cloud.restarts[BOX_ID]) == 1


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("STOPPED", "ModelArts.6307"),
        ("STARTING", "ModelArts.6306"),
        ("STOPPING", "ModelArts.6308"),
        ("FROZEN", "ModelArts.6326"),
        ("REBOOTING", "ModelArts.6357"),
        ("CREATING", "ModelArts.6357"),
    ],
)
async def test_a_restart_is_refused_where_it_makes_no_sense(
    caller: Caller, status: str, expected: str
):
    """An instance that is stopped, frozen or busy refuses with 400 and its code."""
    caller.cloud.put("box", status)

    answer = await caller.restart()

    assert (answer.status_code, code(answer)) == (400, expected)
    assert not caller.cloud.restarts[BOX_ID]
    assert await caller.status() == status


async def test_a_second_restart_meanwhile_is_refused(
    caller: Caller, box: ScriptedInstance
):
    """While it reboots, even if reads still say ACTIVE, another restart is 6357."""
    box.reboot = Reboot(stale_s=60)
    await caller.restart()

    shown, again = await caller.status(), await caller.restart()

    assert shown == "ACTIVE"
    assert (again.status_code, code(again)) == (400, "ModelArts.6357")
    assert len(caller.cloud.restarts[BOX_ID]) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"json": {"action": "stop"}},
        {"json": {}},
        {"json": ["restart"]},
        {"content": b'{"action"', "headers": {"Content-Type": "application/json"}},
        {"content": b'{"action": "restart"}'},
        {"data": {"action": "restart"}},
    ],
)
async def test_any_other_action_is_refused(caller: Caller, body: dict[str, Any]):
    """Only a JSON body with the action restart does anything."""
    answer = await caller.restart(**body)

    assert (answer.status_code, code(answer)) == (400, "ModelArts.0101")
    assert not caller.cloud.restarts[BOX_ID]


async def test_stale_seconds_show_the_old_state(caller: Caller, box: ScriptedInstance):
    """Reads can show the state before the restart for some seconds."""
    box.reboot = Reboot(stale_s=3)
    before = await caller.read()
    await caller.restart()

    stale = await caller.read()
    caller.cloud.clock.advance(3)

    assert stale == before
    assert await caller.status() == "REBOOTING"


async def test_stale_looks_show_the_old_state(caller: Caller, box: ScriptedInstance):
    """Reads can show the state before the restart for some looks."""
    box.reboot = Reboot(stale_looks=2)
    await caller.restart()

    seen = [await caller.status() for _ in range(3)]

    assert seen == ["ACTIVE", "ACTIVE", "REBOOTING"]


async def test_a_phase_can_last_until_it_was_seen(
    caller: Caller, box: ScriptedInstance
):
    """However late somebody looks, such a phase is still there, and then it is over."""
    box.reboot = Reboot(
        phases=(("STOPPING", UNTIL_SEEN), ("REBOOTING", UNTIL_SEEN)), stale_looks=1
    )
    await caller.restart()

    seen = []
    for _ in range(4):
        caller.cloud.clock.advance(3600)
        seen.append(await caller.status())

    assert seen == ["ACTIVE", "STOPPING", "REBOOTING", "ACTIVE"]


async def test_a_timestamp_can_be_frozen(caller: Caller, box: ScriptedInstance):
    """A script can leave the timestamp alone while the status changes."""
    box.reboot = Reboot(frozen=True)
    before = await caller.read()
    await caller.restart()

    during = await caller.read()

    assert during["status"] == "REBOOTING"
    assert during["latest_update_timestamp"] == before["latest_update_timestamp"]


async def test_a_restart_can_be_accepted_and_never_seen(
    caller: Caller, box: ScriptedInstance
):
    """The cloud can answer REBOOTING and then change nothing at all."""
    box.reboot = Reboot(phases=(), frozen=True)
    before = await caller.read()

    answer = await caller.restart()

    assert answer.json()["current_status"] == "REBOOTING"
    assert await caller.read() == before


async def test_a_restart_can_be_too_quick_to_be_seen(
    caller: Caller, box: ScriptedInstance
):
    """A reboot of no length leaves nothing but a newer timestamp."""
    box.reboot = Reboot(phases=(("REBOOTING", 0.0),))
    before = await caller.read()

    answer = await caller.restart()
    after = await caller.read()

    assert answer.json()["current_status"] == "REBOOTING"
    assert after["status"] == "ACTIVE"
    assert after["latest_update_timestamp"] > before["latest_update_timestamp"]


async def test_a_restart_can_fail_with_reasons(caller: Caller, box: ScriptedInstance):
    """A failed restart shows its status and the reasons; the next one clears them."""
    reasons = {"code": "ModelArts.6360", "message": "No room.", "detail": {}}
    box.reboot = Reboot(ends="START_FAILED", failed_reasons=reasons)
    await caller.restart()
    during = await caller.read()
    caller.cloud.clock.advance(8)
    failed = await caller.read()
    again = await caller.restart()

    assert during["spec"]["failed_reasons"] is None
    assert (failed["status"], failed["spec"]["failed_reasons"]) == (
        "START_FAILED",
        reasons,
    )
    assert again.json()["previous_state"] == "START_FAILED"
    assert (await caller.read())["spec"]["failed_reasons"] is None


async def test_a_script_can_use_any_words(caller: Caller, box: ScriptedInstance):
    """Phases may be unknown words, and a queue tells the rank."""
    box.reboot = Reboot(
        phases=(("START_QUEUING", 1.0), ("WARMING_UP", 2.0)), ends="RUNNING"
    )
    answer = await caller.restart()

    seen = []
    for _ in range(4):
        seen.append(await caller.read())
        caller.cloud.clock.advance(1)

    assert answer.json()["current_status"] == "START_QUEUING"
    assert [each["status"] for each in seen] == [
        "START_QUEUING",
        "WARMING_UP",
        "WARMING_UP",
        "RUNNING",
    ]
    assert [bool(each["queuing_info"]) for each in seen] == [True, False, False, False]
    assert seen[0]["queuing_info"]["rank"] == 3


def test_durations_are_drawn_between_two_limits():
    """A phase given by two numbers lasts something between them, by the given dice."""
    reboot = Reboot(phases=(("REBOOTING", (5.0, 9.0)),))

    ends = [reboot.agenda(0.0, dice(n))[-1][0] for n in range(20)]

    assert all(5 <= end <= 9 for end in ends)
    assert len(set(ends)) > 10
    assert reboot.agenda(0.0, dice(3))[-1][0] == ends[3]


async def test_somebody_at_the_console_ends_a_script(
    caller: Caller, box: ScriptedInstance
):
    """A status put by hand stands, whatever the script had in mind."""
    await caller.restart()
    caller.cloud.put("box", "STOPPED")
    caller.cloud.clock.advance(100)

    assert await caller.status() == "STOPPED"


def test_only_known_instances_can_be_touched():
    """A name that does not exist is a KeyError."""
    with pytest.raises(KeyError, match="nowhere"):
        LocalModelArts(small_world()).put("nowhere", "STOPPED")


# --- the clock ----------------------------------------------------------------


def test_speed_changes_count_from_now_on():
    """The world's time runs at the speed of each stretch, and stands at speed 0."""
    real = [0.0]
    clock = Clock(source=lambda: real[0])
    start = clock.now()

    for speed in (1.0, 10.0, 0.0):
        clock.speed = speed
        real[0] += 5

    assert clock.now() - start == pytest.approx(55)
    assert clock.speed == 0


def test_time_does_not_run_backwards():
    """A negative speed is refused."""
    with pytest.raises(ValueError, match="backwards"):
        Clock().speed = -1


async def test_who_sleeps_wakes_when_the_speed_changes():
    """A sleep of an hour ends at once when the clock is made to race."""
    clock = Clock()
    sleeping = asyncio.create_task(clock.sleep(3600))
    await asyncio.sleep(0)
    clock.speed = 1e9

    await asyncio.wait_for(sleeping, 5)


async def test_changes_and_calls_are_pushed(caller: Caller):
    """Listeners hear of each call and of each change, though nobody looks."""
    events: asyncio.Queue[Call | Change] = asyncio.Queue()
    caller.cloud.on_change.append(events.put_nowait)

    await caller.restart()
    caller.cloud.clock.speed = 1e6
    seen = [await asyncio.wait_for(events.get(), 5) for _ in range(4)]

    arrival, rebooting, answered, ready = seen
    assert isinstance(arrival, Call)
    assert arrival is answered
    assert (arrival.kind, arrival.status, arrival.instance) == ("restart", 200, BOX_ID)
    assert isinstance(rebooting, Change)
    assert isinstance(ready, Change)
    assert (rebooting.previous, rebooting.current) == ("ACTIVE", "REBOOTING")
    assert (ready.previous, ready.current) == ("REBOOTING", "ACTIVE")


# --- faults -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "status", "text", "restarted"),
    [
        ("throttled", 429, '"error_code": "APIGW.0308"', 0),
        ("throttled, no Retry-After", 429, '"error_code": "ModelArts.6101"', 0),
        ("internal error", 500, '"error_code": "ModelArts.6200"', 0),
        ("login refused", 401, '"title": "Unauthorized"', 0),
        ("not permitted", 403, '"error_code": "ModelArts.0112"', 0),
        ("call withdrawn", 404, '"error_code": "APIG.0101"', 0),
        ("HTML 502", 502, "<title>502 Bad Gateway</title>", 0),
        ("empty answer", 200, "", 1),
        ("broken JSON", 200, '{"status": "ACT', 1),
        ("error_code in a true answer", 200, '"error_code": "ModelArts.6360"', 1),
    ],
)
async def test_faults_are_answered_instead(
    caller: Caller, name: str, status: int, text: str, restarted: int
):
    """Each fault at hand answers as it says, once, and acts or not as it says."""
    caller.cloud.faults.plant("restart", FAULTS[name])

    answer = await caller.restart()

    assert answer.status_code == status
    assert text in answer.text
    assert len(caller.cloud.restarts[BOX_ID]) == restarted
    assert not caller.cloud.faults.planted


async def test_throttling_comes_with_and_without_a_time(caller: Caller):
    """Only one of the two 429 answers says when to come back."""
    headers = []
    for name in ("throttled", "throttled, no Retry-After"):
        caller.cloud.faults.plant("read", FAULTS[name])
        headers.append((await caller.get(f"/{BOX_ID}")).headers.get("Retry-After"))

    assert headers == ["2", None]


@pytest.mark.parametrize(
    ("name", "restarted"), [("cut before acting", 0), ("cut after acting", 1)]
)
async def test_a_cut_connection_may_hide_a_restart(
    caller: Caller, name: str, restarted: int
):
    """The caller sees the same cut, whether the restart happened or not."""
    caller.cloud.faults.plant("restart", FAULTS[name])

    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        await caller.restart()

    assert len(caller.cloud.restarts[BOX_ID]) == restarted
    assert caller.cloud.calls[-1].status == 0
    assert (await caller.status() == "REBOOTING") == bool(restarted)


async def test_an_answer_can_be_late(caller: Caller):
    """A delay holds the call in hand until the world's time has passed."""
    arrived = asyncio.Event()
    caller.cloud.on_change.append(lambda _: arrived.set())
    caller.cloud.faults.plant("restart", FAULTS["slow"])
    asking = asyncio.create_task(caller.restart())
    await asyncio.wait_for(arrived.wait(), 5)

    in_hand = (caller.cloud.calls[-1].status, len(caller.cloud.restarts[BOX_ID]))
    caller.cloud.clock.advance(20)
    answer = await asyncio.wait_for(asking, 5)

    assert in_hand == (None, 0)
    assert (answer.status_code, len(caller.cloud.restarts[BOX_ID])) == (200, 1)


async def test_a_single_read_can_be_stale(caller: Caller):
    """A stale read shows the state before the restart, the next one the truth."""
    await caller.restart()
    caller.cloud.faults.plant("read", FAULTS["stale"])

    assert [await caller.status(), await caller.status()] == ["ACTIVE", "REBOOTING"]


async def test_a_healthy_read_can_carry_an_error_code(
    caller: Caller, box: ScriptedInstance
):
    """The instance's own error_code stands in a read that succeeds."""
    box.error_code = "ModelArts.6333"

    body = await caller.read()

    assert (body["status"], body["error_code"]) == ("ACTIVE", "ModelArts.6333")


async def test_the_date_header_can_be_wrong(caller: Caller):
    """The Date header is the cloud's own time, or off by as much as a fault says."""
    caller.cloud.faults.plant("read", FAULTS["clock an hour behind"])

    dates = [(await caller.get(f"/{BOX_ID}")).headers["Date"] for _ in range(2)]

    seen = [parsedate_to_datetime(date).timestamp() for date in dates]
    assert seen == [NOW - 3600, NOW]


async def test_logins_can_be_refused(stranger: Caller):
    """Logins fail for as long as the fault stands, and work when it is removed."""
    planted = stranger.cloud.faults.plant("login", FAULTS["login refused"], times=None)
    refused = [(await stranger.log_in()).status_code for _ in range(3)]
    stranger.cloud.faults.remove(planted)

    assert refused == [401, 401, 401]
    assert (await stranger.log_in()).status_code == 201


async def test_faults_meet_their_kind_in_order_and_so_often(caller: Caller):
    """A fault meets as many calls of its kind as it should, the oldest first."""
    faults = caller.cloud.faults
    faults.plant("read", Fault(reply=Reply(500, "")), times=2)
    spent = faults.plant("read", Fault(reply=Reply(503, "")))
    faults.plant("restart", Fault(reply=Reply(418, "")), times=None)

    seen = [(await caller.get(f"/{BOX_ID}")).status_code for _ in range(4)]
    faults.remove(spent)
    teapot = (await caller.restart()).status_code
    faults.clear()

    assert seen == [500, 500, 503, 200]
    assert teapot == 418
    assert (await caller.restart()).status_code == 200


async def test_a_fault_can_act_although_the_call_is_refused(caller: Caller):
    """A fault that acts cannot make the cloud do what it refuses."""
    caller.cloud.put("box", "STOPPED")
    caller.cloud.faults.plant("restart", FAULTS["empty answer"])

    answer = await caller.restart()

    assert (answer.status_code, answer.text) == (200, "")
    assert not caller.cloud.restarts[BOX_ID]


# --- the log, and its life ----------------------------------------------------


async def test_calls_are_logged(caller: Caller):
    """The log says of every call what it was, to what, and how it was answered."""
    await caller.get("/nothing")

    login, read = caller.cloud.calls
    assert (login.kind, login.project, login.status) == ("login", PROJECT_ID, 201)
    assert (read.kind, read.project, read.instance, read.status, read.at) == (
        "read",
        PROJECT_ID,
        "nothing",
        400,
        NOW,
    )
    assert caller.cloud.calls.maxlen is not None


async def test_it_can_go_away_and_come_back(caller: Caller):
    """Closed it refuses connections; started again it knows tokens and instances."""
    await caller.restart()
    port = caller.cloud.port
    await caller.cloud.close()

    with pytest.raises(httpx.ConnectError):
        await caller.status()
    await caller.cloud.start(port)

    assert await caller.status() == "REBOOTING"


async def test_closing_cuts_off_who_waits(caller: Caller):
    """A call that is held when the cloud closes is cut off, not waited for."""
    arrived = asyncio.Event()
    caller.cloud.on_change.append(lambda _: arrived.set())
    caller.cloud.faults.plant("read", FAULTS["slow"])
    asking = asyncio.create_task(caller.status())
    await asyncio.wait_for(arrived.wait(), 5)

    await asyncio.wait_for(caller.cloud.close(), 5)

    with pytest.raises(httpx.TransportError):
        await asking


async def test_a_listener_that_breaks_is_heard_of():
    """An error in a listener comes out when the cloud is closed at the latest."""

    def broken(_: Call | Change) -> None:
        heard.set()
        raise ZeroDivisionError

    heard = asyncio.Event()
    cloud = LocalModelArts(small_world(), clock=Clock(1e6))
    instance = cloud.instance("box")
    instance.restart(cloud.clock.now(), dice(1))
    cloud.on_change.append(broken)
    await cloud.start()
    await asyncio.wait_for(heard.wait(), 5)

    with pytest.raises(ZeroDivisionError):
        await cloud.close()


# --- signatures ---------------------------------------------------------------

RESTART = (
    "POST",
    f"/v1/{PROJECT_ID}/demanager/instances/{BOX_ID}/action",
    {
        "host": "modelarts.eu-de.otc.t-systems.com",
        "x-project-id": PROJECT_ID,
        "x-sdk-date": "20200608T023900Z",
    },
    b'{"action":"restart"}',
)
RESOURCES = {
    "host": "service.endpoint.myhuaweicloud.com",
    "x-sdk-date": "20200608T023900Z",
}


@pytest.mark.parametrize(
    ("signed", "scope", "signature"),
    [
        (
            ("GET", "/resources?size=1", RESOURCES, b""),
            None,
            "cfb4171acec81de07d50e53d57eb77edd537414d66ddb1d7d780f128e12cd842",
        ),
        (
            ("POST", "/resources?size=1", RESOURCES, b'{"name":"test","id":1}'),
            None,
            "436b1ac0a1ae03705934bb70ef2f2e09f7bfed2117d731a38235053199323a1f",
        ),
        (
            RESTART,
            None,
            "15b57efec8d5f6b944147b8eca6c72f1e3ef2c60e99e3095e61edc9f865a267a",
        ),
        (
            RESTART,
            "20200608///sdk_request",
            "5585b7d8db5d1cefc54b91de7a4d027d24095bb743352e2babe25de1c4e69d46",
        ),
        (
            RESTART,
            "20200608/eu-de/modelarts/sdk_request",
            "84a04f31ee7f78cd9897cc73bc167552258966f035ffedd070363724ee4aac01",
        ),
    ],
    ids=["published GET", "published POST", "access", "empty scope", "full scope"],
)
def test_known_signatures_are_accepted(signed: Any, scope: str | None, signature: str):
    """The published and the measured signatures pass, and nothing one digit off."""
    method, target, headers, body = signed
    sent = datetime(2020, 6, 8, 2, 39, tzinfo=UTC).timestamp()
    ring = KeyRing({"AccessKey": AccessKey("SecretKey")}, lambda: sent)
    form = f"Credential=AccessKey/{scope}" if scope else "Access=AccessKey"
    start = f"SDK-HMAC-SHA256 {form}, SignedHeaders={';'.join(sorted(headers))}"

    def verify(signature: str) -> None:
        line = f"{start}, Signature={signature}"
        ring.verify(Signed(method, target, headers | {"authorization": line}, body))

    verify(signature)
    with pytest.raises(Refused):
        verify(signature[:-1] + ("0" if signature[-1] != "0" else "1"))


def test_what_is_signed_is_in_the_documented_form():
    """Path and query are decoded, encoded anew, ended with a slash and sorted."""
    signed = Signed(
        "GET",
        "/v1/caf%C3%A9~x/a%2fb?z=&b=2+3&b=%31%2F&a=~",
        {"host": " h:1 ", "x-sdk-date": "20200608T023900Z", "accept": "*/*"},
        b"",
    )

    assert _canonical(signed, ["host", "x-sdk-date"]) == (
        "GET\n"
        "/v1/caf%C3%A9~x/a/b/\n"
        "a=~&b=1%2F&b=2%203&z=\n"
        "host:h:1\n"
        "x-sdk-date:20200608T023900Z\n"
        "\n"
        "host;x-sdk-date\n"
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )


@dataclass
class Signer:
    """Signs requests to the local cloud; it can send other than what it signed."""

    caller: Caller
    wall: Wall
    ak: str = "AK"
    sk: str = "SK"
    scope: str | None = None
    skew_s: float = 0.0
    project: str = PROJECT_ID
    extra: dict[str, str] = field(default_factory=dict)
    names: tuple[str, ...] = ("host", "x-project-id", "x-sdk-date")
    sent: dict[str, Any] = field(default_factory=dict)

    async def __call__(
        self, method: str = "GET", path: str = f"/{BOX_ID}", body: bytes = b""
    ) -> httpx.Response:
        url = httpx.URL(self.caller.at(path, self.project))
        date = datetime.fromtimestamp(self.wall.now + self.skew_s, UTC)
        headers = {
            "host": url.netloc.decode(),
            "x-project-id": self.project,
            "x-sdk-date": date.strftime("%Y%m%dT%H%M%SZ"),
            **self.extra,
        }
        signed = Signed(method, url.raw_path.decode(), headers, body)
        names = [*self.names, *self.extra]
        form = (
            f"Credential={self.ak}/{self.scope}" if self.scope else f"Access={self.ak}"
        )
        signature = signature_of(signed, names, self.sk, scope=self.scope)
        headers["authorization"] = (
            f"SDK-HMAC-SHA256 {form}, SignedHeaders={';'.join(sorted(names))},"
            f" Signature={signature}"
        )
        headers["content-type"] = "application/json"
        return await self.caller.http.request(
            method,
            url,
            headers=headers | self.sent.get("headers", {}),
            content=self.sent.get("content", body),
        )

    async def restart(self) -> httpx.Response:
        return await self("POST", f"/{BOX_ID}/action", b'{"action": "restart"}')


@pytest.fixture
def signer(stranger: Caller, wall: Wall) -> Signer:
    return Signer(stranger, wall)


@pytest.mark.parametrize("scope", [None, "20231114///sdk_request"])
async def test_a_signed_restart_is_accepted(signer: Signer, scope: str | None):
    """Both forms of signature do without any token."""
    signer.scope = scope

    answer = await signer.restart()

    assert answer.status_code == 200, answer.text
    assert len(signer.caller.cloud.restarts[BOX_ID]) == 1


async def test_a_signed_query_is_accepted(signer: Signer):
    """A query is covered by the signature, however it stands on the wire."""
    answer = await signer(path="?show_self=false&de_type=Note%20book&status=")

    assert answer.status_code == 200, answer.text


async def test_a_temporary_key_needs_its_security_token(signer: Signer):
    """A temporary key works with its signed security token, and only with it."""
    signer.ak = "TEMPORARY"
    without = await signer()
    signer.extra = {"x-security-token": "session"}
    with_ = await signer()

    assert "decrypt token fail" in without.json()["error_msg"]
    assert with_.status_code == 200


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        ({"sk": "wrong"}, "verify aksk signature fail"),
        ({"sent": {"content": b'{"action":"restart"}'}}, "verify aksk signature fail"),
        ({"sent": {"headers": {"x-project-id": "x"}}}, "verify aksk signature fail"),
        ({"names": ("host", "x-sdk-date")}, "verify aksk signature fail"),
        ({"names": ("x-project-id", "x-sdk-date")}, "verify aksk signature fail"),
        ({"scope": "20231113///sdk_request"}, "verify aksk signature fail"),
        ({"skew_s": 901}, "verify aksk signature fail"),
        ({"skew_s": -901}, "verify aksk signature fail"),
        ({"sent": {"headers": {"x-sdk-date": "now"}}}, "verify aksk signature fail"),
        (
            {"sent": {"headers": {"x-sdk-date": "20231314T000000Z"}}},
            "verify aksk signature fail",
        ),
        ({"ak": "NOBODY"}, "Get secretKey failed, ak:NOBODY"),
        ({"sent": {"headers": {"authorization": "Bearer x"}}}, "format"),
    ],
)
async def test_a_bad_signature_is_refused(
    signer: Signer, spoil: dict[str, Any], says: str
):
    """Whatever differs from what was signed, is not covered or is old: APIGW.0301."""
    for name, value in spoil.items():
        setattr(signer, name, value)

    answer = await signer.restart()

    assert (answer.status_code, code(answer)) == (401, "APIGW.0301")
    assert says in answer.json()["error_msg"]
    assert not signer.caller.cloud.restarts[BOX_ID]


@pytest.mark.parametrize("skew_s", [900, -900])
async def test_a_quarter_of_an_hour_of_skew_is_borne(signer: Signer, skew_s: float):
    """A clock that is off by 15 minutes is still accepted."""
    signer.skew_s = skew_s

    assert (await signer()).status_code == 200


async def test_five_failures_in_a_row_lock_the_key(signer: Signer, wall: Wall):
    """The sixth try is refused for five minutes, though it is right; then it works."""
    signer.sk = "wrong"
    for _ in range(5):
        await signer()
    signer.sk = "SK"

    locked = await signer()
    wall.now += 299
    still = await signer()
    wall.now += 2
    free = await signer()

    for answer in (locked, still):
        assert (answer.status_code, code(answer)) == (401, "APIGW.0301")
        assert (
            "AK access failed to reach the limit,forbidden"
            in answer.json()["error_msg"]
        )
    assert free.status_code == 200


async def test_a_success_forgives_failures(signer: Signer):
    """Four failures, a success and four failures more lock nothing."""
    for sk in ("wrong",) * 4 + ("SK",) + ("wrong",) * 4:
        signer.sk = sk
        await signer()
    signer.sk = "SK"

    assert (await signer()).status_code == 200


@pytest.mark.parametrize(
    ("project", "header", "status", "expected"),
    [
        (PROJECT_ID, OTHER_ID, 403, "ModelArts.0210"),
        ("0" * 32, "0" * 32, 404, "ModelArts.6650"),
    ],
)
async def test_a_signed_call_has_to_name_its_project(
    signer: Signer, project: str, header: str, status: int, expected: str
):
    """X-Project-Id has to be the project of the URL, and has to exist."""
    signer.project, signer.extra = project, {"x-project-id": header}
    signer.names = ("host", "x-sdk-date")

    answer = await signer()

    assert (answer.status_code, code(answer)) == (status, expected)


# --- the demo's own world -----------------------------------------------------


def test_the_demo_has_its_cast():
    """The demo's world holds the instances that its pages and rules speak of."""
    world = demo_world()

    names = {
        project.name: [i.name for i in project.boxes] for project in world.projects
    }
    ids = [each.id for each in world.instances]
    assert names == {
        "ml-prod": [
            "trainer-7",
            "trainer-slow",
            "flaky-1",
            "notebook-2",
            "stale-3",
            "gated-1",
            "night-1",
        ],
        "ml-dev": ["sandbox-1", "sandbox-2"],
        "ml-nb": ["nb-3", "nb-lease", "nb-rare", "nb-late"],
    }
    assert world.projects[0].id == "a4a5d4098fb4474fa22cd05f897d6b99"
    assert ids[0] == BOX_ID
    assert len(set(ids)) == len(ids)
    shape = r"(DE-)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    assert all(re.fullmatch(shape, each) for each in ids)


def test_the_demo_is_fresh_every_time():
    """What happens in one demo does not show in the next, and secrets do not print."""
    world = demo_world()
    next(world.instances).put("STOPPED", NOW)

    assert next(demo_world().instances).status == "ACTIVE"
    assert world.login.password not in repr(world)


@pytest.mark.parametrize(
    ("name", "statuses"),
    [
        ("trainer-7", ["REBOOTING", "ACTIVE", "ACTIVE"]),
        ("trainer-slow", ["REBOOTING", "REBOOTING", "ACTIVE"]),
        ("flaky-1", ["REBOOTING", "START_FAILED", "START_FAILED"]),
        ("stale-3", ["ACTIVE", "REBOOTING", "ACTIVE"]),
        ("gated-1", ["REBOOTING", "ACTIVE", "ACTIVE"]),
        ("sandbox-1", ["REBOOTING", "ACTIVE", "ACTIVE"]),
        ("sandbox-2", ["REBOOTING", "RUNNING", "RUNNING"]),
    ],
)
def test_the_demo_plays_its_parts(name: str, statuses: list[str]):
    """Right after the restart, 9 and 50 seconds later each shows what it stands for."""
    instance = LocalModelArts(demo_world()).instance(name)
    instance.restart(NOW, dice(1))

    seen = []
    for later in (0, 9, 50):
        instance.settle(NOW + later)
        seen.append(instance.look(NOW + later).status)

    assert seen == statuses
