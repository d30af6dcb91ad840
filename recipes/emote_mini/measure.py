"""Every number of emote-mini's card: `python -m recipes.emote_mini.measure --model emote-mini.safetensors --films films.npz --out table.json`.

Lips are compared as the distance of landmarks 13 and 14 over 10 and 152, on the rig and in the film. Each row of films has the same number
for another sound. Rows are medians over films.

Shape legend: F frames.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from emo_core.curve import Curve
from emo_core.emote.config import FPS
from emo_core.emote.head import mean_speed
from emo_core.emote.prosody import Prosody
from emo_core.emote.speak import SpeakRequest, speak
from emo_core.emote.weights import EmoteModel, load_emote
from emo_core.face.motion import FaceMotion
from emo_core.files import write_json
from emo_core.media.sound import SAMPLE_RATE, Sound, prepare_sound
from recipes.emo_mini.espeak import Espeak, Utterance

from .closing import bilabials, natural_voices
from .gather import Film, lip_gap, load

CLOSED = 0.012
"""Gap over neutral, in heights of the face, up to which lips count as closed."""
AROUND = 0.06
"""Seconds around a bilabial in which the lips must meet."""
STILL = 0.002
"""Change of the gap per frame up to which lips count as still."""
SETTLE = 3
"""Frames at both ends of a pause in which lips still move."""
LAGS = 5
SPEEDS = (0.1, 0.2, 0.3, 0.45, 0.6)
SENTENCES = {
    "en-us": "Mabel bought a map and a pepper mill, but Bob may be missing both. My mum baked apple pies on Monday.",
    "de": "Peter mag Bananenbrot und Apfelbaum. Meine Mama braucht am Abend ein paar bunte Blumen im Park.",
    "fr": "Le petit bateau part pour un beau pays. Maman prépare la soupe et pose le pain blanc près du bol.",
    "es": "Mi papá compra pan en el pueblo. Un hombre pobre empuja el barco pequeño por el puente de piedra.",
    "it": "Il bambino beve latte e mangia pane bianco. Mio padre abita in un bel palazzo con ampie camere.",
    "pl": "Babcia kupuje pomidory i piękne mydło. Mój brat pije mleko i pisze białym piórem o poranku.",
}
"""Six languages; none of the sentences taught the model."""
VOICES = ("", "+f3", "+m4")


class Bench:
    """A model and what it says."""

    def __init__(self, model: EmoteModel) -> None:
        self.model, self.neutral = model, float(lip_gap(model.rig.points(FaceMotion.still(1, FPS)))[0])
        self.espeak = Espeak()

    def gap(self, sound: np.ndarray) -> np.ndarray:
        """(F,) of the made lips; the head is still."""
        request = SpeakRequest(speed=Curve.constant(0))
        return lip_gap(self.model.rig.points(speak(Sound(sound), self.model, request)))


def shifted(made: np.ndarray, true: np.ndarray) -> list[float]:
    """Correlations at lags -LAGS .. LAGS; positive if the made lips are late."""
    inner = slice(LAGS, len(true) - LAGS)
    return [float(np.corrcoef(np.roll(made, -lag)[inner], true[inner])[0, 1]) for lag in range(-LAGS, LAGS + 1)]


def film_row(bench: Bench, film: Film, other: np.ndarray) -> dict[str, float]:
    """One film, and the same film with another sound."""
    made, control = (bench.gap(sound)[: len(film.gap)] for sound in (film.sound, other))
    frames = min(len(made), len(film.gap), len(control))
    made, control, true = made[:frames], control[:frames], film.gap[:frames]
    lags = shifted(made, true)
    return {
        "r": float(np.corrcoef(made, true)[0, 1]),
        "control": float(np.corrcoef(control, true)[0, 1]),
        "spread": float(made.std() / true.std()),
        "lag": int(np.argmax(lags)) - LAGS,
        "r_at_lag": max(lags),
    }


def film_rows(bench: Bench, films: list[Film], use: Callable[[Film], bool], most: int = 60) -> dict[str, float]:
    """Medians; the control is the next film's sound, or the own sound turned by half if there is no other."""
    chosen = [film for film in films if use(film)][:most]
    rows = []
    for i, film in enumerate(chosen):
        other = chosen[(i + 7) % len(chosen)]
        alone = len(chosen) < 8
        wanted = len(film.sound)
        sound = np.roll(film.sound, wanted // 2) if alone else np.resize(other.sound, wanted)
        rows.append(film_row(bench, film, sound))
    return {"films": len(rows)} | {name: round(float(np.median([row[name] for row in rows])), 3) for name in rows[0]}


def closures(bench: Bench) -> dict[str, float]:
    """Share of p, b, m at which the made lips meet, by language."""
    shares = {}
    for language, text in SENTENCES.items():
        met = []
        for number, variant in enumerate(VOICES):
            utterance = bench.espeak.synthesise(text, language + variant, words_per_minute=(140, 165, 185)[number])
            met += met_at(bench, utterance)
        shares[language] = round(float(np.mean(met)), 3)
    return shares | {"all": round(float(np.mean(list(shares.values()))), 3)}


def natural_closures(bench: Bench, folder: Path) -> dict[str, float]:
    """As `closures`, of natural voices that taught neither the closing nor the curves; the encoder may know them."""
    met = []
    for utterance in natural_voices(folder, held_out=True):
        met += met_at(bench, utterance)
    return {"all": round(float(np.mean(met)), 3), "sounds": len(met)}


def met_at(bench: Bench, utterance: Utterance) -> list[bool]:
    """Whether the lips meet at each p, b, m."""
    gap = bench.gap(prepare_sound(utterance.waveform).waveform) - bench.neutral
    middle = (np.arange(len(gap)) + 0.5) / FPS
    found = []
    for start, stop in bilabials(utterance):
        near = np.abs(middle - (start + stop) / 2) <= max(AROUND, (stop - start) / 2)
        if near.any():
            found.append(bool((gap[near] <= CLOSED).any()))
    return found


def opens(bench: Bench) -> dict[str, float]:
    """Opening of the lips at vowels of the same sentences: closures must not come from a shut mouth."""
    vowels = []
    for language, text in SENTENCES.items():
        utterance = bench.espeak.synthesise(text, language)
        gap = bench.gap(prepare_sound(utterance.waveform).waveform) - bench.neutral
        times = [start for start, _ in utterance.sounds] + [len(utterance.waveform) / SAMPLE_RATE]
        for i, (start, symbol) in enumerate(utterance.sounds):
            if symbol and symbol[0] in "aɑæʌɐ":
                vowels.append(gap[min(len(gap) - 1, int((start + times[i + 1]) / 2 * FPS))])
    return {"open_vowels_median": round(float(np.median(vowels)), 4), "of_them_closed": round(float(np.mean(np.array(vowels) <= CLOSED)), 3)}  # fmt: skip


def pauses(bench: Bench, sounds: list[np.ndarray]) -> dict[str, float]:
    """Share of frames in pauses of 300 ms and more in which lips are closed, and in which they are still."""
    closed, still = [], []
    for sound in sounds:
        gap = bench.gap(sound) - bench.neutral
        pause = Prosody(sound, len(gap), FPS).pause
        edges = np.flatnonzero(np.diff(np.concatenate([[0], pause.astype(int), [0]])))
        for first, last in zip(edges[::2], edges[1::2], strict=True):
            if last - first >= 0.3 * FPS:
                part = gap[first + SETTLE : last - SETTLE]
                closed += list(part <= CLOSED)
                still += list(np.abs(np.diff(part)) <= STILL)
    return {"closed": round(float(np.mean(closed)), 3), "still": round(float(np.mean(still)), 3), "frames": len(closed)}


def with_pauses(bench: Bench) -> list[np.ndarray]:
    """Sentences of espeak-ng with silences of known length between."""
    rng, sounds = np.random.default_rng(0), []
    for language, text in SENTENCES.items():
        parts = []
        for sentence in text.split(". "):
            parts += [
                bench.espeak.synthesise(sentence, language).waveform,
                np.zeros(int(rng.uniform(0.3, 0.9) * SAMPLE_RATE)),
            ]
        sounds.append(prepare_sound(np.concatenate(parts).astype(np.float32)).waveform)
    return sounds


def minute(films: list[Film]) -> Sound:
    """60 s of speech that taught nothing."""
    sound = next(film.sound for film in films if film.name == "research/speaker_60s")
    return Sound(np.resize(sound, 60 * SAMPLE_RATE))


def heads(bench: Bench, sound: Sound) -> dict[str, float]:
    """Mean head speed against the one that is asked, blinks per minute, and repeats."""
    made = {}
    for speed in SPEEDS:
        motions = [speak(sound, bench.model, SpeakRequest(speed=Curve.constant(speed), seed=seed)) for seed in range(3)]
        made[f"speed_{speed:g}"] = round(float(np.mean([mean_speed(motion.rotation) for motion in motions])), 3)
    blinks = [blink_rate(motion) for motion in motions]
    made |= {"blinks_least": min(blinks), "blinks_most": max(blinks)}
    made["largest_turn"] = round(float(max(np.linalg.norm(motion.rotation, axis=1).max() for motion in motions)), 1)
    made["repeat"] = round(max(repeat(motion) for motion in motions), 3)
    return made


def blink_rate(motion: FaceMotion) -> float:
    """Blinks per minute."""
    shut = motion.curve("eyeBlinkLeft") > 0.5
    return round(float((shut[1:] & ~shut[:-1]).sum() / motion.seconds * 60), 1)


def repeat(motion: FaceMotion, seconds: float = 2.0, within: float = 20.0) -> float:
    """Largest correlation of two windows of head motion within 20 s, each window without its mean."""
    length, reach = round(seconds * FPS), round(within * FPS)
    starts = np.arange(0, len(motion) - length, 5)
    windows = np.stack([motion.rotation[start : start + length] for start in starts])
    windows = (windows - windows.mean(1, keepdims=True)).reshape(len(starts), -1)
    windows = windows / np.maximum(np.linalg.norm(windows, axis=1, keepdims=True), 1e-9)
    worst = 0.0
    for i in range(len(starts)):
        apart = starts - starts[i]
        later = (apart >= length) & (apart <= reach)
        if later.any():
            worst = max(worst, float((windows[later] @ windows[i]).max()))
    return worst


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--films", type=Path, required=True)
    parser.add_argument("--spoken", type=Path, help="folder of `recipes.emote_mini.kokoro`")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    bench, films = Bench(load_emote(args.model)), load(args.films)
    films = [film for film in films if film.use not in ("train", "unused")]
    rows = {
        "s1": lambda film: film.use == "s1",
        "strangers of GRID": lambda film: film.use == "strangers",
        **{person: (lambda film, person=person: film.use == "strangers" and film.person == person) for person in ("s30", "s31", "s34")},
        "reagan, trump": lambda film: film.use == "free",
        "speaker_60s": lambda film: film.name.endswith("speaker_60s"),
        "expressive_34s": lambda film: film.name.endswith("expressive_34s"),
    }  # fmt: skip
    table = {}
    for name, use in rows.items():
        table[name] = film_rows(bench, films, use)
        print(name, json.dumps(table[name]), flush=True)
    free = [film.sound for film in films if film.use in ("free", "research")]
    sound = minute(films)
    natural = {"p, b, m close, natural voices": lambda: natural_closures(bench, args.spoken)} if args.spoken else {}
    for name, measure in {
        **natural,
        "p, b, m close": lambda: closures(bench),
        "open vowels": lambda: opens(bench),
        "pauses, espeak-ng": lambda: pauses(bench, with_pauses(bench)),
        "pauses, free speech": lambda: pauses(bench, free),
        "head and blinks": lambda: heads(bench, sound),
    }.items():
        table[name] = measure()
        print(name, json.dumps(table[name]), flush=True)
    write_json(args.out, table)


if __name__ == "__main__":
    main()
