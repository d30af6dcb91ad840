"""Train the built-in face detector on boxes of MediaPipe: `python -m recipes.face_detector.train --data DATASET --out FOLDER --steps 3435`.

Writes FOLDER/face-finder.safetensors (averaged weights, half precision), score.json (held-out clips), log.jsonl and checkpoints,
from which `--resume` continues. Squares that are wide around the face (`prepare --expand 3`) serve best.

Shape legend: B pictures, h and w cells, N boxes of a picture.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from emo_core.dataset.shards import HELD_OUT, TRAIN, Dataset, read_clips
from emo_core.errors import EmoError, InputError
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
from emo_core.files import atomic_path, write_json
from emo_core.training.batches import Place, moved
from emo_core.training.checkpoints import checkpoints
from emo_core.training.loop import Settings, train
from emo_core.training.schedule import Limits, Schedule
from emo_core.training.task import Learner, Task

from .pictures import Example, Studio
from .subjects import sitters_of

NAME, SCORE = "face-finder.safetensors", "score.json"
SCHEDULE = Schedule(rate=2e-3, warm_up=100, decay="cosine", decay_from=0.0)
EMA = 0.998
"""Decay of the moving average."""
LOG_EVERY = 250
"""Steps between lines of the log."""
SPREAD, MIN_SPREAD = 0.16, 4.0
"""Standard deviation of a centre's Gaussian as a share of the box's sides, and the least in pixels."""
EVALUATE_EVERY = 8
"""Frames between two that are evaluated."""
GOOD_IOU = 0.75


@dataclass(frozen=True, slots=True)
class DetectorScore:
    """A detector's accuracy on a split."""

    frames: int
    iou: float
    """Mean intersection over union of the largest detected face with the label; 0 if none is detected."""
    good: float
    """Share of frames with at least GOOD_IOU."""
    detected: float
    """Share of frames with any face."""
    milliseconds: float
    """Per picture."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Pictures with their targets."""

    pictures: Tensor
    """(B, 3, H, W)."""
    heat: Tensor
    """(B, h, w): 1 at a face's centre, falling to 0."""
    boxes: Tensor
    """(B, h, w, 4): the box of the nearest face, in pixels."""
    keys: tuple[str, ...] = ()

    def to(self, device: torch.device) -> "Batch":
        """On another device."""
        return moved(self, device)


class DetectorTask(Task):
    """The detector, on pictures that a studio composes."""

    def __init__(self, net: FaceDetectorNet, studio: Studio, batch: int, seed: int) -> None:
        self._studio, self._batch, self._seed = studio, batch, seed
        optimiser = torch.optim.AdamW(net.parameters(), weight_decay=0.02)
        self.learners = (Learner(network=net, optimiser=optimiser, schedule=SCHEDULE, ema=EMA, clip=5.0),)

    def batches(self, place: Place, consumed: int) -> Iterator[Batch]:
        while True:
            rng = np.random.default_rng([self._seed, 1, place.rank, consumed])
            yield to_batch([self._studio.example(rng) for _ in range(self._batch)])
            consumed += 1

    def losses(self, batch: Batch, networks: tuple[nn.Module, ...], share: float) -> Iterator[Tensor]:
        heat, boxes = detector_loss(networks[0], batch)
        yield heat + boxes


def train_detector(
    dataset: Dataset,
    folder: Path,
    limits: Limits,
    *,
    batch: int = 32,
    seed: int = 0,
    resume: bool = False,
    report: Callable[[str], None],
) -> Path:
    """Train on a dataset's train split.

    Args:
        dataset: to train on.
        folder: for the weights, the score, log and checkpoints.
        limits: when to end; the learning rate falls to 0 by then.
        batch: pictures per step.
        seed: of everything random.
        resume: continue from the newest checkpoint.
        report: gets lines of progress.

    Returns:
        the weights file.

    Raises:
        InputError: if there is nothing to train on.
        Cancelled, TrainingError: see `loop.train`.
    """
    if not resume and checkpoints(folder):
        raise InputError(f"out: {folder} holds a run; add --resume to go on with it, or give another folder")
    people = sitters_of(dataset, TRAIN)
    if not people:
        raise InputError(f"face detector: {dataset.folder} has no clips to train on; prepare some first")
    report(f"{sum(map(len, people.values()))} pictures of {len(people)} sources")
    torch.manual_seed(seed)
    config = FaceDetectorConfig()
    net = FaceDetectorNet(config).to(memory_format=torch.channels_last)
    task = DetectorTask(net, Studio(people, config.size, np.random.default_rng([seed, 0])), batch, seed)
    train(task, Settings(batch=batch, log_every=LOG_EVERY), limits, folder, resume=resume, report=report)
    weights = {name: value.half().contiguous().cpu() for name, value in net.state_dict().items()}
    with atomic_path(folder / NAME) as temporary:
        save_file(weights, temporary, detector_metadata(config))
    if dataset.clips(HELD_OUT):
        score = evaluate_detector(BuiltInDetector(folder / NAME), dataset, HELD_OUT)
        write_json(folder / SCORE, asdict(score))
        report(f"held out: IoU {score.iou:.3f}, {score.good:.1%} at least {GOOD_IOU}, {score.milliseconds:.1f} ms")
    return folder / NAME


