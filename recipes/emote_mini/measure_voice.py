"""Judge the emotions that are proposed for voices: `python -m recipes.emote_mini.measure_voice --acted FOLDER --calm FOLDER [FOLDER ..]`.

Acted voices are files named `ACTOR_EMOTION_INTENSITY.flac`, from a corpus that may be used for tests only, such as RAVDESS: no rule was fitted to
them. Calm voices are any sounds or films of calm speech: each emotion proposed there is false.
"""

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from emo_core.command_line import run_command
from emo_core.emote.voice_cues import NAMES, Cues, voice_cues
from emo_core.emote.voice_emotion import arousal, propose
from emo_core.emotion import EMOTIONS, EXPRESSIVE, EmotionCurve, emotion_named
from emo_core.errors import InputError
from emo_core.files import write_json
from emo_core.media.sound import Sound, load_sound

AROUSED = ("anger", "fear", "surprise", "happy")
UNAROUSED = ("neutral", "sad")
STRONG = 0.5
SOUNDS = (".flac", ".wav", ".ogg", ".mp3", ".mp4")


def strongest(curve: EmotionCurve) -> tuple[str, float]:
    """The emotion of the curve's highest point, and its strength."""
    best = np.max(curve.strengths, axis=0)
    return (EXPRESSIVE[int(best.argmax())], float(best.max())) if best.any() else ("neutral", 0.0)


def whole(cues: tuple[Cues, ...], name: str) -> float:
    """A cue over all phrases by their lengths, or `arousal`."""
    if not cues:
        return 0.0
    values = [arousal(phrase) if name == "arousal" else getattr(phrase, name) for phrase in cues]
    return float(np.average(values, weights=[phrase.seconds for phrase in cues]))


def roc_area(high: Sequence[float], low: Sequence[float]) -> float:
    """Probability that one of `high` lies over one of `low`; .5 is chance."""
    difference = np.subtract.outer(high, low)
    return float((difference > 0).mean() + 0.5 * (difference == 0).mean())


def chance(values: dict[bool, list[float]], draws: int = 2000) -> float:
    """The area that 95 % of random labels stay below: the control of `roc_area`."""
    both, high = np.array(values[True] + values[False]), len(values[True])
    rng = np.random.default_rng(0)
    areas = [roc_area(mixed[:high], mixed[high:]) for mixed in (rng.permutation(both) for _ in range(draws))]
    return float(np.percentile(areas, 95))


def judge_acted(folder: Path) -> dict:
    """The table of emotions meant and proposed, and how well each cue tells arousal."""
    table, cues = Counter(), {name: {True: [], False: []} for name in ("arousal", *NAMES)}
    for path in sounds(folder):
        meant = emotion_named(path.stem.split("_")[1])
        sound = load_sound(path)
        table[meant, strongest(propose(sound))[0]] += 1
        if meant in AROUSED + UNAROUSED:
            found = voice_cues(sound)
            for name, values in cues.items():
                values[meant in AROUSED].append(whole(found, name))
    return {
        "table": {meant: {told: table[meant, told] for told in EMOTIONS if table[meant, told]} for meant in EMOTIONS},
        "files": {"aroused": len(cues["arousal"][True]), "not": len(cues["arousal"][False])},
        "roc_area": {name: round(roc_area(values[True], values[False]), 3) for name, values in cues.items()},
        "roc_area_of_random_labels": round(chance(cues["arousal"]), 3),
    }


def judge_calm(folder: Path, every: int) -> dict:
    """Shares of files and of time that stay neutral, and of files with a strong emotion."""
    files, neutral_time, strong, seconds = 0, 0.0, 0, 0.0
    names = Counter()
    for path in sounds(folder)[::every]:
        sound: Sound = load_sound(path)
        curve = propose(sound)
        name, amount = strongest(curve)
        names[name] += 1
        strong += amount >= STRONG
        weak = curve.at_frames(max(1, round(sound.seconds * 25)), 25).sum(1) < 0.1
        neutral_time, seconds, files = neutral_time + sound.seconds * weak.mean(), seconds + sound.seconds, files + 1
    return {
        "files": files,
        "neutral_files": round(names["neutral"] / files, 3),
        "neutral_time": round(float(neutral_time / seconds), 3),
        "strong_files": round(strong / files, 3),
        "proposed": dict(names),
    }


def sounds(folder: Path) -> list[Path]:
    """Sound files and films of a folder.

    Raises:
        InputError: if there are none.
    """
    found = sorted(path for path in folder.glob("*") if path.suffix in SOUNDS)
    if not found:
        raise InputError(f"folder: no sounds in {folder}; give a folder with {', '.join(SOUNDS)} files")
    return found


def main(args: argparse.Namespace) -> None:
    """Measure and print all tables as JSON."""
    result = {"acted": judge_acted(args.acted)} if args.acted else {}
    result["calm"] = {folder.name: judge_calm(folder, args.every) for folder in args.calm}
    print(json.dumps(result, indent=1))
    if args.out:
        write_json(args.out, result)


def build_parser() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--acted", type=Path, help="folder of ACTOR_EMOTION_INTENSITY.flac")
    parser.add_argument("--calm", type=Path, nargs="*", default=[], help="folders of calm speech")
    parser.add_argument("--every", type=int, default=1, help="take each N-th calm file")
    parser.add_argument("--out", type=Path, help="a .json for the tables")
    parser.set_defaults(run=main)
    return parser


if __name__ == "__main__":
    raise SystemExit(run_command(build_parser, None))
