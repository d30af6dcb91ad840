"""A sheet of mouths to look at while a network learns: true, drawn, and copied from the nearest real one.

Shape legend: P side of the patch.
"""

from __future__ import annotations

import numpy as np
import torch

from .inputs import composed, to_network
from .patches import window
from .render_data import MouthFilm
from .unet import MouthNet

COLUMNS = 8
"""Mouths, from all openings, the widest one last."""


@torch.no_grad()
def preview_sheet(net: MouthNet, film: MouthFilm, frames: np.ndarray | None = None) -> np.ndarray:
    """Three rows of patches: the film, what the network draws over another frame, and the real mouths it is given.

    Args:
        net: in eval mode.
        film: of the person.
        frames: numbers to show; None for some of all openings.

    Returns:
        (3 P, COLUMNS P, 3) uint8.
    """
    frames = film.examples(COLUMNS) if frames is None else frames
    bases = film.other_bases(frames)
    group = film.group(frames, bases, film.path[frames], film.moved_points(frames, bases))
    device = next(net.parameters()).device
    inputs, bases, _ = to_network(group.drawings, device)
    output = net(inputs, torch.from_numpy(group.controls).to(device)).float()
    drawn, _, _ = composed(output, inputs, bases, torch.from_numpy(window(film.size)).to(device))
    drawn = ((drawn.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    rows = (group.targets, drawn, np.stack([film.patches[frame] for frame in film.path[frames]]))
    return np.concatenate([np.concatenate(list(row), axis=1) for row in rows])
