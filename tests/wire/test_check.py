"""What an operator who runs ``mlstudio-bot check`` before a deployment may rely on."""

import ast
import asyncio
import os
import re
import sqlite3
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from aiohttp import web
from slack_sdk.web.async_client import AsyncWebClient
from typer.testing import CliRunner

from bot.cli import check
from bot.cli.check.backends import _clock_line, database_line
from bot.cli.check.rules import approval_lines, rule_lines
from bot.cli.check.slack import SCOPE_OF, SCOPES
from bot.cli.main import cli
from bot.demo.cloud_http import Fault
from bot.demo.modelarts_server import LocalModelArts
from bot.demo.seed_world import demo_world
from bot.demo.slack_server import LocalSlack
from bot.ledger import Ledger
from bot.model import Approval, Rule

ROOT = Path(__file__).parents[2]
USERS = {
    "U0ANN": {},
    "U0BOSS": {"is_admin": True},
    "U0LEE": {},
    "U0OLD": {"deleted": True},
    "U0BOT": {"is_bot": True},
    "U0GUEST": {"is_restricted": True},
    "U0OTHER": {"team_id": "T0OTHER"},
}
ENVIRON = {
    "SLACK_BOT_TOKEN": "xoxb-1-right",
    "SLACK_APP_TOKEN": "xapp-1-right",
    "OS_USERNAME": "mlstudio-bot",
    "OS_PASSWORD": "not-a-real-password",
    "OS_USER_DOMAIN_NAME": "OTC00000000001000000001",
}
GOOD_RULE = """
[[rules]]
name = "on call"
who = ["@ml-oncall", "U0ANN"]
approval = { by = ["@ml-leads"] }
"""


class Slack:
    """The methods of Slack that the check calls, over HTTP."""

    def __init__(self):
        self.url = ""
        self.scopes = "commands,chat:write,users:read,usergroups:read"
        self.groups = {"ml-oncall": ["U0ANN", "U0LEE"], "ml-leads": ["U0MAX", "U0IDA"]}
        self.editor = ""
        self.calls = []

    async def answer(self, request):
        method = request.match_info["method"]
        self.calls.append(method)
        token = request.headers["Authorization"].removeprefix("Bearer ")
        right = "xapp-1-right" if method == "apps.connections.open" else "xoxb-1-right"
        if token != right:
            return web.json_response({"ok": False, "error": "invalid_auth"})
        body = self.body(method, {**request.query, **await request.post()})
        return web.json_response(body, headers={"x-oauth-scopes": self.scopes})

    def body(self, method, form):
        if method == "users.info":
            more = USERS.get(form["user"])
            if more is None:
                return {"ok": False, "error": "user_not_found"}
            return {"ok": True, "user": {"team_id": "T0HOME", "name": "ann"} | more}
        if method == "usergroups.list":
            groups = [
                {"id": f"S{n}", "handle": handle, "users": users, "date_delete": 0}
                | ({"updated_by": self.editor} if self.editor else {})
                for n, (handle, users) in enumerate(self.groups.items())
            ]
            return {"ok": True, "usergroups": groups}
        named = {"user": "mlstudio", "team": "Acme", "team_id": "T0HOME"}
        return {"ok": True, "url": self.url.replace("http", "ws")[:-4] + "link"} | named

    async def link(self, request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"type": "hello"})
        await socket.receive()  # closed by the other side
        return socket


@pytest.fixture
async def slack():
    """Return a Slack that serves on loopback."""
    slack, app = Slack(), web.Application()
    app.router.add_route("*", "/api/{method}", slack.answer)
    app.router.add_get("/link", slack.link)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    slack.url = f"http://127.0.0.1:{runner.addresses[0][1]}/api/"
    yield slack
    await runner.cleanup()


@pytest.fixture
async def cloud():
    """Return a local ModelArts that serves the demo's instances."""
    cloud = LocalModelArts(demo_world())
    await cloud.start()
    yield cloud
    await cloud.close()


