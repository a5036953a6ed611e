"""``mlstudio-bot demo``: the page for people, or one command played in the terminal."""

from __future__ import annotations

import asyncio
import html
import re
import signal
import time
import webbrowser

from bot.demo.control_panel import Outside
from bot.demo.posts import Post
from bot.demo.supervisor import Stage
from bot.slack.command import Mistake, Restart, parse

ANN, BOB, CHANNEL = "ann", "bob", "incidents"
APPEAR_WITHIN_S = 15.0
END_WITHIN_S = 330.0
ONCE_SPEED = 2.0
RECORDED = "Recorded"  # how the answer to a request that was taken on begins
DIALOG = "That opens a dialog, which only the page shows: name project and instance."
_USER = re.compile(r"<@(\w+)>")
_GROUP = re.compile(r"<!subteam\^(\w+)>")
_DATE = re.compile(r"<!date\^(\d+)\^[^>]*>")


async def serve(port: int, *, browser: bool) -> None:
    """Serve the page on *port* until SIGINT or SIGTERM."""
    stage = Stage(port=port)
    outside = Outside(stage)
    outside.mount()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with stage:
        print(f"The local Slack is at {stage.slack.url}/ (the bot is starting …)")
        await stage.start_bot()
        print(f"Ready. The bot's log: {stage.log}. Stop with Ctrl-C.", flush=True)
        if browser:
            await asyncio.to_thread(webbrowser.open, f"{stage.slack.url}/")
        await stop.wait()
        print("Stopping …")


async def play(text: str) -> int:
    """Play one command as Ann to its end and print the conversation.

    Returns 0 when what was asked for has been done (an instance is ready), else 1.
    Where approval is asked for, Bob, who is a lead, approves.
    """
    async with Stage(speed=ONCE_SPEED) as stage:
        await stage.start_bot()
        script = _Script(stage)
        telling = asyncio.create_task(script.tell())
        try:
            return await script.play(text)
        finally:
            script.catch_up()
            telling.cancel()


class _Script:
    """Prints what stands in the channel as it appears and changes."""

    def __init__(self, stage: Stage) -> None:
        self._slack = stage.slack
        self._said: dict[str, str] = {}

    async def play(self, text: str) -> int:
        self._line("ann", text)
        delivery = await self._slack.command(ANN, CHANNEL, text)
        self._line("mlstudio, only visible to ann", delivery.error or delivery.text)
        asked = parse(text.removeprefix("/mlstudio"))
        if not isinstance(asked, Restart):
            return 1 if delivery.error or isinstance(asked, Mistake) else 0
        if not (asked.project and asked.instance):
            self._line("mlstudio", DIALOG)
            return 1
        if RECORDED not in delivery.text:  # refused: nothing more is to come
            return 1
        try:
            await self._slack.wait_for(self._posts, APPEAR_WITHIN_S)
            return await self._until_end()
        except TimeoutError:
            return 1

    async def _until_end(self) -> int:
        card = next((post for post in self._posts() if _buttons(post)), None)
        if card is not None:
            self.catch_up()
            self._line("bob", "clicks Approve")
            await self._slack.click(BOB, card, "approve")
        end = await self._slack.wait_for(self._ending, END_WITHIN_S)
        return 0 if end and "is ready" in end.text else 1

    def _posts(self) -> list[Post]:
        return self._slack.messages(CHANNEL)

    def _ending(self) -> Post | None:
        replies = (post for post in self._posts() if post.reply_broadcast)
        return next(replies, None)

    async def tell(self) -> None:
        """Print until cancelled."""
        while True:
            self.catch_up()
            await self._slack.workspace.changed()

    def catch_up(self) -> None:
        """Print what is new or has changed."""
        for post in self._posts():
            if self._said.get(post.ts) != post.text:
                edited = " (edited)" if post.ts in self._said else ""
                reply = ", in the thread" if post.thread_ts else ""
                self._said[post.ts] = post.text
                self._line(f"mlstudio{reply}{edited}", post.text)

    def _line(self, who: str, text: str) -> None:
        clock = time.strftime("%H:%M:%S")
        body = self._readable(text).replace("\n", "\n" + " " * 10)
        print(f"{clock}  {who}:\n          {body}", flush=True)

    def _readable(self, text: str) -> str:
        """Return *text* as Slack would show it in a terminal."""
        text = _DATE.sub(
            lambda m: time.strftime("%H:%M", time.localtime(int(m[1]))), text
        )
        names = {user.id: user.name for user in self._slack.directory.users.values()}
        groups = {one.id: one.handle for one in self._slack.directory.groups.values()}
        text = _USER.sub(lambda m: f"@{names.get(m[1], m[1])}", text)
        return html.unescape(_GROUP.sub(lambda m: f"@{groups.get(m[1], m[1])}", text))


def _buttons(post: Post) -> bool:
    return any(block.get("type") == "actions" for block in post.blocks)
