"""What the ear learns from: films, natural and espeak-ng's voices, each also with other pitch and formants.

`python -m recipes.emote_mini.passages --data DATA --landmarks FOLDER --spoken FOLDER --out passages.npz` joins all passages:

    sounds  (N * 320,) int16   every passage has whole steps of 320 samples       lips    (N, 3) opening, height, width
    letters (N,) of `phones`, -1 where unknown                                    trust   (N,) weight of the lips
    begin, count (M,) steps    kind (M,) see KINDS    clean (M,) the passage that has the same times and the true voice
    held_out (M,)              person (M,) numbers; -1 for synthetic voices

GRID's names hold its sentences: espeak-ng speaks them, and time warping assigns its speech sounds to the film. From these,
lips are fitted to speech sounds and loudness, and given to the synthetic voices, whose times are known. A filmed person's
sound and lips are shifted against each other by the person's own lag.
"""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import soundfile
import torch
from tqdm import tqdm

from emo_core.audio.augment import shift
from emo_core.audio.config import FIELD, HOP
from emo_core.audio.encoder import AudioEncoder
from emo_core.emo.weights.checkpoint import load_checkpoint
from emo_core.files import atomic_path
from emo_core.media.sound import SAMPLE_RATE, mono_16k
from recipes.emo_mini.audio import levels
from recipes.emo_mini.espeak import Espeak
from recipes.emo_mini.voices import VARIANTS, VOICES, sentence

from .films import Film, at_features, read_films
from .kokoro import Spoken, passage, sentences
from .phones import VISEME, TypicalLips, letters_at
from .spectrum import log_mel
from .warping import warped

KINDS = ("s1", "grid", "free", "natural", "formant")
"""The person of most clips, the other people of GRID, addresses, Kokoro's voices, espeak-ng's."""
SHIFTS = {"s1": ((0.75, 0.95), (1.1, 1.5)), "grid": ((0.75, 0.92), (1.1, 1.4)), "free": ((0.8, 0.95), (1.1, 1.5)),
          "natural": ((0.68, 0.85), (0.85, 1.25)), "formant": ()}  # fmt: skip
"""Ranges of a passage's shifted copies. The natural voices are mostly women's, so their copies are mostly lower."""
COPIES = {"s1": 1}
"""Copies of each passage, where they are fewer than ranges."""
TYPICAL = 0.5
"""Trust in lips that were not filmed."""
ENOUGH = 25.0
"""Seconds of a person's films from which the lag is measured."""
SPEECH = slice(5, 28)
"""Bands of log-mel from 250 to 3500 Hz."""
USUAL = -0.5
"""Steps by which the envelope is later than the opening in films that are in sync: GRID's median."""
SILENT, LONG = 40.0, 6
"""Decibels below the loud parts and steps, from which a synthetic voice is silent: longer than a stop's closure."""
LAGS = range(-5, 6)
"""Steps of 20 ms by which a person's sound may lag."""


def lag_of(sounds: list[np.ndarray], lips: list[np.ndarray]) -> int:
    """Steps by which the sound is later than is usual: where the envelope and the opening of a person agree best."""
    scores = [
        np.median([_agreement(envelope(sound), opening, lag) for sound, opening in zip(sounds, lips, strict=True)])
        for lag in LAGS
    ]
    best = int(np.argmax(scores[1:-1])) + 1
    before, peak, after = scores[best - 1 : best + 2]
    top = LAGS[best] + 0.5 * (before - after) / min(-1e-6, before - 2 * peak + after)
    return round(float(top) - USUAL)


def envelope(sound: np.ndarray) -> np.ndarray:
    """(S,) to (T,): amplitude of 250 to 3500 Hz."""
    return log_mel(torch.from_numpy(sound.astype(np.float32)))[:, SPEECH].exp().sum(1).sqrt().numpy()


def _agreement(loud: np.ndarray, opening: np.ndarray, lag: int) -> float:
    """Correlation of the changes within two thirds of a second."""
    count, reach, slow = min(len(loud), len(opening)), max(LAGS), np.ones(33) / 33
    loud, opening = (rows[:count] - np.convolve(rows[:count], slow, "same") for rows in (loud, opening))
    place = np.arange(reach, count - reach)
    return float(np.corrcoef(loud[place + lag], opening[place])[0, 1])


def level(sound: np.ndarray) -> np.ndarray:
    """(S,) to (T,): log energy of 250 to 3500 Hz, standardised in the passage."""
    mel = log_mel(torch.from_numpy(sound.astype(np.float32)))[:, SPEECH].mean(1).numpy()
    return (mel - mel.mean()) / max(1e-6, mel.std())


