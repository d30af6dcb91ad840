"""Landmarks of films and photographs: `python -m recipes.face_rig.gather --data DATA --bundle face_landmarker.task --out points.npz`.

Only films and photographs that may train shipped weights are read; the people of `HELD_OUT` never.
"""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from emo_core.face.alignment import align
from emo_core.face.mediapipe_detector import TasksDetector
from emo_core.files import atomic_path
from emo_core.media.picture import load_picture
from emo_core.media.video_reader import frames_at, open_source

FILMS = ("grid_s1", "talk/grid", "talk/grid_more", "talk/grid_s4_hq", "talk/us_gov")
STEP = {"grid_s1": 6}
"""Every n-th film of a folder with many films of one person."""
PAIRS = ("stills/frl/neutral_front", "stills/frl/smiling_front")
NEUTRAL_STILLS = (
    "stills/frl/neutral_front",
    "stills/frl/canada",
    "stills/faces_ai_faker",
    "stills/faces_cc0_interfaces",
)
HELD_OUT = ("s30", "s31", "s34", "grid_swiz3n", "reagan_26s", "trump_10s")
CLOSED = 0.03
"""Largest gap of the inner lips of a neutral face, in distances of the outer eye corners."""


def person_of(path: Path) -> str:
    """The person of a film, from its name."""
    if path.parent.name == "grid_s1":
        return "s1"
    match = re.match(r"(s\d+|sA)_", path.stem)
    return match[1] if match else path.stem


def films(data: Path, held_out: tuple[str, ...] = HELD_OUT) -> Iterator[Path]:
    """The films that may train."""
    for folder in FILMS:
        for path in sorted((data / folder).glob("*.mp4"))[:: STEP.get(folder, 1)]:
            if person_of(path) not in held_out:
                yield path


def read_film(path: Path, detector: TasksDetector) -> tuple[np.ndarray, np.ndarray]:
    """Aligned points (F, 478, 3) and blendshapes (F, 52) of the frames with a face."""
    source = open_source(path)
    faces = [found[0] for _, frame in frames_at(source, source.fps) if (found := detector.detect(frame))]
    return align(np.stack([face.landmarks for face in faces])).points, np.stack([face.blendshapes for face in faces])


def read_stills(folder: Path, detector: TasksDetector) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """By person: aligned points (478, 3) and blendshapes (52,)."""
    found = {}
    for path in sorted(folder.glob("*.jpg")):
        faces = detector.detect(load_picture(path))
        if faces:
            found[path.stem.split("_")[0]] = (align(faces[0].landmarks[None]).points[0], faces[0].blendshapes)
    return found


def main() -> None:
    """Write points, scores and people."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--bundle", type=Path, required=True, help="a face_landmarker.task")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    detector, rows, people = TasksDetector(args.bundle, blendshapes=True), {}, []
    for path in tqdm(list(films(args.data)), desc="films", disable=None):
        rows.setdefault(person_of(path), []).append(read_film(path, detector))
    films_of = {who: [np.concatenate(part) for part in zip(*clips, strict=True)] for who, clips in rows.items()}
    neutral, smiling = (read_stills(args.data / folder, detector) for folder in PAIRS)
    both = sorted(set(neutral) & set(smiling))
    for folder in NEUTRAL_STILLS:
        people += [points for points, _ in read_stills(args.data / folder, detector).values()]
    people = [points for points in people if points[13, 1] - points[14, 1] < CLOSED]
    arrays = {f"{who}/points": points.astype(np.float32) for who, (points, _) in films_of.items()}
    arrays |= {f"{who}/scores": scores.astype(np.float32) for who, (_, scores) in films_of.items()}
    with atomic_path(args.out) as temporary:
        np.savez(
            temporary,
            **arrays,
            **{"pairs/neutral": np.stack([neutral[who][0] for who in both])},
            **{"pairs/smiling": np.stack([smiling[who][0] for who in both])},
            **{"pairs/scores": np.stack([smiling[who][1] - neutral[who][1] for who in both])},
            people=np.stack(people),
        )


if __name__ == "__main__":
    main()
