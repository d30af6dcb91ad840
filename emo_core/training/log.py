"""What a run writes down: `log.jsonl`, one line per report, and TensorBoard's events beside it."""

import json
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from ..files import write_text

LOG = "log.jsonl"


class TrainingLog:
    """A context manager; numbers go to both files, pictures to TensorBoard.

    A resumed run first forgets what was written after the checkpoint, so that every step stands once.
    """

    def __init__(self, run: Path | None, *, step: int) -> None:
        """Prepare to go on after `step`; without a folder nothing is written (all processes but the first)."""
        self._run, self._step = run, step

    def __enter__(self) -> "TrainingLog":
        if self._run is None:
            return self
        from torch.utils.tensorboard import SummaryWriter

        self._run.mkdir(parents=True, exist_ok=True)
        lines = [line for line in read_log(self._run) if line["step"] <= self._step]
        write_text(self._run / LOG, "".join(json.dumps(line) + "\n" for line in lines))
        self._file = (self._run / LOG).open("a")
        self._board = SummaryWriter(str(self._run / "tensorboard"), purge_step=self._step + 1)
        return self

    def write(self, step: int, **numbers: Any) -> None:
        """Report numbers, and words that go to the log alone."""
        if self._run is None:
            return
        self._file.write(json.dumps({"step": step, **numbers}) + "\n")
        self._file.flush()
        for name, value in numbers.items():
            if isinstance(value, (int, float)):
                self._board.add_scalar(name, value, step)

    def picture(self, step: int, name: str, picture: np.ndarray) -> None:
        """Show a picture (H, W, 3) uint8."""
        self._board.add_image(name, picture, step, dataformats="HWC")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._run is not None:
            self._file.close()
            self._board.close()


def read_log(run: Path) -> list[dict[str, Any]]:
    """The lines of a run's log; a last line that was cut off is left out."""
    lines = []
    for line in (run / LOG).read_text().splitlines() if (run / LOG).is_file() else []:
        try:
            lines.append(json.loads(line))
        except ValueError:
            continue
    return lines


class Meter:
    """Loss, throughput, and the share of time spent waiting for data."""

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self._losses, self._seconds, self._samples, self._waiting = [], 0.0, 0, 0.0

    def waited(self, seconds: float) -> None:
        """Time spent waiting for data."""
        self._waiting += seconds

    def add(self, loss: float, seconds: float, samples: int) -> None:
        """A step."""
        self._losses.append(loss)
        self._seconds += seconds
        self._samples += samples

    def report(self) -> dict[str, float]:
        """Mean loss, samples per second and the share of time spent waiting for data; begins anew."""
        numbers = {
            "loss": sum(self._losses) / len(self._losses),
            "samples_per_second": round(self._samples / self._seconds, 3),
            "waiting": round(self._waiting / self._seconds, 4),
        }
        self._clear()
        return numbers
