"""Learn the rig: `python -m recipes.face_rig.learn --points points.npz --mesh canonical_face_model.obj --out models/face-rig.safetensors`.

1. A drawing of each movement (`drawn`) is corrected by ridge regression on MediaPipe's scores of the same name, where those
   vary in the films (`SCORED`), with the drawing as the prior.
2. In rounds, all frames are fitted with the movements (`emo_core.face.rig_fit`), and the movements are fitted to the frames,
   again with their drawings as the prior. So they keep their names and come to explain what films show.

Movements that no film shows (`rig_fit.UNSEEN`) stay as drawn. All are made alike on both sides.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from scipy.optimize import linear_sum_assignment

from emo_core.face import mesh_points as mesh
from emo_core.face.coefficients import NAMES, mirrored
from emo_core.face.rig_fit import UNSEEN, estimate_neutral, fit_coefficients
from emo_core.files import atomic_path

from .drawn import Canvas, draw_all
from .masks import reach_of

SCORED = ("jawOpen", "eyeBlink", "eyeLook", "eyeSquint", "mouthSmile", "brow")
"""Movements that begin with these are corrected by MediaPipe's scores."""
SCORES = ("_neutral", *sorted(NAMES, key=str.lower))
"""MediaPipe's order: alphabetical."""
PRIOR = 8.0
"""Weight of a drawing, in frames with the coefficient at 1."""
RELATIVE_PRIOR = 0.5
"""Weight of a drawing over the sum of the squared coefficients, if that is more."""
ROUNDS = 5
FRAMES = 12_000
"""Frames that are fitted in each round."""
PAIR_WEIGHT = 3.0
PEOPLE = 16
"""Main differences between people that are kept."""
PERSON_FRAMES = 300
"""People with more frames than this count as if they had the square root of the excess."""


@dataclass(frozen=True, slots=True)
class Frames:
    """N frames: offsets from neutral (N, 478, 3), scores (N, 51) and weights (N,)."""

    offsets: np.ndarray
    scores: np.ndarray
    weights: np.ndarray


