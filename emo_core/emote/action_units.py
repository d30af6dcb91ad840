"""Emotions as facial action units (FACS), and the families of ways in which people show them.

Units that people use for an emotion, and how often: Du, Tao and Martinez, "Compound facial expressions of emotion", PNAS 2014, table 1;
contempt: FACS (Ekman, Friesen and Hager 2002), unilateral 12 and 14. How far each unit goes is a choice of this project.

Shape legend: K coefficients of CURVES, E emotions of EXPRESSIVE, S numbers of a style.
"""

from dataclasses import dataclass

import numpy as np

from ..emotion import EXPRESSIVE
from ..face.coefficients import BLINK, LOOK, MOUTH, NAMES

CURVES = tuple(name for name in NAMES if name not in (*BLINK, *LOOK))
"""K coefficients that an emotion moves: all but blinks and gaze."""
MOUTH_COLUMNS = tuple(CURVES.index(name) for name in MOUTH)
"""Columns of the curves that speech makes."""
SIDES = ("Left", "Right")
UNITS = {
    1: {"browInnerUp": 1.0},
    2: {"browOuterUp": 1.0},
    4: {"browDown": 1.0},
    5: {"eyeWide": 1.0},
    6: {"cheekSquint": 1.0, "eyeSquint": 0.5},
    7: {"eyeSquint": 1.0},
    9: {"noseSneer": 1.0, "browDown": 0.2},
    10: {"mouthUpperUp": 1.0},
    12: {"mouthSmile": 1.0},
    14: {"mouthDimple": 1.0},
    15: {"mouthFrown": 1.0},
    17: {"mouthShrugLower": 1.0},
    20: {"mouthStretch": 1.0},
    23: {"mouthRollLower": 0.6, "mouthRollUpper": 0.4},
    24: {"mouthPress": 1.0},
    25: {"mouthLowerDown": 1.0, "mouthUpperUp": 0.4},
    26: {"jawOpen": 1.0},
}
"""Action unit -> coefficients; a name without a side stands for both sides."""


@dataclass(frozen=True, slots=True)
class Use:
    """An action unit in an emotion."""

    unit: int
    amount: float
    """Of the unit in the full emotion, 0 .. 1."""
    share: float = 1.0
    """Of people who use it."""


PROTOTYPES = {
    "happy": (Use(12, 0.9), Use(25, 0.35, 0.7), Use(26, 0.2, 0.7), Use(10, 0.3, 0.6), Use(6, 0.8, 0.7)),
    "sad": (Use(4, 0.45), Use(15, 1.0), Use(1, 1.0, 0.8), Use(17, 0.6, 0.67), Use(7, 0.45, 0.5)),
    "surprise": (Use(1, 1.0), Use(2, 1.0), Use(25, 0.2), Use(26, 0.4), Use(5, 1.0, 0.8)),
    "fear": (Use(1, 1.0), Use(4, 0.6), Use(20, 0.9), Use(25, 0.5), Use(26, 0.12), Use(2, 0.5, 0.57), Use(5, 1.0, 0.75)),
    "disgust": (Use(9, 1.0), Use(10, 0.8), Use(17, 0.5), Use(4, 0.6, 0.4), Use(7, 0.5, 0.5), Use(15, 0.3, 0.4)),
    "anger": (
        Use(4, 1.0),
        Use(7, 0.8),
        Use(24, 0.7),
        Use(23, 0.5, 0.5),
        Use(17, 0.4, 0.52),
        Use(9, 0.5, 0.4),
        Use(5, 0.4, 0.3),
    ),
    "contempt": (Use(12, 0.6), Use(14, 1.0), Use(7, 0.25, 0.4)),
}
ONE_SIDED = ("contempt",)
OTHER_SIDE = 0.1
"""Of the amount that the other side of a one-sided emotion shows."""
STYLE = 8
"""S: independent normal numbers that make a person's way of showing emotions; zeros are the average."""
AGREED, TAKEN, SPREAD, SKEW = 3.0, 3.5, 0.3, 0.2
"""How surely the average person shows a unit that most people use; how sharply a style takes or drops it; how amounts, and their two
sides, vary between people."""
SEED = 20231210
"""Of the fixed directions along which styles differ."""


def prototypes(style: np.ndarray) -> np.ndarray:
    """How one person shows each emotion: (E, K) at strength 1, from a style (S,)."""
    rng = np.random.default_rng(SEED)
    made = np.zeros((len(EXPRESSIVE), len(CURVES)))
    for row, emotion in zip(made, EXPRESSIVE, strict=True):
        one_sided = _direction(rng) @ style
        for use in PROTOTYPES[emotion]:
            taken, more, skew = (_direction(rng) @ style for _ in range(3))
            agreed = AGREED * np.log(use.share / max(1 - use.share, 1e-6))
            chance = 1 / (1 + np.exp(-(agreed + TAKEN * taken))) if use.share < 1 else 1.0
            amount = use.amount * chance * np.exp(SPREAD * more)
            for name, part in UNITS[use.unit].items():
                for column, side in _columns(name):
                    lean = 1 + SKEW * skew * side
                    if emotion in ONE_SIDED:
                        own = 1 / (1 + np.exp(-4 * (side * (one_sided - 1))))
                        lean = OTHER_SIDE + (1 - OTHER_SIDE) * own
                    row[column] += amount * part * lean
    return np.clip(made, 0, 1)


def style_vector(number: int) -> np.ndarray:
    """(S,) the style with a number; 0 is the average."""
    return np.random.default_rng(number).normal(size=STYLE) if number else np.zeros(STYLE)


def _direction(rng: np.random.Generator) -> np.ndarray:
    direction = rng.normal(size=STYLE)
    return direction / np.linalg.norm(direction)


def _columns(name: str) -> list[tuple[int, float]]:
    """Columns of a coefficient or of its two sides, with 1 for the left one, -1 for the right one, 0 for the middle."""
    if name in CURVES:
        return [(CURVES.index(name), 0.0)]
    return [(CURVES.index(name + side), sign) for side, sign in zip(SIDES, (1.0, -1.0), strict=True)]
