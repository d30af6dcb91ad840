"""Standard metrics: FID, FVD, SyncNet, F-SIM, by other packages.

The user gives the weights of their feature extractors; nothing is downloaded. Without weights a metric is missing, and a note
names the file. No metric is approximated.

Shape legend: T frames of a window, H W picture.
"""

import itertools
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from ..errors import InputError
from ..face.embedding import Embedder
from ..files import existing_file
from ..media.video_reader import frames_at, open_source
from ..metrics.observation import Observation
from ..metrics.statistics import Metrics
from .evaluate import Evaluation

WINDOW = 16
"""Frames in one input of FVD's network (arXiv 1812.01717)."""
MIN_SAMPLES = 2048
"""Samples from which Fréchet distances are comparable; with fewer they are too large."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extractors:
    """Paths of weights; None for no weights."""

    inception: Path | None = None
    """torch-fidelity's weights-inception-2015-12-05-6726825d.pth."""
    i3d: Path | None = None
    """cd-fvd's i3d_pretrained_400.pt."""
    syncnet: Path | None = None
    """Oxford VGG's syncnet_v2.model."""
    s3fd: Path | None = None
    """Its face detector, sfd_face.pth."""
    insightface: Path | None = None
    """A folder with models/antelopev2/*.onnx."""


@dataclass(frozen=True, slots=True)
class Result:
    """Metrics, and notes on their limits."""

    metrics: Metrics
    notes: tuple[str, ...] = ()


E_FID = (
    "E-FID: not computed; no package computes it. It compares expression coefficients, which need Deep3DFaceRecon_pytorch, its "
    "epoch_20.pth and the Basel Face Model of 2009"
)


def standard_metrics(evaluation: Evaluation, extractors: Extractors, scratch: Path) -> tuple[Metrics, list[str]]:
    """FID, FVD, SyncNet and F-SIM.

    Args:
        evaluation: the videos.
        extractors: weights.
        scratch: a folder for temporary pictures.

    Returns:
        metrics, and a note for each one that is missing or limited.
    """
    functions: dict[str, Callable[[Evaluation, Extractors], Result]] = {
        "FID": partial(_fid, scratch=scratch),
        "FVD": _fvd,
        "SyncNet confidence, distance, offset": _syncnet,
        "F-SIM": _face_similarity,
    }
    metrics: Metrics = {}
    notes = [E_FID]
    for name, compute in functions.items():
        try:
            result = compute(evaluation, extractors)
        except InputError as error:
            notes.append(f"{name}: not computed; {error}")
        except Exception as error:  # noqa: BLE001 -- code of other packages on the user's files: the report must not be lost.
            notes.append(f"{name}: not computed; it failed with {type(error).__name__}: {error}")
        else:
            metrics |= result.metrics
            notes.extend(f"{name}: {note}" for note in result.notes)
    return metrics, notes


def _fid(evaluation: Evaluation, extractors: Extractors, scratch: Path) -> Result:
    """FID over all frames."""
    weights = _weights(
        extractors.inception, "--inception", "torch-fidelity's weights-inception-2015-12-05-6726825d.pth"
    )
    _need_true_videos(evaluation)
    sizes = {video.size for video in (*evaluation.generated, *evaluation.true)}
    if len(sizes) > 1:
        text = ", ".join(f"{width} x {height}" for width, height in sorted(sizes))
        raise InputError(f"it compares pictures of one size, and these are {text}; scale them to one size")
    calculate_metrics = _library("torch_fidelity", "torch-fidelity").calculate_metrics
    folders, counts = [], []
    with tempfile.TemporaryDirectory(dir=scratch) as place:
        for name, videos in (("generated", evaluation.generated), ("true", evaluation.true)):
            folder = Path(place) / name
            folder.mkdir()
            for number, frame in enumerate(itertools.chain.from_iterable(map(_frames, videos))):
                Image.fromarray(frame).save(folder / f"{number:06d}.png")
            folders.append(str(folder))
            counts.append(sum(video.frames for video in videos))
        scores = calculate_metrics(
            input1=folders[0],
            input2=folders[1],
            fid=True,
            cuda=False,
            verbose=False,
            feature_extractor_weights_path=weights,
        )
    return Result({"FID": float(scores["frechet_inception_distance"])}, _few_samples(min(counts), "frames"))


