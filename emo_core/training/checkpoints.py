"""Checkpoints of a run: whole or absent, the newest found by name.

RUN/checkpoints/step-00000500/     accelerate's state: model, optimiser, moving average, random generators
.../progress.json  step, position in the data, time spent
.../emo.safetensors  the averaged network, ready for `export`
"""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from accelerate import Accelerator
from safetensors import SafetensorError

from ..errors import InputError

FOLDER, PREFIX, PROGRESS, AVERAGE = "checkpoints", "step-", "progress.json", "emo.safetensors"


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is."""

    step: int = 0
    """Steps of the optimiser."""
    micro_steps: int = 0
    """Batches read by each process: the position in the data."""
    seconds: float = 0.0
    """Time spent training."""


def checkpoints(run: Path) -> list[Path]:
    """Whole checkpoints, oldest first."""
    return sorted(path for path in (run / FOLDER).glob(f"{PREFIX}*") if (path / PROGRESS).is_file())


def latest(run: Path) -> Path:
    """The newest whole checkpoint.

    Raises:
        InputError: where there is none.
    """
    found = checkpoints(run)
    if not found:
        raise InputError(f"run: no checkpoint in {run}; give the folder that `train --out` wrote")
    return found[-1]


def without(checkpoint: Path) -> str:
    """What to do about a checkpoint of no use."""
    earlier = [path for path in checkpoints(checkpoint.parents[1]) if path < checkpoint]
    go_on = f"go on from {earlier[-1].name}" if earlier else "begin again, as there is no earlier one"
    return f"remove the folder {checkpoint.name} to {go_on}"


def save(
    run: Path, accelerator: Accelerator, progress: Progress, write_average: Callable[[Path], None], keep: int
) -> Path:
    """Write a checkpoint under a temporary name, rename it, then remove the oldest; every process must call this.

    Args:
        run: the run's folder.
        accelerator: holds what is saved.
        progress: where the run is.
        write_average: writes the averaged network into a folder.
        keep: how many checkpoints stay.

    Raises:
        InputError: where it cannot be written; earlier checkpoints are untouched.
    """
    final = run / FOLDER / f"{PREFIX}{progress.step:08d}"
    temporary = final.with_name(f".{final.name}.part")
    try:
        if accelerator.is_main_process:
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir(parents=True)
        accelerator.wait_for_everyone()
        accelerator.save_state(str(temporary))
        write_average(temporary)
        accelerator.wait_for_everyone()
        if accelerator.is_main_process:
            (temporary / PROGRESS).write_text(json.dumps(asdict(progress)))
            _flush(temporary)
            shutil.rmtree(final, ignore_errors=True)
            temporary.rename(final)
    except (OSError, RuntimeError, SafetensorError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        kept = checkpoints(run)
        last = f"the last whole checkpoint is {kept[-1]}" if kept else "there is no earlier checkpoint"
        raise InputError(
            f"out: cannot write {final} ({' '.join(str(error).split())[:200]}); is the disk full? {last}; "
            "make room and go on with --resume"
        ) from error
    if accelerator.is_main_process:
        for old in checkpoints(run)[:-keep]:
            shutil.rmtree(old)
    accelerator.wait_for_everyone()
    return final


def _flush(folder: Path) -> None:
    """Bring files to the disk: a new name may get there before what it names, and the power fail between."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("r+b") as file:
                os.fsync(file.fileno())


def read_progress(checkpoint: Path) -> Progress:
    """Where a checkpoint's run was.

    Raises:
        InputError: where that cannot be read.
    """
    try:
        return Progress(**json.loads((checkpoint / PROGRESS).read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"resume: {checkpoint} is damaged ({error}); {without(checkpoint)}") from error
