"""A small server with ComfyUI's answers, and with faults on request. tests/host/test_client.py runs the client on the real server."""

import asyncio
import base64
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
            "optional": {
                "note": ["STRING", {"default": ""}],
                "on": ["BOOLEAN", {"default": True}],
                "size": [[256, 512], {}],
                "points": ["CURVE_WIDGET", {}],
                "tint": ["COLOR", {}],
                "curve": ["CURVE", {}],
            },
        },
        "output": ["IMAGE"],
        "display_name": "Blur",
    },
    "SaveImage": {
        "input": {"required": {"images": ["IMAGE", {}], "filename_prefix": ["STRING", {"default": "x"}]}},
        "output": [],
        "output_node": True,
        "display_name": "Save Image",
    },
    "Colours": {"input": {}, "output": ["COLOR", "CURVE"], "display_name": "Colours"},
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
    """Its behaviour, and the requests to it."""

    seconds: float = 0.05
    """How long a prompt takes."""
    slow_to_queue: float = 0.0
    websocket: bool = True
    drops_websocket: bool = False
    """Every websocket breaks off while a prompt runs."""
    refuses: int = 0
    """Status of all answers."""
    login_page: bool = False
    """All answers are HTML with the status 200."""
    page_for_results: bool = False
    """Only downloads are answered so: a login has expired."""
    empty_history: bool = False
    """Only the websocket tells of results, as on hosts without a cache."""
    login: str = ""
    """The only USER:PASSWORD that it lets in."""
    root: str = ""
    """Path in front of its routes."""
    info: dict | None = None
    """Its nodes, in place of `INFO`."""
    leaves_out: tuple[str, ...] = ()
    """Output nodes without a result, of which nothing tells."""
    node_errors: dict = field(default_factory=dict)
    """Sent with a 200."""
    fails: bool = False
    """Prompts end in an error."""
    blocks: bool = False
    """Its output is left out (ComfyUI's ExecutionBlocker); the websocket reports this, the history does not."""
    cut_downloads: int = 0
    """Number of first downloads that break off."""
    overloaded: int = 0
    """Number of requests of the schemas, after the first one, with the answer 503."""
    refused_upload: bytes | None = None
    """Content of an upload with the answer 413."""
    missing_result: int | None = None
    """Number of the prompt whose result is missing."""
    forgets: int = 0
    """Number of first prompts that it forgets."""
    dies_after: int | None = None
    """Number of prompts that it finishes; after the next one it stops answering."""
    silent: float = 0.0
    """Seconds without an answer after each prompt."""
    prompts: dict = field(default_factory=dict)
    uploads: dict = field(default_factory=dict)
    running: set = field(default_factory=lambda: {"somebody else's"})
    interrupted: list = field(default_factory=list)
    history: dict = field(default_factory=dict)
    dead: bool = False
    url: str = ""
    requests: int = 0

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
            ("GET", "/object_info", self._object_info),
            ("GET", "/queue", self._queue),
            ("POST", "/queue", self._delete),
            ("POST", "/interrupt", self._interrupt),
            ("POST", "/prompt", self._prompt),
            ("POST", "/upload/image", self._upload),
            ("GET", "/history/{id}", self._history),
            ("GET", "/view", self._view),
            ("GET", "/ws", self._ws),
        ):
            app.router.add_route(method, self.root + path, _async(answer))
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0)
        self._loop.run_until_complete(site.start())
        self.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
        self._sockets = []
        started.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())

    @web.middleware
    async def _alive(self, request, handler):
        if self.dead:
            request.transport.close()
        self.requests += 1
        if self.refuses:
            return web.Response(status=self.refuses, text="go away")
        if self.login_page or (self.page_for_results and request.path.endswith("/view")):
            return web.Response(text="<html>Please log in</html>", content_type="text/html")
        if self.login:
            known = "Basic " + base64.b64encode(self.login.encode()).decode()
            if request.headers.get("Authorization") != known:
                return web.Response(status=401)
        return await handler(request)

    def _object_info(self, request):
        if self.prompts and self.overloaded:
            self.overloaded -= 1
            return web.Response(status=503)
        return web.json_response(INFO if self.info is None else self.info)

    def _queue(self, request):
        return web.json_response({"queue_running": [[0, key] for key in self.running], "queue_pending": []})

    async def _delete(self, request):
        return web.Response()  # No prompt is ever queued here.

    async def _interrupt(self, request):
        key = (await request.json()).get("prompt_id")
        for stopped in [key] if key else list(self.running):
            self.interrupted.append(stopped)
            if stopped in self.running:
                self.running.discard(stopped)
                self.history[stopped] = _entry([["execution_interrupted", {}]])
        return web.Response()

    async def _prompt(self, request):
        await asyncio.sleep(self.slow_to_queue)
        content = await request.json()
        key = content["prompt_id"]
        self.prompts[key] = content["prompt"]
        if len(self.prompts) > self.forgets:
            self.running.add(key)
            if self.dies_after is not None and len(self.prompts) > self.dies_after:
                self.dead = True
            else:
                asyncio.get_running_loop().create_task(self._work(key, len(self.prompts)))
            if self.silent:
                self.dead = True
                asyncio.get_running_loop().call_later(self.silent, lambda: setattr(self, "dead", False))
        return web.json_response({"prompt_id": key, "number": 1, "node_errors": self.node_errors})

    async def _work(self, key, number):
        await asyncio.sleep(self.seconds / 2)
        for prompt_id in (key, "somebody else's"):
            event = {"type": "progress", "data": {"prompt_id": prompt_id, "node": "2", "value": 1, "max": 2}}
            for socket in self._sockets:
                await socket.send_json(event)
        for socket in list(self._sockets) if self.drops_websocket else []:
            await socket.close()
        await asyncio.sleep(self.seconds / 2)
        if key not in self.running:
            return
        self.running.discard(key)
        error = {"node_id": "2", "node_type": "Blur", "exception_message": "out of paint\n"}
        savers = {
            name: node["class_type"] for name, node in self.prompts[key].items() if node["class_type"][:4] == "Save"
        }
        outputs = {
            name: {
                "images": [_file(number, "mp4" if kind == "SaveVideo" else "png", type) for type in ("output", "temp")]
            }
            for name, kind in savers.items()
            if not self.blocks and name not in self.leaves_out
        }
        for socket in self._sockets:
            for name, output in outputs.items():
                data = {"prompt_id": key, "node": name, "output": output}
                await socket.send_json({"type": "executed", "data": data})
        outputs = {} if self.empty_history else outputs
        self.history[key] = _entry([["execution_error", error]] if self.fails else [], outputs)
        if self.blocks:
            error = {
                "prompt_id": key,
                "node_id": "3",
                "node_type": "SaveImage",
                "exception_message": "Execution Blocked: no",
            }
            for socket in self._sockets:
                await socket.send_json({"type": "execution_error", "data": error})
        for socket in self._sockets:
            await socket.send_json({"type": "execution_success", "data": {"prompt_id": key}})

    async def _upload(self, request):
        part = (await request.post())["image"]
        content, name = part.file.read(), part.filename
        if content == self.refused_upload:
            return web.Response(status=413, text="too large")
        stem, _, ending = name.rpartition(".")
        number = 1
        while self.uploads.get(name, content) != content:  # As the host does.
            name, number = f"{stem} ({number}).{ending}", number + 1
        self.uploads[name] = content
        return web.json_response({"name": name, "subfolder": "", "type": "input"})

    async def _view(self, request):
        name = request.query["filename"]
        if self.missing_result is not None and name == f"x_{self.missing_result:05}_.png":
            return web.Response(status=404)
        await asyncio.sleep(0.1)
        if self.cut_downloads:
            self.cut_downloads -= 1
            answer = web.StreamResponse(headers={"Content-Length": "1000"})
            await answer.prepare(request)
            await answer.write(b"begun")
            request.transport.close()
            return answer
        return web.Response(body=f"{self.url} {name}".encode() * 100)

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


def _file(number, ending, type):
    return {"filename": f"x_{number:05}_.{ending}", "subfolder": "", "type": type}


def _entry(messages, outputs=None):
    return {"outputs": outputs or {}, "status": {"status_str": "success", "completed": True, "messages": messages}}


def _async(answer):
    async def handler(request):
        result = answer(request)
        return await result if asyncio.iscoroutine(result) else result

    return handler