@pytest.fixture
def run(tmp_path, slack, cloud):
    """Return a function that checks a file with these rules and instances."""

    async def run(rules=GOOD_RULE, *, instances="", environ=ENVIRON, offline=False):
        path = tmp_path / "mlstudio-bot.toml"
        path.write_text(
            f"""
database = "sqlite:///{tmp_path}/bot.db"
[slack]
api_url = "{slack.url}"
[cloud]
iam_url = "{cloud.iam_url}"
modelarts_url = "{cloud.url}"
[projects.ml-prod]
id = "a4a5d4098fb4474fa22cd05f897d6b99"
[projects.ml-prod.instances]
trainer-7 = "47cf4ff3-0c59-44fe-9821-2840a34c02a9"
{instances}
{rules}
""",
            "utf-8",
        )
        return [one async for one in check.check_file(path, environ, offline=offline)]

    return run


def _bad(lines):
    """Return what was found wrong; every such line must name its remedy."""
    assert all(line.remedy for line in lines if not line.ok)
    return [line.what for line in lines if line.ok is False]


async def test_all_is_well(run, tmp_path):
    """Where nothing is wrong every part has its line, and nothing was changed."""
    lines = await run()

    assert [str(line) for line in lines] == [
        f"✓ {tmp_path}/mlstudio-bot.toml: 1 project, 1 rule",
        *(f"✓ {name} is set" for name in ENVIRON),
        "✓ rule “on call” can decide",
        f"✓ the database {tmp_path}/bot.db will be made at the first start",
        "✓ Slack knows the bot as mlstudio in Acme",
        "✓ scope chat:write",
        "✓ scope commands",
        "✓ scope usergroups:read",
        "✓ scope users:read",
        "✓ the app token opens a socket",
        "✓ the socket opens, and Slack says hello on it",
        "✓ user U0ANN (ann)",
        "✓ user group @ml-leads has 2 members",
        "✓ user group @ml-oncall has 2 members",
        "✓ rule “on call”: 2 people could approve",
        "✓ ml-prod: the login works",
        "✓ ml-prod: ModelArts answers",
        "✓ ml-prod/trainer-7 is ACTIVE (kind studio)",
        "✓ this machine's clock agrees with the cloud's",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["mlstudio-bot.toml"]


async def test_it_never_restarts_nor_speaks(run, slack, cloud):
    """The check only looks: no message is posted and no instance is touched."""
    await run()

    assert not cloud.restarts
    assert set(slack.calls) == {
        "auth.test",
        "apps.connections.open",
        "users.info",
        "usergroups.list",
    }


async def test_offline_asks_nobody(run, slack, cloud):
    """Offline, without any secret, the file is checked and the rest is named as not
    looked at.
    """
    lines = await run(environ={}, offline=True)

    assert _bad(lines) == []
    assert [line.what for line in lines if line.ok is None] == [
        "rule “on call”: who could approve was not looked up",
        "the database was not asked",
        "Slack was not asked",
        "the cloud was not asked",
    ]
    assert (slack.calls, list(cloud.calls)) == ([], [])


async def test_a_broken_file_is_said_line_by_line(run):
    """Every mistake in the file has a line of its own."""
    wrong = _bad(await run(rules='[[rules]]\nname = "x"\nwho = []\nwhere = "y"'))

    assert len(wrong) == 2
    assert any("who" in what for what in wrong)
    assert any("where" in what for what in wrong)


async def test_a_missing_secret_has_a_line(run, cloud):
    """A secret that is missing is named, and nobody is asked with an empty password."""
    environ = {k: v for k, v in ENVIRON.items() if k != "OS_PASSWORD"}

    lines = await run(environ=environ)

    (wrong,) = _bad(lines)
    assert "OS_PASSWORD" in wrong
    assert not cloud.calls


async def test_a_wrong_secret_is_found_offline(run):
    """What is set but cannot be right is found without asking anybody."""
    environ = {"SLACK_BOT_TOKEN": "xoxp-1-user", "SLACK_CLIENT_ID": "1"}

    wrong = _bad(await run(environ=environ, offline=True))

    assert [what.split(":")[0] for what in wrong] == [
        "SLACK_CLIENT_ID",
        "SLACK_BOT_TOKEN",
    ]


async def test_a_secret_is_never_shown(run):
    """No line holds the value of a secret, right or wrong."""
    environ = ENVIRON | {"SLACK_APP_TOKEN": "xapp-wrong-1", "OS_PASSWORD": "wr0ng-pass"}

    text = "\n".join(map(str, await run(environ=environ)))

    assert not [value for value in environ.values() if value in text.split()]
    assert "wr0ng" not in text
    assert "xapp-wrong" not in text


async def test_refused_tokens(run):
    """A token that Slack refuses has a line; without it nobody is looked up."""
    environ = ENVIRON | {"SLACK_BOT_TOKEN": "xoxb-0", "SLACK_APP_TOKEN": "xapp-0"}

    wrong = _bad(await run(environ=environ))

    assert [re.match(r"the (bot|app) token: ", what)[1] for what in wrong] == [
        "bot",
        "app",
    ]


async def test_slack_out_of_reach(run, slack):
    """Where Slack cannot be reached the line says so, and does not blame the token."""
    slack.url = "http://127.0.0.1:1/api/"

    lines = await run()

    assert any(
        what.startswith("the bot token: Slack cannot be reached; nothing was sent. ")
        and what.endswith("and the connection was refused.")
        for what in _bad(lines)
    ), lines
    assert all("copy" not in line.remedy for line in lines)


async def test_a_missing_scope_has_a_line(run, slack):
    """Each scope that the token lacks is named."""
    slack.scopes = "commands,chat:write,users:read"

    assert _bad(await run()) == ["scope usergroups:read is missing"]


@pytest.mark.parametrize(
    ("user", "fault"),
    [
        ("U0NONE", "not known"),
        ("U0OLD", "is deactivated"),
        ("U0BOT", "is a bot"),
        ("U0GUEST", "is a guest"),
        ("U0OTHER", "belongs to another workspace"),
    ],
)
async def test_a_person_who_can_never_act(run, user, fault):
    """A rule that names somebody who is gone, or may never act, is found."""
    lines = await run(rules=f'[[rules]]\nname = "r"\nwho = ["U0ANN", "{user}"]')

    (wrong,) = _bad(lines)
    assert user in wrong
    assert fault in wrong
    assert "“r”" in next(line.remedy for line in lines if line.what == wrong)


async def test_a_group_that_names_nobody(run, slack):
    """A user group that is unknown or empty is found, and so is what hangs on it."""
    slack.groups["ml-leads"] = []

    group, rule = _bad(await run())

    assert "@ml-leads" in group
    assert "nobody could give one" in rule


async def test_a_refused_login(run):
    """A login that the cloud refuses has one line; its instances are not asked."""
    lines = await run(environ=ENVIRON | {"OS_PASSWORD": "wrong"})

    (wrong,) = _bad(lines)
    assert wrong.startswith("ml-prod: the login failed")
    assert "ml-prod/trainer-7 was not asked" in [line.what for line in lines]


async def test_an_alias_of_nothing(run):
    """An alias whose id the cloud does not know is found; the others are fine."""
    lines = await run(instances='gone = "00000000-1111-2222-3333-444444444444"')

    (wrong,) = _bad(lines)
    assert wrong.startswith("ml-prod/gone: ")
    assert "ml-prod/trainer-7 is ACTIVE (kind studio)" in [line.what for line in lines]


@pytest.mark.parametrize(
    ("skew", "ok"), [(0.0, True), (-60.0, True), (61.0, False), (-3600.0, False)]
)
def test_the_clock(skew, ok):
    """A clock that is a minute off is found."""
    assert _clock_line(skew).ok is ok


# --- the database --------------------------------------------------------------------


async def test_a_database_that_is_there(tmp_path):
    """A database that answers is fine."""
    (tmp_path / "bot.db").touch()

    assert (await database_line(f"sqlite:///{tmp_path}/bot.db")).ok


async def test_a_database_without_its_folder(tmp_path):
    """A folder that is missing is found before the first start."""
    line = await database_line(f"sqlite:///{tmp_path}/none/bot.db")

    assert line.ok is False
    assert "there is no folder" in line.what


async def test_a_file_that_is_no_database(tmp_path):
    """A file that is something else is found and stays as it is."""
    (tmp_path / "bot.db").write_text("my diary " * 100)

    assert (await database_line(f"sqlite:///{tmp_path}/bot.db")).ok is False
    assert (tmp_path / "bot.db").read_text() == "my diary " * 100


async def test_a_database_server_that_is_away():
    """A server that does not answer is named, without any password."""
    line = await database_line("postgresql://bot:hidden@127.0.0.1:1/db")

    assert line.ok is False
    assert "127.0.0.1:1" in line.what
    assert "hidden" not in str(line)


# --- rules ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "hidden"),
    [
        ({}, {}, True),
        ({"who": ["U1"]}, {"who": ["U2"]}, False),
        ({"who": ["U1", "@a"]}, {"who": ["@A"]}, True),
        ({"who": ["@a"]}, {"who": ["*"]}, False),
        ({"who": (), "deny": True}, {}, True),
        ({"who": ["U1"]}, {"who": (), "deny": True}, False),
        ({"projects": ["*"]}, {}, True),
        ({"projects": ["ml-*"]}, {"projects": ["ml-prod"]}, True),
        ({"projects": ["ml-prod"]}, {"projects": ["*-prod"]}, True),
        ({"projects": ["ml-prod"]}, {}, False),
        ({"instances": ["gated-*"]}, {"instances": ["gated-1"]}, True),
        ({"instances": ["GATED-*"]}, {"instances": ["gated-x-*"]}, True),
        ({"instances": ["gated-*"]}, {"instances": ["gate*"]}, False),
        ({"instances": ["gated-1"]}, {"instances": ["gated-*"]}, False),
        ({"instances": ["a?"]}, {"instances": ["a*"]}, False),
        ({"instances": ["[!x]*"]}, {"instances": ["*"]}, False),
        ({"instances": ["a*", "b*"]}, {"instances": ["a1", "b?"]}, True),
        ({"instances": ["a*"]}, {}, False),
        ({"channels": ["C1"]}, {"channels": ["C1"]}, True),
        ({"channels": ["C1"]}, {}, False),
        ({}, {"channels": ["C1"]}, True),
    ],
)
def test_a_rule_behind_another(first, second, hidden):
    """A rule that can never decide is found; one that can is not blamed."""
    rules = [
        Rule(name=name, **{"who": ["*"]} | keys)
        for name, keys in (("first", first), ("second", second))
    ]

    lines = list(rule_lines(rules, ["ml-prod", "ml-dev"]))

    assert [line.ok for line in lines] == [True, not hidden]


