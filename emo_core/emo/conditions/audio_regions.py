"""Audio regions: where the audio acts on the picture, for models whose audio layers have a head for each region (Hallo).

Value: `AudioRegions` with maps (B, F, 3, h, w) per level of the UNet: all but the face (pose), the face, the lips.

Shape legend: B clips, F frames, S side of the drawn maps.
"""

import argparse
from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange, repeat
from PIL import Image, ImageFilter
from torch import Tensor

from ...errors import InputError
from ...face.box import Box
from ...face.crop import Crop
from ...face.detect import Face
from ...face.mouth import mouth_boxes
from ..config import EMOConfig
from ..models.backbone import BackboneSite
from ..models.peers.hallo import Regions
from ..sampling.clips import Clip
from .condition import AddOption, Condition, Scene

SIDE = 64
"""S: Hallo's maps are drawn and blurred at this size."""
FACE_BLUR, LIP_BLUR = 8.0, 5.0
"""Pixels: the Gaussians that OpenCV makes of Hallo's kernels of 51 and 31."""
EXPAND = 1.2
"""Hallo's region over face box."""
MAX_WEIGHT = 10.0
"""Of the audio in a region."""
LIPS_IN_FACE = (0.31, 0.70, 0.67, 0.80)
"""Left, top, right, bottom of the lips in a face box without landmarks: medians over twelve portraits (MediaPipe)."""


@dataclass(frozen=True, slots=True)
class AudioRegions:
    """Maps and the strength of the audio in each region."""

    maps: tuple[Tensor, ...]
    """One (3, S, S) for a video; for a clip, (B, F, 3, h, w) per level of the UNet, finest first."""
    weights: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Of pose, face and lips."""


class AudioRegionsCondition(Condition):
    """The regions of head, face and lips."""

    name = "audio_regions"

    def add_options(self, add: AddOption) -> None:
        add("--region-weights", type=_weights, default=(1.0, 1.0, 1.0), metavar="POSE,FACE,LIP",
            help="how strongly the voice moves head, face and lips, for models with audio regions (Hallo; default: 1,1,1)")  # fmt: skip

    def read_options(self, args: argparse.Namespace) -> tuple[float, float, float]:
        return args.region_weights

    def check(self, request: tuple[float, float, float] | None, config: EMOConfig) -> None:
        if request is not None and not all(0 <= weight <= MAX_WEIGHT for weight in request):  # NaN is not.
            raise InputError(f"region weights: got {request}; expected three numbers of 0 .. {MAX_WEIGHT:g}")
        if request not in (None, (1.0, 1.0, 1.0)) and not self.in_use(config):
            raise InputError(f"region weights: {config.name} has no audio regions; leave them out")

    def prepare(self, request: tuple[float, float, float] | None, scene: Scene) -> AudioRegions:
        maps = regions_of_mask(torch.ones(SIDE, SIDE)) if scene.face is None else face_regions(scene.face, scene.crop)
        return AudioRegions((maps,), request or (1.0, 1.0, 1.0))

    def at_clip(
        self, value: AudioRegions, clip: Clip, config: EMOConfig, device: torch.device, dtype: torch.dtype
    ) -> AudioRegions:
        levels = at_levels(value.maps[0].cpu(), config.latent_size, len(config.unet.widths))
        maps = (repeat(m.to(device, dtype), "r h w -> 1 f r h w", f=config.temporal.frames) for m in levels)
        return AudioRegions(tuple(maps), value.weights)

    def missing(self, reference: Tensor, config: EMOConfig) -> AudioRegions:
        """The face is the whole picture."""
        levels = at_levels(regions_of_mask(torch.ones(SIDE, SIDE)), config.latent_size, len(config.unet.widths))
        shape = {"b": len(reference), "f": config.temporal.frames}
        return AudioRegions(tuple(repeat(m.to(reference), "r h w -> b f r h w", **shape) for m in levels))

    def in_use(self, config: EMOConfig) -> bool:
        return config.block.audio == "regions"

    def without(self, encoder: None, features: AudioRegions) -> AudioRegions:
        return features

    def at_site(self, site: BackboneSite, features: AudioRegions) -> Regions | None:
        if site.regions is None:
            return None
        return Regions(rearrange(features.maps[site.level], "b f r h w -> (b f) r (h w)"), features.weights)


def _weights(text: str) -> tuple[float, float, float]:
    try:
        pose, face, lip = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"got {text!r}; expected three numbers such as 1,1,1.2") from None
    return pose, face, lip


def face_regions(face: Face, crop: Crop) -> Tensor:
    """Draw a face's regions.

    Args:
        face: in the picture's pixels.
        crop: the square that the model animates.

    Returns:
        (3, S, S) in [0, 1]: all but the face, the face without the lips, the lips.
    """
    whole = _map(crop.inside(face.box).expand(EXPAND), crop.size, FACE_BLUR)
    lips = np.minimum(_map(crop.inside(_lips(face)).expand(EXPAND), crop.size, LIP_BLUR), whole)
    return torch.tensor(np.stack([1 - whole, whole - lips, lips]))


def regions_of_mask(mask: Tensor) -> Tensor:
    """Regions if only the face region (H, W) is known: none of it is lips."""
    face = torch.nn.functional.interpolate(mask[None, None].float(), (SIDE, SIDE), mode="area")[0, 0]
    return torch.stack([1 - face, face, torch.zeros_like(face)])


def at_levels(regions: Tensor, latent: int, levels: int) -> tuple[Tensor, ...]:
    """(3, S, S) for every level of the UNet, finest first: (3, latent / 2^level, same)."""
    sides = [max(latent >> level, 1) for level in range(levels)]
    return tuple(torch.nn.functional.interpolate(regions[None], (side, side), mode="area")[0] for side in sides)


def _lips(face: Face) -> Box:
    if face.landmarks is not None:
        left, top, right, bottom = mouth_boxes(face.landmarks[None])[0]
        return Box(float(left), float(top), float(right), float(bottom))
    left, top, right, bottom = LIPS_IN_FACE
    box = face.box
    return Box(
        box.left + left * box.width,
        box.top + top * box.height,
        box.left + right * box.width,
        box.top + bottom * box.height,
    )


def _map(box: Box, picture: int, blur: float) -> np.ndarray:
    scale, drawn = SIDE / picture, Image.new("L", (SIDE, SIDE))
    left, top, right, bottom = (round(value * scale) for value in (box.left, box.top, box.right, box.bottom))
    drawn.paste(255, (max(left, 0), max(top, 0), max(right, 0), max(bottom, 0)))
    return np.asarray(drawn.filter(ImageFilter.GaussianBlur(blur)), np.float32) / 255
