"""Distribute jobs over servers. Each free server takes the next job; the job of a lost server goes to another one."""

import asyncio
import contextlib
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import EmoError, ExecutionError, PromptNotFoundError, ServerError
from .jobs import Job
from .server import OUTAGE_SECONDS, Server

Report = Callable[[dict[str, Any]], None]
"""Called with every event, as plain data for a line of JSON."""
MAX_TRIES = 3
"""Number of times that a job is queued, if servers are lost or forget it."""


@dataclass(slots=True)
class Work:
    """State that all servers share."""

    folder: Path
    report: Report
    outage: float
    waiting: deque[Job]
    tries: dict[int, int] = field(default_factory=dict)
    busy: list[asyncio.Event] = field(default_factory=list)
    failed: list[EmoError] = field(default_factory=list)

    def fail(self, job: Job, error: EmoError, **about: Any) -> None:
        """Report a job that is not tried again."""
        self.report({"event": "failed", "job": job.number, **about, "error": str(error)})
        self.failed.append(error)

    def give_back(self, job: Job, error: ServerError) -> None:
        """Put a job back for any server, unless it had `MAX_TRIES`."""
        self.tries[job.number] = self.tries.get(job.number, 0) + 1
        if self.tries[job.number] >= MAX_TRIES:
            self.fail(job, error)
        else:
            self.waiting.appendleft(job)


async def run_jobs(
    jobs: list[Job], urls: list[str], folder: Path, report: Report, outage: float = OUTAGE_SECONDS
) -> list[EmoError]:
    """Run all jobs. A failed job does not stop the others.

    A job whose server does not answer is queued again on another one. If the first server still works, the job runs twice.

    Returns:
        the error of each failed job; if no server is left, also of each job that was not run.
    """
    work = Work(folder, report, outage, deque(jobs))
    workers = [asyncio.create_task(_serve(url, work)) for url in urls]
    try:
        losses = [loss for loss in await asyncio.gather(*workers) if loss is not None]
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    for job in work.waiting:
        work.fail(job, losses[-1])
    return work.failed


async def _serve(url: str, work: Work) -> ServerError | None:
    """Run jobs on one server until no job is left on any server, or this server is lost; then its error is returned."""
    async with Server.open(url, work.outage) as server:
        while True:
            if not work.waiting:
                if not work.busy:
                    return None
                # The job of another server may be put back.
                others = [asyncio.create_task(event.wait()) for event in work.busy]
                await asyncio.wait(others, return_when=asyncio.FIRST_COMPLETED)
                for other in others:
                    other.cancel()
                continue
            job, done = work.waiting.popleft(), asyncio.Event()
            work.busy.append(done)
            try:
                await _run(server, job, work)
            except PromptNotFoundError as error:
                work.report({"event": "forgotten", "job": job.number, "server": url, "error": str(error)})
                work.give_back(job, error)
            except ServerError as error:
                work.report({"event": "server lost", "job": job.number, "server": url, "error": str(error)})
                work.give_back(job, error)
                return error
            except EmoError as error:
                work.fail(job, error, server=url)
            except Exception as error:  # noqa: BLE001 -- an error of one job must not stop the others
                work.fail(job, ExecutionError(f"{type(error).__name__}: {error}"), server=url)
            finally:
                work.busy.remove(done)
                done.set()


async def _run(server: Server, job: Job, work: Work) -> None:
    about = {"job": job.number, "server": server.url}
    prompt, prompt_id = await job.prompt(server, await server.object_info()), str(uuid.uuid4())
    try:
        await server.queue(prompt, prompt_id)
        work.report({"event": "queued", **about, "prompt_id": prompt_id})
        async for event in server.events(prompt_id):
            if event["event"] != "finished":
                work.report({**event, **about})
                continue
            count = range(len(event["outputs"]))
            names = [job.name if job.name is None or i == 0 else f"{job.name}-{i + 1}" for i in count]
            files = [
                await server.download(file, work.folder, name)
                for file, name in zip(event["outputs"], names, strict=True)
            ]
            if event["blocked"]:
                kept = f"; its other files are in {work.folder}" if files else ""
                raise ExecutionError(f"{event['blocked']}{kept}")
            work.report({"event": "done", **about, "prompt_id": prompt_id, "files": [str(file) for file in files]})
    except ServerError:
        with contextlib.suppress(ServerError):  # The server may still run the prompt.
            await server.cancel(prompt_id)
        raise
    except asyncio.CancelledError:
        taken_back = await server.cancel(prompt_id)
        work.report({"event": "cancelled" if taken_back else "not cancelled", **about, "prompt_id": prompt_id})
        raise