def test_no_rules_at_all():
    """A file without rules is pointed out."""
    (line,) = rule_lines([], ["ml-prod"])

    assert line.ok is None
    assert "every restart is refused" in line.what


@pytest.mark.parametrize(
    ("who", "by", "needed", "ok"),
    [
        (["*"], ["*"], 3, True),
        (["U1"], ["U2"], 1, True),
        (["U1"], ["U1"], 1, False),
        (["@a"], ["@a"], 1, True),
        (["@a"], ["@a"], 2, False),
        (["U9"], ["@a"], 2, True),
        (["U9"], ["@a", "U9"], 3, False),
        (["*"], ["@gone"], 1, False),
        (["*"], ["UX"], 1, False),
    ],
)
def test_who_could_approve(who, by, needed, ok):
    """A rule whose approval nobody, or nobody else, could ever give is found."""
    rule = Rule(name="r", who=who, approval=Approval(by=by, needed=needed))
    groups = {"@a": frozenset({"U1", "U2"}), "@gone": None}

    (line,) = approval_lines([rule], groups, ["UX"])

    assert line.ok is ok


# --- scopes --------------------------------------------------------------------------


def _calls_of_slack():
    """Return every method of slack_sdk's client that the bot's code names."""
    methods = {name for name in vars(AsyncWebClient) if re.match(r"[a-z]+_\w", name)}
    sources = [p for p in (ROOT / "bot").rglob("*.py") if "demo" not in p.parts]
    return {
        node.attr
        for path in sources
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in methods
    }


