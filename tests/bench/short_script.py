"""What people write instead: Bolt, httpx and a loop that sleeps. No bench of its own.

As a competent team would on an afternoon: an allow-list, names instead of ids, a new
token when the old one has ended, a look that fails is repeated, and what went wrong is
said. ``python -m tests.bench.short_script FILE`` with the bot's file and secrets.
"""

import asyncio
import os
import sys
import tomllib
from pathlib import Path

import httpx
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

CONFIG = tomllib.loads(Path(sys.argv[1]).read_text("utf-8"))
ALLOWED = {"U0ANN", "U0GINA"}
POLL_S, LOOKS = 10.0, 180

slack = AsyncWebClient(os.environ["SLACK_BOT_TOKEN"], CONFIG["slack"]["api_url"])
slack.proxy = None  # loopback
app = AsyncApp(client=slack)
http = httpx.AsyncClient(timeout=15.0, trust_env=False)
tokens: dict[str, str] = {}


async def log_in(project: str) -> None:
    user = {
        "name": os.environ["OS_USERNAME"],
        "password": os.environ["OS_PASSWORD"],
        "domain": {"name": os.environ["OS_USER_DOMAIN_NAME"]},
    }
    identity = {"methods": ["password"], "password": {"user": user}}
    auth = {"identity": identity, "scope": {"project": {"id": project}}}
    url = f"{CONFIG['cloud']['iam_url']}/auth/tokens"
    answer = await http.post(url, json={"auth": auth})
    answer.raise_for_status()
    tokens[project] = answer.headers["X-Subject-Token"]


async def call(method: str, project: str, path: str, **how: object) -> dict:
    url = f"{CONFIG['cloud']['modelarts_url']}/v1/{project}/demanager/instances/{path}"
    for _ in range(2):  # a token ends after a day
        if project not in tokens:
            await log_in(project)
        headers = {"X-Auth-Token": tokens[project]}
        answer = await http.request(method, url, headers=headers, **how)
        if answer.status_code != httpx.codes.UNAUTHORIZED:
            break
        del tokens[project]
    answer.raise_for_status()
    return answer.json()


async def end_of(project: str, instance: str) -> str:
    for _ in range(LOOKS):
        await asyncio.sleep(POLL_S)
        try:
            status = (await call("GET", project, instance))["status"]
        except httpx.HTTPError:
            continue
        if status != "REBOOTING":
            return status
    return "REBOOTING for too long"


@app.command("/mlstudio")
async def mlstudio(ack, command, respond, client) -> None:
    await ack()
    try:
        verb, alias, name = command["text"].split()
        project = CONFIG["projects"][alias]["id"]
        instance = CONFIG["projects"][alias]["instances"][name]
    except (KeyError, ValueError):
        verb = ""
    if verb != "restart":
        await respond("Usage: /mlstudio restart <project> <instance>")
        return
    if command["user_id"] not in ALLOWED:
        await respond("You may not restart instances.")
        return

    async def say(text: str) -> None:
        await client.chat_postMessage(channel=command["channel_id"], text=text)

    try:
        path = f"{instance}/action"
        told = await call("POST", project, path, json={"action": "restart"})
    except httpx.HTTPError as error:
        await say(f"{name} was not restarted: {error}")
        return
    await say(f"Restarting {name}: {told['previous_state']} → {told['current_status']}")
    status = await end_of(project, instance)
    await say(f"{name} is ready" if status == "ACTIVE" else f"{name} is {status}")


async def main() -> None:
    handler = AsyncSocketModeHandler(app, os.environ["SLACK_APP_TOKEN"])
    handler.client.proxy = None
    await handler.start_async()


if __name__ == "__main__":
    asyncio.run(main())
