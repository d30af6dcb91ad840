"""Other voices for a dataset's sentences: shifted copies, espeak-ng with the same words, and other languages.

`python -m recipes.emo_mini.voices --data DATASET --out speech.npz` writes M pieces of three seconds, T=149 wav2vec features each:

    sounds (M, 48000) int16     the input         lips    (M, T, 3) opening, height, width of the lips
    mel    (M, T, 40) the original's spectrum      visemes (M, T) class of `visemes`, -1 where unknown
    kinds  (M,) see KINDS       held_out (M,)      trained (M,) whether the person is the one of most clips

GRID's file names encode its sentences, so espeak-ng synthesises them, too, and time warping assigns the filmed lips to its voice.
Other languages have exact speech sounds, and for each of them the mean lips of GRID's speakers.
"""

import argparse
import re
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from emo_core.audio.augment import shift
from emo_core.audio.features import FIELD, HOP
from emo_core.dataset.shards import HELD_OUT, TRAIN, Clip, Dataset, read_clips
from emo_core.files import atomic_path
from emo_core.media.sound import SAMPLE_RATE

from .espeak import Espeak, Utterance
from .visemes import COUNT, visemes

SAMPLES = 48000
TIMES = (np.arange((SAMPLES - FIELD) // HOP + 1) * HOP + FIELD / 2) / SAMPLE_RATE
"""Middle of each feature in seconds."""
KINDS = ("own", "x0.8", "x1.2", "x1.45", "espeak", "language")
SHIFTS = (0.8, 1.2, 1.45)
WORDS = (
    {"b": "bin", "l": "lay", "p": "place", "s": "set"},
    {"b": "blue", "g": "green", "r": "red", "w": "white"},
    {"a": "at", "b": "by", "i": "in", "w": "with"},
    {},
    {"z": "zero"},
    {"a": "again", "n": "now", "p": "please", "s": "soon"},
)
VOICES = ("en", "en-us", "en-gb-scotland", "en+f2", "en-us+f3", "en+m3", "en-us+m7", "en+f5")
VARIANTS = ("", "+f1", "+f2", "+f3", "+f4", "+f5", "+m1", "+m2", "+m3", "+m4", "+m5", "+m6", "+m7")


def sentence(name: str) -> str | None:
    """The words of a GRID clip from its name: `bbaf2n` is "bin blue at f 2 now"; None for other names."""
    match = re.search(r"(?:^|_)([blps][bgrw][abiw][a-z][z0-9][anps])(?:[-.]|$)", name)
    if match is None:
        return None
    return " ".join(table.get(letter, letter) for table, letter in zip(WORDS, match[1], strict=True))


def fit(samples: np.ndarray) -> np.ndarray:
    """Cut or pad to three seconds."""
    return np.pad(samples[:SAMPLES], (0, max(0, SAMPLES - len(samples)))).astype(np.float32)


def log_mel(samples: Tensor, bands: int = 40) -> Tensor:
    """(..., S) at 16 kHz to (..., T, bands), one frame for every wav2vec2 feature (hop 320, window 400)."""
    window = torch.hann_window(FIELD)
    power = torch.stft(samples, 512, HOP, FIELD, window, center=False, return_complex=True).abs().square()
    mel = torch.linspace(0, 2595 * np.log10(1 + 8000 / 700), bands + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    hertz = torch.linspace(0, 8000, 257)
    rising = (hertz - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - hertz) / (edges[2:] - edges[1:-1])[:, None]
    bank = torch.minimum(rising, falling).clamp(min=0)
    log = ((bank @ power).clamp(min=1e-6).log()).transpose(-1, -2)[..., : len(TIMES), :]
    return torch.cat([log, log[..., -1:, :].expand(*log.shape[:-2], len(TIMES) - log.shape[-2], bands)], -2)


def align(synthetic: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Dynamic time warping on normalised log-mel: for each frame of `synthetic`, a frame of `real`."""
    a, b = (log_mel(torch.from_numpy(x)) for x in (synthetic, real))
    a, b = ((x - x.mean(0)) / (x.std(0) + 0.1) for x in (a, b))
    cost = torch.cdist(a, b).numpy()
    total = np.full((len(a) + 1, len(b) + 1), np.inf)
    total[0, :] = 0  # The two recordings have unequal pauses before and after the sentence.
    for i in range(1, len(a) + 1):
        best, row = np.minimum(total[i - 1, :-1], total[i - 1, 1:]), total[i]
        for j in range(1, len(b) + 1):
            row[j] = cost[i - 1, j - 1] + min(best[j - 1], row[j - 1] + 0.3)
    i, j, path = len(a), int(total[len(a), 1:].argmin()) + 1, np.zeros(len(a), int)
    while i > 0:
        path[i - 1] = j - 1
        step = int(np.argmin((total[i - 1, j - 1], total[i - 1, j], total[i, j - 1] + 0.3)))
        i, j = i - (step < 2), max(1, j - (step != 1))
    return path


def lips_of(clip: Clip, fps: float) -> np.ndarray:
    """(T, 3) opening, height and width of the lips over the height of the face, from their resting size."""
    mouths, height = clip.labels.mouths, np.diff(clip.labels.boxes[:, 1::2]).mean()
    size = np.stack(
        [clip.labels.opening, (mouths[:, 3] - mouths[:, 1]) / height, (mouths[:, 2] - mouths[:, 0]) / height], axis=1
    )
    size = size - np.percentile(size, (10, 10, 50), axis=0).diagonal()
    frames = TIMES * fps - 0.5
    return np.stack([np.interp(frames, np.arange(len(size)), column) for column in size.T], axis=1)


class Speech:
    """Collects the pieces."""

    def __init__(self, seed: int = 0) -> None:
        self.rng, self.espeak = np.random.default_rng(seed), Espeak()
        self.rows: list[dict] = []
        self._lips, self._count = np.zeros((COUNT, 3)), np.zeros(COUNT)

    def add(self, kind: int, sound: np.ndarray, lips: np.ndarray, mel: Tensor, classes: np.ndarray, **about: bool) -> None:  # fmt: skip
        """Keep a piece."""
        sounds = np.clip(sound / max(1e-6, np.abs(sound).max()) * 30000, -32767, 32767).astype(np.int16)
        row = {"sounds": sounds, "lips": lips.astype(np.float32), "mel": mel.numpy().astype(np.float16)}
        self.rows.append({**row, "visemes": classes.astype(np.int8), "kinds": kind, **about})

    def add_clip(self, clip: Clip, fps: float, *, held_out: bool, trained: bool) -> None:
        """Add a clip, its shifted copies, and its sentence by espeak-ng."""
        about = {"held_out": held_out, "trained": trained}
        real, lips = fit(clip.sound()), lips_of(clip, fps)
        mel = log_mel(torch.from_numpy(real))
        words, classes = sentence(clip.about["file"]), np.full(len(TIMES), -1)
        if words is not None:
            utterance = self.synthesise(words, str(self.rng.choice(VOICES)))
            sound, sounds = fit(utterance.waveform), visemes(utterance, TIMES)
            path = align(sound, real)
            classes[path] = sounds
            self.add(4, sound, lips[path], mel[path], sounds, **about)
            if not held_out:  # The lips of other languages are means of these, and the encoder is trained on them.
                np.add.at(self._lips, sounds, lips[path])
                np.add.at(self._count, sounds, 1)
        self.add(0, real, lips, mel, classes, **about)
        for number, factor in enumerate(SHIFTS, 1):
            self.add(number, fit(shift(real, factor)), lips, mel, classes, **about)

    def add_language(self, text: str, language: str, **about: bool) -> None:
        """Add a sentence of another language, its words in random order."""
        words = text.split()
        utterance = self.synthesise(" ".join(self.rng.permutation(words)), language + str(self.rng.choice(VARIANTS)))
        classes = visemes(utterance, TIMES)
        typical = self._lips / np.maximum(self._count, 1)[:, None]
        kernel = np.bartlett(9)[1:-1] / np.bartlett(9).sum()
        lips = np.stack([np.convolve(column, kernel, "same") for column in typical[classes].T], axis=1)
        sound = fit(utterance.waveform)
        self.add(5, sound, lips, log_mel(torch.from_numpy(sound)), classes, **about)

    def synthesise(self, text: str, voice: str) -> Utterance:
        """Synthesise a sentence at a random rate and pitch."""
        rate, pitch = int(self.rng.integers(110, 200)), int(self.rng.integers(20, 80))
        return self.espeak.synthesise(text, voice, words_per_minute=rate, pitch=pitch)

    def save(self, path: Path) -> None:
        """Write all pieces."""
        with atomic_path(path) as temporary:
            np.savez(temporary, **{name: np.stack([row[name] for row in self.rows]) for name in self.rows[0]})


def main() -> None:
    """Make the pieces."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--languages", type=int, default=1600, help="sentences of other languages")
    args = parser.parse_args()
    torch.set_num_threads(1)
    dataset, speech = Dataset.open(args.data), Speech()
    for split in (TRAIN, HELD_OUT):
        for clip in tqdm(read_clips(dataset, split), total=dataset.clips(split), desc=split, disable=None):
            trained = sentence(clip.about["file"]) is not None and "_" not in clip.about["file"]
            speech.add_clip(clip, dataset.fps, held_out=split == HELD_OUT, trained=trained)
    lines = [line.split("\t") for line in Path(__file__).with_name("sentences.txt").read_text().splitlines()]
    for number in tqdm(range(args.languages), desc="languages", disable=None):
        language, text = lines[number % len(lines)]
        speech.add_language(text, language, held_out=number % 20 == 0, trained=False)
    speech.save(args.out)


if __name__ == "__main__":
    main()