def test_the_table_of_scopes_is_complete():
    """Every call of Slack that the code makes is known with its scope, and no other."""
    assert set(SCOPE_OF) == _calls_of_slack()


def test_the_manifest_asks_for_what_the_code_needs():
    """The app is installed with the scopes that the bot uses, no more and no fewer."""
    manifest = yaml.safe_load((ROOT / "manifest.yaml").read_text("utf-8"))

    assert sorted(SCOPES) == sorted(manifest["oauth_config"]["scopes"]["bot"])


# --- groups that anybody may edit, scopes that nobody needs, tables of another version


@pytest.mark.parametrize(
    ("editor", "warned"), [("U0BOSS", False), ("U0LEE", True), ("U0BOT", True)]
)
async def test_a_group_that_anybody_may_edit(run, slack, editor, warned):
    """A group that somebody who is no admin has changed is a warning, not a fault."""
    slack.editor = editor

    lines = await run()

    said = [line for line in lines if "last changed by" in line.what]
    assert [line.ok for line in said] == [None, None] * warned
    assert _bad(lines) == []


async def test_a_scope_that_is_not_needed(run, slack):
    """A right that the bot does not use is pointed out."""
    slack.scopes += ",usergroups:write"

    lines = await run()

    assert _bad(lines) == []
    assert [line.what for line in lines if line.ok is None] == [
        "scope usergroups:write is granted, and the bot does not use it"
    ]


