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

from ..errors import ForgottenError, InputError, ServerError
from .prompt import Prompt
from .results import File, failure, keep, outputs_of

QUICK = aiohttp.ClientTimeout(total=60, connect=10)
LARGE = aiohttp.ClientTimeout(total=None, connect=10, sock_read=120)
SHORT = aiohttp.ClientTimeout(total=5)
"""For taking back: whoever presses Ctrl-C does not wait."""
POLL_SECONDS = 1.0
"""How often the history is asked for; the websocket only tells sooner."""
OUTAGE_SECONDS = 30.0
"""A server that does not answer for so long is gone."""
LOST_POLLS = 5
"""A prompt that is neither queued nor in the history so many times in a row is forgotten."""
GATEWAY = (502, 503, 504)
"""Said by what stands before a server that is down."""


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
        """A connection; nothing is asked of the server yet."""
        async with aiohttp.ClientSession() as session:
            yield cls(url, session, outage)

    async def object_info(self) -> dict[str, Any]:
        """All nodes that the server knows."""
        return await self._patiently(lambda: self._json("GET", "/object_info"))

    async def upload(self, path: Path) -> str:
        """Send a file into the server's input folder, under a name that no other content has.

        Returns:
            Its name there.

        Raises:
            InputError: where it cannot be read, or the server will not have it.
        """
        try:
            content = path.read_bytes()
        except OSError as error:
            raise InputError(f"upload: {path} cannot be read ({error})") from error
        stem = re.sub(r"[^\w.-]+", "_", path.stem)[:40]
        name = f"{stem}-{hashlib.sha256(content).hexdigest()[:8]}{path.suffix.lower()}"

        async def send() -> dict[str, Any]:
            form = aiohttp.FormData(quote_fields=False)  # It can be sent once only.
            form.add_field("image", content, filename=name)
            form.add_field("type", "input")
            return await self._json("POST", "/upload/image", data=form, timeout=LARGE)

        answer = await self._patiently(send)
        return "/".join(part for part in (answer.get("subfolder"), answer["name"]) if part)

    async def queue(self, prompt: Prompt, prompt_id: str) -> None:
        """Queue a prompt under an id of ours, so that it can be taken back whatever becomes of the answer.

        Raises:
            InputError: where the server refuses it, or a part of it.
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
        if "prompt_id" in answer:  # The server would run the rest: what is left out would be missed too late.
            await self.cancel(prompt_id)
        error = answer.get("error") or {}
        text = error.get("message", error) if isinstance(error, dict) else error
        raise InputError(f"{self.url} refuses the workflow: {'; '.join(errors) or text}")

    async def events(self, prompt_id: str) -> AsyncIterator[dict[str, Any]]:
        """Progress of a prompt until it ends; the last event is `{"event": "finished", "outputs": [...], ...}`.

        In it, `blocked` says why nodes were left out (ComfyUI's ExecutionBlocker), or is None.

        Raises:
            ExecutionError: where a node failed, or somebody interrupted it.
            ForgottenError: where the server knows nothing of the prompt.
            ServerError: where the server is gone.
        """
        news: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        listener = asyncio.create_task(self._listen(prompt_id, news))
        clock, lost = asyncio.get_running_loop().time, 0
        heard, blocked = clock(), None
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
                    lost, heard = 0, clock()
                except ForgottenError:
                    lost, heard = lost + 1, clock()
                    if lost >= LOST_POLLS:
                        raise
                    continue
                except ServerError:
                    if clock() - heard > self._outage:
                        raise
                    continue
                if entry is not None:
                    while not news.empty():  # What was told before the end, and not read yet.
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
        """Stop this prompt, waiting or running; others go on.

        Returns:
            Whether the server has heard it.
        """
        heard = 0
        for path, content in (("/queue", {"delete": [prompt_id]}), ("/interrupt", {"prompt_id": prompt_id})):
            with contextlib.suppress(InputError, ServerError):
                async with self._open("POST", path, json=content, timeout=SHORT):
                    heard += 1
        return heard == 2

    async def download(self, file: File, folder: Path, name: str | None = None) -> Path:
        """Fetch a file, whole or not at all, again where the line breaks; a file that is there already is never replaced.

        Raises:
            InputError: where it cannot be written, or is not there any more.
        """
        wanted = folder / (f"{name}{Path(file.filename).suffix}" if name else Path(file.filename).name)
        temporary = wanted.with_name(f".{wanted.name}.{uuid.uuid4().hex}.part")
        query = {"filename": file.filename, "subfolder": file.subfolder, "type": file.type}

        async def fetch() -> None:
            async with self._open("GET", "/view", params=query, timeout=LARGE) as answer:
                with temporary.open("wb") as stream:
                    async for block in answer.content.iter_chunked(2**20):
                        stream.write(block)

        try:
            folder.mkdir(parents=True, exist_ok=True)
            await self._patiently(fetch)
            return keep(temporary, wanted)
        except OSError as error:
            raise InputError(f"out: cannot write {wanted} ({error})") from error
        finally:
            temporary.unlink(missing_ok=True)

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
                        # Only here does the server say which nodes it left out: its history calls that a success.
                        news.put_nowait(
                            {"event": "ended", "error": failure(values) if "exception_message" in values else None}
                        )
        except (aiohttp.ClientError, OSError, asyncio.TimeoutError):
            return

    async def _finished(self, prompt_id: str) -> dict[str, Any] | None:
        """The history of a prompt that has ended; None while it waits or runs."""
        # The queue first: what leaves it in between is in the history.
        queue = await self._json("GET", "/queue")
        history = await self._json("GET", f"/history/{prompt_id}")
        if prompt_id in history:
            return history[prompt_id]
        if any(item[1] == prompt_id for state in ("queue_running", "queue_pending") for item in queue[state]):
            return None
        raise ForgottenError(
            f"{self.url} knows nothing of prompt {prompt_id}; was it started anew, or its queue cleared?"
        )

    async def _patiently(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        """Ask again, where asking twice does no harm, until a server that has answered before is silent for too long."""
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
        """A request: no answer is the server's fault, a wrong one the job's."""
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
            raise InputError(f"{self.url}{path} gave no JSON; is that a ComfyUI server?") from error