def silent(sound: np.ndarray) -> np.ndarray:
    """(S,) to (T,): whether a feature lies in a pause: the last sound before it has its time in a natural voice's labels."""
    loud = log_mel(torch.from_numpy(sound.astype(np.float32))).exp().sum(1).log10().numpy() * 10
    quiet = loud < np.percentile(loud, 95) - SILENT
    edges = np.flatnonzero(np.diff(np.concatenate([[False], quiet, [False]]).astype(int)))
    for first, last in edges.reshape(-1, 2):
        if last - first < LONG:
            quiet[first:last] = False
    return quiet


class Passages:
    """Collects them."""

    def __init__(self, encoder: AudioEncoder, seed: int = 0) -> None:
        """Use an encoder to find GRID's words in its films."""
        self.rng, self.typical, self._espeak = np.random.default_rng(seed), TypicalLips(), Espeak()
        self._encoder = encoder
        self._parts: dict[str, list[np.ndarray]] = {name: [] for name in ("sounds", "lips", "letters", "trust")}
        self._rows: dict[str, list[int]] = {
            name: [] for name in ("begin", "count", "kind", "clean", "held_out", "person")
        }
        self._people: dict[str, int] = {}
        self._length = 0

    def add(self, kind: str, sound: np.ndarray, lips: np.ndarray, letters: np.ndarray, trust: np.ndarray, *,
            person: str = "", held_out: bool = False, copies: bool = True) -> None:  # fmt: skip
        """Keep a passage and its shifted copies; the arrays have a row per feature."""
        number = self._people.setdefault(person, len(self._people)) if person else -1
        clean, ranges = len(self._rows["begin"]), list(SHIFTS[kind])
        if kind in COPIES:
            ranges = [ranges[int(self.rng.integers(len(ranges)))] for _ in range(COPIES[kind])]
        for span in [None, *ranges] if copies and not held_out else [None]:
            voice = sound if span is None else shift(sound, float(self.rng.uniform(*span)))
            steps = len(lips) + 1
            voice = np.pad(voice[: steps * HOP], (0, max(0, steps * HOP - len(voice))))
            voice = np.clip(voice / max(1e-6, np.abs(voice).max()) * 30000, -32767, 32767).astype(np.int16)
            begin, self._length = self._length, self._length + steps
            for name, values in (("sounds", voice), ("lips", lips), ("letters", letters), ("trust", trust)):
                tail = values if name == "sounds" else np.concatenate([values, values[-1:]])
                self._parts[name].append(tail)
            row = {"begin": begin, "count": steps, "kind": KINDS.index(kind), "clean": clean, "held_out": held_out,
                   "person": number}  # fmt: skip
            for name, value in row.items():
                self._rows[name].append(int(value))

    def add_film(self, film: Film, lag: int) -> None:
        """Add a film that teaches, or one of s1 that validates."""
        count = len(log_mel(torch.from_numpy(film.sound)))
        place = np.clip(np.arange(count) - lag, 0, count - 1)  # Lips of the time when their sound is heard.
        lips = at_features(film.lips, film.fps, count)[place]
        trust = at_features(film.seen.astype(float), film.fps, count)[place]
        kind = "s1" if film.person == "s1" else "grid" if film.person.startswith("s") else "free"
        letters, words = np.full(count, -1, np.int64), sentence(film.name)
        if words is not None:
            letters = self._grid_letters(words, film.sound, count)
            if film.role == "teach":
                self.typical.add(VISEME[letters], level(film.sound), lips)
        self.add(kind, film.sound, lips, letters, trust, person=film.person, held_out=film.role != "teach")

    def _grid_letters(self, words: str, sound: np.ndarray, count: int) -> np.ndarray:
        utterance = self._espeak.synthesise(words, str(self.rng.choice(VOICES)), words_per_minute=150)
        begin, end = (round(utterance.sounds[place][0] * SAMPLE_RATE / HOP) for place in (0, -1))
        said = self._features(utterance.waveform)[begin:end]
        first, places = warped(self._features(sound), said)
        letters = np.zeros(count, np.int64)
        spoken = letters_at(utterance.sounds, feature_times(end))[begin + places]
        letters[first : first + len(places)] = spoken
        return letters

    @torch.no_grad()
    def _features(self, sound: np.ndarray) -> np.ndarray:
        """(S,) to (T, D) of the encoder's last layer, whose mean is taken out."""
        sounds = torch.from_numpy(sound.astype(np.float32))[None]
        features = self._encoder(sounds / levels(sounds).clamp(min=1e-6))[0, :, -1].numpy()
        return features - features.mean(0)

    def add_spoken(self, file: Path) -> None:
        """Add a passage of `kokoro`; every 20th validates."""
        spoken = Spoken(**json.loads(file.read_text("utf-8")))
        samples, rate = soundfile.read(file.with_suffix(".flac"), dtype="float32")
        self._add_synthetic("natural", mono_16k(samples[None], rate), spoken.sounds(), int(file.stem[-5:]) % 20 == 0)

    def add_formant(self, language: str, text: str, *, held_out: bool) -> None:
        """Add a passage of espeak-ng."""
        voice = language + str(self.rng.choice(VARIANTS))
        rate, pitch = int(self.rng.integers(110, 220)), int(self.rng.integers(10, 85))
        utterance = self._espeak.synthesise(text, voice, words_per_minute=rate, pitch=pitch)
        self._add_synthetic("formant", utterance.waveform, utterance.sounds, held_out)

    def _add_synthetic(self, kind: str, sound: np.ndarray, sounds: tuple, held_out: bool) -> None:
        count = len(log_mel(torch.from_numpy(sound))) if len(sound) > SAMPLE_RATE // 10 else 0
        if not count:
            return
        letters = np.where(silent(sound), 0, letters_at(sounds, feature_times(count)))
        lips = self.typical(VISEME[letters], level(sound))
        self.add(kind, sound, lips, letters, np.full(count, TYPICAL), held_out=held_out)

    def restore(self, file: Path) -> int:
        """Begin with the passages of a file; returns how many of them are of natural voices. None were added before."""
        with np.load(file) as arrays:
            self._parts = {name: [arrays[name]] for name in self._parts}
            self._rows = {name: arrays[name].tolist() for name in self._rows}
        self._length = len(self._parts["lips"][0])
        rows, filmed = self._rows, (KINDS.index("s1"), KINDS.index("grid"))
        for number, (begin, count) in enumerate(zip(rows["begin"], rows["count"], strict=True)):
            if rows["kind"][number] in filmed and rows["clean"][number] == number and not rows["held_out"][number]:
                part = slice(begin, begin + count - 1)
                sound = self._parts["sounds"][0][begin * HOP : (begin + count) * HOP].astype(np.float32) / 32768
                loud = level(sound)[: count - 1]
                self.typical.add(VISEME[self._parts["letters"][0][part]], loud, self._parts["lips"][0][part])
        natural = KINDS.index("natural")
        return sum(kind == natural and rows["clean"][number] == number for number, kind in enumerate(rows["kind"]))

    def save(self, path: Path) -> None:
        """Write all passages."""
        lips = np.concatenate(self._parts["lips"]).astype(np.float32)
        with atomic_path(path) as temporary:
            np.savez(
                temporary,
                sounds=np.concatenate(self._parts["sounds"]),
                lips=lips,
                letters=np.concatenate(self._parts["letters"]).astype(np.int16),
                trust=np.concatenate(self._parts["trust"]).astype(np.float32),
                **{name: np.array(values, np.int64) for name, values in self._rows.items()},
            )