async def test_a_database_of_an_earlier_version(tmp_path):
    """``check`` says what ``run`` will add to a database, and is right about that."""
    url = f"sqlite:///{tmp_path}/bot.db"
    ledger = Ledger(url)
    ledger.open()
    assert str(await database_line(url)).endswith("bot.db answers")
    with closing(sqlite3.connect(tmp_path / "bot.db")) as database:
        database.execute("ALTER TABLE mlstudio_requests DROP COLUMN summed")
        database.execute("DROP INDEX mlstudio_trail_by_time")
        database.execute("DROP TABLE mlstudio_votes")

    line = await database_line(url)

    assert line.ok
    assert line.what.endswith(
        "bot.db answers (the next start adds mlstudio_votes, mlstudio_requests.summed,"
        " the index mlstudio_trail_by_time)"
    )
    ledger.open()
    ledger.close()
    assert str(await database_line(url)).endswith("bot.db answers")


# --- the command itself, against the demo's local Slack and ModelArts -----------------

RULES = """
[[rules]]
name = "gated"
who = ["@ml-oncall"]
instances = ["gated-*"]
approval = { by = ["@ml-leads"], needed = 2, break_glass = ["@sre"] }

[[rules]]
name = "on call"
who = ["@ml-oncall", "U0BOB"]
"""


class Checked:
    """``mlstudio-bot check`` between the demo's two far sides.

    In this process, or as one of its own where *as_process*.
    """

    as_process = False

    def __init__(self, folder):
        self.folder = folder
        self.slack = LocalSlack(scopes=SCOPES)
        self.cloud = LocalModelArts(demo_world())
        self.rules = RULES
        self.instances = ""
        self.environ = {}

    async def __call__(self, *options):
        """Return the exit code and the lines; nothing may be printed as an error."""
        login, path = self.cloud.world.login, self.folder / "bot.toml"
        path.write_text(
            f"""
database = "sqlite:///{self.folder}/bot.db"
[slack]
api_url = "{self.slack.api_url}"
[cloud]
iam_url = "{self.cloud.iam_url}"
modelarts_url = "{self.cloud.url}"
[projects.ml-prod]
id = "a4a5d4098fb4474fa22cd05f897d6b99"
[projects.ml-prod.instances]
trainer-7 = "47cf4ff3-0c59-44fe-9821-2840a34c02a9"
{self.instances}
{self.rules}
""",
            "utf-8",
        )
        environ = {
            "SLACK_BOT_TOKEN": self.slack.bot_token,
            "SLACK_APP_TOKEN": self.slack.app_token,
            "OS_USERNAME": login.user,
            "OS_PASSWORD": login.password,
            "OS_USER_DOMAIN_NAME": login.domain,
            **self.environ,
        }
        run = _in_a_process if self.as_process else _in_a_thread
        code, out, err = await run(["check", "--config", str(path), *options], environ)
        assert "Traceback" not in err
        assert not [v for v in environ.values() if v in (out + err).split()]
        return code, out.splitlines()


