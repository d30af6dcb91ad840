"""Files of the pack that its scripts in the browser read."""

import sys
from collections.abc import Iterable
from pathlib import Path


def serve_files(prefix: str, files: Iterable[Path]) -> None:
    """Serve files as `prefix/NAME`, for the host's browser API. Does nothing where the host's server does not run.

    Args:
        prefix: path with a leading slash.
        files: only these are served.
    """
    server = getattr(getattr(sys.modules.get("server"), "PromptServer", None), "instance", None)
    if server is None:
        return
    from aiohttp import web

    by_name = {path.name: path for path in files}

    @server.routes.get(prefix + "/{name}")
    async def answer(request: web.Request) -> web.FileResponse:
        if request.match_info["name"] not in by_name:
            raise web.HTTPNotFound
        return web.FileResponse(by_name[request.match_info["name"]])
