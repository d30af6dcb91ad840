"""Observation of a video: faces, sound and picture statistics of every frame. The video is streamed, never held in memory.

Shape legend: F frames, H W picture, K sample frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

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

FACE_SIDE = 64
"""Pixels: side of the face crop whose appearance is compared."""
EYE_CORNERS = (33, 263)
"""Landmarks of the outer eye corners."""
SAMPLE_FRAMES = 8
"""Frames kept for a contact sheet."""
SAMPLE_SIDE = 512
"""Pixels: longest side of a kept frame."""
HAIR_ABOVE, HAIR_BESIDE = 0.6, 0.5
"""Extent of the hair above and beside the face box, in its heights and widths; the background begins behind it."""
MIN_BACKGROUND = 0.02
"""Smallest share of the picture that is used as background."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One video; values of a face are NaN in frames without one."""

    name: str
    path: Path
    fps: float
    size: tuple[int, int]
    """Width and height."""
    landmarks: np.ndarray
    """(F, 478, 2) pixels."""
    blendshapes: np.ndarray
    """(F, 52), or (F, 0) if the face model gives none."""
    loudness: np.ndarray
    """(F,) RMS of the speech band; empty for a video without sound."""
    colour: np.ndarray
    """(F, 3) mean of the picture."""
    fine_detail: np.ndarray
    """(F,) contrast of fine detail in the face."""
    frame_change: np.ndarray
    """(F,) mean absolute difference to the previous frame, 0 .. 255; the first is NaN."""
    flicker: np.ndarray
    """(F,) mean absolute difference to the previous frame in the background; NaN if there is no background."""
    face_crops: np.ndarray
    """(F, FACE_SIDE, FACE_SIDE) float32, grey, mean 0 and standard deviation 1."""
    sample_frames: np.ndarray
    """(K, h, w, 3) uint8, evenly spread, at most SAMPLE_SIDE large."""

    @property
    def frames(self) -> int:
        """F."""
        return len(self.colour)

    @property
    def has_face(self) -> np.ndarray:
        """(F,) bool."""
        return np.isfinite(self.landmarks[:, 0, 0])

    @property
    def opening(self) -> np.ndarray:
        """(F,) mouth opening."""
        return mouth_opening(self.landmarks)

    @property
    def face_centres(self) -> np.ndarray:
        """(F, 2) centre of the face box, as shares of the picture."""
        return (self.landmarks.min(1) + self.landmarks.max(1)) / 2 / np.array(self.size)

    @property
    def head_speed(self) -> np.ndarray:
        """(at most F,) degrees per frame, in runs of frames with a face: no step goes over a gap."""
        runs = np.split(np.arange(self.frames), np.nonzero(np.diff(self.has_face))[0] + 1)
        with_face = [run for run in runs if self.has_face[run[0]] and len(run) > 1]
        speeds = [head_speed(head_poses(self.landmarks[run], self.size)) for run in with_face]
        return np.concatenate([np.zeros(0), *speeds])

    @property
    def normalised_landmarks(self) -> np.ndarray:
        """(F, 478, 2) landmarks without position, size and tilt: identity and expression remain."""
        points = self.landmarks - self.landmarks.mean(1, keepdims=True)
        right, left = EYE_CORNERS
        eyes = points[:, left] - points[:, right]
        turn = np.exp(-1j * np.angle(eyes[:, 0] + 1j * eyes[:, 1]))[:, None]
        flat = (points[..., 0] + 1j * points[..., 1]) * turn
        flat = flat / np.sqrt((np.abs(flat) ** 2).mean(1, keepdims=True))
        return np.stack([flat.real, flat.imag], axis=-1)


class _Frame(NamedTuple):
    """One frame's part of an `Observation`."""

    landmarks: np.ndarray
    blendshapes: np.ndarray | None
    colour: np.ndarray
    fine_detail: float
    frame_change: float
    face_crop: np.ndarray


def observe(path: Path, detector: FaceDetector, fps: float | None = None) -> Observation:
    """Observe every frame of a video.

    Args:
        path: the file.
        detector: one that gives landmarks; of several faces, the first one (the largest) counts.
        fps: frame rate of the observation; None for the video's own.

    Raises:
        InputError: if the video cannot be read.
    """
    source = open_source(path)
    fps = fps or source.fps
    try:
        sound = np.zeros(0, np.float32) if source.sound_start is None else sound_of(source)
        rows, shape = _first_pass(source, fps, detector)
        frames = _Frame(*zip(*rows, strict=True))
        landmarks = np.stack(frames.landmarks)
        flicker, samples = _second_pass(source, fps, background_mask(landmarks, shape), len(rows))
    except (av.FFmpegError, ValueError, IndexError) as error:
        raise InputError(f"video: {path} cannot be read to its end ({error}); copy or generate it again") from error
    return Observation(
        name=path.stem,
        path=path,
        fps=fps,
        size=shape[1::-1],
        landmarks=landmarks,
        blendshapes=_stack_blendshapes(frames.blendshapes),
        loudness=loudness(sound, len(rows), fps) if len(sound) else np.zeros(0),
        colour=np.stack(frames.colour),
        fine_detail=np.stack(frames.fine_detail),
        frame_change=np.stack(frames.frame_change),
        flicker=flicker,
        face_crops=np.stack(frames.face_crop),
        sample_frames=samples,
    )


