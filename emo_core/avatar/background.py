"""Another background behind an avatar: a colour, or none.

Shape legend: F frames, S side of the square.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import ImageColor

from ..errors import InputError

OWN, TRANSPARENT = "own", "transparent"


@dataclass(frozen=True, slots=True)
class Background:
    """That of a video."""

    kind: str = OWN
    """`own`, `transparent`, or `colour`."""
    colour: tuple[int, int, int] = (0, 0, 0)
    """RGB."""

    @classmethod
    def parse(cls, text: str) -> Background:
        """Read `own`, `transparent`, or a colour: a name such as green, or #00b140.

        Raises:
            InputError: if it is none of these.
        """
        plain = text.strip().lower()
        if plain in (OWN, TRANSPARENT):
            return cls(plain)
        try:
            return cls("colour", ImageColor.getrgb(plain)[:3])
        except ValueError:
            raise InputError(
                f"background: got {text!r}; expected own, transparent, or a colour such as green or #00b140"
            ) from None

    @property
    def replaced(self) -> bool:
        """Whether the person must be told from the background."""
        return self.kind != OWN


def behind(frames: np.ndarray, masks: np.ndarray, background: Background) -> np.ndarray:
    """Put a background behind the person.

    Args:
        frames: (F, S, S, 3) uint8.
        masks: (F, S, S) float32, 1 for the person.
        background: a colour or transparent.

    Returns:
        (F, S, S, 3) uint8 over the colour, or (F, S, S, 4) with the mask as alpha.
    """
    if background.kind == TRANSPARENT:
        alpha = np.round(masks[..., None] * 255).astype(np.uint8)
        return np.concatenate([frames, alpha], axis=-1)
    share = masks[..., None]
    over = frames * share + np.array(background.colour, np.float32) * (1 - share)
    return np.round(over).clip(0, 255).astype(np.uint8)
