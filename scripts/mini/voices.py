"""Other voices for GRID sentences: shifted copies of the speaker, and espeak-ng reading the same words, time-aligned.

`python -m scripts.mini.voices --data WORK` adds to the arrays of `prepare`:

    shifted.npy  (V, C, 48000) float32: the clip with pitch and formants times SHIFTS[v], timing unchanged
    spoken.npy   (C, 48000) float32: espeak-ng reading the clip's sentence, every clip another voice
    warp.npy     (C, 150) float32: for each 20 ms of `spoken`, the second in the real clip with the same speech sound
"""

import argparse
import io
import subprocess
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import soundfile
import torch
from torch import Tensor
from tqdm import tqdm

from .corpus import Corpus

RATE, SAMPLES, HOP = 16000, 48000, 320
SHIFTS = (0.8, 1.2, 1.45)
WORDS = (
    {"b": "bin", "l": "lay", "p": "place", "s": "set"},
    {"b": "blue", "g": "green", "r": "red", "w": "white"},
    {"a": "at", "b": "by", "i": "in", "w": "with"},
    {},
    {"z": "zero"},
    {"a": "again", "n": "now", "p": "please", "s": "soon"},
)
VOICES = ("en-gb", "en-us", "en-gb-scotland", "en-gb+f2", "en-us+f3", "en-gb+m3", "en-us+m7", "en-gb+f5")


def sentence(name: str) -> str:
    """The words of a GRID clip from its name: `bbaf2n` is "bin blue at f 2 now"."""
    return " ".join(table.get(letter, letter) for table, letter in zip(WORDS, name, strict=True))


def speak(text: str, voice: str, speed: int, pitch: int) -> np.ndarray:
    """espeak-ng's voice at 16 kHz."""
    wav = subprocess.run(
        ["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "--stdout", text],
        check=True,
        capture_output=True,
    ).stdout
    samples, rate = soundfile.read(io.BytesIO(wav), dtype="float32")
    return through_filters(samples, [("aresample", str(RATE))], rate)


def through_filters(samples: np.ndarray, filters: list[tuple[str, str]], rate: int = RATE) -> np.ndarray:
    """Run FFmpeg audio filters over mono samples."""
    graph = av.filter.Graph()
    source = graph.add_abuffer(format="flt", sample_rate=rate, layout="mono", time_base=Fraction(1, rate))
    nodes = [source, *(graph.add(name, value) for name, value in filters), graph.add("abuffersink")]
    for before, after in pairwise(nodes):
        before.link_to(after)
    graph.configure()
    frame = av.AudioFrame.from_ndarray(samples[None].astype(np.float32), format="flt", layout="mono")
    frame.sample_rate, frame.pts = rate, 0
    source.push(frame)
    source.push(None)
    parts = []
    while True:
        try:
            parts.append(nodes[-1].pull().to_ndarray().ravel())
        except (av.BlockingIOError, av.EOFError):
            return np.concatenate(parts)


def shift(samples: np.ndarray, factor: float) -> np.ndarray:
    """Pitch and formants times `factor`, duration unchanged."""
    steps = [("asetrate", str(round(RATE * factor))), ("aresample", str(RATE)), ("atempo", f"{1 / factor:.6f}")]
    return through_filters(samples, steps)


def fit(samples: np.ndarray) -> np.ndarray:
    """Cut or pad to three seconds."""
    return np.pad(samples[:SAMPLES], (0, max(0, SAMPLES - len(samples)))).astype(np.float32)


def log_mel(samples: Tensor, bands: int = 40) -> Tensor:
    """(..., S) at 16 kHz to (..., T, bands), one frame for every wav2vec2 feature (hop 320, window 400)."""
    window = torch.hann_window(400)
    power = torch.stft(samples, 512, HOP, 400, window, center=False, return_complex=True).abs().square()
    mel = torch.linspace(0, 2595 * np.log10(1 + 8000 / 700), bands + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    hertz = torch.linspace(0, 8000, 257)
    rising = (hertz - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - hertz) / (edges[2:] - edges[1:-1])[:, None]
    bank = torch.minimum(rising, falling).clamp(min=0)
    return ((bank @ power).clamp(min=1e-6).log()).transpose(-1, -2)


def align(spoken: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Dynamic time warping on normalised log-mel: for each frame of `spoken`, a frame of `real`."""
    a, b = (log_mel(torch.from_numpy(x)) for x in (spoken, real))
    a, b = ((x - x.mean(0)) / (x.std(0) + 0.1) for x in (a, b))
    cost = torch.cdist(a, b).numpy()
    total = np.full((len(a) + 1, len(b) + 1), np.inf)
    total[0, :] = 0  # The two recordings have unequal pauses before and after the sentence.
    for i in range(1, len(a) + 1):
        best, row = np.minimum(total[i - 1, :-1], total[i - 1, 1:]), total[i]
        for j in range(1, len(b) + 1):
            row[j] = cost[i - 1, j - 1] + min(best[j - 1], row[j - 1] + 0.3)
    i, j, path = len(a), int(total[len(a), 1:].argmin()) + 1, np.zeros(len(a))
    while i > 0:
        path[i - 1] = j - 1
        step = int(np.argmin((total[i - 1, j - 1], total[i - 1, j], total[i, j - 1] + 0.3)))
        i, j = i - (step < 2), max(1, j - (step != 1))
    return path


def main() -> None:
    """Make the arrays."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    corpus, rng = Corpus.open(args.data), np.random.default_rng(0)
    clips = len(corpus.names)
    shifted = np.lib.format.open_memmap(args.data / "shifted.npy", "w+", np.float32, (len(SHIFTS), clips, SAMPLES))
    spoken = np.lib.format.open_memmap(args.data / "spoken.npy", "w+", np.float32, (clips, SAMPLES))
    warp = np.lib.format.open_memmap(args.data / "warp.npy", "w+", np.float32, (clips, SAMPLES // HOP))
    for clip, name in enumerate(tqdm(corpus.names)):
        if name is None:
            continue
        real = corpus.audio[clip]
        for v, factor in enumerate(SHIFTS):
            shifted[v, clip] = fit(shift(real, factor))
        text = sentence(name)
        spoken[clip] = fit(speak(text, rng.choice(VOICES), int(rng.integers(110, 190)), int(rng.integers(25, 75))))
        path = align(spoken[clip], real)
        warp[clip] = np.pad(path, (0, warp.shape[1] - len(path)), mode="edge") * HOP / RATE


if __name__ == "__main__":
    main()
