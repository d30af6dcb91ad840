"""Commands that end with a file, run in their order; what exists is left out."""

import shlex
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Step:
    """One command, and the file that it ends with."""

    command: tuple[str, ...]
    result: Path


def run(steps: Iterable[Step], *, dry_run: bool) -> None:
    """Print each step and run the missing ones."""
    for step in steps:
        finished = step.result.exists()
        sys.stdout.write(f"{'done: ' if finished else ''}python {shlex.join(step.command)}\n")
        sys.stdout.flush()
        if not finished and not dry_run:
            subprocess.run([sys.executable, *step.command], check=True)