def _fvd(evaluation: Evaluation, extractors: Extractors) -> Result:
    """FVD over consecutive windows of 16 frames."""
    weights = _weights(extractors.i3d, "--i3d", "cd-fvd's i3d_pretrained_400.pt")
    _need_true_videos(evaluation)
    evaluator = _library("cdfvd.fvd", "cd-fvd").cdfvd("i3d", ckpt_path=weights, n_fake="full", device="cpu")
    counts = [0, 0]
    for side, (videos, add) in enumerate(
        ((evaluation.generated, evaluator.add_fake_stats), (evaluation.true, evaluator.add_real_stats))
    ):
        for video in videos:
            for window in _windows(video):
                add(window[None])
                counts[side] += 1
    if min(counts) < 2:
        raise InputError(
            f"got {min(counts)} windows of {WINDOW} frames; expected 2 or more: give longer or more videos"
        )
    return Result(
        {"FVD": float(evaluator.compute_fvd_from_stats())}, _few_samples(min(counts), f"windows of {WINDOW} frames")
    )


def _syncnet(evaluation: Evaluation, extractors: Extractors) -> Result:
    """Medians over the generated videos and, as a control, over the true ones."""
    syncnet = _weights(extractors.syncnet, "--syncnet", "Oxford VGG's syncnet_v2.model")
    s3fd = _weights(extractors.s3fd, "--s3fd", "SyncNet's face detector, Oxford VGG's sfd_face.pth")
    pipeline = _library("syncnet_python", "syncnet-python").SyncNetPipeline(
        {"s3fd_weights": s3fd, "syncnet_weights": syncnet}, device="cpu"
    )
    metrics, notes = {}, []
    for suffix, videos in (("", evaluation.generated), (" of the true videos", evaluation.true)):
        scores = []
        for video in videos:
            try:
                offsets, confidences, distances, *_ = pipeline.inference(video_path=str(video.path))
            except RuntimeError as error:  # For instance a video without sound.
                notes.append(f"{video.name}{suffix}: left out, SyncNet cannot read it ({error})")
                continue
            if not offsets:
                notes.append(f"{video.name}{suffix}: left out, no face is tracked for 50 frames at 100 pixels or more")
                continue
            best = int(np.argmax(confidences))
            scores.append((confidences[best], distances[best], offsets[best]))
        if scores:
            names = [f"SyncNet {name}{suffix}" for name in ("confidence", "distance", "offset")]
            metrics |= dict(zip(names, np.median(np.array(scores, float), axis=0).tolist(), strict=True))
    return Result(metrics, tuple(notes))


def _face_similarity(evaluation: Evaluation, extractors: Extractors) -> Result:
    """Mean cosine of face embeddings: sample frames against the true video's first; also of the true videos."""
    if extractors.insightface is None:
        raise InputError("give --insightface, a folder with models/antelopev2/*.onnx")
    _need_true_videos(evaluation)
    embed = Embedder((extractors.insightface,))
    cosines: dict[str, list[float]] = {"F-SIM": [], "F-SIM of the true videos": []}
    notes = []
    for generated, true in zip(evaluation.generated, evaluation.true, strict=True):
        reference = _unit_embedding(embed, true.sample_frames[0])
        if reference is None:
            notes.append(f"{true.name}: left out, no face is found in its first true frame")
            continue
        for name, video in zip(cosines, (generated, true), strict=True):
            embeddings = [_unit_embedding(embed, frame) for frame in video.sample_frames[1:]]
            cosines[name].extend(0.0 if one is None else float(one @ reference) for one in embeddings)
    return Result({name: float(np.mean(values)) if values else None for name, values in cosines.items()}, tuple(notes))


def _unit_embedding(embed: Embedder, picture: np.ndarray) -> np.ndarray | None:
    """The face embedding with norm 1; None for a picture without a face."""
    try:
        embedding = embed(picture)
    except InputError:
        return None
    return embedding / np.linalg.norm(embedding)


def _weights(path: Path | None, option: str, description: str) -> str:
    """The path of a file with tensors only: some of these packages would run code from a pickle."""
    if path is None:
        raise InputError(f"give {option}, {description}")
    file = existing_file(path, option, description)
    try:
        torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputError(
            f"{file} is not {description}, or damaged ({type(error).__name__}); download it again"
        ) from error
    return str(file)


def _need_true_videos(evaluation: Evaluation) -> None:
    if not evaluation.true:
        raise InputError("it compares with true videos; give --true")


def _library(module: str, package: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise InputError(f"it needs `pip install {package}` ({error})") from error


def _few_samples(count: int, samples: str) -> tuple[str, ...]:
    return () if count >= MIN_SAMPLES else (f"from {count} {samples}; from fewer than {MIN_SAMPLES} it is too large",)


def _frames(video: Observation) -> Iterator[np.ndarray]:
    yield from (frame for _, frame in frames_at(open_source(video.path), video.fps))


def _windows(video: Observation) -> Iterator[np.ndarray]:
    """(T, H, W, 3) uint8; frames after the last full window are left out."""
    window: list[np.ndarray] = []
    for frame in _frames(video):
        window.append(frame)
        if len(window) == WINDOW:
            yield np.stack(window)
            window = []
