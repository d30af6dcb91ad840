"""Drawn faces with the landmarks that the mouth needs."""

import math

import numpy as np
import torch
from torch import Tensor

from emo_core.portrait.mouth_colours import EYES, LIPS, SKIN
from emo_core.portrait.mouth_geometry import CHIN, CORNERS, LOWER, UPPER

MOUTH, CENTRE = 60.0, (100.0, 130.0)
"""Width and middle of the mouth of a drawn face, in pixels of a picture of 200 x 200."""
SIZE = 200


def drawn_face(opening: float = 0.0) -> Tensor:
    """(478, 2): `opening` is the lips' gap over the mouth's width."""
    points = np.tile(np.array(CENTRE), (478, 1))
    places = np.linspace(-1, 1, len(UPPER))
    bow = 1 - places**2
    points[list(UPPER)] += np.stack([places * 0.42 * MOUTH, 0 * places], axis=1)
    points[list(LOWER)] += np.stack([0 * places, opening * MOUTH * bow], axis=1)
    points[list(LOWER[1:-1])] += np.stack([places * 0.42 * MOUTH, 0 * places], axis=1)[1:-1]
    points[list(CORNERS)] += np.array([[-MOUTH / 2, 0], [MOUTH / 2, 0]])
    points[CHIN] += (0, (0.6 + opening) * MOUTH)
    points[list(SKIN)] += np.stack([np.where(np.arange(len(SKIN)) % 2, 50, -50), np.full(len(SKIN), -20)], axis=1)
    points[list(LIPS)] += np.stack([np.linspace(-20, 20, len(LIPS)), np.full(len(LIPS), 10 + opening * MOUTH)], axis=1)
    for eye, x in zip(EYES, (60, 140), strict=True):
        angles = np.linspace(0, 2 * math.pi, 6, endpoint=False) + math.pi
        points[list(eye[:6])] = np.stack([x + 12 * np.cos(angles), 80 + 6 * np.sin(angles)], axis=1)
        points[eye[6]], points[eye[7]] = (x, 80), (x + 4, 80)
    return torch.from_numpy(points).float()


def moved(points: Tensor, scale: float, angle: float, shift: tuple[float, float]) -> Tensor:
    """Scaled, turned about the picture's corner, shifted."""
    turn = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return points @ turn.T * scale + torch.tensor(shift)


def picture(skin: tuple[int, int, int], lips: tuple[int, int, int], white: tuple[int, int, int]) -> np.ndarray:
    """(SIZE, SIZE, 3) uint8: the colours at the places of `drawn_face`."""
    image = np.empty((SIZE, SIZE, 3), np.uint8)
    image[:] = skin
    image[125:165, 70:130] = lips
    image[72:88, 45:75] = image[72:88, 125:155] = white
    return image
