"""What may be relied on with notebooks: the real client against the local cloud."""

import json
from dataclasses import replace

import httpx
import pytest
from pydantic import SecretStr

from bot.cloud import Cloud, Endpoint, Login
from bot.demo.aksk_verifier import AccessKey
from bot.demo.cloud_http import FAULTS, Fault, Reply, gateway, html
from bot.demo.instances import CANARY, ScriptedInstance
from bot.demo.modelarts_server import LocalModelArts
from bot.demo.notebooks import RARE_FLAVOR, ScriptedLease, ScriptedNotebook
from bot.demo.seed_world import Login as CloudLogin
from bot.demo.seed_world import Project, World
from bot.errors import (
    CloudAutoStop,
    CloudBusy,
    CloudError,
    CloudFollow,
    CloudFull,
    CloudGone,
    CloudMisfit,
    CloudOtherKind,
    CloudUnknown,
)
from bot.model import LONGEST_MS, SHORTEST_MS, Act, AutoStop, Kind, Target
from bot.network import http_client

PROJECT = "5b1d0e6f2c8a4f7e9d3b6a0c1e8f4d27"
HOUR = 3_600_000
LATER = 4_000_000_000_000  # ms; an end that no test lives to see


def uuid(number: int) -> str:
    """Return an id of the right shape."""
    return f"3f0c9a52-71de-4b86-a4e3-{number:012x}"


NB3, STUDIO = uuid(3), uuid(7)
TARGET = Target("ml-nb", PROJECT, "nb-3", NB3, ("nb-3",), Kind.NOTEBOOK)


def a_world(*notebooks: ScriptedNotebook) -> World:
    """Return a project with *notebooks* and one instance of ML Studio."""
    first = ScriptedNotebook(id=NB3, name="nb-3", owner="ann")
    studio = ScriptedInstance(id=STUDIO, name="trainer-7", owner="ann")
    project = Project("ml-nb", PROJECT, (studio,), (first, *notebooks))
    keys = {"AK0000000000TEST": AccessKey("a-secret-key")}
    return World(CloudLogin("bot", "not-a-password", "OTC0001"), keys, (project,))


class Side:
    """The local cloud, and the client that is connected to it."""

    def __init__(self, far: LocalModelArts, cloud: Cloud) -> None:
        self.far = far
        self.cloud = cloud
        self.box = far.world.projects[0].notebooks[0]

    def asked(self, kind: str) -> int:
        """Return how many calls of a *kind* have arrived."""
        return sum(call.kind == kind for call in self.far.calls)


@pytest.fixture
async def side(request):
    """Yield both sides; a marker's or parameter's notebooks are there, too."""
    far = LocalModelArts(a_world(*getattr(request, "param", ())))
    await far.start()
    point = Endpoint("ml-nb", PROJECT, "token", far.iam_url, far.url)
    login = Login("bot", SecretStr("not-a-password"), "OTC0001")
    async with http_client() as http:
        cloud = Cloud({"ml-nb": point}, login, http, calls_per_minute=6000)
        yield Side(far, cloud)
    await far.close()


async def test_a_look_tells_what_a_safe_stop_has_to_know(side: Side):
    """Lease, flavor, feature, disk and owner are read; token and addresses are not."""
    side.box.lease = ScriptedLease(
        enable=True, create_ms=1000, update_ms=5000, duration_ms=2 * LATER
    )

    seen = await side.cloud.read(TARGET)

    assert (seen.status, seen.owner, seen.feature) == ("RUNNING", "ann", "NOTEBOOK")
    assert (seen.flavor, seen.volume_status) == (side.box.flavor, "AVAILABLE")
    assert seen.kept_path == "/home/ma-user/work/"
    assert seen.lease is not None
    assert (seen.lease.enabled, seen.lease.type) == (True, "TIMING")
    assert (seen.lease.end_ms, seen.updated_ms) == (1000 + 2 * LATER, 5000)
    assert seen.read_ms is not None
    assert CANARY not in repr(seen)


async def test_stop_then_start(side: Side):
    """A stop and a start are one call each, and what they answer is the status now."""
    side.far.clock.speed = 0
    stopped = await side.cloud.act(TARGET, Act.STOP)
    side.far.clock.advance(4)
    before = await side.cloud.read(TARGET)
    started = await side.cloud.act(TARGET, Act.START)

    assert (stopped.current, before.status, started.current) == (
        "STOPPING",
        "STOPPED",
        "STARTING",
    )
    assert stopped.ref
    assert (
        len(side.far.notebooks.stops[NB3]),
        len(side.far.notebooks.starts[NB3]),
    ) == (
        1,
        1,
    )


