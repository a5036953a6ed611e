"""The demo's stage: the two far sides, and the real bot between them as a process.

The bot is started like anywhere else, ``mlstudio-bot run --config …``, so it can be
killed for real and started again.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from bot.app.clock import VARIABLE as CLOCK
from bot.demo.alert_sender import AlertSender
from bot.demo.modelarts_server import LocalModelArts
from bot.demo.rota import demo_rota
from bot.demo.rota_server import LocalRota
from bot.demo.seed_world import demo_world
from bot.demo.slack_server import LocalSlack
from bot.errors import BotError

CONNECT_WITHIN_S = 30.0
BOT_STOPS_WITHIN_S = 12.0
RULES = """\
[freeze]
by = ["@ml-oncall", "@ml-leads"]

[owners]
"dave.moreau" = "U0DAVE"
"gina.sato" = "U0GINA"

[[rules]]
name = "gated boxes need a lead"
who = ["@ml-oncall"]
instances = ["gated-*"]
reason = "required"
approval = { by = ["@ml-leads"], needed = 1, expires = "15m", break_glass = ["@sre"] }

[[rules]]
name = "night boxes need whoever is on call"
who = ["@ml-oncall", "oncall:primary"]
instances = ["night-*"]
reason = "required"
approval = { by = ["oncall:primary"], expires = "15m", break_glass = ["@sre"] }

[[rules]]
name = "sandbox-2 rests by day"
instances = ["sandbox-2"]
deny = true
when = "Mon-Sun 06:00-20:00 Europe/Berlin"

