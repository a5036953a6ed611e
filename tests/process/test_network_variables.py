"""A proxy or certificates that cannot be used are one sentence, whatever is started."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.processes import typed

pytestmark = pytest.mark.process

FILE = """
database = "sqlite:///{folder}/bot.db"
[slack]
api_url = "http://127.0.0.1:9/api/"
[cloud]
iam_url = "http://127.0.0.1:9/v3"
modelarts_url = "http://127.0.0.1:9"
[projects.ml-prod]
id = "a4a5d4098fb4474fa22cd05f897d6b99"
[[rules]]
name = "anybody"
who = ["*"]
"""
SECRETS = {
    "SLACK_BOT_TOKEN": "xoxb-1-a",
    "SLACK_APP_TOKEN": "xapp-1-a",
    "OS_USERNAME": "user",
    "OS_PASSWORD": "not-a-real-password",
    "OS_USER_DOMAIN_NAME": "domain",
}


@pytest.mark.parametrize(
    "variable",
    ["ALL_PROXY=socks5h://x:1", "SSL_CERT_FILE=/nope", "HTTPS_PROXY=127.0.0.1:port"],
)
async def test_what_cannot_be_used_is_one_sentence(tmp_path, variable):
    """``run`` and ``explain`` end with 2 and one sentence about the variable, ``check``
    has it as its ✗ line and asks nobody; none shows a traceback or makes a database.
    """
    (tmp_path / "mlstudio-bot.toml").write_text(FILE.format(folder=tmp_path), "utf-8")
    name, _, value = variable.partition("=")
    asked = ("explain", "U0ANN", "ml-prod", "47cf4ff3-0c59-44fe-9821-2840a34c02a9")

    run, explain, check = await asyncio.gather(
        *(
            typed(tmp_path, *words, **SECRETS, **{name: value})
            for words in (("run",), asked, ("check",))
        )
    )

    for code, out, err in (run, explain):
        assert (code, out) == (2, "")
        assert err.startswith(f"mlstudio-bot: {name}: ")
        assert err.count("\n") == 1
    code, out, err = check
    assert (code, err) == (1, "")
    assert f"✗ {name}: " in out
    assert "– Slack was not asked" in out
    assert "– the cloud was not asked" in out
    assert not (tmp_path / "bot.db").exists()


async def test_the_demo_asks_no_proxy(tmp_path):
    """The demo plays whatever proxy is set, and says in a sentence which certificates
    cannot be used.
    """
    play = ("demo", "--once", "/mlstudio help")
    proxies = {"ALL_PROXY": "socks5h://x:1", "HTTPS_PROXY": "http://127.0.0.1:port"}

    played, refused = await asyncio.gather(
        typed(tmp_path, *play, **proxies),
        typed(tmp_path, *play, SSL_CERT_FILE="/nope"),
    )

    assert played[0] == 0, played
    assert refused[0] == 1
    assert "SSL_CERT_FILE: the file that it names cannot be used" in refused[2]
    assert "Traceback" not in refused[2]
