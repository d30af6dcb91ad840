"""Measure the renderer: `python -m recipes.portrait.measure --data DATA --judge MobileFaceNet.onnx --out measured`.

Two tables. *Portraits*: stills wear the motion of two films; identity and sharpness of every fifth frame against the still.
*Renderer alone*: the first frame of a film wears the film's own motion; compared with the film, beside the frozen first frame.
"""

import argparse
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch

from emo_core.errors import InputError
from emo_core.face.detect import FaceDetector
from emo_core.face.detectors import make_detector
from emo_core.face.film import watch_film
from emo_core.face.motion import FaceMotion
from emo_core.face.motion_fit import fit_motion
from emo_core.face.mouth import mouth_opening
from emo_core.face.rig import FaceRig, load_rig
from emo_core.files import write_json
from emo_core.media.picture import load_picture
from emo_core.media.video_reader import frames_at, open_source
from emo_core.portrait.mouth import load_network
from emo_core.portrait.prepare import prepare_portrait
from emo_core.portrait.render import PortraitRenderer

from .judge import FaceJudge

DRIVERS = ("talk/grid_strangers/s30_bbac3n.mp4", "talk/research/speaker_60s.mp4")
DRIVEN_SECONDS = 4.0
STEP = 5
"""Every n-th frame is judged."""
STILLS = (("portraits/*", 1), ("stills/us_congress_tests_only/*.jpg", 2))
"""Places, and every n-th of their pictures."""
FILMS = (
    "talk/grid/s30_*.mp4",
    "talk/grid/s31_*.mp4",
    "talk/grid/s34_*.mp4",
    "talk/grid_strangers/*.mp4",
    "talk/research/*.mp4",
)
FILM_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Tools:
    """The parts that every measurement needs."""

    detector: FaceDetector
    rig: FaceRig
    judge: FaceJudge
    network: torch.nn.Module

    def landmarks(self, frame: np.ndarray) -> np.ndarray | None:
        """(478, 3) of the largest face, or None."""
        faces = self.detector.detect(frame)
        return faces[0].landmarks if faces else None


def motion_of_film(path: Path, tools: Tools, seconds: float) -> FaceMotion:
    """The fitted motion of the first seconds."""
    film = watch_film(path, tools.detector, max_seconds=seconds)
    return fit_motion(film.landmarks, tools.rig, size=film.size, fps=film.fps)


def sharpness(picture: np.ndarray, landmarks: np.ndarray) -> float:
    """Variance of the Laplacian in the face without the mouth, which is open in one picture and closed in the other."""
    (left, top), (right, _) = landmarks[:, :2].min(0).astype(int), landmarks[:, :2].max(0).astype(int)
    part = picture[max(0, top) : int(landmarks[164, 1]), max(0, left) : right]
    return float(cv2.Laplacian(cv2.cvtColor(part, cv2.COLOR_RGB2GRAY).astype(np.float32), cv2.CV_32F).var())


def measure_still(path: Path, motions: list[FaceMotion], tools: Tools) -> dict[str, float]:
    """Identity and sharpness of one portrait in motion.

    Raises:
        InputError: if it cannot be a portrait.
    """
    picture = load_picture(path)
    portrait = prepare_portrait(picture, tools.detector, tools.rig)
    renderer = PortraitRenderer(portrait, tools.rig, tools.network)
    still = replace(portrait.crop, size=portrait.size, turns=0).cut(np.rot90(picture, portrait.crop.turns))
    own = tools.judge.embed(still, portrait.landmarks)
    sharp = sharpness(still, portrait.landmarks)
    same, ratio, lost = [], [], 0
    for motion in motions:
        for frame in _every(renderer.frames(motion), STEP):
            points = tools.landmarks(frame)
            if points is None:
                lost += 1
                continue
            same.append(float(tools.judge.embed(frame, points) @ own))
            ratio.append(sharpness(frame, points) / sharp)
    gap = float(portrait.landmarks[14, 1] - portrait.landmarks[13, 1]) / float(np.ptp(portrait.landmarks[:, 1]))
    return {
        "identity": float(np.median(same)),
        "worst": min(same),
        "sharpness": float(np.median(ratio)),
        "lost": lost,
        "gap": gap,
    }


