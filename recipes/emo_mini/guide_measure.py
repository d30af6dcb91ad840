"""Measure the guided network on people who taught nothing: `python -m recipes.emo_mini.guide_measure --data DATA --judge MobileFaceNet.onnx --checkpoint FILE --out FOLDER`.

*Films*, of strangers, held-out ones of s1, and of free speech: the first frame speaks the film's sound, and another one's. *Stills*: kept-out
pictures and portraits speak.
Beside the network stand its controls: the drawn frames alone, the autoencoder alone on them, the picture that does not move, and an
earlier file. Contact sheets are written for the eye.

Shape legend: F frames, S picture side.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from emo_core.errors import InputError
from emo_core.files import write_json
from emo_core.media.picture import load_picture
from emo_core.media.sound import Sound, load_sound
from emo_core.media.video_reader import frames_at, open_source
from recipes.portrait.judge import FaceJudge
from recipes.portrait.measure import sharpness

from .guide_numbers import Points, blinks, flicker, lids, mean_cosine, seams
from .guide_people import stills, strangers
from .guide_systems import FPS, Portrait, Systems

GROUPS = ("films", "s1", "speech", "stills", "portraits")
FILM_FRAMES, SPEECH_FRAMES, STILL_FRAMES = 72, 150, 48
FREE_SPEECH = ("talk/us_gov/reagan_26s.mp4", "talk/us_gov/trump_10s.mp4", "talk/research/*.mp4")
"""Films of free speech that taught nothing."""
S1 = slice(None, None, 20)
"""Held-out clips of s1."""
SHEET = (0, 9, 18, 27, 36, 45)
"""Frames of a contact sheet."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Videos of one portrait by name of the system, and what is measured of them."""

    systems: Systems
    judge: FaceJudge

    def points(self, videos: dict[str, np.ndarray]) -> dict[str, Points]:
        """Landmarks of all videos (F, S, S, 3)."""
        return {name: Points.of(video, self.systems.studio.detector) for name, video in videos.items()}

    def video(self, frames: np.ndarray, points: Points, portrait: Portrait, drawn: Points) -> dict[str, float]:
        """Numbers of one video (F, S, S, 3)."""
        own = self.judge.embed(portrait.square, portrait.points)
        sharp = sharpness(portrait.square, portrait.points)
        same = mean_cosine(frames[::3], points.landmarks[::3], self.judge, own)
        seen = [frame for frame in range(0, len(frames), 3) if points.seen[frame]]
        return {
            "identity": same,
            "face": float(points.seen.mean()),
            "sharpness": float(np.median([sharpness(frames[k], points.landmarks[k]) for k in seen])) / sharp
            if seen
            else np.nan,
            "blinks": blinks(points),
            "lids_r": correlation(lids(points), lids(drawn)),
            "opening_r_drawn": correlation(points.opening, drawn.opening),
            "spread_drawn": spread(points.opening, drawn.opening),
            "seams": seams(frames, self.systems.clip_frames),
            "flicker": flicker(frames, points.landmarks),
        }


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Of the frames that both have; NaN for constants."""
    seen = np.isfinite(a) & np.isfinite(b)
    if seen.sum() < 8 or min(a[seen].std(), b[seen].std()) < 1e-6:
        return float("nan")
    return float(np.corrcoef(a[seen], b[seen])[0, 1])


def spread(a: np.ndarray, b: np.ndarray) -> float:
    """Standard deviation over the other's."""
    return float(np.nanstd(a) / max(np.nanstd(b), 1e-6))


