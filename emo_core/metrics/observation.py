"""What is seen and heard in one video, frame by frame, in a stream: no video need fit into memory.

Shape legend: F frames, H W picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np

from ..errors import InputError
from ..face.box import Box
from ..face.detect import FaceDetector
from ..face.mouth import mouth_opening
from ..face.pose import head_poses, head_speed
from ..media.video_reader import Source, frames_at, open_source, sound_of
from .lip_sync import loudness

FACE = 64
"""Side of the small picture of the face by which its appearance is compared."""
LIDS = (9, 10)
"""Blendshapes eyeBlinkLeft and eyeBlinkRight."""
SHEET = 8
"""Frames kept for the contact sheet."""
SHEET_SIDE = 512
ABOVE, BESIDE = 0.6, 0.5
"""Hair reaches so far from the face box, in its heights and widths; what lies farther, and not below the chin, is background."""
ROOM = 0.02
"""Share of the picture from which there is a background at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """One video; NaN where no face was found."""

    name: str
    path: Path
    fps: float
    size: tuple[int, int]
    """Width and height."""
    landmarks: np.ndarray
    """(F, 478, 2) pixels."""
    blendshapes: np.ndarray
    """(F, 52), or (F, 0) where the face model gives none."""
    loud: np.ndarray
    """(F,) RMS of the speech band; empty for a video without sound."""
    colour: np.ndarray
    """(F, 3) mean of the picture."""
    fine: np.ndarray
    """(F,) energy of fine detail in the face, by its contrast."""
    change: np.ndarray
    """(F,) mean absolute difference to the frame before, 0 .. 255; the first is NaN."""
    flicker: np.ndarray
    """(F,) the same in the background, where no head or shoulder is in any frame; NaN where there is none."""
    faces: np.ndarray
    """(F, FACE, FACE) float32, grey, mean 0 and spread 1."""
    sheet: np.ndarray
    """(SHEET, h, w, 3) uint8, evenly spread, at most SHEET_SIDE large."""

    @property
    def frames(self) -> int:
        """F."""
        return len(self.colour)

    @property
    def found(self) -> np.ndarray:
        """(F,) whether there is a face."""
        return np.isfinite(self.landmarks[:, 0, 0])

    @property
    def opening(self) -> np.ndarray:
        """(F,) mouth opening."""
        return mouth_opening(self.landmarks)

    @property
    def centres(self) -> np.ndarray:
        """(F, 2) middle of the face box, as shares of the picture."""
        return (self.landmarks.min(1) + self.landmarks.max(1)) / 2 / np.array(self.size)

    @property
    def speed(self) -> np.ndarray:
        """(at most F,) degrees per frame, within runs of frames with a face: across a gap nothing is known."""
        runs = np.split(np.arange(self.frames), np.nonzero(np.diff(self.found))[0] + 1)
        known = [run for run in runs if self.found[run[0]] and len(run) > 1]
        speeds = [head_speed(head_poses(self.landmarks[run], self.size)) for run in known]
        return np.concatenate([np.zeros(0), *speeds])

    @property
    def shape(self) -> np.ndarray:
        """(F, 478, 2) landmarks without place, size and tilt: what is left is whose face it is, and its expression."""
        points = self.landmarks - self.landmarks.mean(1, keepdims=True)
        eyes = points[:, 263] - points[:, 33]
        turn = np.exp(-1j * np.angle(eyes[:, 0] + 1j * eyes[:, 1]))[:, None]
        flat = (points[..., 0] + 1j * points[..., 1]) * turn
        flat = flat / np.sqrt((np.abs(flat) ** 2).mean(1, keepdims=True))
        return np.stack([flat.real, flat.imag], axis=-1)


