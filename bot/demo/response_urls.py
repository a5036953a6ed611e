"""response_url: what the app says through it appears here."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from aiohttp import web

from bot.demo.posts import Ephemeral, Post
from bot.demo.slack_arguments import flag, text
from bot.demo.slack_call_log import Args
from bot.demo.slack_directory import BOT_USER
from bot.demo.slack_error import Refusal
from bot.demo.slack_methods_write import CUT_AT, content
from bot.demo.slack_web_api import Answered, WebApi
from bot.demo.slack_workspace import Workspace
from bot.demo.trigger_ids import Hook, Passes

GONE = 404
NOT_TAKEN = 400


class Hooks:
    """POST /hooks/<key>, as a pseudo-method ``response_url`` with faults and log."""

    def __init__(self, workspace: Workspace, passes: Passes, api: WebApi) -> None:
        self._workspace = workspace
        self._passes = passes
        self._api = api

    async def handle(self, request: web.Request) -> web.Response:
        """Answer a POST to a response URL."""
        try:
            args = await request.json()
        except ValueError:
            return web.Response(status=NOT_TAKEN, text="invalid_payload")
        key = request.match_info["key"]

        def answer() -> Answered:
            try:
                self.speak(self._passes.use(key), args)
            except Refusal as refusal:
                status = GONE if refusal.code.endswith("_url") else NOT_TAKEN
                body = web.json_response(refusal.to_json(), status=status)
                return Answered(body, refusal.code)
            return Answered(web.Response(text="ok"))

        return await self._api.serve(request, "response_url", args, answer)

    def speak(self, hook: Hook, args: Args) -> Post | Ephemeral | None:
        """Say, replace or delete what *args* ask for; return what stands now.

        Without ``replace_original`` something new is said: Slack's default for clicks
        is not documented.
        """
        workspace = self._workspace
        if flag(args, "delete_original"):
            self._take_away(hook)
            return None
        said, blocks = content(args, at_most=CUT_AT)
        old = hook.origin
        if flag(args, "replace_original") and old is not None:
            hook.origin = self._replace(old, said, blocks)
            return hook.origin
        channel = workspace.directory.channels[hook.channel_id]
        thread = text(args, "thread_ts") or hook.thread_ts
        if args.get("response_type") == "in_channel":
            hook.origin = workspace.say(
                channel, BOT_USER, said, blocks, thread_ts=thread
            )
        else:
            user = workspace.directory.user(hook.user_id)
            hook.origin = workspace.whisper(
                channel, user, said, blocks, thread_ts=thread
            )
        return hook.origin

    def _replace(
        self, old: Post | Ephemeral, said: str, blocks: list[dict[str, Any]]
    ) -> Post | Ephemeral:
        if isinstance(old, Ephemeral):
            return self._workspace.rewhisper(replace(old, text=said, blocks=blocks))
        now = self._workspace.post(old.channel_id, old.ts)
        return self._workspace.edit(now, text=said, blocks=blocks)

    def _take_away(self, hook: Hook) -> None:
        old, hook.origin = hook.origin, None
        if isinstance(old, Ephemeral):
            self._workspace.unwhisper(old)
        elif old is not None:
            self._workspace.delete(self._workspace.post(old.channel_id, old.ts))