async def test_the_calls_of_notebooks_can_be_signed(side: Side):
    """With an access key, too, the cloud takes what has a query, or is a PATCH."""
    point = Endpoint("ml-nb", PROJECT, "aksk", side.far.iam_url, side.far.url)
    login = Login(ak=SecretStr("AK0000000000TEST"), sk=SecretStr("a-secret-key"))
    async with http_client() as http:
        cloud = Cloud({"ml-nb": point}, login, http, calls_per_minute=6000)
        listed = await cloud.list("ml-nb")
        await cloud.set_lease(TARGET, AutoStop(2 * HOUR, "TIMING"))
        side.far.put("nb-3", "STOPPED")
        started = await cloud.act(TARGET, Act.START, auto_stop=AutoStop(HOUR, "IDLE"))

    assert [one.name for one in listed] == ["nb-3"]
    assert started.current == "STARTING"
    assert side.box.lease.type == "IDLE"


async def test_a_start_never_goes_out_bare(side: Side):
    """A start that nobody gave an auto-stop says "none"; one that says nothing would
    stop the notebook after an hour, as the local cloud shows.
    """
    side.box.status = "STOPPED"
    await side.cloud.act(TARGET, Act.START)
    assert side.box.lease.enable is False

    side.far.put("nb-3", "STOPPED")
    token = await side.cloud._auths.at(side.cloud._endpoint("ml-nb")).token()
    async with http_client() as http:
        url = f"{side.far.url}/v1/{PROJECT}/notebooks/{NB3}/start"
        bare = await http.post(url, headers={"X-Auth-Token": token})
    lease = bare.json()["lease"]
    assert lease["enable"]
    ends = lease["create_at"] + lease["duration"]
    assert ends - lease["update_at"] == pytest.approx(HOUR, abs=5)


@pytest.mark.parametrize(
    ("auto_stop", "kept"),
    [(AutoStop(2 * HOUR), "TIMING"), (AutoStop(4 * HOUR, "IDLE"), "IDLE")],
)
async def test_a_planned_end_goes_out_with_the_start(side: Side, auto_stop, kept):
    """The auto-stop of a start is counted from the start on, and has its type."""
    side.box.status = "STOPPED"

    await side.cloud.act(TARGET, Act.START, auto_stop=auto_stop)
    lease = (await side.cloud.read(TARGET)).lease

    assert lease is not None
    assert lease.type == kept
    assert lease.end_ms is not None
    assert lease.update_ms is not None
    assert (
        abs(lease.end_ms - side.far.clock.now() * 1000 - auto_stop.duration_ms) < HOUR
    )


async def test_an_auto_stop_that_is_refused_is_an_error_of_its_own(side: Side):
    """Who asks for more than the range is refused, knows why, and nothing has run."""
    side.box.status = "STOPPED"

    with pytest.raises(CloudAutoStop, match="is to stop by itself"):
        await side.cloud.act(TARGET, Act.START, auto_stop=AutoStop(LONGEST_MS + 1))

    assert side.box.status == "STOPPED"


async def test_the_lease_is_read_and_mended(side: Side):
    """A lease can be set anew while the notebook runs, also if no body comes back."""
    side.far.faults.plant("lease", Fault(reply=Reply(204, ""), acts=True))

    mended = await side.cloud.set_lease(TARGET, AutoStop(SHORTEST_MS))

    assert mended == (await side.cloud.read(TARGET)).lease
    assert (mended.enabled, mended.type) == (True, "TIMING")
    assert (await side.cloud.set_lease(TARGET, AutoStop())).enabled is False


@pytest.mark.parametrize(
    "side",
    [[ScriptedNotebook(id=uuid(9), name="rare", owner="a", flavor=RARE_FLAVOR)]],
    indirect=True,
)
async def test_a_sold_out_flavor_is_known_before(side: Side):
    """The flavors call says which notebooks may find no machine afterwards."""
    side.far.notebooks.sold_out = {RARE_FLAVOR}
    rare = replace(TARGET, instance_id=uuid(9))

    common = await side.cloud.is_sold_out(TARGET, await side.cloud.read(TARGET))
    of_rare = await side.cloud.is_sold_out(rare, await side.cloud.read(rare))

    assert (common, of_rare) == (False, True)


async def test_a_flavor_that_the_cloud_does_not_list(side: Side):
    """What is not said is not guessed."""
    seen = replace(await side.cloud.read(TARGET), flavor="modelarts.unheard.of")

    assert await side.cloud.is_sold_out(TARGET, seen) is None


# --- what goes wrong ------------------------------------------------------------------


def refusal(code: str, status: int = 400) -> Fault:
    return Fault(reply=gateway(status, f"ModelArts.{code}", "no"))


