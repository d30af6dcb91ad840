"""The square of the film that shows a person's head and shoulders, placed between pixels.

Places count from the picture's upper left corner, so the middle of the first pixel lies at .5.

Shape legend: F frames, S side of the square, H W picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..face.alignment import Aligned
from ..smoothing import gaussian

RATIO, LEAST_RATIO = 2.2, 1.7
"""Side of the square over the height of the face: head and shoulders, and the least where the picture shows no more."""
MOST_FIT = 0.1
"""Share of the frames whose square may be larger than the picture, where `LEAST_RATIO` allows it."""
PLACE = (0.5, 0.48)
"""Of the face's middle in the square."""
MOVES = 0.11
"""Way of the face's middle from its usual place, in sides, up to which the square stands still."""
GROWS = 0.12
"""The same for its height over the usual one."""
SLOW = (25.0, 12.0, 6.0)
"""Standard deviations in frames of the Gaussian over a square's way; the first one that keeps the head inside."""
PUSHED = 0.3
"""Way that a square is moved from its place to stay in the picture, in sides, at most."""


@dataclass(frozen=True, slots=True)
class SquarePath:
    """A square in each frame of a take."""

    corner: np.ndarray
    """(F, 2) left and top in pixels of the film, not rounded."""
    side: np.ndarray
    """(F,) pixels of the film."""
    size: int
    """S."""

    @property
    def stands_still(self) -> bool:
        """Whether it is the same in all frames."""
        return not np.ptp(self.corner, axis=0).any() and not np.ptp(self.side)

    def inside(self, landmarks: np.ndarray, first: int = 0) -> np.ndarray:
        """Landmarks of frames from `first` on, (n, 478, 3) pixels of the film, in pixels of the squares."""
        rows = slice(first, first + len(landmarks))
        corner = np.pad(self.corner[rows], ((0, 0), (0, 1)))[:, None]
        return (landmarks - corner) * (self.size / self.side[rows])[:, None, None]

    def cut(self, picture: np.ndarray, frame: int) -> np.ndarray:
        """The square of a frame: (H, W, 3) uint8 to (S, S, 3) uint8. Borders of the picture are repeated."""
        import cv2  # Comes with mediapipe.

        scale, (left, top) = self.side[frame] / self.size, self.corner[frame]
        height, width = picture.shape[:2]
        margin = 4 + int(2 * scale)
        x0, x1 = _range(left - margin, left + self.side[frame] + margin, width)
        y0, y1 = _range(top - margin, top + self.side[frame] + margin, height)
        part, shrink = picture[y0:y1, x0:x1], int(scale)
        if shrink > 1:  # A warp reads four pixels for each new one: more are averaged before.
            part = _enlarged(part, shrink)
            part = cv2.resize(part, (part.shape[1] // shrink, part.shape[0] // shrink), interpolation=cv2.INTER_AREA)
            scale /= shrink
        else:
            shrink = 1
        blur = 0.45 * np.sqrt(max(scale**2 - 1, 0))
        if blur > 0.2:
            part = cv2.GaussianBlur(part, (0, 0), blur, borderType=cv2.BORDER_REPLICATE)
        shift = (np.array([left - x0, top - y0]) / shrink) + scale / 2 - 0.5
        matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(part, matrix, (self.size, self.size), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _range(low: float, high: float, length: int) -> tuple[int, int]:
    """The part of a picture's side that is in a range; at least one pixel."""
    first = int(np.clip(np.floor(low), 0, length - 1))
    return first, int(np.clip(np.ceil(high), first + 1, length))


def _enlarged(part: np.ndarray, step: int) -> np.ndarray:
    """Repeat the last row and column up to a multiple of `step`."""
    rows, columns = -part.shape[0] % step, -part.shape[1] % step
    return np.pad(part, ((0, rows), (0, columns), (0, 0)), mode="edge") if rows or columns else part


def face_places(aligned: Aligned, neutral: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Middle (F, 2) and height (F,) of a face in pixels, from its rigid points: neither jaw nor lips move them.

    Args:
        aligned: landmarks of F frames.
        neutral: (478, 3) the person's neutral face.
    """
    middle = (neutral[10] + neutral[152]) / 2 * [0, 1, 0]
    points = aligned.place(np.broadcast_to(middle, (len(aligned.scale), 1, 3)))
    return points[:, 0, :2], aligned.scale * abs(neutral[10, 1] - neutral[152, 1])


def common_ratio(heights: np.ndarray, sizes: np.ndarray) -> float:
    """Side of all takes' squares over the height of the face.

    Args:
        heights: (F,) of the face in pixels.
        sizes: (F, 2) width and height of the pictures.
    """
    return float(np.clip(np.quantile(sizes.min(1) / heights, MOST_FIT), LEAST_RATIO, RATIO))


def plan_squares(
    middle: np.ndarray, height: np.ndarray, ratio: float, *, size: int, picture: tuple[int, int]
) -> SquarePath:
    """Place the square in all frames of a take: still if the head stays inside, else on a slow way.

    Args:
        middle: (F, 2) of the face, pixels.
        height: (F,) of the face, pixels.
        ratio: see `common_ratio`.
        size: S.
        picture: width and height in pixels.
    """
    usual, side = np.median(middle, axis=0), float(np.median(height)) * ratio
    still = np.abs(middle - usual).max() <= MOVES * side and np.abs(height * ratio / side - 1).max() <= GROWS
    centre, sides = np.broadcast_to(usual, middle.shape), np.full(len(middle), side)
    if not still:
        for sigma in SLOW:
            centre = gaussian(middle, min(sigma, len(middle) / 4))
            sides = ratio * gaussian(height[:, None], min(2 * sigma, len(middle) / 4))[:, 0]
            if (np.abs(middle - centre) <= MOVES * sides[:, None]).all():
                break
    corner = centre - sides[:, None] * PLACE
    rest = np.array(picture) - sides[:, None]
    inside = np.clip(corner, np.minimum(rest, 0), np.maximum(rest, 0))
    most = PUSHED * sides[:, None]
    return SquarePath(np.clip(inside, corner - most, corner + most), sides, size)
