"""Follow a prompt on its server: messages of the websocket, and the history, which counts."""

import asyncio
import contextlib
import json
from typing import Any

import aiohttp

from .results import failure

RECONNECT_SECONDS = 2.0
"""Seconds until a lost websocket is opened again."""
FIRST_SECONDS = 5.0
"""Longest wait for the websocket before a prompt is queued."""
ENDED = ("execution_success", "execution_error", "execution_interrupted")


class Listener:
    """The websocket's messages on one prompt. Only they tell that nodes were left out; the history reports a success."""

    def __init__(self, session: aiohttp.ClientSession, url: str, prompt_id: str) -> None:
        self.news: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        """Progress, and `{"event": "ended"}`."""
        self.blocked: str | None = None
        """Why nodes were left out (ComfyUI's ExecutionBlocker)."""
        self.outputs: dict[str, Any] = {}
        """Results of nodes."""
        self.complete = False
        """Whether the end was heard, and everything before it."""
        self.gap = False
        """Whether messages may have been missed."""
        self._session = session
        self._url = url
        self._prompt_id = prompt_id
        self._tried = asyncio.Event()

    async def __aenter__(self) -> "Listener":
        """Open the websocket before the prompt is queued. Without one, only the history tells the end."""
        self._task = asyncio.create_task(self._listen())
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._tried.wait(), FIRST_SECONDS)
        self.gap = self.gap or not self._tried.is_set()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _listen(self) -> None:
        while True:
            with contextlib.suppress(aiohttp.ClientError, OSError, asyncio.TimeoutError, ValueError):
                async with self._session.ws_connect(self._url, heartbeat=30, max_msg_size=0) as socket:
                    self._tried.set()
                    async for message in socket:
                        if message.type == aiohttp.WSMsgType.TEXT:
                            self._take(message.data)
            self.gap = True
            self._tried.set()
            await asyncio.sleep(RECONNECT_SECONDS)

    def _take(self, text: str) -> None:
        try:
            message = json.loads(text)
        except ValueError:
            return
        values = message.get("data") if isinstance(message, dict) else None
        if not isinstance(values, dict) or values.get("prompt_id") != self._prompt_id:
            return
        if message.get("type") == "progress":
            self.news.put_nowait({"event": "progress", **{key: values.get(key) for key in ("node", "value", "max")}})
        elif message.get("type") == "executed" and isinstance(values.get("output"), dict):
            self.outputs[str(values.get("node"))] = values["output"]
        elif message.get("type") in ENDED:
            if "exception_message" in values:
                self.blocked = failure(values)
            self.complete = self.complete or (not self.gap and message["type"] == "execution_success")
            self.news.put_nowait({"event": "ended"})
