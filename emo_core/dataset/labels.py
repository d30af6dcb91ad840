"""What is known of every frame of a clip: face box, mouth box, head pose, head speed, mouth opening.

Shape legend: F frames.
"""

import io
from dataclasses import dataclass, fields

import numpy as np

from ..face.box import Box
from ..face.crop import Crop
from ..face.landmarks import face_boxes
from ..face.mouth import mouth_boxes, mouth_opening
from ..face.pose import head_poses, head_speed, head_yaw


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Labels of one clip; boxes are left, top, right, bottom as shares of the square picture's side."""

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

    @property
    def yaw(self) -> np.ndarray:
        """(F,) degrees that the head is turned: 0 faces the camera, positive to the right of the picture."""
        return head_yaw(self.poses)

    def to_bytes(self) -> bytes:
        """Write as an .npz."""
        buffer = io.BytesIO()
        np.savez(buffer, **{field.name: getattr(self, field.name).astype(np.float32) for field in fields(self)})
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> "Labels":
        """Read what `to_bytes` wrote."""
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return cls(**{field.name: arrays[field.name] for field in fields(cls)})


def label(landmarks: np.ndarray, frame: tuple[int, int], crop: Crop) -> Labels:
    """Label a clip.

    Args:
        landmarks: (F, 478, 2 or 3) in pixels of the source video.
        frame: width and height of the source video.
        crop: the square that is kept of it.
    """
    poses = head_poses(landmarks, frame)
    return Labels(
        boxes=_shares(face_boxes(landmarks), crop),
        mouths=_shares(mouth_boxes(landmarks), crop),
        poses=poses,
        speed=head_speed(poses),
        opening=mouth_opening(landmarks),
    )


def square_around(boxes: np.ndarray, frame: tuple[int, int], expand: float, size: int) -> Crop:
    """The square that is kept: around the union of the face boxes, expanded, inside the picture where it fits.

    Args:
        boxes: (F, 4) in pixels of the source video.
        frame: its width and height.
        expand: side of the square over the longer side of the union.
        size: pixels of the square that is stored.
    """
    union = Box(*boxes[:, :2].min(0), *boxes[:, 2:].max(0))
    side = min(round(expand * max(union.width, union.height)), *frame)
    left, top = (
        min(max(round(middle - side / 2), 0), length - side) for middle, length in zip(union.centre, frame, strict=True)
    )
    return Crop(left, top, side, size)


def _shares(boxes: np.ndarray, crop: Crop) -> np.ndarray:
    return (boxes - np.array([crop.left, crop.top] * 2)) / crop.side
