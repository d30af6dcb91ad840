"""One ComfyUI server over HTTP: upload, queue, follow, cancel, download."""

import asyncio
import contextlib
import hashlib
import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from ..errors import InputError, PromptNotFoundError, ServerError
from .address import Address
from .follow import Listener
from .prompt import Prompt
from .results import File, keep, left_out, local_name, outputs_of
from .schema import well_formed

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
LAST_MESSAGE_SECONDS = 1.0
"""Seconds to wait for the websocket's last message after the history has the prompt."""
GATEWAY = (429, 502, 503, 504)
"""Statuses of a proxy whose server is down or busy."""
REFUSALS = (401, 403, 405, 407, 426)
"""Statuses of a server that answers, and does not let this client in."""


class WrongServerError(ServerError):
    """Something answers at the address, but no ComfyUI that can be used."""


class Server:
    """Use `Server.open`."""

    def __init__(self, address: Address, session: aiohttp.ClientSession, outage: float = OUTAGE_SECONDS) -> None:
        self.url = address.url
        self._session = session
        self._outage = outage
        self._client_id = uuid.uuid4().hex
        self._answered = False

    @classmethod
    @asynccontextmanager
    async def open(cls, address: Address, outage: float = OUTAGE_SECONDS) -> AsyncIterator["Server"]:
        """A connection. It sends no request yet."""
        async with aiohttp.ClientSession(headers=address.headers) as session:
            yield cls(address, session, outage)

    async def object_info(self) -> dict[str, Any]:
        """All nodes of the server.

        Raises:
            WrongServerError: if the answer is not ComfyUI's.
        """
        try:
            answer = await self._patiently(lambda: self._json("GET", "/object_info"))
        except InputError as error:
            raise WrongServerError(str(error)) from error
        nodes = well_formed(answer)
        if not nodes:
            raise WrongServerError(
                f"{self.url}/object_info answered with other JSON than ComfyUI; is it a ComfyUI server?"
            )
        return nodes

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
        name = f"{stem}-{hashlib.sha256(content).hexdigest()[:8]}{path.suffix.lower()[:20]}"

        async def send() -> dict[str, Any]:
            form = aiohttp.FormData(quote_fields=False)  # A form can be sent only once.
            form.add_field("image", content, filename=name)
            form.add_field("type", "input")
            return await self._json("POST", "/upload/image", data=form, timeout=LARGE)

        answer = await self._patiently(send)
        if not isinstance(answer, dict) or not isinstance(answer.get("name"), str):
            raise WrongServerError(f"{self.url}/upload/image did not answer as ComfyUI does; is it a ComfyUI server?")
        return "/".join(part for part in (answer.get("subfolder"), answer["name"]) if part)

    async def queue(self, prompt: Prompt, prompt_id: str) -> None:
        """Queue a prompt under the client's id, so that it can be cancelled even if the answer is lost.

        Raises:
            InputError: if the server refuses the prompt or a part of it.
        """
        content = {"prompt": prompt, "client_id": self._client_id, "prompt_id": prompt_id}
        answer = await self._json("POST", "/prompt", json=content, accept=(200, 400))
        if not isinstance(answer, dict) or not {"prompt_id", "error", "node_errors"} & set(answer):
            raise WrongServerError(f"{self.url}/prompt did not answer as ComfyUI does; is it a ComfyUI server?")
        node_errors = answer.get("node_errors")
        errors = [
            f"node {key} ({node.get('class_type')}): {error.get('message')}: {error.get('details')}"
            for key, node in (node_errors if isinstance(node_errors, dict) else {}).items()
            for error in node.get("errors", [])
        ]
        if "prompt_id" in answer and not errors:
            return
        if "prompt_id" in answer:  # The server would run the rest of the prompt.
            await self.cancel(prompt_id)
        error = answer.get("error") or {}
        text = error.get("message", error) if isinstance(error, dict) else error
        raise InputError(f"{self.url} refuses the workflow: {'; '.join(errors) or text}")

    def listen(self, prompt_id: str) -> Listener:
        """The websocket, for a prompt that is queued next."""
        return Listener(self._session, f"{self.url}/ws?clientId={self._client_id}", prompt_id)

    async def events(
        self, prompt: Prompt, prompt_id: str, listener: Listener, object_info: Mapping[str, Any]
    ) -> AsyncIterator[dict[str, Any]]:
        """Progress of a queued prompt until it ends; the last event is `{"event": "finished", "outputs": [...], ...}`.

        Its `blocked` is the reason why nodes were left out (ComfyUI's ExecutionBlocker), or None.

        Raises:
            ExecutionError: if a node failed, or the prompt was interrupted.
            PromptNotFoundError: if the server does not have the prompt.
            ServerError: if the server is lost.
        """
        clock, lost = asyncio.get_running_loop().time, 0
        answered = clock()
        while True:
            with contextlib.suppress(asyncio.TimeoutError):
                event = await asyncio.wait_for(listener.news.get(), POLL_SECONDS)
                if event["event"] != "ended":
                    yield event
                    continue
            try:
                entry = await self._finished(prompt_id)
                lost, answered = 0, clock()
            except PromptNotFoundError:
                lost, answered = lost + 1, clock()
                if lost >= LOST_POLLS:
                    raise
                continue
            except WrongServerError:
                raise
            except ServerError:
                if clock() - answered > self._outage:
                    raise
                continue
            if entry is not None:
                yield await self._finish(entry, prompt, listener, object_info)
                return

    async def _finish(
        self, entry: Mapping[str, Any], prompt: Prompt, listener: Listener, object_info: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The last event of a prompt. A run without a result counts as blocked, whatever the history says."""
        end = asyncio.get_running_loop().time() + LAST_MESSAGE_SECONDS
        while not (listener.complete or listener.gap) and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.02)
        # Without a cache, some hosts keep no results in the history.
        saved = entry.get("outputs")
        entry = {**entry, "outputs": {**listener.outputs, **(saved if isinstance(saved, dict) else {})}}
        outputs, blocked, missing = outputs_of(entry), listener.blocked, left_out(entry, prompt, object_info)
        if not blocked and missing and not (outputs and listener.complete):
            blocked = (
                f"the run ended without a result of {', '.join(missing)}; the server's log may tell why it was left out"
            )
        return {"event": "finished", "outputs": outputs, "blocked": blocked}

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
        path = folder / local_name(file.filename, name)
        temporary = folder / f".{uuid.uuid4().hex}.part"
        query = {"filename": file.filename, "subfolder": file.subfolder, "type": file.type}

        async def fetch() -> None:
            async with self._open("GET", "/view", params=query, timeout=LARGE) as answer:
                if answer.content_type == "text/html":  # ComfyUI sends no page as one.
                    raise WrongServerError(f"{self.url}/view answered with a web page in place of {file.filename}")
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

    async def _finished(self, prompt_id: str) -> dict[str, Any] | None:
        """The history of a prompt that has ended; None while it waits or runs."""
        # The queue first: a prompt that leaves it in between is in the history.
        queue = await self._json("GET", "/queue")
        history = await self._json("GET", f"/history/{prompt_id}")
        entry = history.get(prompt_id) if isinstance(history, dict) else None
        if not isinstance(queue, dict) or not isinstance(entry, (dict, type(None))):
            raise WrongServerError(f"{self.url} did not answer as ComfyUI does; is it a ComfyUI server?")
        if entry is not None:
            return entry
        waiting = [item for state in ("queue_running", "queue_pending") for item in queue.get(state) or []]
        if any(isinstance(item, list) and prompt_id in item[1:2] for item in waiting):
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
            except WrongServerError:
                raise
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
                    text = f"{self.url}{path} answered {answer.status}: {' '.join((await answer.text(errors='replace')).split())[:200]}"
                    wrong = answer.status in REFUSALS or (answer.status == 404 and path in ("/prompt", "/upload/image"))
                    raise WrongServerError(text) if wrong else InputError(text)
                self._answered = True
                yield answer
        except (aiohttp.ClientError, asyncio.TimeoutError) as error:
            raise ServerError(
                f"{self.url} cannot be reached ({type(error).__name__}: {error}); is ComfyUI running there?"
            ) from error
        except InputError:  # It is a ValueError, too.
            raise
        except ValueError as error:
            raise WrongServerError(f"{self.url}{path} did not answer with JSON; is it a ComfyUI server?") from error
