"""The field's own metrics, by other libraries, with extractor weights that the user brings; without them, what to get.

Nothing is downloaded, and nothing stands in: a number under a known name is that number or absent.

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
from ..metrics.observation import Observed
from ..metrics.video_metrics import Numbers
from .evaluate import Evaluation

WINDOW = 16
"""Frames of a video that FVD's network sees together (arXiv 1812.01717)."""
MANY = 2048
"""Samples from which the field takes Fréchet distances for settled; with fewer they come out larger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extractors:
    """Where weights are; None for what is not at hand."""

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
class Found:
    """Numbers, and lines that limit them."""

    numbers: Numbers
    notes: tuple[str, ...] = ()


E_FID = (
    "E-FID: not computed; no package computes it. It needs Deep3DFaceRecon_pytorch with its epoch_20.pth and the Basel Face Model "
    "of 2009, whose expression coefficients of both sets are compared"
)


def standard(judged: Evaluation, extractors: Extractors, scratch: Path) -> tuple[Numbers, list[str]]:
    """FID, FVD, SyncNet and F-SIM.

    Args:
        judged: the videos.
        extractors: weights.
        scratch: a folder in which pictures may lie for a while.

    Returns:
        Numbers, and a line for each one that is missing or limited.
    """
    metrics: dict[str, Callable[[Evaluation, Extractors], Found]] = {
        "FID": partial(_fid, scratch=scratch),
        "FVD": _fvd,
        "SyncNet confidence, distance, offset": _syncnet,
        "F-SIM": _similarity,
    }
    numbers: Numbers = {}
    notes = [E_FID]
    for name, run in metrics.items():
        try:
            found = run(judged, extractors)
        except InputError as error:
            notes.append(f"{name}: not computed; {error}")
        except Exception as error:  # noqa: BLE001 -- another's code, on files of the user's: the report must not be lost.
            notes.append(f"{name}: not computed; it failed with {type(error).__name__}: {error}")
        else:
            numbers |= found.numbers
            notes.extend(f"{name}: {note}" for note in found.notes)
    return numbers, notes


def _fid(judged: Evaluation, extractors: Extractors, scratch: Path) -> Found:
    """From every frame of every video."""
    weights = _weights(
        extractors.inception, "--inception", "torch-fidelity's weights-inception-2015-12-05-6726825d.pth"
    )
    _need_truth(judged)
    sizes = {video.size for video in (*judged.made, *judged.true)}
    if len(sizes) > 1:
        told = ", ".join(f"{width} x {height}" for width, height in sorted(sizes))
        raise InputError(f"it compares pictures of one size, and these are {told}; scale them to one")
    calculate_metrics = _library("torch_fidelity", "torch-fidelity").calculate_metrics
    folders, counts = [], []
    with tempfile.TemporaryDirectory(dir=scratch) as place:
        for name, videos in (("generated", judged.made), ("true", judged.true)):
            folder = Path(place) / name
            folder.mkdir()
            for number, frame in enumerate(itertools.chain.from_iterable(map(_frames, videos))):
                Image.fromarray(frame).save(folder / f"{number:06d}.png")
            folders.append(str(folder))
            counts.append(sum(video.frames for video in videos))
        found = calculate_metrics(
            input1=folders[0],
            input2=folders[1],
            fid=True,
            cuda=False,
            verbose=False,
            feature_extractor_weights_path=weights,
        )
    return Found({"FID": float(found["frechet_inception_distance"])}, _few(min(counts), "frames"))


def _fvd(judged: Evaluation, extractors: Extractors) -> Found:
    """From windows of 16 frames, one after the other."""
    weights = _weights(extractors.i3d, "--i3d", "cd-fvd's i3d_pretrained_400.pt")
    _need_truth(judged)
    evaluator = _library("cdfvd.fvd", "cd-fvd").cdfvd("i3d", ckpt_path=weights, n_fake="full", device="cpu")
    counts = [0, 0]
    for side, (videos, add) in enumerate(
        ((judged.made, evaluator.add_fake_stats), (judged.true, evaluator.add_real_stats))
    ):
        for video in videos:
            for window in _windows(video):
                add(window[None])
                counts[side] += 1
    if min(counts) < 2:
        raise InputError(
            f"got {min(counts)} windows of {WINDOW} frames; expected 2 or more: give longer or more videos"
        )
    return Found({"FVD": float(evaluator.compute_fvd_from_stats())}, _few(min(counts), f"windows of {WINDOW} frames"))


def _syncnet(judged: Evaluation, extractors: Extractors) -> Found:
    """Medians over the videos; of the true ones too, as the control."""
    syncnet = _weights(extractors.syncnet, "--syncnet", "Oxford VGG's syncnet_v2.model")
    s3fd = _weights(extractors.s3fd, "--s3fd", "SyncNet's face detector, Oxford VGG's sfd_face.pth")
    pipeline = _library("syncnet_python", "syncnet-python").SyncNetPipeline(
        {"s3fd_weights": s3fd, "syncnet_weights": syncnet}, device="cpu"
    )
    numbers, notes = {}, []
    for of, videos in (("", judged.made), (" of the true videos", judged.true)):
        scores = []
        for video in videos:
            try:
                offsets, confidences, distances, *_ = pipeline.inference(video_path=str(video.path))
            except RuntimeError as error:  # A video without sound, above all.
                notes.append(f"{video.name}{of}: left out, SyncNet cannot read it ({error})")
                continue
            if not offsets:
                notes.append(f"{video.name}{of}: no face is tracked for 50 frames at 100 pixels or more; left out")
                continue
            best = int(np.argmax(confidences))
            scores.append((confidences[best], distances[best], offsets[best]))
        if scores:
            names = [f"SyncNet {name}{of}" for name in ("confidence", "distance", "offset")]
            numbers |= dict(zip(names, np.median(np.array(scores, float), axis=0).tolist(), strict=True))
    return Found(numbers, tuple(notes))


def _similarity(judged: Evaluation, extractors: Extractors) -> Found:
    """Mean cosine between the faces of a video's kept frames and the true video's first; of the true videos too."""
    if extractors.insightface is None:
        raise InputError("give --insightface, a folder with models/antelopev2/*.onnx")
    _need_truth(judged)
    embed = Embedder((extractors.insightface,))
    cosines: dict[str, list[float]] = {"F-SIM": [], "F-SIM of the true videos": []}
    notes = []
    for a, b in zip(judged.made, judged.true, strict=True):
        known = _direction(embed, b.sheet[0])
        if known is None:
            notes.append(f"{b.name}: left out, no face is found in its first true frame")
            continue
        for name, video in zip(cosines, (a, b), strict=True):
            found = [_direction(embed, frame) for frame in video.sheet[1:]]
            # A face that is not found is like nobody.
            cosines[name].extend(0.0 if one is None else float(one @ known) for one in found)
    return Found({name: float(np.mean(found)) if found else None for name, found in cosines.items()}, tuple(notes))


def _direction(embed: Embedder, picture: np.ndarray) -> np.ndarray | None:
    try:
        found = embed(picture)
    except InputError:
        return None
    return found / np.linalg.norm(found)


def _weights(path: Path | None, option: str, what: str) -> str:
    """A file that holds weights and nothing else: some of these libraries would run what a pickle tells them to."""
    if path is None:
        raise InputError(f"give {option}, {what}")
    file = existing_file(path, option, what)
    try:
        torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputError(f"{file} is not {what}, or damaged ({type(error).__name__}); get it again") from error
    return str(file)


def _need_truth(judged: Evaluation) -> None:
    if not judged.true:
        raise InputError("it compares with true videos; give --true")


def _library(module: str, package: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise InputError(f"it needs `pip install {package}` ({error})") from error


def _few(count: int, of: str) -> tuple[str, ...]:
    return () if count >= MANY else (f"from {count} {of}; from fewer than {MANY} it comes out too large",)


def _frames(video: Observed) -> Iterator[np.ndarray]:
    yield from (frame for _, frame in frames_at(open_source(video.path), video.fps))


def _windows(video: Observed) -> Iterator[np.ndarray]:
    """(T, H, W, 3) uint8; what is left at the end is too short."""
    window: list[np.ndarray] = []
    for frame in _frames(video):
        window.append(frame)
        if len(window) == WINDOW:
            yield np.stack(window)
            window = []
