"""The 51 movements drawn by hand as smooth offsets of the mean face's points.

A drawing is what the rig starts from: where films show a movement, they correct it; where none does, it stays.
Units: the distance of the outer eye corners; x right, y up, z to the camera. The person's left is on the right.
"""

from dataclasses import dataclass

import numpy as np

from emo_core.face import mesh_points as mesh
from emo_core.face.coefficients import NAMES, mirrored

LOWER_FACE_MIDDLE = (*mesh.INNER_LIPS_LOWER, 15, 16, 17, 18, 200, 199, 175, 152)
LIP_CENTRE = -0.72
"""Height of the closed lips' line."""


@dataclass(frozen=True, slots=True)
class Canvas:
    """The mean face that movements are drawn on."""

    mean: np.ndarray
    """(478, 3)"""
    mirror: np.ndarray
    """(478,) the point on the other side of the face."""

    def near(self, points: tuple[int, ...], radius: float, *, depth: float = 1.0) -> np.ndarray:
        """(478,) weights: 1 at the given points, falling as a Gaussian of `radius` with the distance to the nearest."""
        scale = np.array([1, 1, depth])
        distance = np.linalg.norm((self.mean[:, None] - self.mean[None, list(points)]) * scale, axis=-1).min(1)
        return np.exp(-0.5 * (distance / radius) ** 2)

    def side(self, softness: float = 0.08) -> np.ndarray:
        """(478,) 1 on the person's left, 0 on the right, one half in the middle."""
        return 1 / (1 + np.exp(-self.mean[:, 0] / softness * 2))

    def lower_lip(self) -> np.ndarray:
        """(478,) 1 for the lower lip and all that moves with the jaw below it, 0 above the line of the lips."""
        x, y = np.abs(self.mean[:, 0]), self.mean[:, 1]
        below = np.clip((LIP_CENTRE + 0.25 * np.clip(x - 0.2, 0, 1) - y) / 0.06 + 0.5, 0, 1)
        below[list(mesh.INNER_LIPS_LOWER[1:-1])] = 1
        for ring in ((77, 90, 180, 85, 16, 315, 404, 320, 307), (96, 89, 179, 86, 15, 316, 403, 319, 325)):
            below[list(ring)] = 1
        below[list(mesh.OUTER_LIPS_LOWER[1:-1])] = 1
        for ring in (mesh.INNER_LIPS_UPPER, mesh.OUTER_LIPS_UPPER):
            below[list(ring)] = 0
        for ring in (
            (76, 184, 74, 73, 72, 11, 302, 303, 304, 408, 306),
            (62, 183, 42, 41, 38, 12, 268, 271, 272, 407, 292),
        ):
            below[list(ring)] = 0
        return below


def draw_all(canvas: Canvas) -> np.ndarray:
    """(51, 478, 3): each movement at 1."""
    left = {**_eye(canvas), **_mouth_sides(canvas), **_rest(canvas)}
    drawn = {**_middle(canvas), **left}
    for name, offsets in left.items():
        drawn[mirrored(name)] = offsets[canvas.mirror] * [-1, 1, 1]
    return np.stack([drawn[name] for name in NAMES])


def _move(weights: np.ndarray, x: float = 0, y: float = 0, z: float = 0) -> np.ndarray:
    return weights[:, None] * np.array([x, y, z])


def _jaw_turn(canvas: Canvas, degrees: float) -> np.ndarray:
    """The mandible turns around the line through both ears' front; skin above the lips does not follow."""
    hinge = np.array([0, -0.05, -0.75])
    offset = canvas.mean - hinge
    angle = np.deg2rad(degrees)
    y = offset[:, 1] * np.cos(angle) - offset[:, 2] * np.sin(angle)
    z = offset[:, 1] * np.sin(angle) + offset[:, 2] * np.cos(angle)
    moved = np.stack([canvas.mean[:, 0], y + hinge[1], z + hinge[2]], axis=1) - canvas.mean
    cheek = np.clip((-0.35 - canvas.mean[:, 1]) / 0.6, 0, 1) * np.clip(np.abs(canvas.mean[:, 0]) / 0.5, 0, 1) * 0.75
    return moved * np.maximum(canvas.lower_lip(), cheek)[:, None]