def films(
    measured: Measured, paths: list[Path], sheets: Path, count: int = FILM_FRAMES
) -> Iterator[tuple[str, dict[str, dict[str, float]]]]:
    """Strangers' films: numbers by system."""
    systems = measured.systems
    for number, path in enumerate(paths):
        source = open_source(path)
        frames = [frame for (_, frame), _ in zip(frames_at(source, FPS), range(count), strict=False)]
        portrait, sound = systems.portrait(frames[0]), load_sound(path)
        other = load_sound(paths[(number + len(paths) // 2) % len(paths)])
        true = np.stack([portrait.crop.cut(frame) for frame in frames])
        made = {"film": true} | systems.all(portrait, sound, len(frames))
        found, aside = measured.points(made), measured.points(systems.speaking(portrait, other, len(frames)))
        truth, rows = found["film"].opening, {}
        for name, video in made.items():
            rows[name] = measured.video(video, found[name], portrait, found["drawn"])
            rows[name] |= {
                "mouth_r": correlation(found[name].opening, truth),
                "mouth_r_other": correlation(aside[name].opening, truth) if name in aside else np.nan,
                "spread": spread(found[name].opening, truth),
            }
        contact_sheet(made, sheets / f"{path.stem}.png")
        yield path.stem, rows


def pictures(
    measured: Measured, paths: list[Path], sounds: list[Sound], sheets: Path
) -> Iterator[tuple[str, dict[str, dict[str, float]]]]:
    """Stills that speak: numbers by system."""
    systems = measured.systems
    for number, path in enumerate(paths):
        try:
            portrait = systems.portrait(load_picture(path))
        except InputError as error:
            print(f"left out {path.name}: {error}", flush=True)
            continue
        made = systems.all(portrait, sounds[number % len(sounds)], STILL_FRAMES)
        found = measured.points(made)
        contact_sheet(made, sheets / f"{path.parent.name}_{path.stem}.png")
        yield (
            path.stem,
            {name: measured.video(video, found[name], portrait, found["drawn"]) for name, video in made.items()},
        )


def contact_sheet(videos: dict[str, np.ndarray], path: Path) -> None:
    """One row for each video."""
    rows = [np.concatenate([video[min(k, len(video) - 1)] for k in SHEET], axis=1) for video in videos.values()]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(rows)).save(path)


def table(rows: dict[str, dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Medians over videos by system, the mean number of blinks, and the worst identity."""
    systems = dict.fromkeys(name for row in rows.values() for name in row)
    result: dict[str, dict[str, float]] = {}
    for system in systems:
        numbers = [row[system] for row in rows.values() if system in row]
        result[system] = {key: float(np.nanmedian([own[key] for own in numbers])) for key in numbers[0]}
        result[system]["blinks"] = float(np.mean([own["blinks"] for own in numbers]))
        result[system]["worst_identity"] = float(np.nanmin([own["identity"] for own in numbers]))
        print(f"{system:14s}" + "  ".join(f"{key} {value:.3f}" for key, value in result[system].items()), flush=True)
    return result


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--judge", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--earlier", type=Path, help="another file, as a control")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--groups", nargs="+", choices=GROUPS, default=GROUPS)
    parser.add_argument("--every", type=int, nargs=3, default=(1, 1, 1), help="every n-th film, still and portrait")
    args = parser.parse_args()
    measured = Measured(Systems.open(args.checkpoint, args.earlier), FaceJudge(args.judge))
    voices = [load_sound(path) for path in strangers(args.data)[:4]]
    groups = {
        "films": films(measured, strangers(args.data)[:: args.every[0]], args.out / "sheets"),
        "s1": films(measured, sorted((args.data / "grid_s1").glob("*.mp4"))[S1][:: args.every[0]], args.out / "sheets"),
        "speech": films(
            measured,
            [path for pattern in FREE_SPEECH for path in sorted(args.data.glob(pattern))],
            args.out / "sheets",
            SPEECH_FRAMES,
        ),
        "stills": pictures(measured, list(stills(args.data).kept_out[:: args.every[1]]), voices, args.out / "sheets"),
        "portraits": pictures(
            measured,
            [path for path in sorted((args.data / "portraits").iterdir()) if path.suffix in (".jpg", ".png")][:: args.every[2]],
            [load_sound(args.data / "speech" / "jfk.flac", max_seconds=4.0)],
            args.out / "sheets",
        ),
    }  # fmt: skip
    results = {}
    for name in args.groups:
        group = groups[name]
        rows: dict[str, dict[str, dict[str, float]]] = {}
        for title, row in group:
            rows[title] = row
            print(title, json.dumps({system: round(own["identity"], 3) for system, own in row.items()}), flush=True)
        print(f"== {name}: medians of {len(rows)}", flush=True)
        results[name] = {"medians": table(rows), "rows": rows}
        write_json(args.out / "guide.json", results)


if __name__ == "__main__":
    main()