def read_frames(file: Path) -> tuple[Frames, np.ndarray]:
    """What `gather` wrote: the frames, and the neutral faces (P, 478, 3) of many people."""
    order = [SCORES.index(name) for name in NAMES]
    with np.load(file) as stored:
        parts = []
        for who in sorted({name.split("/")[0] for name in stored.files if name.endswith("/points")}):
            points, scores = stored[f"{who}/points"].astype(float), stored[f"{who}/scores"][:, order]
            neutral = estimate_neutral(points)
            rest = scores[np.linalg.norm(points - neutral, axis=-1).mean(1).argsort()[: max(1, len(points) // 5)]]
            weight = np.sqrt(min(1.0, PERSON_FRAMES / len(points)))
            parts.append((points - neutral, scores - np.median(rest, axis=0), np.full(len(points), weight)))
        pairs = stored["pairs/smiling"] - stored["pairs/neutral"]
        parts.append((pairs, stored["pairs/scores"][:, order], np.full(len(pairs), PAIR_WEIGHT)))
        people = stored["people"].astype(float)
    return Frames(*(np.concatenate(column) for column in zip(*parts, strict=True))), people


def mirror_of(mean: np.ndarray) -> np.ndarray:
    """(478,) the point on the other side of each, by the best one-to-one match of the face with its mirror image."""
    distances = np.linalg.norm(mean[:, None] - (mean * [-1, 1, 1])[None], axis=-1)
    return linear_sum_assignment(distances**2)[1]


def both_sides(frames: Frames, mirror: np.ndarray) -> Frames:
    """The frames and their mirror images."""
    other = [NAMES.index(mirrored(name)) for name in NAMES]
    return Frames(
        np.concatenate([frames.offsets, frames.offsets[:, mirror] * [-1, 1, 1]]),
        np.concatenate([frames.scores, frames.scores[:, other]]),
        np.concatenate([frames.weights, frames.weights]),
    )


def regress(values: np.ndarray, frames: Frames, prior: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Movements (51, 478, 3) that explain the offsets by coefficients (N, 51), near `prior` by `weight` (51,)."""
    weighted = values * frames.weights[:, None]
    right = weighted.T @ frames.offsets.reshape(len(values), -1) + weight[:, None] * prior.reshape(len(prior), -1)
    return np.linalg.solve(weighted.T @ values + np.diag(weight), right).reshape(prior.shape)


def alike(basis: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """Each movement as the mean of itself and its partner's mirror image."""
    other = [NAMES.index(mirrored(name)) for name in NAMES]
    return (basis + basis[other][:, mirror] * [-1, 1, 1]) / 2


def close_the_jaw(jaw_open: np.ndarray) -> np.ndarray:
    """mouthClose: the lips go back to where they met before jawOpen, so both at 1 are closed lips under an open jaw."""
    lips = [*mesh.INNER_LIPS_UPPER, *mesh.INNER_LIPS_LOWER]
    rings = [*mesh.OUTER_LIPS_UPPER, *mesh.OUTER_LIPS_LOWER]
    weights = np.zeros(478)
    weights[rings] = 0.85
    weights[[77, 90, 180, 85, 16, 315, 404, 320, 307, 76, 184, 74, 73, 72, 11, 302, 303, 304, 408, 306]] = 0.9
    weights[[62, 183, 42, 41, 38, 12, 268, 271, 272, 407, 292, 96, 89, 179, 86, 15, 316, 403, 319, 325]] = 0.97
    weights[lips] = 1.0
    weights[[18, 83, 313, 182, 406, 201, 421, 200]] = (0.5, 0.5, 0.5, 0.45, 0.45, 0.25, 0.25, 0.25)
    return -jaw_open * weights[:, None]


def learn(frames: Frames, mean: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """The basis (51, 478, 3)."""
    drawn, reach = draw_all(Canvas(mean, mirror)), reach_of(mean)[..., None]
    frames = both_sides(frames, mirror)
    scored = alike(regress(frames.scores, frames, drawn, np.full(len(NAMES), PRIOR)) * reach, mirror)
    is_scored = np.array([name.startswith(SCORED) for name in NAMES])
    prior = np.where(is_scored[:, None, None], scored, drawn * reach)
    prior[NAMES.index("mouthClose")] = close_the_jaw(prior[NAMES.index("jawOpen")])
    fixed = np.isin(NAMES, UNSEEN)
    chosen = np.random.default_rng(0).permutation(len(frames.weights))[:FRAMES]
    some = Frames(frames.offsets[chosen], frames.scores[chosen], frames.weights[chosen])
    basis = prior
    for _ in range(ROUNDS):
        values = fit_coefficients(some.offsets, basis)
        seen = RELATIVE_PRIOR * (values**2 * some.weights[:, None]).sum(0)
        weight = np.where(fixed, 1e6, np.maximum(PRIOR, seen))
        basis = alike(regress(values, some, prior, weight) * reach, mirror)
        error = some.offsets - np.einsum("nk,kpi->npi", values, basis)
        lips = [*mesh.INNER_LIPS_UPPER, *mesh.INNER_LIPS_LOWER]
        print(f"mean distance of the inner lips: {np.linalg.norm(error[:, lips], axis=-1).mean():.4f}")
    return basis


def differences(people: np.ndarray, mean: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """(PEOPLE, 478, 3): principal components of neutral faces and their mirror images, each one standard deviation."""
    offsets = people - people.mean(0)
    offsets = np.concatenate([offsets, offsets[:, mirror] * [-1, 1, 1]]).reshape(2 * len(people), -1)
    _, sizes, directions = np.linalg.svd(offsets, full_matrices=False)
    return (directions[:PEOPLE] * sizes[:PEOPLE, None] / np.sqrt(len(offsets))).reshape(-1, 478, 3)


def read_triangles(mesh: Path) -> np.ndarray:
    """(T, 3) of a Wavefront file: each corner is `point/texture`, counted from 1."""
    faces = [line.split()[1:] for line in mesh.read_text().splitlines() if line.startswith("f ")]
    return np.array([[int(corner.split("/")[0]) - 1 for corner in face] for face in faces], np.int32)


def main() -> None:
    """Learn, and write the rig."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=Path, required=True, help="the file of `recipes.face_rig.gather`")
    parser.add_argument("--mesh", type=Path, required=True, help="MediaPipe's canonical_face_model.obj")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    frames, people = read_frames(args.points)
    mean = people.mean(0)
    mirror = mirror_of(mean)
    mean = (mean + mean[mirror] * [-1, 1, 1]) / 2
    arrays = {"mean": mean, "basis": learn(frames, mean, mirror), "people": differences(people, mean, mirror)}
    arrays = {name: np.ascontiguousarray(values, np.float32) for name, values in arrays.items()}
    with atomic_path(args.out) as temporary:
        whole = {"mirror": mirror.astype(np.int32), "triangles": read_triangles(args.mesh)}
        save_file({**arrays, **whole}, temporary, {"names": json.dumps(NAMES)})


if __name__ == "__main__":
    main()