def detector_loss(net: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
    """Focal loss of the centres (per face), and loss of the boxes (1 - GIoU, and edges over sides)."""
    logits, boxes = net(batch.pictures)
    centre = batch.heat > 0.99
    chance = logits.sigmoid()
    hit = -((1 - chance) ** 2) * functional.logsigmoid(logits) * centre
    miss = -((1 - batch.heat) ** 4) * chance**2 * functional.logsigmoid(-logits) * ~centre
    heat = (hit + miss).sum() / centre.sum().clamp(min=1)
    near = batch.heat > 0.3
    weight, predicted, target = batch.heat[near], boxes[near], batch.boxes[near]
    sides = (target[:, 2:] - target[:, :2]).repeat(1, 2)
    edges = functional.smooth_l1_loss(predicted / sides, target / sides, beta=0.05, reduction="none").sum(-1)
    place = ((1 - _giou(predicted, target)) + edges) * weight
    return heat, 2 * place.sum() / weight.sum().clamp(min=1e-3)


def to_batch(examples: list[Example]) -> Batch:
    """Pictures with their targets."""
    size = examples[0].picture.shape[0]
    targets = [_targets(example.boxes, size // STRIDE) for example in examples]
    return Batch(
        to_input([example.picture for example in examples]),
        torch.from_numpy(np.stack([heat for heat, _ in targets])),
        torch.from_numpy(np.stack([boxes for _, boxes in targets])),
    )


def _targets(boxes: tuple[Box, ...], cells: int) -> tuple[np.ndarray, np.ndarray]:
    """(h, w) heat and (h, w, 4) boxes, float32."""
    heat, nearest = np.zeros((cells, cells), np.float32), np.zeros((cells, cells, 4), np.float32)
    line = (np.arange(cells) + 0.5) * STRIDE
    for box in boxes:
        (x, y), reach = box.centre, (max(MIN_SPREAD, SPREAD * box.width), max(MIN_SPREAD, SPREAD * box.height))
        bell = np.exp(-0.5 * (((line - x) / reach[0])[None] ** 2 + ((line - y) / reach[1])[:, None] ** 2))
        bell /= bell.max()  # The cell nearest to the centre has 1.
        nearer = bell > heat
        heat[nearer] = bell[nearer]
        nearest[nearer] = (box.left, box.top, box.right, box.bottom)
    return heat, nearest


def _giou(predicted: Tensor, target: Tensor) -> Tensor:
    """(N, 4) twice to (N,): generalised intersection over union, -1 .. 1."""
    inner = (
        (torch.minimum(predicted[:, 2:], target[:, 2:]) - torch.maximum(predicted[:, :2], target[:, :2]))
        .clamp(min=0)
        .prod(-1)
    )
    outer = (torch.maximum(predicted[:, 2:], target[:, 2:]) - torch.minimum(predicted[:, :2], target[:, :2])).prod(-1)
    union = (predicted[:, 2:] - predicted[:, :2]).prod(-1) + (target[:, 2:] - target[:, :2]).prod(-1) - inner
    return inner / union - (outer - union) / outer


def evaluate_detector(detector: FaceDetector, dataset: Dataset, split: str) -> DetectorScore:
    """Compare a detector with the labels of a split.

    Raises:
        InputError: if the split is empty.
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
        raise InputError(f"face detector: {dataset.folder} has no {split} clips to evaluate on")
    ious = np.array([overlap or 0.0 for overlap in overlaps])
    detected = np.mean([overlap is not None for overlap in overlaps])
    return DetectorScore(
        len(ious), float(ious.mean()), float((ious >= GOOD_IOU).mean()), float(detected), 1000 * spent / len(ious)
    )


def main() -> None:
    """Train, and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="a prepared dataset")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--batch", type=int, default=32, help="pictures per step (default: 32)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", action="store_true", help="continue from the newest checkpoint")
    args = parser.parse_args()
    try:
        limits = Limits(steps=args.steps, minutes=args.minutes)
        options = {"batch": args.batch, "seed": args.seed, "resume": args.resume}
        train_detector(Dataset.open(args.data), args.out, limits, **options, report=print)
    except EmoError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