[[rules]]
name = "on call restarts anything else"
who = ["@ml-oncall", "@ml-leads"]
"""


class Stage:
    """Local Slack, local ModelArts and the bot; ``async with`` raises and strikes it.

    *speed* is how fast the cloud's clock runs, *port* the page's (0 = a free one).
    """

    def __init__(self, *, port: int = 0, speed: float = 1.0) -> None:
        self.world = demo_world()
        self.cloud = LocalModelArts(self.world)
        self.cloud.clock.speed = speed
        self.ahead_s = 0.0
        self.slack = LocalSlack(clock=self.now)
        self.slack.ui.begun.clear()  # by the bot's first start
        self.rota = LocalRota(demo_rota(self.now()), self.now)
        self.alerts = AlertSender(self.now)
        self.starts = 0
        self.on_bot: list[Callable[[], None]] = []
        self._port = port
        self._folder = tempfile.TemporaryDirectory(prefix="mlstudio-bot-demo-")
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        await self.cloud.start()
        await self.rota.start()
        try:
            await self.slack.start(self._port)
        except OSError as error:
            await self.rota.close()
            await self.cloud.close()
            raise BotError(
                f"the page cannot be served on port {self._port} ({error.strerror});"
                " choose another one with --port"
            ) from error
        self._config.write_text(self._settings(), encoding="utf-8")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.alerts.close()
        await self.stop_bot()
        await self.slack.close()
        await self.rota.close()
        await self.cloud.close()
        self._folder.cleanup()

    # --- the time -----------------------------------------------------------------

    def now(self) -> float:
        """Return the time of this world, in POSIX seconds."""
        return time.time() + self.ahead_s

    def jump(self, seconds: float) -> None:
        """Let so much time pass at once: for Slack, the cloud and the bot."""
        self.ahead_s += seconds
        fresh = self._clock.with_suffix(".new")
        fresh.write_text(str(self.ahead_s), encoding="ascii")
        fresh.replace(self._clock)
        self.cloud.clock.advance(seconds)

    @property
    def _clock(self) -> Path:
        return Path(self._folder.name, "clock")

    # --- the bot -------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether the bot's process lives."""
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int | None:
        """The bot's process id."""
        return self._process.pid if self._process and self.running else None

    @property
    def log(self) -> Path:
        """The bot's log."""
        return Path(self._folder.name, "bot.log")

    async def start_bot(self) -> None:
        """Start the bot and return once it is connected."""
        if self.running:
            return
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "bot", "run"),
                *("--config", str(self._config), "--log-format", "console"),
                env={**_clean_environment(), **self._secrets()},
                stdout=log,
                stderr=log,
                # Ctrl-C is for us; the bot is stopped in order.
                start_new_session=True,
            )
        self.starts += 1
        ended = asyncio.create_task(self._process.wait())
        up = asyncio.create_task(
            self.slack.wait_for(lambda: self.slack.connections, CONNECT_WITHIN_S)
        )
        await asyncio.wait({ended, up}, return_when=asyncio.FIRST_COMPLETED)
        for task in (ended, up):
            task.cancel()
        await asyncio.wait({ended, up})
        if not self.slack.connections:
            raise BotError(f"the bot did not start; its last words: {self._words()}")
        self.slack.ui.begun.set()
        self._changed()

    def kill_bot(self) -> None:
        """Kill the bot without warning, as a crash would."""
        if self._process and self.running:
            self._process.kill()

    async def stop_bot(self) -> None:
        """Stop the bot in order."""
        if self._process is None or not self.running:
            return
        self._process.send_signal(signal.SIGTERM)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), BOT_STOPS_WITHIN_S)
        self.kill_bot()
        await self._process.wait()

    async def bot_ended(self) -> None:
        """Return when the bot's process has ended."""
        if self._process is not None:
            await self._process.wait()
        self._changed()

    def _changed(self) -> None:
        for listener in self.on_bot:
            listener()

    def _words(self) -> str:
        """Return the last lines of the bot's log."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return " / ".join(lines[-3:]) or "none"

    @property
    def _config(self) -> Path:
        return Path(self._folder.name, "mlstudio-bot.toml")

    def _settings(self) -> str:
        """Return the bot's configuration for this stage."""
        lines = [
            f'database = "sqlite:///{self._folder.name}/mlstudio-bot.db"',
            "[slack]",
            f'api_url = "{self.slack.api_url}"',
            "[cloud]",
            f'iam_url = "{self.cloud.iam_url}"',
            f'modelarts_url = "{self.cloud.url}"',
            "calls_per_minute = 600",
            "[watch]",
            'poll = "2s"',
            'settle = "2s"',
            'timeout = "5m"',
            "[alerts]",
            f'listen = "127.0.0.1:{self.alerts.port}"',
            'channel = "C0INCIDENTS"',
            "[oncall.primary]",
            'source = "pagerduty"',
            f"schedule = {json.dumps(list(self.rota.rota.schedules))}",
            f'url = "{self.rota.url}"',
            "[oncall.primary.people]",
        ]
        for person in self.rota.rota.people.values():
            lines += [f'{person.id} = "{person.slack[0]}"'] if person.slack else []
        for project in self.world.projects:
            lines += [f"[projects.{project.name}]", f'id = "{project.id}"']
            if project.discover:
                lines += ['kind = "notebook"', "discover = true"]
            lines += [f"[projects.{project.name}.instances]"]
            lines += [f'{box.name} = "{box.id}"' for box in project.instances]
        return "\n".join([*lines, RULES])

    def _secrets(self) -> dict[str, str]:
        """Return what only the environment tells the bot."""
        login = self.world.login
        return {
            CLOCK: str(self._clock),
            "SLACK_BOT_TOKEN": self.slack.bot_token,
            "SLACK_APP_TOKEN": self.slack.app_token,
            "ALERTS_TOKEN": self.alerts.token,
            "OS_USERNAME": login.user,
            "OS_PASSWORD": login.password,
            "OS_USER_DOMAIN_NAME": login.domain,
            "PAGERDUTY_TOKEN": self.rota.pagerduty_token,
        }


def _clean_environment() -> dict[str, str]:
    """Return our environment without what is meant for another bot, or a proxy."""
    foreign = (
        *("SLACK_", "OS_", "HUAWEICLOUD_", "MLSTUDIO_BOT_"),
        *("PAGERDUTY_", "GRAFANA_", "ALERTS_"),
    )
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(foreign) and not name.lower().endswith("_proxy")
    }
