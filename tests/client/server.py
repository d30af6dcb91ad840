"""A small server that answers as ComfyUI does, and misbehaves on request."""

import asyncio
import itertools
import threading
from dataclasses import dataclass, field

from aiohttp import web

INFO = {
    "LoadImage": {
        "input": {"required": {"image": [["portrait.png"], {"image_upload": True}]}},
        "output": ["IMAGE", "MASK"],
        "display_name": "Load Image",
    },
    "Blur": {
        "input": {
            "required": {
                "image": ["IMAGE", {}],
                "radius": ["INT", {"default": 1, "min": 0, "max": 9}],
                "kind": ["COMBO", {"options": ["box", "gauss"]}],
                "seed": ["INT", {"default": 0, "control_after_generate": True}],
            },
            "optional": {"note": ["STRING", {"default": ""}]},
        },
        "output": ["IMAGE"],
        "display_name": "Blur",
    },
    "SaveImage": {
        "input": {"required": {"images": ["IMAGE", {}], "filename_prefix": ["STRING", {"default": "x"}]}},
        "output": [],
        "display_name": "Save Image",
    },
}
PROMPT = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "portrait.png"}, "_meta": {"title": "Portrait"}},
    "2": {
        "class_type": "Blur",
        "inputs": {"image": ["1", 0], "radius": 2, "kind": "box", "seed": 1},
        "_meta": {"title": "My blur"},
    },
    "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "x"}},
}


@dataclass
class FakeServer:
    """Its behaviour, and what was asked of it."""

    seconds: float = 0.05
    """How long a prompt takes."""
    websocket: bool = True
    node_errors: dict = field(default_factory=dict)
    """Sent with a 200."""
    fails: bool = False
    """Prompts end in an error."""
    dies_after: int | None = None
    """Prompts that it accepts before it stops answering, that one unfinished."""
    prompts: list = field(default_factory=list)
    uploads: dict = field(default_factory=dict)
    cancelled: list = field(default_factory=list)
    history: dict = field(default_factory=dict)
    running: set = field(default_factory=set)
    dead: bool = False
    url: str = ""

    def __enter__(self):
        self._loop = asyncio.new_event_loop()
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        started.wait()
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self, started):
        asyncio.set_event_loop(self._loop)
        app = web.Application(middlewares=[self._alive])
        for method, path, answer in (
            ("GET", "/object_info", lambda request: web.json_response(INFO)),
            ("GET", "/queue", self._queue),
            ("POST", "/queue", self._cancel),
            ("POST", "/interrupt", self._cancel),
            ("POST", "/prompt", self._prompt),
            ("POST", "/upload/image", self._upload),
            ("GET", "/history/{id}", self._history),
            ("GET", "/view", lambda request: web.Response(body=request.query["filename"].encode() * 1000)),
            ("GET", "/ws", self._ws),
        ):
            app.router.add_route(method, path, _async(answer))
        runner = web.AppRunner(app)
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0)
        self._loop.run_until_complete(site.start())
        self.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
        self._numbers, self._sockets = itertools.count(1), []
        started.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())

    @web.middleware
    async def _alive(self, request, handler):
        if self.dead:
            request.transport.close()
        return await handler(request)

    def _queue(self, request):
        return web.json_response({"queue_running": [[0, key] for key in self.running], "queue_pending": []})

    async def _cancel(self, request):
        content = await request.json()
        key = content.get("prompt_id") or content["delete"][0]
        if request.path == "/interrupt":
            self.cancelled.append(key)
            self.running.discard(key)
            self.history[key] = _entry([["execution_interrupted", {}]])
        return web.Response()

    async def _prompt(self, request):
        prompt = (await request.json())["prompt"]
        key = f"prompt-{next(self._numbers)}"
        self.prompts.append(prompt)
        self.running.add(key)
        if self.dies_after is not None and len(self.prompts) > self.dies_after:
            self.dead = True
        else:
            asyncio.get_running_loop().create_task(self._work(key))
        return web.json_response({"prompt_id": key, "number": 1, "node_errors": self.node_errors})

    async def _work(self, key):
        await asyncio.sleep(self.seconds / 2)
        for socket in self._sockets:
            event = {"type": "progress", "data": {"prompt_id": key, "node": "2", "value": 1, "max": 2}}
            await socket.send_json(event)
        await asyncio.sleep(self.seconds / 2)
        if key not in self.running:
            return
        self.running.discard(key)
        error = {"node_id": "2", "node_type": "Blur", "exception_message": "out of paint\n"}
        images = [{"filename": f"{key}.png", "subfolder": "", "type": kind} for kind in ("output", "temp")]
        self.history[key] = _entry([["execution_error", error]] if self.fails else [], {"3": {"images": images}})
        for socket in self._sockets:
            await socket.send_json({"type": "execution_success", "data": {"prompt_id": key}})

    async def _upload(self, request):
        part = (await request.post())["image"]
        self.uploads[part.filename] = part.file.read()
        return web.json_response({"name": part.filename, "subfolder": "", "type": "input"})

    def _history(self, request):
        key = request.match_info["id"]
        return web.json_response({key: self.history[key]} if key in self.history else {})

    async def _ws(self, request):
        if not self.websocket:
            return web.Response(status=404)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._sockets.append(socket)
        async for _ in socket:
            pass
        self._sockets.remove(socket)
        return socket


def _entry(messages, outputs=None):
    return {"outputs": outputs or {}, "status": {"status_str": "success", "completed": True, "messages": messages}}


def _async(answer):
    async def handler(request):
        result = answer(request)
        return await result if asyncio.iscoroutine(result) else result

    return handler
