"""Looks of the face detector's training pictures: backgrounds, light, colour, paint, blur, noise.

All pictures are (H, W, 3) uint8.
"""

from collections.abc import Callable

import cv2
import numpy as np

Look = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def background(rng: np.random.Generator, size: int) -> np.ndarray:
    """A synthetic scene: a gradient, shapes, lines and cloudy noise, sharp or blurred."""
    corners = rng.integers(0, 256, (2, 2, 3)).astype(np.float32)
    if rng.random() < 0.5:
        corners = corners.mean(-1, keepdims=True) + 0.25 * (corners - corners.mean(-1, keepdims=True))
    picture = cv2.resize(corners, (size, size), interpolation=cv2.INTER_LINEAR)
    picture = np.ascontiguousarray(np.clip(picture * rng.uniform(0.2, 1.1), 0, 255).astype(np.uint8))
    for _ in range(rng.integers(0, 2) * rng.integers(0, 24)):
        _shape(picture, rng)
    if rng.random() < 0.4:
        _stripes(picture, rng)
    if rng.random() < 0.6:
        picture = _clouds(picture, rng)
    if rng.random() < 0.5:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.5, 8))
    return picture


def _shape(picture: np.ndarray, rng: np.random.Generator) -> None:
    size = picture.shape[0]
    colour = tuple(int(value) for value in _colour(rng))
    centre = tuple(int(value) for value in rng.integers(0, size, 2))
    radius = int(size * rng.uniform(0.02, 0.3))
    thick = -1 if rng.random() < 0.7 else int(rng.integers(1, 6))
    kind = rng.integers(4)
    if kind == 0:
        radii = (radius, max(1, int(radius * rng.uniform(0.4, 1.6))))
        cv2.ellipse(picture, centre, radii, rng.uniform(0, 180), 0, 360, colour, thick, cv2.LINE_AA)
    elif kind == 1:
        cv2.rectangle(
            picture, centre, (centre[0] + radius, centre[1] + int(radius * rng.uniform(0.2, 3))), colour, thick
        )
    elif kind == 2:
        points = np.array(centre) + rng.integers(-radius - 1, radius + 2, (int(rng.integers(3, 8)), 2))
        cv2.fillPoly(picture, [points.astype(np.int32)], colour, cv2.LINE_AA)
    else:
        stop = tuple(int(value) for value in rng.integers(0, size, 2))
        cv2.line(picture, centre, stop, colour, int(rng.integers(1, 8)), cv2.LINE_AA)


def _colour(rng: np.random.Generator) -> np.ndarray:
    """Any colour; often that of skin, hair or wood, which must not be enough to make a face."""
    if rng.random() < 0.4:
        return np.array([255, 190, 150]) * rng.uniform(0.15, 1)
    return rng.integers(0, 256, 3)


