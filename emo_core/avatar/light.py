"""Takes whose colours are not those of the others: another light, or a camera's wrong white balance.

Shape legend: T takes.
"""

import numpy as np

OTHER = 0.2
"""Distance of two colours from which they are different lights, in natural logarithms of red and blue over green. Takes of one
camera and light differ by less than .15; the orange ones of the GRID corpus by .3 or more."""
MOST = 1 / 3
"""Share of the frames in another light up to which they are left out."""


def in_other_light(colours: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Find the takes that are not in the light of most.

    Args:
        colours: (T, 3) mean red, green and blue of the face.
        frames: (T,) length of each.

    Returns:
        (T,) bool.
    """
    levels = np.log(np.maximum(colours, 1.0))
    tints = levels[:, [0, 2]] - levels[:, 1:2]
    apart = np.linalg.norm(tints[:, None] - tints[None], axis=-1)
    most = int(((apart < OTHER / 2) @ frames).argmax())
    usual = np.median(tints[apart[most] < OTHER / 2], axis=0)
    return np.linalg.norm(tints - usual, axis=-1) > OTHER
