"""Emotions that other readers tell: `python -m recipes.emote_mini.measure_faces --model emote-mini.safetensors --films films.npz --data DATA --out table.json`.

Two readers that never saw the constructed motion. *Pictures*: the `fer` package on rendered portraits that speak a stranger's sentence.
*Coefficients*: a linear reader of one actress (MEAD, `emotion/mead_tests_only`), whose films are read by the rig as any film is; it learns her eight films,
and reads the model's motion. The neutral motion of the same sound is the control.

Shape legend: F frames, K coefficients.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from emo_core.curve import Curve
from emo_core.emote.action_units import CURVES
from emo_core.emote.speak import SpeakRequest, speak
from emo_core.emote.training.labels import label_of
from emo_core.emote.weights import EmoteModel, load_emote
from emo_core.emotion import EMOTIONS, EXPRESSIVE, EmotionCurve
from emo_core.errors import InputError
from emo_core.face.alignment import align
from emo_core.face.detectors import make_detector
from emo_core.face.film import watch_film
from emo_core.face.motion_fit import fit_motion
from emo_core.face.rig_fit import estimate_neutral
from emo_core.files import write_json
from emo_core.media.picture import load_picture
from emo_core.media.sound import Sound
from emo_core.media.video_reader import frames_at, open_source
from emo_core.portrait.mouth import load_network
from emo_core.portrait.prepare import prepare_portrait
from emo_core.portrait.render import PortraitRenderer

from .gather import Film, load
from .picture_judge import LABELS, PictureJudge

FIRST_FRAMES = ("talk/grid/s30_*.mp4", "talk/grid/s31_*.mp4", "talk/grid/s34_*.mp4", "talk/research/speaker_60s.mp4")
STILLS = (("portraits/*", 1), ("stills/faces_ai_faker/*", 9))
"""Places, and every n-th of their pictures."""
STRENGTHS = (0.0, 0.5, 1.0, 1.5)
STEP = 4
"""Every n-th frame is read."""
CALM = 0.5
"""Share of `neutral` from which a still counts as a neutral portrait."""
WINDOW = 25
"""Frames that the reader of coefficients sees."""
RIDGE = 30.0


def motions(model: EmoteModel, film: Film) -> dict[tuple[str, float], object]:
    """The motion of a sentence in each emotion and strength; the head is still and nobody blinks."""
    made = {}
    for emotion in EXPRESSIVE:
        for strength in STRENGTHS[1:]:
            request = SpeakRequest(speed=Curve.constant(0), blinks=0, emotion=EmotionCurve.constant(emotion, strength))
            made[emotion, strength] = speak(Sound(film.sound), model, request)
    made["neutral", 0.0] = speak(Sound(film.sound), model, SpeakRequest(speed=Curve.constant(0), blinks=0))
    return made


def pictures(data: Path) -> dict[str, np.ndarray]:
    """Portraits by name; all of people and pictures on which no emotion was made."""
    found = {}
    for pattern in FIRST_FRAMES:
        path = sorted(data.glob(pattern))[0]
        source = open_source(path)
        found[path.stem] = next(frame for _, frame in frames_at(source, source.fps))
    for pattern, step in STILLS:
        for path in sorted(data.glob(pattern))[::step]:
            found[path.stem] = load_picture(path)
    return found


def read_pictures(model: EmoteModel, film: Film, data: Path) -> dict[str, object]:
    """Shares of frames by what the picture judge reads, and its mean score of the emotion that is meant."""
    judge, detector, network = (
        PictureJudge(),
        make_detector(landmarks=True, quiet=True),
        load_network(torch.device("cpu")),
    )
    made = motions(model, film)
    shares: dict[tuple[str, float], list[np.ndarray]] = {key: [] for key in made}
    names = []
    for name, picture in pictures(data).items():
        try:
            portrait = prepare_portrait(picture, detector, model.rig, size=256)
        except InputError:  # A portrait that is refused.
            continue
        renderer = PortraitRenderer(portrait, model.rig, network)
        rest = next(renderer.frames(made["neutral", 0.0][:1]))
        box = judge.box(rest)
        if box is None or judge.read(rest, box)[LABELS.index("neutral")] < CALM:
            continue
        names.append(name)
        for key, motion in made.items():
            frames = list(renderer.frames(motion))[::STEP]
            shares[key].append(np.stack([judge.read(frame, box) for frame in frames]))
    table = {}
    for (emotion, strength), parts in shares.items():
        scores = np.concatenate(parts)
        read = np.bincount(scores.argmax(1), minlength=len(LABELS)) / len(scores)
        row = {label: round(float(share), 3) for label, share in zip(LABELS, read, strict=True)}
        if emotion in LABELS:
            row["score"] = round(float(scores[:, LABELS.index(emotion)].mean()), 3)
        table[f"{emotion} {strength:g}"] = row
    return {"portraits": names, "frames": int(sum(map(len, shares["neutral", 0.0]))), "read": table}


def read_coefficients(model: EmoteModel, films: list[Film], data: Path) -> dict[str, object]:
    """What the actress's reader tells of the model's motion at strength 1: shares of windows."""
    detector, actress = make_detector(landmarks=True, quiet=True), {}
    folder = data / "emotion/mead_tests_only"
    for path in sorted(folder.glob("*.mp4")):
        emotion = label_of(path, folder).emotion
        name = EXPRESSIVE[int(emotion.argmax())] if emotion.any() else "neutral"
        actress[name] = watch_film(path, detector)
    neutral = estimate_neutral(align(actress["neutral"].landmarks).points)
    teach = {
        name: _windows(
            fit_motion(film.landmarks, model.rig, size=film.size, fps=film.fps, neutral=neutral).curves(CURVES)
        )
        for name, film in actress.items()
    }
    inputs = np.concatenate(list(teach.values()))
    mean, deviation = inputs.mean(0), inputs.std(0) + 0.02
    answers = np.repeat(
        np.eye(len(EMOTIONS))[[EMOTIONS.index(name) for name in teach]], [len(part) for part in teach.values()], axis=0
    )
    rows = (inputs - mean) / deviation
    reader = np.linalg.solve(rows.T @ rows + RIDGE * np.eye(rows.shape[1]), rows.T @ (answers - answers.mean(0)))

    def read(part: np.ndarray) -> np.ndarray:
        return ((part - mean) / deviation @ reader + answers.mean(0)).argmax(1)

    table = {"learnt": round(float((read(inputs) == answers.argmax(1)).mean()), 3)}
    for name in EMOTIONS:
        made = []
        for film in films:
            request = SpeakRequest(speed=Curve.constant(0), blinks=0, emotion=EmotionCurve.constant(name))
            made.append(_windows(speak(Sound(film.sound), model, request).curves(CURVES)))
        told = np.bincount(read(np.concatenate(made)), minlength=len(EMOTIONS)) / sum(map(len, made))
        table[name] = {
            other: round(float(share), 2) for other, share in zip(EMOTIONS, told, strict=True) if share > 0.02
        }
    return table


def _windows(motion: np.ndarray) -> np.ndarray:
    """(F, K) to means and deviations (N, 2K) of windows."""
    starts = range(0, len(motion) - WINDOW + 1, WINDOW // 5)
    parts = [motion[start : start + WINDOW] for start in starts]
    return np.stack([np.concatenate([part.mean(0), part.std(0)]) for part in parts])


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--films", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    model, films = load_emote(args.model), load(args.films)
    strangers = [film for film in films if film.use == "strangers"]
    table = {
        "coefficients": read_coefficients(model, strangers[::3], args.data),
        "pictures": read_pictures(model, strangers[0], args.data),
    }
    print(json.dumps(table, indent=1))
    write_json(args.out, table)


if __name__ == "__main__":
    main()
