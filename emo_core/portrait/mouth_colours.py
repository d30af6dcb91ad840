"""Light and colours of a portrait's mouth, and the teeth that it shows itself.

Shape legend: h x w the portrait, P 478 points, H x W the patch of `mouth_geometry`.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .mouth_geometry import (
    HEIGHT,
    WIDTH,
    cut_patches,
    lip_descriptor,
    lip_edges,
    lip_mask,
    patch_axes,
    patch_transform,
)

COLOURS = 9
"""Numbers of `mouth_colours`: red, green, blue of skin, of flesh (lips and tongue), of white teeth."""
LUMA = (0.299, 0.587, 0.114)
SKIN = (205, 425, 50, 280, 36, 266, 187, 411)
"""Landmarks on the cheeks beside the mouth."""
LIPS = (15, 16, 85, 86, 315, 316, 11, 12, 72, 302)
"""Landmarks on the red of the lips."""
REACH = 0.05
"""Radius of a sample over the width of the mouth."""
TEETH = 1.1
"""Brightness of the brightest teeth over that of the white of the eye. In films and photographs of 57 people teeth have the
colour of the white of the eye, whatever the light and the skin: slope 1.0 from one's log chroma to the other's."""
EYES = ((33, 160, 158, 133, 153, 144, 468, 469), (362, 385, 387, 263, 373, 380, 473, 474))
"""Outline of each eye, middle of its iris, a point on the iris' edge."""
BRIGHTEST = 0.6
"""The white of an eye is measured in its pixels above this quantile of brightness."""
FEWEST_WHITE = 6
"""Pixels below which an eye is too small or too closed to say anything."""
DULL, CLEAR = 0.45, 0.75
"""Brightness of the white of the eye over the skin's below which it is not believed, and from which it is."""
WARMTH = 0.3
"""Share of the skin's colour that teeth take where the eyes say nothing."""
LOWEST, HIGHEST, LIMIT = 0.6, 2.2, 0.92
"""Bounds of the brightness of teeth: over the skin's, and at all."""
PLAIN_FLESH, PLAIN_SHARE = (1.05, 0.74, 0.74), 0.35
"""Flesh over skin, and its share beside the colour of the lips, so that lipstick does not paint the tongue."""
GLOSSY = 0.85
"""Own teeth are as white as their pixels above this quantile of brightness."""
OPEN_SHARE = 0.05
"""Lip gap over the width of the mouth from which a portrait may show its own teeth."""
FEWEST = 0.15
"""Share of the gap that teeth must fill."""
CROWN = 0.24
"""Longest visible crown of upper teeth, in the patch's unit."""


def mouth_colours(
    image: np.ndarray | Tensor, landmarks: np.ndarray | Tensor, teeth: "OwnTeeth | None" = None
) -> Tensor:
    """Colours of a portrait for `MouthInterior`.

    Args:
        image: (h, w, 3) uint8.
        landmarks: (P, 2 or 3) in pixels.
        teeth: the portrait's own, whose white is then taken.

    Returns:
        (COLOURS,) in 0 .. 1: skin, flesh, white of the teeth.
    """
    image, points = _tensor(image), _tensor(landmarks)[:, :2].float()
    radius = REACH * float((points[61] - points[291]).norm())
    skin = _sample(image, points[list(SKIN)], radius)
    lips = _sample(image, points[list(LIPS)], 0.5 * radius)
    flesh = (1 - PLAIN_SHARE) * lips + PLAIN_SHARE * skin * skin.new_tensor(PLAIN_FLESH) * (_luma(lips) / _luma(skin))
    white = _teeth_white(image, points, skin) if teeth is None else teeth.white
    return torch.cat([skin, _greyed(flesh, skin), white.to(skin)]).clamp(0, 1)


def _greyed(flesh: Tensor, skin: Tensor) -> Tensor:
    """Flesh as colourful as the skin lets expect: grey on a statue."""
    colourful = (skin / _luma(skin) - 1).norm() / 0.35
    share = colourful.clamp(0, 1)
    return share * flesh + (1 - share) * _luma(flesh) * skin / _luma(skin)


def _teeth_white(image: Tensor, points: Tensor, skin: Tensor) -> Tensor:
    """The colour of the eyes' white, if it is seen; else that of the skin, much paler."""
    skin_luma = _luma(skin)
    pale = 1 + WARMTH * (skin / skin_luma - 1)
    guess = skin_luma * pale / _luma(pale)
    eyes = [white for eye in EYES if (white := _eye_white(image, points, eye)) is not None]
    if eyes:
        seen = torch.stack(eyes).mean(0)
        trust = ((_luma(seen) / skin_luma - DULL) / (CLEAR - DULL)).clamp(0, 1)
        guess = trust * TEETH * seen + (1 - trust) * guess
    luma = _luma(guess)
    return guess / luma * luma.clamp(LOWEST * skin_luma, HIGHEST * skin_luma).clamp(max=LIMIT)


