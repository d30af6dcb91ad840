"""Spread jobs over servers: each takes the next job when it is free; what a dead one held goes back to the others."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import EmoError, ServerError
from .jobs import Job
from .server import Server

Report = Callable[[dict[str, Any]], None]
"""Told of every event, as plain data for a line of JSON."""


async def run_jobs(jobs: list[Job], urls: list[str], folder: Path, report: Report) -> list[EmoError]:
    """Run all jobs; a job that fails does not stop the others.

    Returns:
        The error of each job that failed; where no server is left, of each that was not done.
    """
    waiting, failed = deque(jobs), []
    idle: list[asyncio.Event] = []
    deaths: list[ServerError] = []
    workers = [asyncio.create_task(_serve(url, waiting, idle, folder, report, failed)) for url in urls]
    try:
        for worker in asyncio.as_completed(workers):
            if death := await worker:
                deaths.append(death)
    except asyncio.CancelledError:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        raise
    for job in waiting:
        report({"event": "failed", "job": job.number, "error": str(deaths[-1])})
        failed.append(deaths[-1])
    return failed


async def _serve(
    url: str,
    waiting: deque[Job],
    busy: list[asyncio.Event],
    folder: Path,
    report: Report,
    failed: list[EmoError],
) -> ServerError | None:
    """Work for one server until no job is left anywhere, or the server is dead, which is returned."""
    async with Server.open(url) as server:
        while True:
            if not waiting:
                others = [asyncio.create_task(event.wait()) for event in busy]
                if not others:
                    return None
                # A job that another server still has may come back.
                await asyncio.wait(others, return_when=asyncio.FIRST_COMPLETED)
                continue
            job, done = waiting.popleft(), asyncio.Event()
            busy.append(done)
            try:
                await _run(server, job, folder, report)
            except ServerError as error:
                waiting.appendleft(job)
                report({"event": "server lost", "job": job.number, "server": url, "error": str(error)})
                return error
            except EmoError as error:
                report({"event": "failed", "job": job.number, "server": url, "error": str(error)})
                failed.append(error)
            finally:
                busy.remove(done)
                done.set()


async def _run(server: Server, job: Job, folder: Path, report: Report) -> None:
    about = {"job": job.number, "server": server.url}
    prompt = await job.prompt(server, await server.object_info())
    prompt_id = await server.queue(prompt)
    report({"event": "queued", **about, "prompt_id": prompt_id})
    try:
        async for event in server.events(prompt_id):
            if event["event"] != "finished":
                report({**event, **about})
                continue
            names = [
                job.name if job.name is None or i == 0 else f"{job.name}-{i + 1}" for i in range(len(event["outputs"]))
            ]
            files = [
                await server.download(file, folder, name) for file, name in zip(event["outputs"], names, strict=True)
            ]
            report({"event": "done", **about, "prompt_id": prompt_id, "files": [str(file) for file in files]})
    except asyncio.CancelledError:
        with contextlib.suppress(EmoError):
            await server.cancel(prompt_id)
        raise
