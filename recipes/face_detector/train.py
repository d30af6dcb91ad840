"""Stage 0: train the net that finds the face, on boxes that MediaPipe found.

    OUT/face-finder.safetensors    moving average of the weights
    OUT/log.jsonl                  one line per report

Shape legend: B pictures, h and w cells, N boxes of a picture.
"""

import copy
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from emo_core.dataset.shards import HELD_OUT, TRAIN, Dataset, read_clips
from emo_core.errors import InputError
from emo_core.face.box import Box
from emo_core.face.built_in_detector import (
    STRIDE,
    BuiltInDetector,
    FaceDetectorConfig,
    FaceDetectorNet,
    detector_metadata,
    to_input,
)
from emo_core.face.detect import FaceDetector
from emo_core.files import atomic_path

from .pictures import Example, Studio
from .subjects import sitters_of

NAME = "face-finder.safetensors"
LR, WARM_UP, DECAY = 2e-3, 100, 0.998
"""Peak rate of AdamW, steps that lead to it, and how slowly the moving average forgets."""
REPORT_EVERY = 250
"""Steps."""
SPREAD, LEAST = 0.16, 4.0
"""The place of a centre blurs with this share of the box's sides, but at least so many pixels."""
EVALUATE_EVERY = 8
"""Frames between two that are judged."""


@dataclass(frozen=True, slots=True)
class FinderScore:
    """How well a detector finds the faces of a split."""

    frames: int
    iou: float
    """Mean intersection over union of the largest found face with the label; 0 where none is found."""
    good: float
    """Share of frames with at least 0.75."""
    found: float
    """Share of frames with any face."""
    milliseconds: float
    """Per picture."""


@dataclass(frozen=True, slots=True)
class _Batch:
    pictures: Tensor
    """(B, 3, H, W)."""
    heat: Tensor
    """(B, h, w): 1 at a face's centre, falling to 0."""
    boxes: Tensor
    """(B, h, w, 4): the box of the nearest face, in pixels."""


def train_finder(
    dataset: Dataset,
    out: Path,
    *,
    steps: int | None = None,
    minutes: float | None = None,
    batch: int = 32,
    seed: int = 0,
    report: Callable[[str], None],
) -> Path:
    """Train on a dataset's train split.

    Args:
        dataset: squares that are wide around the face (`expand` 3) serve best.
        out: folder for the weights and the log.
        steps: how long; the learning rate falls to nothing by then.
        minutes: how long, where no steps are given.
        batch: pictures per step.
        seed: of everything random.
        report: takes one line of progress at a time.

    Returns:
        the weights file.

    Raises:
        InputError: where there is nothing to train on, or no end is given.
    """
    if (steps is None) == (minutes is None):
        raise InputError("face finder: give either steps or minutes")
    people = sitters_of(dataset, TRAIN)
    if not people:
        raise InputError(f"face finder: {dataset.folder} has no clips to train on; prepare some first")
    report(f"{sum(map(len, people.values()))} pictures of {len(people)} sources")
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    config = FaceDetectorConfig()
    finder = FaceDetectorNet(config).to(memory_format=torch.channels_last)
    average = copy.deepcopy(finder).eval()
    optimiser = torch.optim.AdamW(finder.parameters(), LR, weight_decay=0.02)
    studio = Studio(people, config.size, np.random.default_rng(seed))
    losses: list[tuple[float, float]] = []
    for step, progress in _progress(steps, minutes):
        optimiser.param_groups[0]["lr"] = LR * min(1.0, (step + 1) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * progress))
        heat, place = finder_loss(finder, to_batch([studio.example() for _ in range(batch)]))
        optimiser.zero_grad()
        (heat + place).backward()
        torch.nn.utils.clip_grad_norm_(finder.parameters(), 5.0)
        optimiser.step()
        _follow(average, finder, min(DECAY, (step + 1) / (step + 10)))
        losses.append((heat.item(), place.item()))
        if (step + 1) % REPORT_EVERY == 0:
            _save(average, out / NAME)
            _log(out, report, step + 1, losses, None)
            losses.clear()
    path = _save(average, out / NAME)
    score = evaluate_finder(BuiltInDetector(path), dataset, HELD_OUT) if dataset.clips(HELD_OUT) else None
    _log(out, report, step + 1, losses, score)
    return path


def finder_loss(finder: FaceDetectorNet, batch: _Batch) -> tuple[Tensor, Tensor]:
    """How wrong the centres are (focal loss, per face), and how wrong the boxes (1 - GIoU, and edges over sides)."""
    logits, boxes = finder(batch.pictures)
    certain = batch.heat > 0.99
    chance = logits.sigmoid()
    hit = -((1 - chance) ** 2) * functional.logsigmoid(logits) * certain
    miss = -((1 - batch.heat) ** 4) * chance**2 * functional.logsigmoid(-logits) * ~certain
    heat = (hit + miss).sum() / certain.sum().clamp(min=1)
    near = batch.heat > 0.3
    weight, got, wanted = batch.heat[near], boxes[near], batch.boxes[near]
    sides = (wanted[:, 2:] - wanted[:, :2]).repeat(1, 2)
    edges = functional.smooth_l1_loss(got / sides, wanted / sides, beta=0.05, reduction="none").sum(-1)
    place = ((1 - _giou(got, wanted)) + edges) * weight
    return heat, 2 * place.sum() / weight.sum().clamp(min=1e-3)


