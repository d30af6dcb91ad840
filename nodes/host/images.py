"""The host's IMAGE and MASK as arrays, and back."""

import numpy as np
import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional

BLACK_LEVEL = 0.05
"""A mask that is nowhere lighter counts as not painted."""


def to_uint8(image: Tensor) -> np.ndarray:
    """IMAGE (B, H, W, C) in [0, 1] to (B, H, W, 3) uint8, without the alpha channel.

    Pictures are converted one by one, so that a long batch is never held as floats twice.
    """
    pictures = torch.empty(image[..., :3].shape, dtype=torch.uint8)
    for target, source in zip(pictures, image, strict=True):
        target.copy_((source[..., :3].float().cpu() * 255).round().clamp(0, 255))
    return pictures.numpy()


def to_image(pictures: np.ndarray) -> Tensor:
    """Pictures (B, H, W, 3) uint8 to IMAGE, as Load Image does."""
    return torch.from_numpy(pictures.astype(np.float32) / 255)


def is_painted(mask: Tensor) -> bool:
    """Whether a mask is lighter than black anywhere."""
    return bool((mask > BLACK_LEVEL).any())


def usable_mask(mask: Tensor | None, size: tuple[int, int]) -> np.ndarray | None:
    """The union of a MASK (B, h, w), scaled to height and width `size` and to a maximum of 1; None if it is black or None.

    Load Image gives 64 x 64 zeros for a picture without alpha channel, and nearly zeros for an almost opaque one.
    """
    if mask is None or not is_painted(mask):
        return None
    union = rearrange(mask.float().cpu().reshape(-1, *mask.shape[-2:]).amax(0), "h w -> 1 1 h w")
    if union.shape[-2:] != size:
        union = functional.interpolate(union, size, mode="bilinear")
    return (union[0, 0] / union.max()).clamp(0, 1).numpy()
