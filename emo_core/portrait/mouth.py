"""The inside of one portrait's mouth, in every frame.

Shape legend: F frames, S side of the picture.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .layers import Window
from .mouth_colours import OwnTeeth, mouth_colours, own_teeth
from .mouth_geometry import HEIGHT, UPPER, WIDTH, lip_descriptor, patch_transform
from .mouth_interior import MouthInterior, load_mouth

MOUTH_INTERIOR = Path(__file__).resolve().parents[2] / "models" / "mouth-interior.safetensors"
OUTLINE = (*UPPER, 324, 318, 402, 317, 14, 87, 178, 88, 95)
"""Inner lips around the opening."""


@dataclass(frozen=True, slots=True)
class MouthFrames:
    """Pictures of the inside of a mouth."""

    patches: Tensor
    """(F, 3, H, W) 0 .. 1."""
    to_patch: np.ndarray
    """(F, 2, 3) from pixels of the frame to pixels of the patch."""


class PortraitMouth:
    """Draws the inside of one portrait's mouth, with the portrait's own upper teeth where it shows them."""

    def __init__(self, picture: np.ndarray, landmarks: np.ndarray, skull: np.ndarray, network: MouthInterior) -> None:
        """Measure the portrait's colours and teeth.

        Args:
            picture: (S, S, 3) uint8.
            landmarks: (478, 3) of the still, in its pixels.
            skull: (478, 3) the same person's neutral face in the still's pose.
            network: that draws what the still does not show.
        """
        self._network = network
        device = next(network.parameters()).device
        teeth = own_teeth(picture, landmarks, skull)
        self._colours = mouth_colours(picture, landmarks, teeth).to(device)
        self._teeth = None if teeth is None else OwnTeeth(teeth.patch.to(device), teeth.mask.to(device))

    @torch.no_grad()
    def draw(self, face: np.ndarray, skull: np.ndarray) -> MouthFrames:
        """Draw frames.

        Args:
            face: (F, 478, 3) points of the frames, in pixels.
            skull: (F, 478, 3) the neutral face with each frame's pose.
        """
        face, skull = (torch.from_numpy(part[..., :2].astype(np.float32)) for part in (face, skull))
        lips = lip_descriptor(face, skull).to(self._colours.device)
        patches = self._network(lips, self._colours)
        if self._teeth is not None:
            patches = torch.lerp(patches, self._teeth.patch, self._teeth.mask)
        return MouthFrames(patches, _inverse(patch_transform(skull).double().numpy()))

    @staticmethod
    def lay(frame: Tensor, mouths: MouthFrames, number: int, face: np.ndarray) -> None:
        """Put the mouth of a frame into it (3, S, S), 0 .. 255, in place; `face` (478, 3) are its points."""
        window = Window.of(face[list(OUTLINE), :2], frame.shape[-1])
        if window is None:
            return
        matrix, (x, y) = mouths.to_patch[number], window.pixels
        places = np.stack([matrix[axis, 0] * x + matrix[axis, 1] * y + matrix[axis, 2] for axis in (0, 1)], axis=-1)
        grid = torch.from_numpy((places * (2 / np.array([WIDTH, HEIGHT])) - 1).astype(np.float32)).to(frame.device)
        patch = mouths.patches[number : number + 1]
        picture = functional.grid_sample(patch, grid[None], align_corners=False, padding_mode="border")[0]
        window.lay(frame, picture * 255)


def load_network(device: torch.device, path: Path = MOUTH_INTERIOR) -> MouthInterior:
    """The network that the pack brings."""
    return load_mouth(path).requires_grad_(False).to(device)


def _inverse(maps: np.ndarray) -> np.ndarray:
    """(F, 2, 3) affine maps, turned around."""
    turn = np.linalg.inv(maps[:, :, :2])
    return np.concatenate([turn, -turn @ maps[:, :, 2:]], axis=2)