def _stripes(picture: np.ndarray, rng: np.random.Generator) -> None:
    size = picture.shape[0]
    step, angle = rng.uniform(4, 40), rng.uniform(0, np.pi)
    y, x = np.mgrid[0:size, 0:size]
    wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / step) > rng.uniform(-0.8, 0.8)
    left, top = rng.integers(-size // 2, size // 2, 2)
    wave &= (x > left) & (y > top) & (x < left + size * 0.8) & (y < top + size * 0.8)
    picture[wave] = picture[wave] * 0.3 + 0.7 * _colour(rng)


def _clouds(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    size, channels = picture.shape[0], 1 if rng.random() < 0.6 else 3
    total = np.zeros((size, size, channels), np.float32)
    for octave in range(int(rng.integers(2, 7))):
        side = 2 ** (octave + 1)
        noise = rng.standard_normal((side, side, channels)).astype(np.float32)
        total += cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC).reshape(total.shape) * 0.7**octave
    return np.clip(picture + total * rng.uniform(3, 45), 0, 255).astype(np.uint8)


def recolour(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Change exposure, contrast, colour cast, saturation and hue."""
    levels = 255 * (np.arange(256) / 255) ** np.exp(rng.normal(0, 0.28))
    picture = cv2.LUT(picture, np.round(levels).astype(np.uint8))
    saturation = rng.uniform(0, 1.6) if rng.random() < 0.8 else 0.0
    change = np.full((3, 3), (1 - saturation) / 3) + saturation * np.eye(3)
    if rng.random() < 0.5:
        mix = np.eye(3) + rng.normal(0, 0.13, (3, 3))
        change = mix / mix.sum(1, keepdims=True) @ change
    middle, contrast = picture.mean(), rng.uniform(0.6, 1.4)
    shift = np.full((3, 1), middle * (rng.uniform(0.65, 1.25) - contrast))
    cast = np.exp(rng.normal(0, 0.12, (3, 1)))
    return cv2.transform(picture, cast * np.hstack([contrast * change, shift]))


def mix(under: np.ndarray, over: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Lay one picture, or one colour (3,), over another; `share` is (H, W), 0 .. 1, of the upper one."""
    share = share.astype(np.float32)[..., None]
    return (under * (1 - share) + over.astype(np.float32) * share).astype(np.uint8)


def light(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Light from a side, or a dark edge around the picture."""
    size, angle = picture.shape[0], rng.uniform(0, 2 * np.pi)
    line = np.linspace(-1, 1, size, dtype=np.float32)
    ramp = line[None] * np.float32(np.cos(angle)) + line[:, None] * np.float32(np.sin(angle))
    gain = 1 + ramp * np.float32(rng.uniform(0.1, 0.8))
    if rng.random() < 0.3:
        gain = gain * (1 - np.float32(rng.uniform(0, 0.6)) * (line[None] ** 2 + line[:, None] ** 2) / 2)
    return np.clip(picture * gain[..., None], 0, 255).astype(np.uint8)


def finish(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random choice of looks, in the order in which a real picture would get them."""
    for chance, look in _LOOKS:
        if rng.random() < chance:
            picture = look(picture, rng)
    return picture


def _stylise(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return cv2.stylization(picture, sigma_s=float(rng.uniform(5, 40)), sigma_r=float(rng.uniform(0.1, 0.5)))


def _smooth(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Paint or plastic: flat inside, sharp at edges."""
    if rng.random() < 0.5:
        return cv2.medianBlur(picture, int(rng.choice([3, 5, 7])))
    return cv2.bilateralFilter(picture, 5, float(rng.uniform(20, 90)), float(rng.uniform(2, 6)))


def _posterise(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    levels = rng.integers(3, 10)
    return (np.round(picture / 255 * levels) * (255 / levels)).astype(np.uint8)


def _emboss(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Relief, as of stone or metal, mixed with the picture's grey."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    relief = 128 + rng.uniform(1, 4) * (
        cv2.GaussianBlur(grey, (0, 0), 0.8) - cv2.GaussianBlur(grey, (0, 0), rng.uniform(2, 6))
    )
    mixed = rng.uniform(0.2, 0.8) * relief + (1 - rng.uniform(0.2, 0.8)) * grey
    tint = rng.uniform(0.6, 1.2, 3)
    return np.clip(mixed[..., None] * tint, 0, 255).astype(np.uint8)


def _outline(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Dark lines along edges, as in a drawing."""
    grey = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (0, 0), rng.uniform(0.5, 1.2))
    edge = np.abs(cv2.Laplacian(grey, cv2.CV_32F, ksize=3)) * rng.uniform(0.01, 0.04)
    return (picture * (1 - np.clip(edge, 0, 0.9))[..., None]).astype(np.uint8)


def _sharpen(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return cv2.addWeighted(picture, 2.0, cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.8, 2)), -1.0, 0)


def _grey(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Black and white, or one tint."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    tint = np.ones(3) if rng.random() < 0.6 else rng.uniform(0.7, 1.1, 3)
    return np.clip(grey[..., None] * tint, 0, 255).astype(np.uint8)


def _blur(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    if rng.random() < 0.3:
        length = int(rng.integers(2, 7))
        return cv2.blur(picture, (length, 1) if rng.random() < 0.5 else (1, length))
    return cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 1.6))


def _noise(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    channels = 1 if rng.random() < 0.5 else 3
    shape = (*picture.shape[:2], channels)
    noise = rng.standard_normal(shape, dtype=np.float32) * np.float32(rng.uniform(1, 18))
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def _jpeg(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    packed = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 80))])[1]
    return cv2.imdecode(packed, cv2.IMREAD_COLOR)


_LOOKS: tuple[tuple[float, Look], ...] = (
    (0.3, light),
    (0.05, _stylise),
    (0.15, _smooth),
    (0.06, _outline),
    (0.6, recolour),
    (0.07, _emboss),
    (0.12, _grey),
    (0.06, _posterise),
    (0.12, _sharpen),
    (0.25, _blur),
    (0.3, _noise),
    (0.2, _jpeg),
)