def background_mask(landmarks: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(H, W) bool: pixels without head, hair or shoulders in any frame, above the chin and beside all face boxes together.

    Args:
        landmarks: (F, 478, 2) pixels, NaN in frames without a face.
        shape: of the picture, height and width first.
    """
    height, width = shape[:2]
    points = landmarks[np.isfinite(landmarks[:, 0, 0])]
    if not len(points):
        return np.zeros((height, width), bool)
    (left, top), (right, bottom) = points.min((0, 1)), points.max((0, 1))
    across, up = HAIR_BESIDE * (right - left), HAIR_ABOVE * (bottom - top)
    background = np.ones((height, width), bool)
    background[max(0, int(bottom)) :] = False  # Neck and shoulders reach from side to side.
    background[max(0, int(top - up)) :, max(0, int(left - across)) : max(0, int(right + across))] = False
    return background


def _first_pass(source: Source, fps: float, detector: FaceDetector) -> tuple[list[_Frame], tuple[int, ...]]:
    """All frames, and the shape of a picture."""
    rows, previous = [], None
    for _, picture in frames_at(source, fps):
        rows.append(_observe_frame(picture, previous, detector))
        previous = picture
    if previous is None:
        raise ValueError("it has no frames")
    return rows, previous.shape


def _observe_frame(picture: np.ndarray, previous: np.ndarray | None, detector: FaceDetector) -> _Frame:
    faces = detector.detect(picture)
    colour = picture.mean((0, 1))
    change = np.nan if previous is None else cv2.absdiff(picture, previous).mean()
    if not faces:
        no_crop = np.full((FACE_SIDE, FACE_SIDE), np.nan, np.float32)
        return _Frame(np.full((478, 2), np.nan), None, colour, np.nan, change, no_crop)
    face = faces[0]
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    pixels = grey[_box_slices(face.box, grey.shape)]
    return _Frame(face.landmarks[:, :2], face.blendshapes, colour, _fine_detail(pixels), change, _face_crop(pixels))


def _second_pass(source: Source, fps: float, background: np.ndarray, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Flicker (F,) and sample frames; the video is decoded again, as background and length are known only after the first pass."""
    picks = np.linspace(0, frames - 1, SAMPLE_FRAMES).round().astype(int)
    flicker, samples, previous = np.full(frames, np.nan), {}, None
    large_enough = background.mean() >= MIN_BACKGROUND
    for number, picture in frames_at(source, fps):
        if number in picks:
            samples[number] = _shrink(picture)
        if previous is not None and large_enough:
            flicker[number] = cv2.absdiff(picture, previous)[background].mean()
        previous = picture
    return flicker, np.stack([samples[pick] for pick in picks])


def _stack_blendshapes(rows: Sequence[np.ndarray | None]) -> np.ndarray:
    """(F, 52), NaN in frames without a face; (F, 0) if no frame has any."""
    width = max(0 if row is None else len(row) for row in rows)
    return np.stack([np.full(width, np.nan) if row is None else row for row in rows])


def _shrink(picture: np.ndarray) -> np.ndarray:
    scale = SAMPLE_SIDE / max(picture.shape[:2])
    return picture if scale >= 1 else cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def _box_slices(box: Box, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns of the box inside the picture, at least one pixel."""
    top, bottom = int(np.clip(box.top, 0, shape[0] - 2)), int(np.clip(box.bottom, 1, shape[0]))
    left, right = int(np.clip(box.left, 0, shape[1] - 2)), int(np.clip(box.right, 1, shape[1]))
    return slice(top, max(bottom, top + 1)), slice(left, max(right, left + 1))


def _fine_detail(grey: np.ndarray) -> float:
    """Standard deviation of the difference to a blurred copy (Gaussian of one pixel)."""
    return float((grey - cv2.GaussianBlur(grey, (0, 0), 1.0)).std())


def _face_crop(grey: np.ndarray) -> np.ndarray:
    small = cv2.resize(grey, (FACE_SIDE, FACE_SIDE), interpolation=cv2.INTER_AREA)
    return ((small - small.mean()) / max(small.std(), 1e-6)).astype(np.float32)