STATE = ("6357", "6305", "6306", "6307", "6308", "6327", "6333")
CASES = [
    *((act, code, 400, CloudFollow) for act in ("stop", "start") for code in STATE),
    *((act, c, 400, CloudGone) for act in ("stop", "start") for c in ("6404", "6309")),
    ("stop", "0102", 400, CloudGone),
    *(("start", c, 400, CloudFull) for c in ("6360", "6329", "6716", "6528")),
    ("start", "6200", 500, CloudFull),
    ("stop", "6200", 500, CloudUnknown),
    *(
        ("start", code, 400, CloudMisfit)
        for code in ("6789", "6797", "6320", "6350", "6351", "6352", "6353", "6354")
    ),
    *(("start", c, 400, CloudMisfit) for c in ("6376", "6377", "6378", "6379", "6782")),
    *(("start", c, 400, CloudAutoStop) for c in ("6346", "6348", "6349")),
    *(("start", c, 400, CloudAutoStop) for c in ("0101", "0107", "6400")),
    *((act, "6407", 403, CloudMisfit) for act in ("stop", "start")),
    *((act, "6401", 400, CloudUnknown) for act in ("stop", "start")),
    *((act, "6401", 500, CloudUnknown) for act in ("stop", "start")),
    *((act, "0203", 403, CloudUnknown) for act in ("stop", "start")),
    *((act, "6355", 400, CloudBusy) for act in ("stop", "start")),
    *((act, "6101", 429, CloudBusy) for act in ("stop", "start")),
]


@pytest.mark.parametrize(("act", "code", "status", "error"), CASES)
async def test_what_a_refusal_means(side: Side, act, code, status, error):
    """Each code of the cloud says whether to look, to wait, to end, or to mend."""
    side.box.status = "RUNNING" if act == "stop" else "STOPPED"
    side.far.faults.plant(act, refusal(code, status))

    with pytest.raises(CloudError) as raised:
        await side.cloud.act(TARGET, Act(act))

    assert type(raised.value) is error
    assert raised.value.code == f"ModelArts.{code}"


@pytest.mark.parametrize("act", [Act.STOP, Act.START])
@pytest.mark.parametrize(
    "fault", [Fault(reply=html(502, "Bad Gateway")), FAULTS["cut after acting"]]
)
async def test_an_act_whose_answer_is_lost_is_not_sent_again(side: Side, act, fault):
    """Nobody knows whether it was carried out, so one call is all there ever is."""
    side.box.status = "RUNNING" if act is Act.STOP else "STOPPED"
    side.far.faults.plant(act, fault)

    with pytest.raises(CloudUnknown):
        await side.cloud.act(TARGET, act)

    assert side.asked(act) == 1


@pytest.mark.parametrize("act", [Act.STOP, Act.START])
async def test_an_act_is_sent_again_with_a_new_token_only_if_it_surely_came_first(
    side: Side, act: Act
):
    """The known code of an expired token comes before the act; a bare 401 may not."""
    side.box.status = "RUNNING" if act is Act.STOP else "STOPPED"
    side.far.faults.plant(act, Fault(reply=gateway(401, "APIGW.0301", "expired")))
    await side.cloud.act(TARGET, act)
    assert (side.asked(act), side.asked("login")) == (2, 2)

    side.far.put("nb-3", "RUNNING" if act is Act.STOP else "STOPPED")
    side.far.faults.plant(act, Fault(reply=Reply(401, ""), acts=True))
    with pytest.raises(CloudUnknown):
        await side.cloud.act(TARGET, act)
    assert side.asked(act) == 3


async def test_a_stop_in_the_wrong_state(side: Side):
    """The local cloud refuses it as the original does, and that is no error."""
    side.box.status = "STOPPED"

    with pytest.raises(CloudFollow) as raised:
        await side.cloud.act(TARGET, Act.STOP)

    assert raised.value.code == "ModelArts.6357"


async def test_a_permission_that_is_missing_is_named(side: Side):
    """The sentence says which permission the call needs."""
    side.far.faults.plant("start", refusal("0112", 403))

    with pytest.raises(CloudMisfit, match="modelarts:notebook:start"):
        await side.cloud.act(TARGET, Act.START)


@pytest.mark.parametrize(
    ("kind", "act"), [(Kind.STUDIO, Act.STOP), (Kind.NOTEBOOK, Act.RESTART)]
)
async def test_an_act_that_a_kind_does_not_have(side: Side, kind, act):
    """It is a fault of the caller's, and nothing is sent."""
    with pytest.raises(ValueError, match=r"is (restarted|stopped and started)"):
        await side.cloud.act(replace(TARGET, kind=kind), act)

    assert not side.far.calls


async def test_ml_studio_can_be_started(side: Side):
    """What is stopped is started by the old API's action."""
    side.far.put("trainer-7", "STOPPED")
    studio = Target("ml-nb", PROJECT, "trainer-7", STUDIO)

    answer = await side.cloud.act(studio, Act.START)

    assert (answer.previous, answer.current) == ("STOPPED", "STARTING")


# --- an id of the other kind ----------------------------------------------------------