def to_batch(examples: list[Example]) -> _Batch:
    """Pictures and what the net should answer."""
    size = examples[0].picture.shape[0]
    answers = [_targets(example.boxes, size // STRIDE) for example in examples]
    return _Batch(
        to_input([example.picture for example in examples]),
        torch.from_numpy(np.stack([heat for heat, _ in answers])),
        torch.from_numpy(np.stack([boxes for _, boxes in answers])),
    )


def _targets(boxes: tuple[Box, ...], cells: int) -> tuple[np.ndarray, np.ndarray]:
    """(h, w) heat and (h, w, 4) boxes, float32."""
    heat, answer = np.zeros((cells, cells), np.float32), np.zeros((cells, cells, 4), np.float32)
    line = (np.arange(cells) + 0.5) * STRIDE
    for box in boxes:
        (x, y), reach = box.centre, (max(LEAST, SPREAD * box.width), max(LEAST, SPREAD * box.height))
        bell = np.exp(-0.5 * (((line - x) / reach[0])[None] ** 2 + ((line - y) / reach[1])[:, None] ** 2))
        bell /= bell.max()  # The cell nearest to the centre is certain.
        nearer = bell > heat
        heat[nearer] = bell[nearer]
        answer[nearer] = (box.left, box.top, box.right, box.bottom)
    return heat, answer


def _giou(got: Tensor, wanted: Tensor) -> Tensor:
    """(N, 4) twice to (N,): generalised intersection over union, -1 .. 1."""
    inner = (torch.minimum(got[:, 2:], wanted[:, 2:]) - torch.maximum(got[:, :2], wanted[:, :2])).clamp(min=0).prod(-1)
    outer = (torch.maximum(got[:, 2:], wanted[:, 2:]) - torch.minimum(got[:, :2], wanted[:, :2])).prod(-1)
    union = (got[:, 2:] - got[:, :2]).prod(-1) + (wanted[:, 2:] - wanted[:, :2]).prod(-1) - inner
    return inner / union - (outer - union) / outer


def _progress(steps: int | None, minutes: float | None) -> Iterator[tuple[int, float]]:
    """Number of each step, and how much of the training is done, 0 .. 1."""
    start, step, done = time.monotonic(), 0, 0.0
    while done < 1:
        yield step, done
        step += 1
        done = step / steps if steps is not None else (time.monotonic() - start) / (60 * minutes)


@torch.no_grad()
def _follow(average: FaceDetectorNet, finder: FaceDetectorNet, decay: float) -> None:
    for kept, now in zip(average.state_dict().values(), finder.state_dict().values(), strict=True):
        if kept.is_floating_point():
            kept.lerp_(now, 1 - decay)
        else:
            kept.copy_(now)


def _save(finder: FaceDetectorNet, path: Path) -> Path:
    """Write half-precision weights, whole or not at all."""
    weights = {name: value.half().contiguous() for name, value in finder.state_dict().items()}
    with atomic_path(path) as temporary:
        save_file(weights, temporary, detector_metadata(finder.config))
    return path


def _log(
    out: Path, report: Callable[[str], None], step: int, losses: list[tuple[float, float]], score: FinderScore | None
) -> None:
    heat, place = np.mean(losses, 0) if losses else (None, None)
    line = {"step": step, "heat": heat, "place": place, "held_out": score and asdict(score)}
    with (out / "log.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")
    report(f"step {step}" + (f", heat {heat:.3f}, place {place:.3f}" if losses else ""))
    if score is not None:
        report(f"held out: IoU {score.iou:.3f}, {score.good:.1%} at least 0.75, {score.milliseconds:.1f} ms")


def evaluate_finder(detector: FaceDetector, dataset: Dataset, split: str) -> FinderScore:
    """Compare a detector with the labels of a split.

    Raises:
        InputError: where the split is empty.
    """
    overlaps, spent = [], 0.0
    for clip in read_clips(dataset, split):
        for frame, edges in zip(clip.pictures()[::EVALUATE_EVERY], clip.labels.boxes[::EVALUATE_EVERY], strict=True):
            label = Box(*(float(edge) * frame.shape[0] for edge in edges))
            start = time.perf_counter()
            faces = detector.detect(frame)
            spent += time.perf_counter() - start
            overlaps.append(faces[0].box.overlap(label) if faces else None)
    if not overlaps:
        raise InputError(f"face finder: {dataset.folder} has no {split} clips to judge by")
    ious = np.array([overlap or 0.0 for overlap in overlaps])
    found = np.mean([overlap is not None for overlap in overlaps])
    return FinderScore(
        len(ious), float(ious.mean()), float((ious >= 0.75).mean()), float(found), 1000 * spent / len(ious)
    )
