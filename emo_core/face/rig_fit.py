"""Landmarks to coefficients: box-constrained least squares against a person's own neutral face.

Shape legend: F frames, K coefficients.
"""

import numpy as np

from . import mesh_points as mesh
from .coefficients import NAMES
from .rig import FaceRig

SWEEPS = 60
"""Rounds of coordinate descent; it has converged to .001 after about 30."""
RIDGE = 0.001
"""Weight of the squared coefficients over the mean squared size of a movement."""
SPARSITY = 0.001
"""Weight of the coefficients' sum, so that few movements explain a face."""
MOUTH_REACH = (-0.25, 0.08)
"""Height and softness of the edge between the mouth's part of the face and the eyes'."""
SIZES = (0.6, 1.6)
"""Bounds of the size of a mouth over the rig's."""
UNSEEN = (
    "jawForward",
    "mouthClose",
    "cheekPuff",
    "cheekSquintLeft",
    "cheekSquintRight",
    "noseSneerLeft",
    "noseSneerRight",
)
"""Movements that no film of the training data shows; a fit uses them only where nothing else explains the points."""
UNSEEN_SPARSITY = 6.0
SIDEWAYS = ("jawLeft", "jawRight", "mouthLeft", "mouthRight")
"""Movements that cancel each other; a fit must not use both."""
SIDEWAYS_SPARSITY = 3.0


def point_weights() -> np.ndarray:
    """(478, 3) how much each coordinate counts: lips and lids most, depth least, as MediaPipe guesses it."""
    weights = np.full(478, 0.5)
    weights[[*mesh.OUTER_LIPS_UPPER, *mesh.OUTER_LIPS_LOWER]] = 2
    weights[[*mesh.INNER_LIPS_UPPER, *mesh.INNER_LIPS_LOWER]] = 5
    weights[[*mesh.RIGHT_LID_UPPER, *mesh.RIGHT_LID_LOWER, *mesh.LEFT_LID_UPPER, *mesh.LEFT_LID_LOWER]] = 3
    weights[[*mesh.RIGHT_BROW, *mesh.LEFT_BROW]] = 1.5
    weights[[*mesh.RIGHT_IRIS, *mesh.LEFT_IRIS]] = 2
    return weights[:, None] * np.array([1, 1, 0.25])


def fit_coefficients(
    offsets: np.ndarray, basis: np.ndarray, *, names: tuple[str, ...] = NAMES, sweeps: int = SWEEPS
) -> np.ndarray:
    """The coefficients in 0 .. 1 whose movements are nearest to given offsets.

    Args:
        offsets: (F, 478, 3) aligned points minus the person's neutral ones.
        basis: (K, 478, 3) of the rig, or scaled to the person.
        names: of the K movements.
        sweeps: rounds of coordinate descent over all coefficients; each round solves for one after another exactly.

    Returns:
        (F, K)
    """
    weights, count = point_weights().ravel(), len(basis)
    flat = basis.reshape(count, -1)
    gram = (flat * weights) @ flat.T
    size = np.trace(gram) / count
    price = np.where(
        np.isin(names, UNSEEN), UNSEEN_SPARSITY, np.where(np.isin(names, SIDEWAYS), SIDEWAYS_SPARSITY, 1.0)
    )
    price = price * SPARSITY * size
    wanted = (offsets.reshape(len(offsets), -1) * weights) @ flat.T - price
    gram = gram + RIDGE * size * np.eye(count)
    result = np.zeros((len(offsets), count))
    for _ in range(sweeps):
        for k in range(count):
            step = (wanted[:, k] - result @ gram[:, k]) / gram[k, k]
            result[:, k] = np.clip(result[:, k] + step, 0, 1)
    return result


def person_sizes(neutral: np.ndarray, rig: FaceRig) -> np.ndarray:
    """How far a person's points move over the rig's: (478, 1), the width of the mouth at its height, 1 at the eyes'.

    So a motion that is fitted to one person is neither larger nor smaller on another.
    """
    mouth = np.linalg.norm(neutral[61] - neutral[291]) / np.linalg.norm(rig.mean[61] - rig.mean[291])
    edge, softness = MOUTH_REACH
    share = 1 / (1 + np.exp((rig.mean[:, 1:2] - edge) / softness))
    return 1 + (np.clip(mouth, *SIZES) - 1) * share


def estimate_neutral(points: np.ndarray) -> np.ndarray:
    """A person's neutral face from a film: the median of the frames with the most closed lips and open eyes.

    Args:
        points: (F, 478, 3) aligned.

    Returns:
        (478, 3)
    """
    gap = np.linalg.norm(points[:, 13] - points[:, 14], axis=-1)
    eyes = points[:, 159, 1] - points[:, 145, 1] + points[:, 386, 1] - points[:, 374, 1]
    closed = gap <= np.quantile(gap, 0.25)
    return np.median(points[closed & (eyes >= np.median(eyes[closed]))], axis=0)


def split_still(points: np.ndarray, rig: FaceRig, *, rounds: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """One photograph's points as a person's neutral face plus an expression.

    Person and expression are fitted in turn; the person's main differences are held near the mean (a unit normal prior).

    Args:
        points: (478, 3) aligned.
        rig: with its `people`.
        rounds: of the two fits.

    Returns:
        The neutral face (478, 3), and the coefficients (K,) of the expression.
    """
    weights = point_weights().ravel()
    people = rig.people.reshape(len(rig.people), -1)
    prior = PERSON_PRIOR * np.eye(len(people))
    solve = np.linalg.solve((people * weights) @ people.T + prior, people * weights)
    coefficients = np.zeros(len(rig.basis))
    flat = rig.basis.reshape(len(rig.basis), -1)
    for _ in range(rounds):
        person = solve @ ((points - rig.mean).ravel() - coefficients @ flat)
        neutral = rig.mean + (person @ people).reshape(-1, 3)
        coefficients = fit_coefficients((points - neutral)[None], rig.basis, names=rig.names)[0]
    return points - (coefficients @ flat).reshape(-1, 3), coefficients


PERSON_PRIOR = 0.02
"""Weight of a person's squared differences, in the units of the weighted squared distances."""
