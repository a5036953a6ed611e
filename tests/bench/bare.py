"""The yardstick: a Bolt app that does nothing but acknowledge. No bench of its own.

``python -m tests.bench.bare URL`` with SLACK_BOT_TOKEN and SLACK_APP_TOKEN set, written
as Bolt's documentation does it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient


async def main(api_url: str) -> None:
    """Acknowledge every ``/mlstudio`` until killed."""
    client = AsyncWebClient(os.environ["SLACK_BOT_TOKEN"], api_url)
    client.proxy = None  # loopback
    app = AsyncApp(client=client)

    @app.command("/mlstudio")
    async def acknowledge(ack: Any) -> None:
        await ack()

    handler = AsyncSocketModeHandler(app, os.environ["SLACK_APP_TOKEN"])
    handler.client.proxy = None
    await handler.start_async()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
