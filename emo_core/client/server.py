"""One ComfyUI server over HTTP: upload, queue, follow, interrupt, download."""

import asyncio
import contextlib
import json
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from ..errors import ExecutionError, InputError, ServerError
from .prompt import Prompt

QUICK = aiohttp.ClientTimeout(total=60, connect=10)
LARGE = aiohttp.ClientTimeout(total=None, connect=10, sock_read=120)
POLL_SECONDS = 1.0
"""How often the history is asked for; the websocket only tells sooner."""
PATIENCE = 4
"""A server that does not answer so many times in a row, or has not heard of the prompt, is gone."""
ENDED = {"event": "ended"}
"""Between listener and poller: look now."""


@dataclass(frozen=True, slots=True)
class File:
    """A file that a prompt made."""

    filename: str
    subfolder: str
    type: str


class Server:
    """Use `Server.open`."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url.rstrip("/")
        self._session = session
        self._client_id = uuid.uuid4().hex

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str) -> AsyncIterator["Server"]:
        """A connection; nothing is asked of the server yet."""
        async with aiohttp.ClientSession() as session:
            yield cls(url, session)

    async def object_info(self) -> dict[str, Any]:
        """All nodes that the server knows."""
        return await self._json("GET", "/object_info")

    async def upload(self, path: Path) -> str:
        """Send a file into the server's input folder; a file of the same name with other content is kept.

        Returns:
            Its name there.
        """
        with path.open("rb") as stream:
            form = aiohttp.FormData()
            form.add_field("image", stream, filename=path.name)
            form.add_field("type", "input")
            answer = await self._json("POST", "/upload/image", data=form, timeout=LARGE)
        return "/".join(part for part in (answer.get("subfolder"), answer["name"]) if part)

    async def queue(self, prompt: Prompt) -> str:
        """Queue a prompt.

        Returns:
            Its id.

        Raises:
            InputError: where the server refuses it, or a part of it.
        """
        answer = await self._json(
            "POST", "/prompt", json={"prompt": prompt, "client_id": self._client_id}, accept=(200, 400)
        )
        errors = [
            f"node {key} ({errors['class_type']}): {error['message']}: {error['details']}"
            for key, errors in (answer.get("node_errors") or {}).items()
            for error in errors["errors"]
        ]
        if "prompt_id" in answer and not errors:
            return answer["prompt_id"]
        if "prompt_id" in answer:  # The server would run the rest: what is left out would be missed too late.
            await self.cancel(answer["prompt_id"])
        error = answer.get("error") or {}
        text = error.get("message", error) if isinstance(error, dict) else error
        raise InputError(f"{self.url} refuses the workflow: {'; '.join(errors) or text}")

    async def events(self, prompt_id: str) -> AsyncIterator[dict[str, Any]]:
        """Progress of a prompt until it ends; the last event is `{"event": "finished", "outputs": [...]}`.

        Raises:
            ExecutionError: where a node failed, or somebody interrupted it.
            ServerError: where the server is gone, or has forgotten the prompt.
        """
        news: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        listener = asyncio.create_task(self._listen(prompt_id, news))
        misses = 0
        try:
            while True:
                with contextlib.suppress(asyncio.TimeoutError):
                    event = await asyncio.wait_for(news.get(), POLL_SECONDS)
                    if event != ENDED:
                        yield event
                        continue
                try:
                    entry = await self._finished(prompt_id)
                    misses = 0
                except ServerError:
                    misses += 1
                    if misses >= PATIENCE:
                        raise
                    continue
                if entry is not None:
                    yield {"event": "finished", "outputs": _outputs(entry)}
                    return
        finally:
            listener.cancel()

    async def cancel(self, prompt_id: str) -> None:
        """Stop this prompt, waiting or running; others go on."""
        await self._request("POST", "/queue", json={"delete": [prompt_id]})
        await self._request("POST", "/interrupt", json={"prompt_id": prompt_id})

    async def download(self, file: File, folder: Path, name: str | None = None) -> Path:
        """Fetch a file, whole or not at all; a file that is there already is never replaced.

        Raises:
            InputError: where it cannot be written.
        """
        target = _free(folder / f"{name}{Path(file.filename).suffix}" if name else folder / Path(file.filename).name)
        temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}.part")
        query = {"filename": file.filename, "subfolder": file.subfolder, "type": file.type}
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            async with self._open("GET", "/view", params=query, timeout=LARGE) as answer:
                with temporary.open("wb") as stream:
                    async for block in answer.content.iter_chunked(2**20):
                        stream.write(block)
            os.replace(temporary, target)
        except OSError as error:
            if isinstance(error, aiohttp.ClientError):
                raise
            raise InputError(f"out: cannot write {target} ({error})") from error
        finally:
            temporary.unlink(missing_ok=True)
        return target

    async def _listen(self, prompt_id: str, news: asyncio.Queue) -> None:
        """Pass on what the websocket tells of a prompt; without one, polling alone finds the end."""
        try:
            async with self._session.ws_connect(f"{self.url}/ws?clientId={self._client_id}", heartbeat=30) as socket:
                async for message in socket:
                    if message.type != aiohttp.WSMsgType.TEXT:
                        continue
                    event = json.loads(message.data)
                    values = event.get("data") or {}
                    if values.get("prompt_id") != prompt_id:
                        continue
                    if event["type"] == "progress":
                        news.put_nowait({"event": "progress", **{key: values[key] for key in ("node", "value", "max")}})
                    elif event["type"] in ("execution_success", "execution_error", "execution_interrupted"):
                        news.put_nowait(ENDED)
        except (aiohttp.ClientError, OSError, asyncio.TimeoutError):
            return

    async def _finished(self, prompt_id: str) -> dict[str, Any] | None:
        """The history of a prompt that has ended; None while it waits or runs."""
        history = await self._json("GET", f"/history/{prompt_id}")
        if prompt_id in history:
            return history[prompt_id]
        queue = await self._json("GET", "/queue")
        if not any(item[1] == prompt_id for state in ("queue_running", "queue_pending") for item in queue[state]):
            raise ServerError(f"{self.url} has forgotten prompt {prompt_id}; was it started anew?")
        return None

    async def _json(self, method: str, path: str, **options: Any) -> Any:
        async with self._open(method, path, **options) as answer:
            return await answer.json(content_type=None)

    async def _request(self, method: str, path: str, **options: Any) -> None:
        async with self._open(method, path, **options):
            return

    @asynccontextmanager
    async def _open(
        self,
        method: str,
        path: str,
        *,
        accept: tuple[int, ...] = (200,),
        timeout: aiohttp.ClientTimeout = QUICK,
        **options: Any,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            async with self._session.request(method, self.url + path, timeout=timeout, **options) as answer:
                if answer.status not in accept:
                    raise ServerError(f"{self.url}{path} answered {answer.status}: {(await answer.text())[:200]}")
                yield answer
        except (aiohttp.ClientError, asyncio.TimeoutError, json.JSONDecodeError) as error:
            raise ServerError(
                f"{self.url} cannot be reached ({type(error).__name__}: {error}); is ComfyUI running there?"
            ) from error


def _outputs(entry: dict[str, Any]) -> list[File]:
    """The files of a finished prompt.

    Raises:
        ExecutionError: where it did not finish.
    """
    status = entry.get("status") or {}
    for kind, values in status.get("messages", []):
        if kind == "execution_error":
            raise ExecutionError(
                f"node {values['node_id']} ({values['node_type']}) failed: {values['exception_message'].strip()}"
            )
        if kind == "execution_interrupted":
            raise ExecutionError("the prompt was interrupted on the server")
    files = [
        item
        for node in entry["outputs"].values()
        for items in node.values()
        for item in items
        if isinstance(item, dict)
    ]
    found = [File(item["filename"], item.get("subfolder", ""), item["type"]) for item in files if "filename" in item]
    return [file for file in found if file.type == "output"]


def _free(path: Path) -> Path:
    """The path, or with the next number where it is taken."""
    number, free = 2, path
    while free.exists():
        free, number = path.with_name(f"{path.stem}-{number}{path.suffix}"), number + 1
    return free
