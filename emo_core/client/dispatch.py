"""Distribute jobs over servers. Each free server takes the next job; the job of a lost server goes to another one."""

import asyncio
import contextlib
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import EmoError, ExecutionError, InputError, PromptNotFoundError, ServerError
from .address import Address
from .jobs import Job, MisfitError
from .server import OUTAGE_SECONDS, Server, WrongServerError

Report = Callable[[dict[str, Any]], None]
"""Called with every event, as plain data for a line of JSON."""
MAX_TRIES = 3
"""Number of times that a job is queued, if servers are lost or forget it."""


@dataclass(slots=True)
class Work:
    """State that all servers share."""

    folder: Path
    report: Report
    waiting: deque[Job]
    alive: list[Server] = field(default_factory=list)
    tries: dict[int, int] = field(default_factory=dict)
    refused: dict[int, dict[Server, InputError]] = field(default_factory=dict)
    """Servers that cannot run a job."""
    busy: list[asyncio.Event] = field(default_factory=list)
    failed: list[EmoError] = field(default_factory=list)
    losses: list[ServerError] = field(default_factory=list)

    def next(self, server: Server) -> Job | None:
        """Take the next job that a server can run."""
        for job in self.waiting:
            if server not in self.refused.get(job.number, {}):
                self.waiting.remove(job)
                return job
        return None

    def fail(self, job: Job, error: EmoError, **about: Any) -> None:
        """Report a job that is not tried again."""
        self.report({"event": "failed", "job": job.number, **about, "error": str(error)})
        self.failed.append(error)

    def give_back(self, job: Job, error: ServerError) -> None:
        """Put a job back for any server, unless it was queued `MAX_TRIES` times."""
        if self.tries.get(job.number, 0) >= MAX_TRIES:
            self.fail(job, error)
        else:
            self.waiting.appendleft(job)

    def lose(self, server: Server, job: Job, error: ServerError) -> None:
        """Use a server no more. Its job goes back."""
        self.report({"event": "server lost", "job": job.number, "server": server.url, "error": str(error)})
        self.alive.remove(server)
        self.losses.append(error)
        self.give_back(job, error)

    def fail_rest(self) -> None:
        """Report the jobs that no server is left for."""
        for job in self.waiting:
            reasons: list[EmoError] = [*self.refused.get(job.number, {}).values(), *self.losses[-1:]]
            self.fail(job, reasons[0] if reasons else ServerError("no server is left"))


async def run_jobs(
    jobs: list[Job], addresses: list[Address], folder: Path, report: Report, outage: float = OUTAGE_SECONDS
) -> list[EmoError]:
    """Run all jobs. A failed job does not stop the others.

    A job whose server does not answer is queued again on another one. If the first server still works, the job runs twice.
    A server that cannot run the workflow, although another one can, is not used.

    Returns:
        the error of each failed job; if no server is left, also of each job that was not run.
    """
    work = Work(folder, report, deque(jobs))
    async with contextlib.AsyncExitStack() as stack:
        for address in addresses:
            work.alive.append(await stack.enter_async_context(Server.open(address, outage)))
        workers = [asyncio.create_task(_serve(server, work)) for server in work.alive]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
    work.fail_rest()
    return work.failed


async def _serve(server: Server, work: Work) -> None:
    """Run jobs on one server until no job is left on any server, or this server is lost."""
    while True:
        job = work.next(server)
        if job is None:
            if not work.busy:
                return
            # The job of another server may be put back.
            others = [asyncio.create_task(event.wait()) for event in work.busy]
            await asyncio.wait(others, return_when=asyncio.FIRST_COMPLETED)
            for other in others:
                other.cancel()
            continue
        done = asyncio.Event()
        work.busy.append(done)
        try:
            await _run(server, job, work)
        except PromptNotFoundError as error:
            work.report({"event": "forgotten", "job": job.number, "server": server.url, "error": str(error)})
            work.give_back(job, error)
        except ServerError as error:
            work.lose(server, job, error)
            return
        except EmoError as error:
            work.fail(job, error, server=server.url)
        except Exception as error:  # noqa: BLE001 -- an error of one job must not stop the others
            work.fail(job, ExecutionError(f"{type(error).__name__}: {error}"), server=server.url)
        finally:
            work.busy.remove(done)
            done.set()


async def _run(server: Server, job: Job, work: Work) -> None:
    about, object_info, prompt_id = (
        {"job": job.number, "server": server.url},
        await server.object_info(),
        str(uuid.uuid4()),
    )
    try:
        prompt = job.check(object_info)
    except InputError as error:
        if not await _is_accepted_elsewhere(server, job, work):
            raise
        if isinstance(error, MisfitError):
            raise WrongServerError(f"{server.url}: {error}") from error
        work.report({"event": "refused", **about, "error": str(error)})
        work.refused.setdefault(job.number, {})[server] = error
        work.waiting.appendleft(job)
        return
    prompt = await job.send_files(prompt, server, object_info)
    async with server.listen(prompt_id) as listener:
        try:
            work.tries[job.number] = work.tries.get(job.number, 0) + 1
            await server.queue(prompt, prompt_id)
            work.report({"event": "queued", **about, "prompt_id": prompt_id})
            async for event in server.events(prompt, prompt_id, listener, object_info):
                if event["event"] == "finished":
                    await _fetch(server, job, work, event, prompt_id)
                else:
                    work.report({**event, **about})
        except ServerError:
            with contextlib.suppress(ServerError):  # The server may still run the prompt.
                await server.cancel(prompt_id)
            raise
        except asyncio.CancelledError:
            taken_back = await server.cancel(prompt_id)
            work.report({"event": "cancelled" if taken_back else "not cancelled", **about, "prompt_id": prompt_id})
            raise


async def _is_accepted_elsewhere(server: Server, job: Job, work: Work) -> bool:
    """Whether another server could run a job that this one cannot."""
    for other in list(work.alive):
        if other is not server and other not in work.refused.get(job.number, {}):
            with contextlib.suppress(EmoError):
                job.check(await other.object_info())
                return True
    return False


async def _fetch(server: Server, job: Job, work: Work, event: dict[str, Any], prompt_id: str) -> None:
    """Download the files of a finished prompt.

    Raises:
        ExecutionError: if nodes were left out; the other files are kept.
    """
    files = []
    for number, file in enumerate(event["outputs"], 1):
        name = job.name if job.name is None or number == 1 else f"{job.name}-{number}"
        files.append(str(await server.download(file, work.folder, name)))
    if event["blocked"]:
        raise ExecutionError(event["blocked"] + (f"; its other files are in {work.folder}" if files else ""))
    about = {"job": job.number, "server": server.url, "prompt_id": prompt_id}
    work.report({"event": "done", **about, "files": files})