def _eye_white(image: Tensor, points: Tensor, eye: tuple[int, ...]) -> Tensor | None:
    """Colour of the bright pixels of an eye outside its iris."""
    outline, iris, edge = points[list(eye[:6])], points[eye[6]], points[eye[7]]
    height, width = image.shape[:2]
    low = outline.amin(0).floor().long().clamp(min=0).tolist()
    high = outline.amax(0).ceil().long().tolist()
    part = image[low[1] : min(high[1], height), low[0] : min(high[0], width)]
    if part.numel() == 0:
        return None
    ys, xs = torch.meshgrid(
        torch.arange(part.shape[0]) + low[1] + 0.5, torch.arange(part.shape[1]) + low[0] + 0.5, indexing="ij"
    )
    places = torch.stack([xs, ys], dim=-1)
    sides = outline.roll(-1, 0) - outline
    away = places[..., None, :] - outline
    turns = sides[:, 0] * away[..., 1] - sides[:, 1] * away[..., 0]
    inside = (turns >= 0).all(-1) & ((places - iris).norm(dim=-1) > 1.15 * (iris - edge).norm())
    colours = part[inside].float() / 255
    if len(colours) < FEWEST_WHITE:
        return None
    luma = _luma(colours)
    return colours[luma >= luma.quantile(BRIGHTEST)].median(0).values


def _tensor(values: np.ndarray | Tensor) -> Tensor:
    """A copy, because arrays of pictures may be read-only."""
    return values if isinstance(values, Tensor) else torch.from_numpy(np.array(values))


def _luma(colour: Tensor) -> Tensor:
    return (colour * colour.new_tensor(LUMA)).sum(-1).clamp(min=0.02)


def _sample(image: Tensor, points: Tensor, radius: float) -> Tensor:
    """Median colour of squares around points; those outside the picture are left out."""
    height, width = image.shape[:2]
    reach = max(1, round(radius))
    squares = []
    for x, y in points.round().long().tolist():
        square = image[max(0, y - reach) : max(0, y + reach + 1), max(0, x - reach) : max(0, x + reach + 1)]
        if 0 <= x < width and 0 <= y < height:
            squares.append(square.reshape(-1, 3))
    if not squares:
        return torch.full((3,), 0.5)
    return torch.cat(squares).float().median(0).values / 255


@dataclass(frozen=True, slots=True)
class OwnTeeth:
    """A portrait's own upper teeth, which are rigid with the skull."""

    patch: Tensor
    """(3, H, W) in 0 .. 1."""
    mask: Tensor
    """(1, H, W): 1 where teeth are seen, with a soft edge."""

    @property
    def white(self) -> Tensor:
        """(3,) colour of the bright ones."""
        colours = self.patch[:, self.mask[0] > 0.5].T
        if len(colours) < FEWEST_WHITE:
            colours = self.patch[:, self.mask[0] >= self.mask.max()].T
        luma = _luma(colours)
        return colours[luma >= luma.quantile(GLOSSY)].mean(0)


def own_teeth(
    image: np.ndarray | Tensor, landmarks: np.ndarray | Tensor, skull: np.ndarray | Tensor | None = None
) -> OwnTeeth | None:
    """The upper teeth that a portrait shows.

    Args:
        image: (h, w, 3) uint8.
        landmarks: (P, 2 or 3) in pixels.
        skull: (P, 2 or 3), the neutral face under the portrait's pose; None if the portrait's face is neutral.

    Returns:
        the teeth, or None if the lips are closed or no teeth are between them.
    """
    points = _tensor(landmarks)[None, :, :2].float()
    skull = points if skull is None else _tensor(skull)[None, :, :2].float()
    gap = (points[0, 13] - points[0, 14]).norm() / (points[0, 61] - points[0, 291]).norm()
    if float(gap) < OPEN_SHARE:
        return None
    picture = _tensor(image).permute(2, 0, 1)[None].float() / 255
    transform, lips = patch_transform(skull), lip_descriptor(points, skull)
    patch = cut_patches(picture, transform)[0]
    inside = lip_mask(lips, grow=-0.01)[0]
    white = _whiteness(patch, mouth_colours(image, points[0]), inside) * inside
    white = _first_row(white) * _crown(lips)
    if float(white.sum()) < FEWEST * float(inside.sum()):
        return None
    soft = functional.avg_pool2d(white[None], 5, 1, 2)[0]
    return OwnTeeth(patch, (2 * soft - 0.6).clamp(0, 1) * inside)


def _whiteness(patch: Tensor, colours: Tensor, inside: Tensor) -> Tensor:
    """(1, H, W): how much a pixel is a tooth: brighter than the gap's dark, and less red than flesh."""
    luma = _luma(patch.permute(1, 2, 0))[None]
    flesh = colours[3:6]
    red = (patch[0] - patch[1:].mean(0))[None] / luma
    flesh_red = (flesh[0] - flesh[1:].mean()) / _luma(flesh)
    seen = luma[inside > 0.5]
    low, high = torch.quantile(seen, 0.1), torch.quantile(seen, 0.95)
    high = torch.maximum(high, 0.7 * _luma(colours[6:]))
    bright = ((luma - low) / (high - low).clamp(min=0.05) * 4 - 1.4).clamp(0, 1)
    pale = torch.ones_like(red) if flesh_red < 0.15 else ((0.8 * flesh_red - red) / (0.3 * flesh_red)).clamp(0, 1)
    return bright * pale


def _first_row(white: Tensor) -> Tensor:
    """Without the teeth below the first dark gap of each column: those are of the lower jaw."""
    begun = white.cummax(dim=1).values
    ended = ((begun > 0.6) & (white < 0.25)).float().cummax(dim=1).values
    return white * (1 - ended)


def _crown(lips: Tensor) -> Tensor:
    """(1, H, W): 1 as far below the upper lip as crowns reach."""
    xs, ys = patch_axes(WIDTH, HEIGHT, lips)
    upper, _ = lip_edges(lips, xs)
    return ((CROWN - (ys[:, None] - upper[:, None])) / 0.02).clamp(0, 1)
