"""What the mouth's network reads and how its output becomes a picture: the same in training and in use.

Shape legend: B pictures, P side of the patch, K curves of the mouth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..face.coefficients import MOUTH
from ..face.motion import FaceMotion
from .unet import SOUND

DEGREES, SHIFTS = 15.0, 0.3
"""Size of a rotation and of a translation that is 1 to the network."""
CAUTIOUS, COPYING = 2.0, 3.0
"""Taken from the cover outside the spoken region before its sigmoid, and added to the share of the real mouth: an untrained
network copies that, and leaves the base around."""
MOUTHS = slice(4, 7)
"""Channels of the real mouths in the network's inputs."""


@dataclass(frozen=True, slots=True)
class Drawings:
    """The pictures that a network reads for B patches, as bytes."""

    edges: np.ndarray
    """(B, 4, P, P) uint8 of the target, see `edges.MOUTH_CHANNELS`."""
    mouths: np.ndarray
    """(B, P, P, 3) uint8 real mouths, bent to the target's points."""
    mouth_edges: np.ndarray
    """(B, 2, P, P) uint8 lips and inner mouth of them before."""
    bases: np.ndarray
    """(B, P, P, 3) uint8 that are drawn over."""
    regions: np.ndarray
    """(B, P, P) float32, see `patches.spoken_region`: what is hidden of the bases."""


def to_network(drawings: Drawings, device: torch.device | str = "cpu") -> tuple[Tensor, Tensor, Tensor]:
    """Inputs (B, 13, P, P) of the network, bases (B, 3, P, P) in -1 .. 1, and regions (B, 1, P, P)."""
    edges, mouth_edges = (
        torch.from_numpy(part).to(device).float() / 255 for part in (drawings.edges, drawings.mouth_edges)
    )
    mouths, bases = (as_tensor(part, device) for part in (drawings.mouths, drawings.bases))
    regions = torch.from_numpy(drawings.regions).to(device)[:, None]
    return torch.cat([edges, mouths, mouth_edges, bases * (1 - regions), regions], dim=1), bases, regions


def as_tensor(pictures: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
    """(B, P, P, 3) uint8 to (B, 3, P, P) float32 in -1 .. 1."""
    return torch.from_numpy(pictures).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1


def controls_of(motion: FaceMotion, pose: FaceMotion, codes: np.ndarray | None) -> np.ndarray:
    """What steers the network.

    Args:
        motion: B frames, whose mouth is wanted.
        pose: B frames, whose head the base shows.
        codes: (B, 128) of the sound; None for none.

    Returns:
        (B, CONTROLS) float32.
    """
    codes = np.zeros((len(motion), SOUND), np.float32) if codes is None else np.asarray(codes, np.float32)
    spread = codes.std(1, keepdims=True)
    codes = np.where(spread > 0, (codes - codes.mean(1, keepdims=True)) / np.maximum(spread, 1e-6), 0)
    parts = [motion.curves(MOUTH), pose.rotation / DEGREES, pose.translation / SHIFTS, codes]
    return np.concatenate(parts, axis=1).astype(np.float32)


def composed(output: Tensor, inputs: Tensor, bases: Tensor, windows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Make the picture of the network's output: the real mouth as far as it shows through, corrected, laid over the base.

    Args:
        output: (B, OUTPUTS, P, P) of the network.
        inputs: (B, INPUTS, P, P) that it read.
        bases: (B, 3, P, P) in -1 .. 1.
        windows: (P, P), see `patches.window`: on its border the base is all that shows.

    Returns:
        Pictures (B, 3, P, P), what is drawn alone (B, 3, P, P), and its cover (B, 1, P, P) 0 .. 1.
    """
    colours, copy, cover = output.split([3, 1, 1], dim=1)
    drawn = colours + (copy + COPYING).sigmoid() * inputs[:, MOUTHS]
    regions = inputs[:, -1:]  # There the base never shows: it would have two mouths.
    cover = regions + (windows - regions).clamp(min=0) * (cover - CAUTIOUS).sigmoid()
    return bases + cover * (drawn - bases), drawn, cover


def steps(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Differences of neighbouring pixels across and down, (B, 3, P, P) each, the last one 0."""
    across = functional.pad(pictures[..., :, 1:] - pictures[..., :, :-1], (0, 1))
    return across, functional.pad(pictures[..., 1:, :] - pictures[..., :-1, :], (0, 0, 0, 1))