def measure_film(path: Path, tools: Tools) -> dict[str, float]:
    """A film's first frame in the film's own motion, against the film."""
    source = open_source(path)
    frames = list(_first(frames_at(source, source.fps), round(FILM_SECONDS * source.fps)))
    portrait = prepare_portrait(frames[0], tools.detector, tools.rig, size=512)
    motion = motion_of_film(path, tools, FILM_SECONDS).from_frame(0)
    renderer = PortraitRenderer(portrait, tools.rig, tools.network)
    crop, made, true = portrait.crop, [], []
    for frame, drawn in zip(frames, renderer.frames(motion), strict=False):
        true.append(_cut(frame, crop))
        made.append(drawn)
    openings = [[_opening(tools.landmarks(frame)) for frame in clip] for clip in (true, made)]
    a, b = np.array(openings)
    seen = np.isfinite(a) & np.isfinite(b)
    mouth = _mouth_box(portrait.landmarks)
    frozen = [true[0]] * len(made)
    still = _background(portrait.landmarks, portrait.size)
    return {
        "gap_r": float(np.corrcoef(a[seen], b[seen])[0, 1]),
        "slope": float(np.polyfit(a[seen], b[seen], 1)[0]),
        "mouth_psnr": _psnr(true, made, mouth),
        "frozen_psnr": _psnr(true, frozen, mouth),
        "flicker": _change(made, still) / max(_change(true, still), 1e-6),
    }


def _every(frames: Iterator[np.ndarray], step: int) -> Iterator[np.ndarray]:
    return (frame for number, frame in enumerate(frames) if number % step == 0)


def _first(frames: Iterator[tuple[int, np.ndarray]], count: int) -> Iterator[np.ndarray]:
    return (frame for _, (_, frame) in zip(range(count), frames, strict=False))


def _cut(frame: np.ndarray, crop: object) -> np.ndarray:
    part = frame[crop.top : crop.top + crop.side, crop.left : crop.left + crop.side]
    return cv2.resize(part, (crop.size, crop.size), interpolation=cv2.INTER_CUBIC)


def _opening(landmarks: np.ndarray | None) -> float:
    return np.nan if landmarks is None else float(mouth_opening(landmarks[None])[0])


def _mouth_box(landmarks: np.ndarray) -> tuple[slice, slice]:
    x, y = landmarks[[61, 291], :2].mean(0)
    reach = 0.7 * np.linalg.norm(landmarks[61, :2] - landmarks[291, :2])
    return slice(int(y - reach * 0.7), int(y + reach)), slice(int(x - reach), int(x + reach))


def _background(landmarks: np.ndarray, size: int) -> tuple[slice, slice]:
    return slice(0, max(8, int(landmarks[:, 1].min() - 0.25 * size))), slice(0, size)


def _psnr(true: list[np.ndarray], made: list[np.ndarray], box: tuple[slice, slice]) -> float:
    errors = [np.mean((a[box].astype(float) - b[box]) ** 2) for a, b in zip(true, made, strict=True)]
    return float(10 * np.log10(255**2 / np.mean(errors)))


def _change(frames: list[np.ndarray], box: tuple[slice, slice]) -> float:
    steps = itertools.pairwise(frames)
    return float(np.mean([np.abs(a[box].astype(float) - b[box]).mean() for a, b in steps]))


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--judge", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tables", nargs="+", choices=("portraits", "renderer"), default=("portraits", "renderer"))
    args = parser.parse_args()
    tools = Tools(
        make_detector(landmarks=True, quiet=True), load_rig(), FaceJudge(args.judge), load_network(torch.device("cpu"))
    )
    tables: dict[str, dict] = {}
    if "portraits" in args.tables:
        motions = [motion_of_film(args.data / name, tools, DRIVEN_SECONDS) for name in DRIVERS]
        stills = [path for pattern, step in STILLS for path in sorted(args.data.glob(pattern))[::step]]
        tables["portraits"] = _table(stills, lambda path: measure_still(path, motions, tools))
    if "renderer" in args.tables:
        films = [path for pattern in FILMS for path in sorted(args.data.glob(pattern))]
        tables["renderer"] = _table(films, lambda path: measure_film(path, tools))
    args.out.mkdir(parents=True, exist_ok=True)
    write_json(args.out / "portrait.json", tables)


def _table(paths: list[Path], measure: object) -> dict[str, dict[str, float]]:
    rows = {}
    for path in paths:
        try:
            rows[path.name] = measure(path)
        except InputError as error:
            print(f"{path.name}: {error}", flush=True)
            continue
        print(
            f"{path.name:34s}" + "  ".join(f"{name} {value:.3f}" for name, value in rows[path.name].items()), flush=True
        )
    for name in next(iter(rows.values())):
        values = [row[name] for row in rows.values()]
        print(f"{name}: median {np.median(values):.3f}, least {min(values):.3f}, most {max(values):.3f}", flush=True)
    return rows


if __name__ == "__main__":
    main()
