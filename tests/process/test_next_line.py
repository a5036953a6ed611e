"""The next line is asked, once, although the bot is killed between its stages."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from bot.demo.rota import Rota, RotaPerson, Schedule, Shift
from bot.demo.rota_server import LocalRota
from bot.model import State
from tests.support.processes import Site, until

pytestmark = pytest.mark.process

CAROL, GINA = "<@U0CAROL>", "<@U0GINA>"


def rules(rota: LocalRota) -> str:
    """Return two lines, and a rule that asks them one after the other."""
    tables = [
        f"""
[oncall.{name}]
source = "pagerduty"
schedule = "{name.upper()}"
url = "{rota.url}"
people = {{ PCAROL = "U0CAROL", PGINA = "U0GINA" }}
"""
        for name in ("second", "third")
    ]
    then = ", ".join(
        f'{{ after = "{after}", by = ["oncall:{name}"] }}'
        for after, name in (("1s", "second"), ("5s", "third"))
    )
    return f"""{"".join(tables)}
[[rules]]
name = "gated"
who = ["@ml-oncall"]
approval = {{ by = ["U0BOB"], expires = "15m", then = [{then}] }}
"""


async def test_the_next_lines_are_asked_once_whatever_dies(tmp_path: Path) -> None:
    """Killed after the first of them, the bot asks the second, and no one twice."""
    people = (RotaPerson("PCAROL", "Carol"), RotaPerson("PGINA", "Gina"))
    since = time.time() - 60
    schedules = (
        Schedule("SECOND", "second", [Shift("PCAROL", since)]),
        Schedule("THIRD", "third", [Shift("PGINA", since)]),
    )
    rota = LocalRota(Rota({p.id: p for p in people}, {s.id: s for s in schedules}))
    await rota.start()
    try:
        async with Site(tmp_path, rules=rules(rota)) as site:

            def asked(whom: str) -> list[str]:
                said = [post.text for post in site.said() if post.thread_ts]
                return [text for text in said if f". {whom}" in text]

            first = await site.start(PAGERDUTY_TOKEN=rota.pagerduty_token)
            delivery = await site.ask("gated-1")
            await until(lambda: asked(CAROL), what="the second line")
            record = await site.record(delivery)
            assert record is not None

            async def kept() -> bool:
                done = await site.ledger.mentioned(record.request.id)
                return "then 0 oncall:second" in done

            await until(kept, what="that it was kept")
            await first.kill()
            await site.start(PAGERDUTY_TOKEN=rota.pagerduty_token)
            await until(lambda: asked(GINA), what="the third line")
            await site.approve(user="gina")
            await site.seen_rebooting("gated-1")
            site.finish_reboot("gated-1")
            assert (await site.told(delivery)).state is State.READY
            assert (len(asked(CAROL)), len(asked(GINA))) == (1, 1)
    finally:
        await rota.close()