def _middle(canvas: Canvas) -> dict[str, np.ndarray]:
    low = canvas.lower_lip()
    lips = canvas.near(
        (*mesh.OUTER_LIPS_UPPER, *mesh.OUTER_LIPS_LOWER, *mesh.INNER_LIPS_UPPER, *mesh.INNER_LIPS_LOWER), 0.10
    )
    upper = canvas.near(mesh.INNER_LIPS_UPPER[2:-2], 0.12) * (1 - low)
    lower = canvas.near(mesh.INNER_LIPS_LOWER[2:-2], 0.12) * low
    jaw = low * np.clip((-0.5 - canvas.mean[:, 1]) / 0.3, 0, 1)
    x = canvas.mean[:, 0]
    jaw_open = _jaw_turn(canvas, 18)
    gap = jaw_open[14, 1]
    brow = canvas.near((55, 285, 107, 336, 9), 0.14)
    return {
        "jawOpen": jaw_open,
        "jawForward": _move(jaw, z=0.14, y=-0.01),
        "mouthClose": _move(canvas.near(mesh.INNER_LIPS_LOWER[1:-1], 0.14) * low, y=-0.75 * gap, z=0.03)
        + _move(canvas.near(mesh.INNER_LIPS_UPPER[1:-1], 0.12) * (1 - low), y=0.22 * gap),
        "mouthFunnel": np.stack([-0.30 * x, 0.07 * (upper - lower) / 0.9, 0.10 * np.ones_like(x)], axis=1)
        * lips[:, None],
        "mouthPucker": np.stack([-0.42 * x, 0.0 * x, 0.13 * np.ones_like(x)], axis=1) * lips[:, None],
        "mouthRollLower": _move(canvas.near(mesh.OUTER_LIPS_LOWER[2:-2], 0.05) * low, y=0.06, z=-0.06),
        "mouthRollUpper": _move(canvas.near(mesh.OUTER_LIPS_UPPER[2:-2], 0.05) * (1 - low), y=-0.05, z=-0.05),
        "mouthShrugLower": _move(canvas.near((17, 18, 200, 14), 0.16) * low, y=0.07, z=0.02),
        "mouthShrugUpper": _move(canvas.near((0, 13, 164), 0.14) * (1 - low), y=0.06, z=0.01),
        "browInnerUp": _move(brow, y=0.13),
        "cheekPuff": _puff(canvas),
    }


def _puff(canvas: Canvas) -> np.ndarray:
    cheeks = canvas.near((187, 205, 206, 411, 425, 426), 0.17)
    outward = np.sign(canvas.mean[:, 0]) * np.clip(np.abs(canvas.mean[:, 0]) / 0.3, 0, 1)
    return np.stack([0.07 * outward, 0 * outward, 0.10 * np.ones_like(outward)], axis=1) * cheeks[:, None]


def _eye(canvas: Canvas) -> dict[str, np.ndarray]:
    """The person's left eye."""
    upper_ids, lower_ids = mesh.LEFT_LID_UPPER[1:-1], mesh.LEFT_LID_LOWER[1:-1]
    mean = canvas.mean
    eye = canvas.side() * (1 - canvas.near((*mesh.LEFT_BROW,), 0.05))
    eye[list(mesh.LEFT_IRIS)] = 0
    not_upper = np.ones(len(mean))
    not_upper[list(mesh.LEFT_LID_LOWER)] = 0
    not_lower = np.ones(len(mean))
    not_lower[list(mesh.LEFT_LID_UPPER)] = 0
    above = (mean[:, 1] > 0.075) * not_upper
    upper = canvas.near(upper_ids, 0.035) * eye * np.maximum(above, 0) * not_upper
    lower = canvas.near(lower_ids, 0.05) * eye * (mean[:, 1] < 0.075) * not_lower
    height = _opening(mean, upper_ids, lower_ids)
    blink = np.zeros_like(mean)
    blink[:, 1] = -upper * height * 0.88 + lower * height * 0.12
    blink[:, 2] = upper * 0.01
    iris = np.zeros(len(mean))
    iris[list(mesh.LEFT_IRIS)] = 1
    return {
        "eyeBlinkLeft": blink,
        "eyeWideLeft": _move(upper, y=0.035) + _move(lower, y=-0.008),
        "eyeSquintLeft": _move(lower, y=0.035)
        + _move(upper, y=-0.012)
        + _move(canvas.near((347, 348, 346), 0.10) * eye, y=0.02),
        "eyeLookDownLeft": _move(iris, y=-0.050) + _move(upper, y=-0.040) + _move(lower, y=-0.008),
        "eyeLookUpLeft": _move(iris, y=0.050) + _move(upper, y=0.022) + _move(lower, y=0.006),
        "eyeLookInLeft": _move(iris, x=-0.065),
        "eyeLookOutLeft": _move(iris, x=0.065),
        "cheekSquintLeft": _move(canvas.near((280, 347, 330), 0.16) * eye * not_lower, y=0.07, z=0.02)
        + _move(lower, y=0.022),
    }