async def _in_a_process(words, environ):
    """Return exit code, output and errors of ``python -m bot``."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", *words),
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environ},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, out.decode(), err.decode()


async def _in_a_thread(words, environ):
    """Return the same, without the time that a process takes."""
    others = dict.fromkeys(name for name in os.environ if name != "PATH")
    done = await asyncio.to_thread(
        CliRunner().invoke, cli, words, env={**others, **environ}
    )
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture
async def checked(tmp_path):
    """Return the command between its far sides."""
    checked = Checked(tmp_path)
    async with checked.slack:
        await checked.cloud.start()
        yield checked
        await checked.cloud.close()


@pytest.mark.process
async def test_the_command_where_all_is_well(checked):
    """``check`` exits 0 with a ✓ for every part, and leaves nothing behind."""
    checked.as_process = True
    code, lines = await checked()

    assert code == 0, lines
    assert {line[0] for line in lines} == {"✓"}
    for part in (
        "bot.toml: 1 project, 2 rules",
        "SLACK_BOT_TOKEN is set",
        "OS_PASSWORD is set",
        "rule “gated” can decide",
        "the database",
        "Slack knows the bot as",
        *(f"scope {scope}" for scope in SCOPES),
        "the app token opens a socket",
        "the socket opens, and Slack says hello",
        "user U0BOB",
        *(f"user group @{group} has" for group in ("ml-oncall", "ml-leads", "sre")),
        "rule “gated”: 2 people could approve",
        "ml-prod: the login works",
        "ml-prod: ModelArts answers",
        "ml-prod/trainer-7 is ACTIVE (kind studio)",
        "this machine's clock agrees",
    ):
        assert any(part in line for line in lines), part
    assert [path.name for path in checked.folder.iterdir()] == ["bot.toml"]
    assert not checked.cloud.restarts
    assert checked.slack.messages() == []


def _set(**environ):
    return lambda checked: checked.environ.update(environ)


def _unscoped(checked):
    access = checked.slack.api.access
    checked.slack.api.access = replace(access, scopes=access.scopes - {"users:read"})


async def _emptied(checked):
    await checked.slack.change_group("sre", users=(), tell=False)


def _unknown_group(checked):
    checked.rules = RULES.replace("@sre", "@ghosts")


def _unknown_alias(checked):
    checked.instances = 'gone = "00000000-1111-2222-3333-444444444444"'


def _off_clock(checked):
    fault = Fault(date_shift_s=-300.0)
    checked.cloud.faults.plant("read", fault, times=None)
    checked.cloud.faults.plant("login", fault, times=None)


def _too_few(checked):
    checked.rules = RULES.replace('by = ["@ml-leads"]', 'by = ["@ml-leads", "U0ERIN"]')
    checked.rules = checked.rules.replace("needed = 2", "needed = 3")


FAULTS = {
    "a wrong bot token": (_set(SLACK_BOT_TOKEN="xoxb-0-wrong"), "✗ the bot token: "),
    "a wrong app token": (_set(SLACK_APP_TOKEN="xapp-0-wrong"), "✗ the app token: "),
    "the wrong kind of token": (
        _set(SLACK_BOT_TOKEN="xoxp-0-user"),
        "✗ SLACK_BOT_TOKEN: must begin with xoxb-",
    ),
    "a missing scope": (_unscoped, "✗ scope users:read is missing"),
    "an unknown group": (_unknown_group, "✗ user group @ghosts is unknown"),
    "an empty group": (_emptied, "✗ user group @sre is unknown, disabled, empty"),
    "a guest as approver": (_too_few, "✗ user U0ERIN (erin) is a guest"),
    "too few approvers": (_too_few, "✗ rule “gated” needs 3 approvals, but only 2"),
    "a wrong password": (_set(OS_PASSWORD="wr0ng-word"), "✗ ml-prod: the login failed"),
    "an unknown alias": (_unknown_alias, "✗ ml-prod/gone: "),
    "a clock that is off": (_off_clock, "✗ this machine's clock is "),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_the_command_finds(checked, fault):
    """``check`` exits 1 and says of every fault what it is and what mends it."""
    plant, said = FAULTS[fault]
    waiting = plant(checked)
    if waiting is not None:
        await waiting

    code, lines = await checked()

    assert code == 1
    found = [line for line in lines if line.startswith(said)]
    assert len(found) == 1, lines
    assert " → " in found[0]


async def test_the_command_offline(checked):
    """``check --offline`` needs no secret and asks nobody; what is wrong in the file is
    still found.
    """
    for name in ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "OS_PASSWORD"):
        checked.environ[name] = ""
    code, lines = await checked("--offline")
    assert code == 0, lines
    assert (checked.slack.calls, list(checked.cloud.calls)) == ([], [])

    checked.rules += '[[rules]]\nname = "never"\nwho = ["U0BOB"]\n'
    code, lines = await checked("--offline")
    assert code == 1
    assert [line for line in lines if line.startswith("✗ rule “never” can never")]