def feature_times(count: int) -> np.ndarray:
    """Seconds of the middles of features."""
    return (np.arange(count) * HOP + FIELD / 2) / SAMPLE_RATE


def add_films(passages: Passages, films: Iterable[Film]) -> None:
    """Add all films that teach or validate, each person's with the person's lag."""
    people: dict[str, list[Film]] = {}
    for film in films:
        if film.role in ("teach", "s1"):
            people.setdefault(film.person, []).append(film)
    for person, own in people.items():
        taught = [film for film in own if film.role == "teach"][:60]
        seconds = sum(len(film.sound) for film in taught) / SAMPLE_RATE
        openings = [at_features(film.lips[:, 0], film.fps, len(film.sound) // HOP) for film in taught]
        lag = lag_of([film.sound for film in taught], openings) if seconds >= ENOUGH else 0
        print(person, len(own), "films, sound later by", lag * 20, "ms", flush=True)
        for film in tqdm(own, desc=person, disable=None):
            passages.add_film(film, lag)


def main() -> None:
    """Make the passages."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--landmarks", type=Path, required=True)
    parser.add_argument("--spoken", type=Path, required=True, help="the folder of `recipes.emote_mini.kokoro`")
    parser.add_argument("--formant", type=int, default=400, help="passages of espeak-ng")
    parser.add_argument(
        "--checkpoint", type=Path, default=Path("models/emo-mini.safetensors"), help="whose encoder warps"
    )
    parser.add_argument(
        "--earlier", type=Path, help="a file that this command wrote, to which it adds newly spoken passages"
    )
    parser.add_argument("--films", type=int, default=450, help="of a person, at most")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    passages = Passages(load_checkpoint(args.checkpoint).audio_encoder.eval())
    known = passages.restore(args.earlier) if args.earlier else 0
    if not args.earlier:
        add_films(passages, read_films(args.data, args.landmarks, args.films))
    spoken = [file for file in sorted(args.spoken.glob("*.json")) if file.with_suffix(".flac").is_file()]
    for file in tqdm(spoken[known:], desc="natural", disable=None):
        passages.add_spoken(file)
    lines = sentences()
    for number in tqdm(range(args.formant), desc="formant", disable=None):
        passages.add_formant(*passage(passages.rng, lines), held_out=number % 20 == 0)
    passages.save(args.out)


if __name__ == "__main__":
    main()
