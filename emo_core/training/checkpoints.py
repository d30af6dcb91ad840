"""Checkpoints of a run: complete or absent, the newest found by name.

RUN/checkpoints/step-00000500/   accelerate's state: networks, optimisers, moving averages, random generators
.../progress.json                step, position in the data, time spent
.../...                          files that the task adds
"""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from pickle import UnpicklingError

from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from safetensors import SafetensorError

from ..errors import InputError
from ..files import temporary_name

FOLDER, PREFIX, PROGRESS = "checkpoints", "step-", "progress.json"


@dataclass(frozen=True, slots=True)
class Progress:
    """Position of a run."""

    step: int = 0
    """Steps of the optimisers."""
    micro_steps: int = 0
    """Batches read by each process: the position in the data."""
    seconds: float = 0.0
    """Time spent training."""


def checkpoints(run: Path) -> list[Path]:
    """Complete checkpoints, oldest first."""
    return sorted(path for path in (run / FOLDER).glob(f"{PREFIX}*") if (path / PROGRESS).is_file())


def latest(run: Path) -> Path:
    """The newest complete checkpoint.

    Raises:
        InputError: if there is none.
    """
    folders = checkpoints(run)
    if not folders:
        raise InputError(f"run: no checkpoint in {run}; give the folder that `train --out` wrote")
    return folders[-1]


def advice(checkpoint: Path) -> str:
    """How to continue without a damaged checkpoint."""
    earlier = [path for path in checkpoints(checkpoint.parents[1]) if path < checkpoint]
    then = f"go on from {earlier[-1].name}" if earlier else "begin again, as there is no earlier one"
    return f"remove the folder {checkpoint.name} to {then}"


def save(
    run: Path, accelerator: Accelerator, progress: Progress, write_extra: Callable[[Path], None], keep: int
) -> Path:
    """Write a checkpoint under a temporary name, rename it, then remove the oldest; every process must call this.

    Args:
        run: the run's folder.
        accelerator: holds the state.
        progress: position of the run.
        write_extra: writes the task's files into a folder; called on every process.
        keep: checkpoints that stay.

    Raises:
        InputError: if it cannot be written; earlier checkpoints are untouched.
    """
    final = run / FOLDER / f"{PREFIX}{progress.step:08d}"
    (temporary,) = broadcast_object_list([temporary_name(final)])
    try:
        if accelerator.is_main_process:
            for left in final.parent.glob(f".{PREFIX}*"):  # Of a killed run.
                shutil.rmtree(left)
            temporary.mkdir(parents=True)
        accelerator.wait_for_everyone()
        accelerator.save_state(str(temporary))
        write_extra(temporary)
        accelerator.wait_for_everyone()
        if accelerator.is_main_process:
            (temporary / PROGRESS).write_text(json.dumps(asdict(progress)))
            _flush(temporary)
            shutil.rmtree(final, ignore_errors=True)
            temporary.rename(final)
    except (OSError, RuntimeError, SafetensorError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        intact = checkpoints(run)
        last = f"the last complete checkpoint is {intact[-1]}" if intact else "there is no earlier checkpoint"
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
    """Bring files to the disk before the rename: after a power failure the name may exist without the content."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("r+b") as file:
                os.fsync(file.fileno())


def load(accelerator: Accelerator, checkpoint: Path) -> Progress:
    """Restore the state of a checkpoint; every process must call this.

    Raises:
        InputError: if it is damaged or of another model.
    """
    try:
        accelerator.load_state(str(checkpoint))
    except (OSError, RuntimeError, ValueError, KeyError, EOFError, UnpicklingError, SafetensorError) as error:
        raise InputError(
            f"resume: {checkpoint} is damaged, or does not fit this run ({' '.join(str(error).split())[:300]}); resume "
            f"with the stage and model of its first start, or {advice(checkpoint)}"
        ) from error
    return read_progress(checkpoint)


def read_progress(checkpoint: Path) -> Progress:
    """Position of a checkpoint's run.

    Raises:
        InputError: if it cannot be read.
    """
    try:
        return Progress(**json.loads((checkpoint / PROGRESS).read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"resume: {checkpoint} is damaged ({error}); {advice(checkpoint)}") from error
