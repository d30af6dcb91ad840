"""Face region: where the face may be (paper section 3.2, "Face Locator").

Value: (B, 1, S, S) mask in [0, 1], S the side that the Face Locator takes. It is added to the latents as a map.
"""

import argparse

import numpy as np
import torch
from torch import Tensor, nn

from ...face.box import Box
from ...face.crop import Crop
from ...face.detect import Face
from ...face.region import fit_mask, region_mask
from ...face.selection import RegionRequest
from ..config import EMOConfig
from ..models.attention import Layers
from ..models.face_locator import FaceLocator
from ..sampling.clips import Clip
from .condition import AddOption, Condition, Scene
from .drawing import Draw


class FaceRegionCondition(Condition):
    """A mask on the picture that the model animates."""

    name = "face_region"
    module_name = "face_locator"

    def add_options(self, add: AddOption) -> None:
        add(
            "--face-region",
            default="auto",
            help="auto, none (anywhere), the face as x,y,w,h in pixels, or a mask picture (default: auto)",
        )
        add("--expand", type=float, default=1.1, help="face region over face box; a larger one allows more motion (default: 1.1)")  # fmt: skip
        add("--face-index", type=int, help="which face of several, 0 is the largest")

    def read_options(self, args: argparse.Namespace) -> RegionRequest:
        return RegionRequest.parse(args.face_region, expand=args.expand, face_index=args.face_index)

    def prepare(self, request: RegionRequest, scene: Scene) -> Tensor:
        mask = face_mask(scene.face, scene.crop, request, scene.config.image_size)
        return fit_mask(mask, scene.config.mask_size)

    def at_clip(self, value: Tensor, clip: Clip, config: EMOConfig, device: torch.device, dtype: torch.dtype) -> Tensor:
        return value[None, None].to(device, dtype)

    def draw(self, draw: Draw) -> Tensor:
        """The union of the clip's face boxes, in half of the samples larger, sometimes the whole picture."""
        count, chance = len(draw.clip), draw.chance
        low, high = draw.clips.boxes[draw.clip].split(2, dim=1)
        grow = chance.uniform(count, 4) * draw.stage.mask_grow * chance.happens(count, 0.5)[:, None]
        low, high = low - grow[:, :2] * (high - low), high + grow[:, 2:] * (high - low)
        masks = box_masks(torch.cat([low, high], 1), draw.config.mask_size)
        white = chance.happens(count, draw.stage.white_mask)
        return torch.where(white[:, None, None], torch.ones_like(masks), masks)[:, None]

    def build(self, config: EMOConfig, ops: Layers) -> nn.Module:
        return FaceLocator(config.locator_widths, config.unet.widths[0], channels=config.locator_channels, ops=ops)

    def added_map(self, features: Tensor) -> Tensor:
        return features


def face_mask(face: Face | None, crop: Crop, request: RegionRequest, size: int) -> Tensor:
    """The face region in the model's picture (size, size): the expanded face box, the given mask, or white."""
    if request.mask is not None:
        square = crop.cut(np.repeat(np.uint8(request.mask * 255)[..., None], 3, axis=-1))
        return torch.tensor(square)[..., 0] / 255
    region: Box | None = None if face is None else crop.inside(face.box).expand(request.expand)
    return region_mask(region, size, size)


def box_masks(boxes: Tensor, size: int) -> Tensor:
    """Boxes (B, 4), as shares of the picture's side, to masks (B, size, size): the covered share of each cell.

    The same numbers as `region_mask` draws for one box.
    """
    cells = torch.arange(size, dtype=boxes.dtype, device=boxes.device)
    left, top, right, bottom = (boxes * size)[..., None].unbind(1)
    rows, columns = (
        (torch.minimum(cells + 1, high) - torch.maximum(cells, low)).clamp(0, 1)
        for low, high in ((top, bottom), (left, right))
    )
    return rows[:, :, None] * columns[:, None, :]
