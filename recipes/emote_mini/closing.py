"""Teach the model when lips meet: `python -m recipes.emote_mini.closing --content content.safetensors --encoder emo-mini --out closing.safetensors`.

A small network reads the same inputs: bilabial sounds of espeak-ng in many languages, whose times are exact, those of the natural voices
that `recipes.emote_mini.kokoro` made, and the closed and open lips of films.

Shape legend: N frames, I inputs.
"""

import argparse
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import soundfile
import torch
from safetensors.torch import save_file
from torch.nn import functional

from emo_core.audio.encoder import AudioEncoder
from emo_core.emote.closure import opening_of
from emo_core.emote.content import ContentModel
from emo_core.emote.prosody import Prosody
from emo_core.face.rig import load_rig
from emo_core.files import atomic_path
from emo_core.media.sound import mono_16k, prepare_sound
from recipes.emo_mini.espeak import Espeak, Utterance

from .content import Heard, load_content, read
from .gather import FPS
from .hearing import heard_sound, load_ear, windows

BILABIAL = frozenset("pbmɓ")
SENTENCES = Path(__file__).resolve().parents[1] / "emo_mini" / "sentences.txt"
VARIANTS = ("", "+f2", "+f4", "+m3", "+m5", "+m7")
UTTERANCES = 220
NEAR, FAR = 0.0, 0.03
"""Seconds around a bilabial that count as closed, and from which frames count as open."""
SHUT, OPEN = 0.002, 0.014
"""Gaps in heights of the face, over neutral, that count as closed and open in films."""
FILM_ROWS = 12_000
NATURAL_HELD_OUT = 6
STEPS, BATCH, RATE, DECAY, DROPOUT = 1200, 384, 1e-3, 0.1, 0.4


def bilabials(utterance: Utterance) -> list[tuple[float, float]]:
    """Start and end in seconds of each p, b, m."""
    times = [start for start, _ in utterance.sounds] + [len(utterance.waveform) / 16000]
    return [(start, min(times[i + 1], start + 0.2)) for i, (start, symbol) in enumerate(utterance.sounds)
            if symbol and symbol[0] in BILABIAL]  # fmt: skip


def labels_of(utterance: Utterance, frames: int) -> np.ndarray:
    """(F,) 1 closed, 0 open, -1 unknown."""
    middle = (np.arange(frames) + 0.5) / FPS
    labels = np.zeros(frames, np.int64)
    for start, stop in bilabials(utterance):
        labels[(middle > start - FAR) & (middle < stop + FAR)] = np.where(
            labels[(middle > start - FAR) & (middle < stop + FAR)] == 1, 1, -1
        )
    for start, stop in bilabials(utterance):
        inside = (middle > start - NEAR) & (middle < stop + NEAR)
        inside[np.abs(middle - (start + stop) / 2).argmin()] = True
        labels[inside] = 1
    return labels


def formant_voices(seed: int = 0) -> Iterator[Utterance]:
    """Sentences of espeak-ng, their words in random order."""
    espeak, rng = Espeak(), np.random.default_rng(seed)
    lines = [line.split("\t") for line in SENTENCES.read_text().splitlines()]
    for number in range(UTTERANCES):
        language, text = lines[number % len(lines)]
        text = " ".join(rng.permutation(text.split()))
        voice = language + str(rng.choice(VARIANTS))
        rate, pitch = int(rng.integers(110, 200)), int(rng.integers(20, 80))
        yield espeak.synthesise(text, voice, words_per_minute=rate, pitch=pitch)


def natural_voices(folder: Path, *, held_out: bool) -> Iterator[Utterance]:
    """Passages of `recipes.emote_mini.kokoro`; every n-th is held out."""
    from .kokoro import RATE, Spoken

    for number, file in enumerate(sorted(folder.glob("*.json"))):
        if (number % NATURAL_HELD_OUT == 0) == held_out:
            about = json.loads(file.read_text())
            spoken = Spoken(**about | {"frames": tuple(about["frames"])})
            samples, _ = soundfile.read(file.with_suffix(".flac"), dtype="float32")
            yield Utterance(mono_16k(samples[None], RATE), spoken.sounds())


def spoken(utterances: Iterable[Utterance], encoder: AudioEncoder) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (N, I) and labels (N,) of synthetic voices."""
    inputs, labels = [], []
    for utterance in utterances:
        sound = prepare_sound(utterance.waveform)
        features = heard_sound(sound, encoder)
        label = labels_of(utterance, len(features[0]))
        label[Prosody(sound.waveform, len(label), FPS).pause] = -1
        inputs.append(windows(features)[label >= 0].astype(np.float16))
        labels.append(label[label >= 0])
    return np.concatenate(inputs), np.concatenate(labels)


def filmed(heard: Heard, opening: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and labels of the films' spoken frames."""
    rng, inputs, labels = np.random.default_rng(seed), [], []
    for film, features, curves in zip(heard.films, heard.features, heard.curves, strict=True):
        if film.person == "s1" and rng.random() > 0.15:
            continue
        gap = curves.numpy() @ opening
        label = np.where(gap < SHUT, 1, np.where(gap > OPEN, 0, -1))
        label[Prosody(film.sound, len(label), FPS).loudness < -20] = -1
        inputs.append(windows(features)[label >= 0].astype(np.float16))
        labels.append(label[label >= 0])
    inputs, labels = np.concatenate(inputs), np.concatenate(labels)
    chosen = rng.permutation(len(labels))[:FILM_ROWS]
    return inputs[chosen], labels[chosen]


def teach(model: ContentModel, inputs: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> None:
    """A small network by Adam; closed and open frames weigh the same in sum."""
    x, y = torch.from_numpy(inputs), torch.from_numpy(labels).float()
    share = torch.from_numpy(weights.astype(np.float64))
    share = share / torch.where(y > 0, (share * y).sum(), (share * (1 - y)).sum())
    for layer in (model.closing[0], model.closing[2]):
        layer.reset_parameters()
    generator, net = torch.Generator().manual_seed(0), model.closing.train().requires_grad_(True)
    optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY)
    slower = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    for step in range(STEPS):
        rows = torch.multinomial(share, BATCH, replacement=True, generator=generator)
        heard = functional.dropout((x[rows].float() - model.mean) * model.scale, DROPOUT)
        loss = functional.binary_cross_entropy_with_logits(net(heard)[:, 0], y[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        slower.step()
        if step % 200 == 0:
            print(f"step {step}: loss {float(loss.detach()):.3f}", flush=True)
    net.eval().requires_grad_(False)


def main() -> None:
    """Teach and write the layer."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--films", type=Path, required=True)
    parser.add_argument("--heard", type=Path, required=True)
    parser.add_argument("--content", type=Path, required=True)
    parser.add_argument("--encoder", default="emo-mini")
    parser.add_argument("--spoken", type=Path, help="folder of `recipes.emote_mini.kokoro`")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.manual_seed(0)
    model, config = load_content(args.content)
    opening = opening_of(load_rig(), config.curves)
    encoder = load_ear(args.encoder)
    parts = [spoken(formant_voices(), encoder), filmed(read([args.films], [args.heard], config).of("train"), opening)]
    if args.spoken:
        parts.append(spoken(natural_voices(args.spoken, held_out=False), encoder))
    weights = np.concatenate([np.full(len(label), 1 / len(label)) for _, label in parts])
    teach(model, *(np.concatenate(column) for column in zip(*parts, strict=True)), weights)
    with atomic_path(args.out) as temporary:
        save_file({name: value.detach().contiguous() for name, value in model.closing.state_dict().items()}, temporary)


if __name__ == "__main__":
    main()