def observe(path: Path, detector: FaceDetector, fps: float | None = None) -> Observed:
    """Watch a video.

    Args:
        path: the file.
        detector: one that gives landmarks; of several faces, the largest counts.
        fps: rate to watch it at; None for its own.

    Raises:
        InputError: where it cannot be read.
    """
    source = open_source(path)
    fps = fps or source.fps
    try:
        sound = np.zeros(0, np.float32) if source.sound_start is None else sound_of(source)
        rows, before = [], None
        for _, picture in frames_at(source, fps):
            rows.append(_frame(picture, before, detector))
            before = picture
        if before is None:
            raise ValueError("it has no frames")
        landmarks, blendshapes, *columns = zip(*rows, strict=True)
        landmarks = np.stack(landmarks)
        flicker, sheet = _again(source, fps, background(landmarks, before.shape), len(rows))
        loud = loudness(sound, len(rows), fps) if len(sound) else np.zeros(0)
    except (av.FFmpegError, ValueError, IndexError) as error:
        raise InputError(f"video: {path} cannot be read to its end ({error}); make it again") from error
    colour, fine, change, faces = map(np.stack, columns)
    return Observed(
        name=path.stem,
        path=path,
        fps=fps,
        size=before.shape[1::-1],
        landmarks=landmarks,
        blendshapes=_blendshapes(blendshapes),
        loud=loud,
        colour=colour,
        fine=fine,
        change=change,
        flicker=flicker,
        faces=faces,
        sheet=sheet,
    )


def _blendshapes(rows: Sequence[np.ndarray | None]) -> np.ndarray:
    """(F, 52), NaN where there was no face; (F, 0) where there are none at all."""
    width = max(0 if row is None else len(row) for row in rows)
    return np.stack([np.full(width, np.nan) if row is None else row for row in rows])


def background(landmarks: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(H, W) where no head, hair or shoulder is in any frame: above the chin, and beside all face boxes together.

    Args:
        landmarks: (F, 478, 2) pixels, NaN where no face was found.
        shape: height and width first.
    """
    height, width = shape[:2]
    known = landmarks[np.isfinite(landmarks[:, 0, 0])]
    if not len(known):
        return np.zeros((height, width), bool)
    (left, top), (right, bottom) = known.min((0, 1)), known.max((0, 1))
    across, down = BESIDE * (right - left), ABOVE * (bottom - top)
    free = np.ones((height, width), bool)
    free[max(0, int(bottom)) :] = False  # Neck and shoulders reach from side to side.
    free[max(0, int(top - down)) :, max(0, int(left - across)) : max(0, int(right + across))] = False
    return free


def _again(source: Source, fps: float, free: np.ndarray, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Flicker (F,) and the frames to be kept; decoded once more, as only now the background and the length are known."""
    picks = np.linspace(0, frames - 1, SHEET).round().astype(int)
    flicker, kept, before = np.full(frames, np.nan), {}, None
    for number, picture in frames_at(source, fps):
        if number in picks:
            kept[number] = _small(picture)
        if before is not None and free.mean() >= ROOM:
            flicker[number] = cv2.absdiff(picture, before)[free].mean()
        before = picture
    return flicker, np.stack([kept[pick] for pick in picks])


def _small(picture: np.ndarray) -> np.ndarray:
    scale = SHEET_SIDE / max(picture.shape[:2])
    return picture if scale >= 1 else cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def _frame(picture: np.ndarray, before: np.ndarray | None, detector: FaceDetector) -> tuple:
    found = detector.detect(picture)
    change = np.nan if before is None else np.abs(cv2.absdiff(picture, before)).mean()
    if not found:
        nothing = np.full((478, 2), np.nan)
        return nothing, None, picture.mean((0, 1)), np.nan, change, np.full((FACE, FACE), np.nan, np.float32)
    face, box = found[0], found[0].box
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    fine = _fine(grey[_inside(box, grey.shape)])
    return face.landmarks[:, :2], face.blendshapes, picture.mean((0, 1)), fine, change, _face(grey, box)


def _inside(box: Box, shape: tuple[int, ...]) -> tuple[slice, slice]:
    top, bottom = int(np.clip(box.top, 0, shape[0] - 2)), int(np.clip(box.bottom, 1, shape[0]))
    left, right = int(np.clip(box.left, 0, shape[1] - 2)), int(np.clip(box.right, 1, shape[1]))
    return slice(top, max(bottom, top + 1)), slice(left, max(right, left + 1))


def _fine(grey: np.ndarray) -> float:
    """Standard deviation of what a blur of one pixel takes away."""
    return float((grey - cv2.GaussianBlur(grey, (0, 0), 1.0)).std())


def _face(grey: np.ndarray, box: Box) -> np.ndarray:
    small = cv2.resize(grey[_inside(box, grey.shape)], (FACE, FACE), interpolation=cv2.INTER_AREA)
    return ((small - small.mean()) / max(small.std(), 1e-6)).astype(np.float32)
