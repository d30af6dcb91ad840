"""The log of a run: `log.jsonl`, one line per report, and TensorBoard's events beside it where TensorBoard is installed."""

import json
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from ..files import write_text

LOG = "log.jsonl"


class TrainingLog:
    """A context manager. Numbers go to both files, pictures to TensorBoard.

    A resumed run first removes what was written after its checkpoint, so that every step is logged once.
    """

    def __init__(
        self, folder: Path | None, *, step: int = 0, report: Callable[[str], None] = lambda line: None
    ) -> None:
        """Continue after a step.

        Args:
            folder: the run's folder; None writes no files.
            step: of the checkpoint that the run continues from.
            report: gets every line as text.
        """
        self._folder, self._step, self._report = folder, step, report

    def __enter__(self) -> "TrainingLog":
        if self._folder is None:
            return self
        self._folder.mkdir(parents=True, exist_ok=True)
        lines = [line for line in read_log(self._folder) if line["step"] <= self._step]
        write_text(self._folder / LOG, "".join(json.dumps(line) + "\n" for line in lines))
        self._file = (self._folder / LOG).open("a")
        self._board = _board(self._folder / "tensorboard", self._step + 1)
        return self

    def write(self, step: int, **values: Any) -> None:
        """Log numbers; other values go to `log.jsonl` alone."""
        self._report(f"step {step}: " + ", ".join(f"{name} {_text(value)}" for name, value in values.items()))
        if self._folder is None:
            return
        self._file.write(json.dumps({"step": step, **values}) + "\n")
        self._file.flush()
        for name, value in values.items() if self._board is not None else ():
            if isinstance(value, (int, float)):
                self._board.add_scalar(name, value, step)

    def picture(self, step: int, name: str, picture: np.ndarray) -> None:
        """Log a picture (H, W, 3) uint8."""
        if self._folder is not None and self._board is not None:
            self._board.add_image(name, picture, step, dataformats="HWC")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._folder is not None:
            self._file.close()
            if self._board is not None:
                self._board.close()


def _board(folder: Path, first: int) -> Any:
    """TensorBoard's writer; None in a Python without TensorBoard, such as ComfyUI's."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=first)


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def read_log(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's log; a last line that was cut off is left out."""
    lines = []
    for line in (folder / LOG).read_text().splitlines() if (folder / LOG).is_file() else []:
        try:
            lines.append(json.loads(line))
        except ValueError:
            continue
    return lines


class Statistics:
    """Mean losses, throughput, and the share of time spent waiting for data, since the last report."""

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self._losses: list[dict[str, float]] = []
        self._seconds, self._samples, self._waiting = 0.0, 0, 0.0

    def add_waiting(self, seconds: float) -> None:
        """Count time spent waiting for data."""
        self._waiting += seconds

    def add_step(self, losses: dict[str, float], seconds: float, samples: int) -> None:
        """Count a step."""
        self._losses.append(losses)
        self._seconds += seconds
        self._samples += samples

    def report(self) -> dict[str, float]:
        """Mean losses by name, samples per second, share of time spent waiting; starts again."""
        means = {name: sum(step[name] for step in self._losses) / len(self._losses) for name in self._losses[0]}
        numbers = {
            **means,
            "samples_per_second": round(self._samples / self._seconds, 3),
            "waiting": round(self._waiting / self._seconds, 4),
        }
        self._clear()
        return numbers