async def test_a_notebook_that_is_configured_as_ml_studio(side: Side):
    """The cloud's own answers tell, and the sentence says what to write."""
    with pytest.raises(CloudOtherKind) as raised:
        await side.cloud.read(replace(TARGET, kind=Kind.STUDIO))

    assert str(raised.value) == '`nb-3` is a notebook; say `kind = "notebook"`.'


async def test_ml_studio_that_is_configured_as_a_notebook(side: Side):
    """The same the other way round."""
    target = replace(TARGET, instance="x", instance_id=STUDIO)

    with pytest.raises(CloudOtherKind, match='ML Studio; say `kind = "studio"`'):
        await side.cloud.read(target)


@pytest.mark.parametrize(
    "fault", [refusal("0112", 403), Fault(reply=html(502, "Bad Gateway"))]
)
async def test_what_decides_nothing_about_the_kind(side: Side, fault):
    """Where the other API refuses or fails, the id is just unknown."""
    side.far.faults.plant("read", refusal("6309"))
    side.far.faults.plant("read", fault)

    with pytest.raises(CloudGone):
        await side.cloud.read(replace(TARGET, kind=Kind.STUDIO))


# --- the list -------------------------------------------------------------------------


def many(number: int) -> list[ScriptedNotebook]:
    return [
        ScriptedNotebook(
            id=uuid(100 + n),
            name=f"box-{n}",
            owner="ann",
            lease=ScriptedLease(create_ms=1_000_000 + n),
        )
        for n in range(number)
    ]


@pytest.mark.parametrize("side", [many(49), many(50), many(120)], indirect=True)
async def test_all_pages_of_the_list(side: Side):
    """Every notebook of the project is there once, by pages of 50."""
    found = await side.cloud.list("ml-nb")

    boxes = side.far.world.projects[0].notebooks
    assert {one.id: one.name for one in found} == {box.id: box.name for box in boxes}
    assert side.asked("list") == len(boxes) // 50 + 1
    assert CANARY not in repr(found)


@pytest.mark.parametrize("side", [many(120)], indirect=True)
async def test_one_that_stands_on_two_pages_is_one(side: Side):
    """A notebook made while the pages are read moves the others; none is doubled."""
    boxes = side.far.world.projects[0].notebooks
    newest = ScriptedNotebook(
        id=uuid(999), name="newest", owner="a", lease=ScriptedLease(create_ms=2**41)
    )
    pages = side.cloud._notebooks.pages("ml-nb")
    first = await anext(pages)
    project = replace(side.far.world.projects[0], notebooks=(newest, *boxes))
    world = replace(side.far.world, projects=(project,))
    side.far.iam._world = side.far.notebooks.world = world

    rest = [one for page in [p async for p in pages] for one in page]

    assert {one.id for one in rest} & {one.id for one in first}
    ids = [one.id for one in await side.cloud.list("ml-nb")]
    assert len(ids) == len(set(ids)) == len(boxes) + 1


@pytest.mark.parametrize("side", [many(120)], indirect=True)
async def test_a_page_that_fails_in_the_middle(side: Side):
    """Half a list is no list: two of one name must not look like one."""
    pages = side.cloud._notebooks.pages("ml-nb")
    await anext(pages)
    side.far.faults.plant("list", Fault(reply=html(502, "Bad Gateway")))

    with pytest.raises(CloudError):
        await anext(pages)


async def test_a_list_that_the_bot_may_not_have(side: Side):
    """The sentence names the permission that the bot's user lacks."""
    side.far.notebooks.may_list_all = False

    with pytest.raises(CloudMisfit, match="modelarts:notebook:listAllNotebooks"):
        await side.cloud.list("ml-nb")


@pytest.mark.parametrize("limit", [1, 49, 51, 100])
async def test_the_local_cloud_takes_three_page_sizes_only(side: Side, limit):
    """As the original does."""
    token = await side.cloud._auths.at(side.cloud._endpoint("ml-nb")).token()
    async with http_client() as http:
        answer = await http.get(
            f"{side.far.url}/v1/{PROJECT}/notebooks/all?limit={limit}",
            headers={"X-Auth-Token": token},
        )

    assert answer.status_code == httpx.codes.BAD_REQUEST


async def test_every_answer_of_the_local_cloud_holds_a_token(side: Side):
    """So a client that keeps one is found out."""
    token = await side.cloud._auths.at(side.cloud._endpoint("ml-nb")).token()
    async with http_client() as http:
        for path in (f"notebooks/{NB3}", "notebooks/all?name=B-"):
            answer = await http.get(
                f"{side.far.url}/v1/{PROJECT}/{path}", headers={"X-Auth-Token": token}
            )
            body = answer.json()
            rows = body.get("data", [body])
            assert [CANARY in json.dumps(row["token"]) for row in rows] == [True]
