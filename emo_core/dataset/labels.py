"""Labels of every frame of a clip, as named columns: boxes, head pose and speed, mouth opening, landmarks, blendshapes.

Shape legend: F frames.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ..face.box import Box
from ..face.crop import Crop
from ..face.framing import Framing
from ..face.landmarks import face_boxes
from ..face.mouth import mouth_boxes, mouth_opening
from ..face.pose import head_poses, head_roll, head_speed, head_yaw

REQUIRED = ("boxes", "mouths", "poses", "speed", "opening")
"""Columns that every clip has, stored as float32."""
HALF = ("landmarks", "blendshapes")
"""Columns that a clip may lack, stored as float16: landmarks are exact to 0.1 pixels in a square of 256."""


FOREHEAD = 0.08
"""Share of the face box's height by which the forehead rises above it: landmarks end below the hairline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Labels of one clip. Boxes are left, top, right, bottom as shares of the square picture's side."""

    boxes: np.ndarray
    """(F, 4) face."""
    mouths: np.ndarray
    """(F, 4) lips."""
    poses: np.ndarray
    """(F, 4, 4) head to camera of the source video; see `face.pose.head_poses`."""
    speed: np.ndarray
    """(F,) degrees between successive frames, smoothed."""
    opening: np.ndarray
    """(F,) distance of the inner lips over the height of the face."""
    landmarks: np.ndarray | None = None
    """(F, 478, 3) MediaPipe's face mesh as shares of the square's side: x right, y down, z away; None if unknown."""
    blendshapes: np.ndarray | None = None
    """(F, 52) MediaPipe's scores of expressions; None if unknown."""
    others: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Columns of other names; they are read, sliced and written like the others."""

    def __len__(self) -> int:
        """F."""
        return len(self.speed)

    def __getitem__(self, frames: slice) -> "Labels":
        """The labels of some frames. A column of another name without a row for every frame stays as it is."""
        named = {name: column[frames] for name, column in self._named().items()}
        others = {
            name: column[frames] if column.shape[:1] == (len(self),) else column for name, column in self.others.items()
        }
        return Labels(**named, others=others)

    @property
    def yaw(self) -> np.ndarray:
        """(F,) degrees that the head is turned: 0 faces the camera, positive to the right of the picture."""
        return head_yaw(self.poses)

    @property
    def roll(self) -> np.ndarray:
        """(F,) degrees that the head is tilted: 0 is upright, positive clockwise."""
        return head_roll(self.poses)

    def to_bytes(self) -> bytes:
        """Write as an .npz."""
        named = {
            name: column.astype(np.float16 if name in HALF else np.float32) for name, column in self._named().items()
        }
        buffer = io.BytesIO()
        np.savez(buffer, **named, **self.others)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> "Labels":
        """Read an .npz that `to_bytes` wrote.

        Raises:
            KeyError, ValueError, OSError: if a column is missing or broken.
        """
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            columns = {name: arrays[name] for name in arrays.files}
        named = {name: columns.pop(name) for name in REQUIRED}
        named |= {name: columns.pop(name) for name in HALF if name in columns}
        return cls(**named, others=columns)

    def _named(self) -> dict[str, np.ndarray]:
        columns = {name: getattr(self, name) for name in (*REQUIRED, *HALF)}
        return {name: column for name, column in columns.items() if column is not None}


def label(landmarks: np.ndarray, frame: tuple[int, int], crop: Crop, blendshapes: np.ndarray | None = None) -> Labels:
    """Label a clip.

    Args:
        landmarks: (F, 478, 3) in pixels of the source video.
        frame: width and height of the source video.
        crop: the square that is stored of it.
        blendshapes: (F, 52), if the detector gives them.
    """
    poses = head_poses(landmarks, frame)
    return Labels(
        boxes=_shares(face_boxes(landmarks), crop),
        mouths=_shares(mouth_boxes(landmarks), crop),
        poses=poses,
        speed=head_speed(poses),
        opening=mouth_opening(landmarks),
        landmarks=((landmarks - np.array([crop.left, crop.top, 0])) / crop.side).astype(np.float16),
        blendshapes=None if blendshapes is None else blendshapes.astype(np.float16),
    )


def square_around(
    boxes: np.ndarray, frame: tuple[int, int], expand: float, size: int, framing: Framing | None = None
) -> Crop:
    """The square that is stored: around the union of the face boxes, expanded, and inside the picture.

    A square that would be larger than the picture gets the picture's shorter side.

    Args:
        boxes: (F, 4) in pixels of the source video.
        frame: its width and height.
        expand: side of the square over the longer side of the union.
        size: pixels of the square that is stored.
        framing: place of the mean face in the square, instead of `expand`: that of a model.
    """
    if framing is None:
        union = Box(*boxes[:, :2].min(0).tolist(), *boxes[:, 2:].max(0).tolist())
        side, face, place = expand * max(union.width, union.height), union, (0.5, 0.5)
    else:
        face = Box(*boxes.mean(0).tolist())
        side, place = face.height / framing.share, framing.centre
    side = min(round(side), *frame)
    left, top = (
        min(max(round(middle - share * side), 0), length - side)
        for middle, share, length in zip(face.centre, place, frame, strict=True)
    )
    return Crop(left, top, side, size)


def face_margin(boxes: np.ndarray, frame: tuple[int, int], crop: Crop) -> float:
    """Smallest distance between the face, with its forehead, and an edge of the square, in all frames.

    Edges of the square on an edge of the picture do not count: there, the source shows no more of the face.

    Args:
        boxes: (F, 4) in pixels of the source video.
        frame: its width and height.
        crop: the square that is stored of it.

    Returns:
        A share of the square's side, negative if a part of the face is cut off; infinity if no edge counts.
    """
    left, top, right, bottom = *boxes[:, :2].min(0).tolist(), *boxes[:, 2:].max(0).tolist()
    top -= FOREHEAD * (boxes[:, 3] - boxes[:, 1]).max()
    far = crop.left + crop.side, crop.top + crop.side
    distances = [
        (crop.left > 0, left - crop.left),
        (crop.top > 0, top - crop.top),
        (far[0] < frame[0], far[0] - right),
        (far[1] < frame[1], far[1] - bottom),
    ]
    return min((distance / crop.side for inside, distance in distances if inside), default=float("inf"))


def _shares(boxes: np.ndarray, crop: Crop) -> np.ndarray:
    return (boxes - np.array([crop.left, crop.top] * 2)) / crop.side
