"""`python -m emo_core queue`: run a workflow on ComfyUI servers, one line of JSON per event on stdout."""

import argparse
import asyncio
import json
import signal
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from ..errors import Cancelled, EmoError
from .address import Address
from .dispatch import run_jobs
from .jobs import Job, read_jobs
from .prompt import LOADERS, Change, Template, Upload
from .server import OUTAGE_SECONDS

PROGRESS_SECONDS = 1.0
"""Least time between two progress lines of a job."""


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the `queue` command to the program's parser."""
    parser = commands.add_parser(
        "queue",
        help="run a workflow on ComfyUI servers",
        epilog="Exit codes: 0 done, 2 bad input, 3 no server left, 4 a node failed, 130 cancelled.",
    )
    add = parser.add_argument
    add("workflow", type=Path, metavar="WORKFLOW.json", help="saved (UI) or exported (API) workflow")
    add(
        "--server",
        action="append",
        metavar="URL",
        help="default: http://127.0.0.1:8188; repeat it to spread jobs over several",
    )
    for kind in LOADERS:
        add(
            f"--{kind}",
            action="append",
            default=[],
            metavar="[NODE=]FILE",
            help=f"upload for the {LOADERS[kind][0]} node",
        )
    add(
        "--set",
        action="append",
        default=[],
        metavar="NODE.INPUT=VALUE",
        help="by the node's title or number; repeatable",
    )
    add("--batch", type=Path, metavar="JOBS.csv", help="a job per line; columns image, audio, video, name, NODE.INPUT")
    add(
        "--allow-unknown",
        action="store_true",
        help="allow inputs that no schema has (packs with dynamic inputs)",
    )
    add(
        "--patience",
        type=float,
        default=OUTAGE_SECONDS,
        metavar="SECONDS",
        help="how long to wait for a server that does not answer (default: 30)",
    )
    add("--out", type=Path, required=True, metavar="DIR", help="folder of the results; existing files are not replaced")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Queue and wait.

    Raises:
        EmoError: if a job failed: the error with the highest exit code; all errors are reported before.
        Cancelled: after Ctrl-C; the queued prompts are cancelled.
    """
    uploads = [Upload.parse(kind, text) for kind in LOADERS for text in getattr(args, kind)]
    base = Job(
        number=1,
        template=Template.read(args.workflow),
        uploads=tuple(uploads),
        changes=tuple(map(Change.parse, args.set)),
        allow_unknown=args.allow_unknown,
    )
    jobs = read_jobs(args.batch, base) if args.batch else [base]
    servers = [Address.parse(text) for text in args.server or ["http://127.0.0.1:8188"]]
    failed = asyncio.run(_until_done(run_jobs(jobs, servers, args.out, Lines(), args.patience)))
    if failed:
        raise max(failed, key=lambda error: error.exit_code)


async def _until_done(jobs: Coroutine[Any, Any, list[EmoError]]) -> list[EmoError]:
    work = asyncio.ensure_future(jobs)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, work.cancel)
        except NotImplementedError:  # On Windows, asyncio.run turns KeyboardInterrupt into a cancellation.
            break
    try:
        return await work
    except asyncio.CancelledError:
        raise Cancelled("files of finished jobs are kept") from None


class Lines:
    """Writes events as lines of JSON, progress at most every `PROGRESS_SECONDS`."""

    def __init__(self) -> None:
        self._last: dict[int, float] = {}

    def __call__(self, event: dict[str, Any]) -> None:
        """Write one event."""
        if event["event"] == "progress":
            now = time.monotonic()
            if now - self._last.get(event["job"], 0.0) < PROGRESS_SECONDS:
                return
            self._last[event["job"]] = now
        sys.stdout.write(json.dumps(event) + "\n")
        sys.stdout.flush()