def _opening(mean: np.ndarray, upper: tuple[int, ...], lower: tuple[int, ...]) -> np.ndarray:
    """(478,) height of the eye's opening at each point's x."""
    x, order = mean[list(upper), 0], np.argsort(mean[list(upper), 0])
    gaps = mean[list(upper), 1] - mean[list(lower), 1]
    return np.interp(mean[:, 0], x[order], gaps[order])


def _mouth_sides(canvas: Canvas) -> dict[str, np.ndarray]:
    """Movements of the mouth's left half."""
    side, low, mean = canvas.side(0.10), canvas.lower_lip(), canvas.mean
    corner = canvas.near((291, 308, 306, 292), 0.13, depth=0.6) * side
    cheek = canvas.near((280, 425, 411), 0.18, depth=0.6) * side
    upper = canvas.near((312, 311, 310, 269, 270, 267), 0.09) * (1 - low) * side
    lower = canvas.near((317, 402, 318, 405, 321, 314), 0.09) * low * side
    lips = canvas.near(
        (*mesh.OUTER_LIPS_UPPER, *mesh.OUTER_LIPS_LOWER, *mesh.INNER_LIPS_UPPER, *mesh.INNER_LIPS_LOWER), 0.12
    )
    jaw = np.maximum(low, 0.6 * canvas.near((152, 148, 377, 176, 400), 0.35)) * np.clip(
        (-0.45 - mean[:, 1]) / 0.35, 0, 1
    )
    jaw = jaw * np.clip(1.35 - np.abs(mean[:, 0]) / 0.5, 0, 1)
    return {
        "mouthSmileLeft": _move(corner, x=0.085, y=0.10, z=-0.05) + _move(cheek, y=0.045, z=0.025),
        "mouthFrownLeft": _move(corner, x=0.01, y=-0.085, z=-0.01),
        "mouthDimpleLeft": _move(corner, x=0.05, y=0.012, z=-0.04),
        "mouthStretchLeft": _move(corner, x=0.075, y=-0.045, z=-0.03),
        "mouthPressLeft": _move(upper, y=-0.012, z=-0.012)
        + _move(lower, y=0.020, z=-0.012)
        + _move(corner, x=0.01, y=0.012),
        "mouthLowerDownLeft": _move(lower, x=0.01, y=-0.075, z=-0.01),
        "mouthUpperUpLeft": _move(upper, x=0.005, y=0.065, z=0.0) + _move(canvas.near((358, 423), 0.10) * side, y=0.02),
        "mouthLeft": _move(lips, x=0.10, z=-0.01) + _move(canvas.near((152, 175, 199), 0.2) * low, x=0.02),
        "jawLeft": _move(jaw, x=0.10),
    }


def _rest(canvas: Canvas) -> dict[str, np.ndarray]:
    """The left brow and the left of the nose."""
    side = canvas.side(0.06)
    outer = canvas.near((276, 283, 300, 293), 0.12) * side
    inner = canvas.near((285, 336, 295), 0.12) * side
    wing = canvas.near((358, 278, 344, 279), 0.08) * side
    return {
        "browDownLeft": _move(inner, x=-0.03, y=-0.085) + _move(outer, y=-0.045),
        "browOuterUpLeft": _move(outer, y=0.11) + _move(inner, y=0.02),
        "noseSneerLeft": _move(wing, x=0.012, y=0.055)
        + _move(canvas.near((437, 355), 0.08) * side, y=0.03, z=0.015)
        + _move(canvas.near((269, 270, 267), 0.07) * (1 - canvas.lower_lip()) * side, y=0.035),
    }
