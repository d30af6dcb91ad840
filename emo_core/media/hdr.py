"""HDR film (HLG and PQ, ITU-R BT.2100) as the SDR pictures that models know.

Shape legend: H W picture.
"""

import functools

import numpy as np
from einops import einsum

HLG, PQ = 18, 16
"""Transfer curves by their numbers in H.273."""
BT2020 = 9
"""H.273 number of the colours."""
WHITE = 100.0
"""Nits of SDR's white. Darker light keeps its nits; HDR film holds paper white at about 203 nits, which is compressed below white."""
PEAK, GAMMA = 1000.0, 1.2
"""Nits of the screen that HLG is defined for, and its system gamma."""
KNEE = 0.5
"""Share of white from which highlights are compressed."""
SDR_GAMMA = 2.4
"""Of a screen for BT.709 (ITU-R BT.1886)."""
TO_BT709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], dtype=np.float32
)
"""Linear BT.2020 to linear BT.709 (ITU-R BT.2087)."""
LUMINANCE = np.array([0.2627, 0.6780, 0.0593], dtype=np.float32)
"""Of BT.2020."""
CODES = 2**16


def to_sdr(picture: np.ndarray, curve: int) -> np.ndarray:
    """Tone-map a picture.

    Args:
        picture: (H, W, 3) uint16 RGB of full range, in BT.2020.
        curve: `HLG` or `PQ`.

    Returns:
        (H, W, 3) uint8 RGB in BT.709.
    """
    light = _linear(curve)[picture]
    if curve == HLG:
        # The display's own gamma acts on luminance, so that hues stay (BT.2100, table 5).
        luminance = einsum(light, LUMINANCE, "h w c, c -> h w")
        light *= (np.maximum(luminance, 1e-6) ** (GAMMA - 1) * (PEAK / WHITE))[..., None]
    light = einsum(light, TO_BT709, "h w c, d c -> h w d")
    return _encoded()[(_compressed(np.maximum(light, 0)) * (CODES - 1)).astype(np.uint16)]


def _compressed(light: np.ndarray) -> np.ndarray:
    """Light over white to 0 .. 1: equal up to the knee, and smooth above."""
    above = np.maximum(light - KNEE, 0) / (1 - KNEE)
    return np.minimum(light, KNEE) + (1 - KNEE) * (1 - np.exp(-above))


@functools.cache
def _linear(curve: int) -> np.ndarray:
    """(CODES,) float32: HLG's scene light, or PQ's display light over white."""
    code = np.linspace(0, 1, CODES)
    if curve == HLG:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        return np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12).astype(np.float32)
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    root = code ** (1 / m2)
    nits = 10_000 * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)
    return (nits / WHITE).astype(np.float32)


@functools.cache
def _encoded() -> np.ndarray:
    """(CODES,) uint8: linear light to BT.709's code."""
    return (np.linspace(0, 1, CODES) ** (1 / SDR_GAMMA) * 255).round().astype(np.uint8)
