"""One ComfyUI server over HTTP: upload, queue, follow, cancel, download."""

import asyncio
import contextlib
import hashlib
import json
import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from ..errors import InputError, PromptNotFoundError, ServerError
from .prompt import Prompt
from .results import File, failure, keep, outputs_of

QUICK = aiohttp.ClientTimeout(total=60, connect=10)
LARGE = aiohttp.ClientTimeout(total=None, connect=10, sock_read=120)
SHORT = aiohttp.ClientTimeout(total=5)
"""Timeout of a cancellation after Ctrl-C."""
POLL_SECONDS = 1.0
"""Seconds between two requests of the history. The websocket only reports earlier."""
OUTAGE_SECONDS = 30.0
"""Seconds without an answer after which a server is lost."""
LOST_POLLS = 5
"""Number of polls in a row without a prompt in queue and history after which the server has forgotten it."""
GATEWAY = (502, 503, 504)
"""Statuses of a proxy whose server is down."""


class Server:
    """Use `Server.open`."""

    def __init__(self, url: str, session: aiohttp.ClientSession, outage: float = OUTAGE_SECONDS) -> None:
        self.url = url.rstrip("/")
        self._session = session
        self._outage = outage
        self._client_id = uuid.uuid4().hex
        self._answered = False

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, outage: float = OUTAGE_SECONDS) -> AsyncIterator["Server"]:
        """A connection. It sends no request yet."""
        async with aiohttp.ClientSession() as session:
            yield cls(url, session, outage)

    async def object_info(self) -> dict[str, Any]:
        """All nodes of the server."""
        return await self._patiently(lambda: self._json("GET", "/object_info"))

    async def upload(self, path: Path) -> str:
        """Send a file to the server's input folder. Its name has a hash of the content, so different files have different names.

        Returns:
            Its name there.

        Raises:
            InputError: if it cannot be read, or the server refuses it.
        """
        try:
            content = path.read_bytes()
        except OSError as error:
            raise InputError(f"upload: {path} cannot be read ({error})") from error
        stem = re.sub(r"[^\w.-]+", "_", path.stem)[:40]
        name = f"{stem}-{hashlib.sha256(content).hexdigest()[:8]}{path.suffix.lower()}"

        async def send() -> dict[str, Any]:
            form = aiohttp.FormData(quote_fields=False)  # A form can be sent only once.
            form.add_field("image", content, filename=name)
            form.add_field("type", "input")
            return await self._json("POST", "/upload/image", data=form, timeout=LARGE)

        answer = await self._patiently(send)
        return "/".join(part for part in (answer.get("subfolder"), answer["name"]) if part)

    async def queue(self, prompt: Prompt, prompt_id: str) -> None:
        """Queue a prompt under the client's id, so that it can be cancelled even if the answer is lost.

        Raises:
            InputError: if the server refuses the prompt or a part of it.
        """
        content = {"prompt": prompt, "client_id": self._client_id, "prompt_id": prompt_id}
        answer = await self._json("POST", "/prompt", json=content, accept=(200, 400))
        errors = [
            f"node {key} ({errors['class_type']}): {error['message']}: {error['details']}"
            for key, errors in (answer.get("node_errors") or {}).items()
            for error in errors["errors"]
        ]
        if "prompt_id" in answer and not errors:
            return
        if "prompt_id" in answer:  # The server would run the rest of the prompt.
            await self.cancel(prompt_id)
        error = answer.get("error") or {}
        text = error.get("message", error) if isinstance(error, dict) else error
        raise InputError(f"{self.url} refuses the workflow: {'; '.join(errors) or text}")

    async def events(self, prompt_id: str) -> AsyncIterator[dict[str, Any]]:
        """Progress of a prompt until it ends; the last event is `{"event": "finished", "outputs": [...], ...}`.

        Its `blocked` is the reason why nodes were left out (ComfyUI's ExecutionBlocker), or None.

        Raises:
            ExecutionError: if a node failed, or the prompt was interrupted.
            PromptNotFoundError: if the server does not have the prompt.
            ServerError: if the server is lost.
        """
        news: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        listener = asyncio.create_task(self._listen(prompt_id, news))
        clock, lost = asyncio.get_running_loop().time, 0
        answered, blocked = clock(), None
        try:
            while True:
                with contextlib.suppress(asyncio.TimeoutError):
                    event = await asyncio.wait_for(news.get(), POLL_SECONDS)
                    if event["event"] != "ended":
                        yield event
                        continue
                    blocked = event["error"] or blocked
                try:
                    entry = await self._finished(prompt_id)
                    lost, answered = 0, clock()
                except PromptNotFoundError:
                    lost, answered = lost + 1, clock()
                    if lost >= LOST_POLLS:
                        raise
                    continue
                except ServerError:
                    if clock() - answered > self._outage:
                        raise
                    continue
                if entry is not None:
                    while not news.empty():  # Messages from before the end.
                        blocked = news.get_nowait().get("error") or blocked
                    yield {
                        "event": "finished",
                        "outputs": outputs_of(entry),
                        "blocked": blocked,
                    }
                    return
        finally:
            listener.cancel()

    async def cancel(self, prompt_id: str) -> bool:
        """Stop this prompt, queued or running. Other prompts continue.

        Returns:
            whether the server has answered.
        """
        answers = 0
        for path, content in (("/queue", {"delete": [prompt_id]}), ("/interrupt", {"prompt_id": prompt_id})):
            with contextlib.suppress(InputError, ServerError):
                async with self._open("POST", path, json=content, timeout=SHORT):
                    answers += 1
        return answers == 2

    async def download(self, file: File, folder: Path, name: str | None = None) -> Path:
        """Download a file completely, with retries. An existing file is never replaced.

        Raises:
            InputError: if it cannot be written, or the server does not have it any more.
        """
        path = folder / (f"{name}{Path(file.filename).suffix}" if name else Path(file.filename).name)
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
        query = {"filename": file.filename, "subfolder": file.subfolder, "type": file.type}

        async def fetch() -> None:
            async with self._open("GET", "/view", params=query, timeout=LARGE) as answer:
                with temporary.open("wb") as stream:
                    async for block in answer.content.iter_chunked(2**20):
                        stream.write(block)

        try:
            folder.mkdir(parents=True, exist_ok=True)
            await self._patiently(fetch)
            return keep(temporary, path)
        except OSError as error:
            raise InputError(f"out: cannot write {path} ({error}); give a folder that you may write to") from error
        finally:
            temporary.unlink(missing_ok=True)

    async def _listen(self, prompt_id: str, news: asyncio.Queue) -> None:
        """Forward the websocket's messages on a prompt. Without a websocket, polling finds the end."""
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
                        # Only this message names the nodes that were left out; the history reports a success.
                        news.put_nowait(
                            {"event": "ended", "error": failure(values) if "exception_message" in values else None}
                        )
        except (aiohttp.ClientError, OSError, asyncio.TimeoutError):
            return

    async def _finished(self, prompt_id: str) -> dict[str, Any] | None:
        """The history of a prompt that has ended; None while it waits or runs."""
        # The queue first: a prompt that leaves it in between is in the history.
        queue = await self._json("GET", "/queue")
        history = await self._json("GET", f"/history/{prompt_id}")
        if prompt_id in history:
            return history[prompt_id]
        if any(item[1] == prompt_id for state in ("queue_running", "queue_pending") for item in queue[state]):
            return None
        raise PromptNotFoundError(
            f"{self.url} does not have prompt {prompt_id}; was the server restarted, or its queue cleared?"
        )

    async def _patiently(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        """Repeat a request that is safe to repeat, if the server has answered before, until the outage is too long."""
        clock = asyncio.get_running_loop().time
        start = clock()
        while True:
            try:
                return await ask()
            except ServerError:
                if not self._answered or clock() - start > self._outage:
                    raise
            await asyncio.sleep(POLL_SECONDS)

    async def _json(self, method: str, path: str, **options: Any) -> Any:
        async with self._open(method, path, **options) as answer:
            return await answer.json(content_type=None)

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
        """Send a request. No answer is a `ServerError`, a wrong answer an `InputError` of the job."""
        try:
            async with self._session.request(method, self.url + path, timeout=timeout, **options) as answer:
                if answer.status in GATEWAY:
                    raise ServerError(f"{self.url}{path} answered {answer.status}; is ComfyUI running there?")
                if answer.status not in accept:
                    raise InputError(f"{self.url}{path} answered {answer.status}: {(await answer.text())[:200]}")
                self._answered = True
                yield answer
        except (aiohttp.ClientError, asyncio.TimeoutError) as error:
            raise ServerError(
                f"{self.url} cannot be reached ({type(error).__name__}: {error}); is ComfyUI running there?"
            ) from error
        except json.JSONDecodeError as error:
            raise InputError(f"{self.url}{path} did not answer with JSON; is it a ComfyUI server?") from error
