"""The backward flow of a moving mesh."""

import numpy as np
import torch

from emo_core.portrait.flow import backward_flow


def test_a_thin_triangle_shows_nothing_from_far_away():
    source = np.array([[10.0, 10.0], [30.0, 10.0], [20.0, 30.0], [50.0, 50.0]])
    target = source.copy()
    target[2] = [20.0, 10.01]  # Almost a line: its map sends a pixel beside it 1000 pixels away.
    flow = backward_flow(source, target, np.array([[0, 1, 2]]), 64, torch.device("cpu"))
    middle = torch.arange(64) + 0.5
    moved = (flow - torch.stack(torch.meshgrid(middle, middle, indexing="xy"), dim=-1)).abs()
    assert moved.max() <= 22
