"""Measure the rig: `python -m recipes.face_rig.measure --data DATA --judge MobileFaceNet.onnx --landmarks FOLDER --out table.json`.

*Round trip*: landmarks of held-out films to coefficients and back. *One person twice*: the identity judge on a neutral and a smiling
photograph of the same people, which is the most that an animated face can reach. FOLDER keeps landmarks, which are found once.

Shape legend: F frames.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from emo_core.face.alignment import align
from emo_core.face.mediapipe_detector import BundledDetector
from emo_core.face.motion_fit import filled, smoothed
from emo_core.face.rig import FaceRig, load_rig
from emo_core.face.rig_fit import estimate_neutral, fit_coefficients, person_sizes
from emo_core.files import write_json
from emo_core.media.picture import load_picture
from recipes.emote_mini.gather import FREE, GRID, landmarks_of, lip_gap, use_of
from recipes.portrait.judge import FaceJudge

CLOSED, KEPT = 0.004, 0.012
"""Gaps over the film's closed lips, in heights of the face: of closed frames, and up to which they count as kept."""
REST = 0.05
"""Quantile of the gap that is the film's closed lips."""
SHOWN = 0.02
"""Gap of a smile that shows teeth, in heights of the face."""


def round_trip(landmarks: np.ndarray, rig: FaceRig) -> dict[str, float] | None:
    """One film (F, 478, 3): correlation and slope of the lips' gap, and closures that are kept."""
    points = smoothed(align(filled(landmarks)).points)
    neutral = estimate_neutral(points)
    sizes = person_sizes(neutral, rig)
    coefficients = fit_coefficients((points - neutral) / sizes, rig.basis, names=rig.names)
    made = neutral + np.einsum("fk,kpi->fpi", coefficients, rig.basis) * sizes
    true, gap = (lip_gap(part) for part in (points, made))
    shut = true < np.quantile(true, REST) + CLOSED
    return {
        "r": float(np.corrcoef(true, gap)[0, 1]),
        "slope": float(np.polyfit(true, gap, 1)[0]),
        "kept": float((gap[shut] < np.quantile(gap, REST) + KEPT).mean()),
    }


def films(data: Path, folder: Path, rig: FaceRig) -> dict[str, float]:
    """The held-out films' medians and worst."""
    paths = [path for name in (*GRID, *FREE) for path in sorted((data / name).glob("*.mp4"))]
    chosen = [path for path in paths if use_of(path, 1) in ("strangers", "free", "research")]
    rows = [round_trip(landmarks_of(path, folder)[0], rig) for path in chosen]
    table = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return {
        "films": len(rows),
        "r_median": round(float(np.median(table["r"])), 3),
        "r_least": round(float(table["r"].min()), 3),
        "slope_median": round(float(np.median(table["slope"])), 3),
        "closures_kept_median": round(float(np.median(table["kept"])), 3),
        "closures_kept_least": round(float(table["kept"].min()), 3),
    }


def same_people(data: Path, judge: FaceJudge) -> dict[str, float]:
    """Cosine of people's neutral and smiling photographs, and of those whose smile shows teeth."""
    detector, rows = BundledDetector(), []
    for smile in sorted((data / "stills/frl/smiling_front").glob("*.jpg")):
        calm = data / "stills/frl/neutral_front" / smile.name.replace("_08", "_03")
        if not calm.is_file():
            continue
        pictures = [load_picture(path) for path in (calm, smile)]
        found = [detector.detect(picture) for picture in pictures]
        if not all(found):
            continue
        points = [faces[0].landmarks for faces in found]
        vectors = [judge.embed(picture, part) for picture, part in zip(pictures, points, strict=True)]
        rows.append((float(vectors[0] @ vectors[1]), float(lip_gap(points[1][None])[0])))
    cosine, gap = np.array(rows).T
    return {
        "people": len(rows),
        "median": round(float(np.median(cosine)), 3),
        "smiles_with_teeth": int((gap > SHOWN).sum()),
        "their_median": round(float(np.median(cosine[gap > SHOWN])), 3),
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--judge", type=Path, required=True)
    parser.add_argument("--landmarks", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    args.landmarks.mkdir(parents=True, exist_ok=True)
    table = {
        "round trip": films(args.data, args.landmarks, load_rig()),
        "one person twice": same_people(args.data, FaceJudge(args.judge)),
    }
    print(json.dumps(table, indent=1))
    write_json(args.out, table)


if __name__ == "__main__":
    main()
