"""Train the ear: `python -m recipes.emote_mini.hear --passages passages.npz --earlier emo-mini.safetensors --out ear.safetensors`.

A small wav2vec2 hears passages as microphones, rooms and other throats make them, at any tempo, and predicts of the clean
original at each moment: the lips, the speech sound, the log-mel spectrum. It may start from a smaller encoder: layers that
the smaller one lacks begin as identity.

Shape legend: B samples, S samples of sound, T features.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional
from transformers import Wav2Vec2Config, Wav2Vec2Model

from emo_core.audio.config import FIELD, HOP
from emo_core.audio.encoder import AudioEncoder
from emo_core.emo.weights.checkpoint import load_checkpoint
from emo_core.files import atomic_path
from emo_core.training.batches import Place, drawn_batches, moved
from emo_core.training.checkpoints import checkpoints
from emo_core.training.log import TrainingLog
from emo_core.training.loop import Settings, train
from emo_core.training.schedule import Limits, Schedule
from emo_core.training.task import Learner, Task
from recipes.emo_mini.audio import CONFIG as SMALLER
from recipes.emo_mini.audio import levels, load_audio_encoder

from .noises import Noises
from .passages import KINDS
from .phones import LETTERS, VISEME
from .spectrum import BANDS, log_mel

LIPS = 3
SHARES = (0.14, 0.18, 0.08, 0.42, 0.18)
"""Share of each of KINDS in the batches."""
LENGTHS = ((149, 16), (149, 16), (399, 6))
"""Features and samples of a batch, drawn evenly: in use, up to 24 seconds are heard at once."""
TEMPO = (0.87, 1.15)
"""Range of the tempo; pitch and formants go with it."""
SCHEDULE = Schedule(rate=8e-4, warm_up=200, decay="cosine", decay_from=0.3, decay_to=0.02)
EVERY = 250
"""Steps between lines of the log, validations, checkpoints and weights."""
CONFIG = {**SMALLER, "num_hidden_layers": 6, "apply_spec_augment": False}
ROWS = 32
"""Passages of a kind that validate, at most."""


@dataclass(frozen=True, slots=True)
class Passages:
    """The arrays of `passages`; lips are over the opening's deviation of each person."""

    sounds: Tensor
    lips: Tensor
    letters: Tensor
    trust: Tensor
    begin: Tensor
    count: Tensor
    kind: Tensor
    clean: Tensor
    held_out: Tensor
    person: Tensor
    share: Tensor
    """(M,) how often a passage is drawn, relative to others."""

    @classmethod
    def open(cls, file: Path) -> "Passages":
        """Read what `passages` wrote."""
        with np.load(file) as arrays:
            stored = {name: arrays[name] for name in arrays.files}
        _standardise(stored)
        share = torch.zeros(len(stored["kind"]), dtype=torch.float64)
        for kind, weight in enumerate(SHARES):
            own = torch.from_numpy((stored["kind"] == kind) & (stored["held_out"] == 0))
            # A person with few films counts for more than they do.
            people = torch.from_numpy(stored["person"])
            length = torch.from_numpy(stored["count"]) * own
            totals = {who: length[people == who].sum().clamp(min=1) for who in people[own].unique().tolist()}
            each = torch.tensor([float(totals[who]) ** -0.5 if who in totals else 0.0 for who in people.tolist()])
            drawn = length * each
            share += weight * drawn / drawn.sum().clamp(min=1e-9)
        return cls(**{name: torch.from_numpy(values) for name, values in stored.items()}, share=share)

    def batch(self, generator: torch.Generator) -> "HeardBatch":
        """Random stretches of passages at random tempos, through random noises."""
        features, count = LENGTHS[int(torch.randint(len(LENGTHS), (1,), generator=generator))]
        index = torch.multinomial(self.share, count, replacement=True, generator=generator)
        tempo = TEMPO[0] + (TEMPO[1] - TEMPO[0]) * torch.rand(count, 1, generator=generator)
        place = torch.rand(count, generator=generator)
        return self.stretches(index, place, tempo, features, Noises(generator))

    def stretches(self, index: Tensor, place: Tensor, tempo: Tensor, features: int, noises: Noises | None) -> "HeardBatch":
        """(B,) passages from a place (B,) 0 .. 1 of where a stretch can begin, at tempos (B, 1)."""
        samples = (features - 1) * HOP + FIELD
        room = (self.count[index] * HOP - samples * tempo[:, 0]).clamp(min=0)
        first = (room * place / HOP).long()
        middles = (((torch.arange(features) * HOP + FIELD / 2) * tempo - FIELD / 2) / HOP).round().long() + first[:, None]
        inside = (middles < self.count[index, None]) & (middles >= 0)
        steps = self.begin[index, None] + middles.clamp(min=0).minimum(self.count[index, None] - 1)
        at = torch.arange(samples) * tempo
        heard, original = (self._sound(chosen, first, at) for chosen in (index, self.clean[index]))
        mel = log_mel(original / levels(original).clamp(min=1e-6))
        return HeardBatch(
            sounds=heard / levels(heard).clamp(min=1e-6) if noises is None else noises(heard),
            lips=self.lips[steps],
            letters=torch.where(inside, self.letters[steps].long(), -1),
            trust=self.trust[steps] * inside,
            mel=(mel - mel.mean((1, 2), keepdim=True)) / mel.std((1, 2), keepdim=True).clamp(min=1e-3),
            heard=inside,
        )

    def _sound(self, index: Tensor, first: Tensor, at: Tensor) -> Tensor:
        """(B,) passages from steps (B,) on, (B, S) samples after these, interpolated; zero after the end."""
        low, end = at.floor(), (self.count[index, None] - first[:, None]) * HOP
        share, start = at - low, (self.begin[index, None] + first[:, None]) * HOP
        values = []
        for step in (low.long(), low.long() + 1):
            inside = step < end
            place = start + step.minimum(end - 1)
            values.append(self.sounds[place].float() / 32768 * inside)
        return values[0] * (1 - share) + values[1] * share


def _standardise(stored: dict[str, np.ndarray]) -> None:
    """Lips of each person over their deviation, in place, so that people who open wide do not count more."""
    owner = np.repeat(stored["person"], stored["count"])
    for person in np.unique(stored["person"]):
        own = owner == person
        stored["lips"][own] /= np.maximum(stored["lips"][own].std(0), 1e-6)


@dataclass(frozen=True, slots=True)
class HeardBatch:
    """B samples with their targets."""

    sounds: Tensor
    """(B, S)"""
    lips: Tensor
    """(B, T, LIPS)"""
    letters: Tensor
    """(B, T), -1 where unknown."""
    trust: Tensor
    """(B, T)"""
    mel: Tensor
    """(B, T, BANDS)"""
    heard: Tensor
    """(B, T) whether the passage lasts so long."""
    keys: tuple[str, ...] = ()

    def to(self, device: torch.device) -> "HeardBatch":
        """On another device."""
        return moved(self, device)


class Ear(nn.Module):
    """The encoder with a linear head on its last layer."""

    def __init__(self, encoder: AudioEncoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.width, LIPS + len(LETTERS) + BANDS)

    def forward(self, sounds: Tensor) -> Tensor:
        """(B, S) to (B, T, LIPS + letters + BANDS)."""
        last = self.encoder(sounds)[:, :, -1]
        with torch.autocast(sounds.device.type, enabled=False):
            return self.head(last.float())

    def train(self, mode: bool = True) -> "Ear":
        """The convolutions stay in eval mode: in training mode transformers would send gradients down to the sound."""
        super().train(mode)
        self.encoder.net.feature_extractor.eval()
        return self


class HearTask(Task):
    """The regression of lips, speech sounds and spectrum."""

    def __init__(self, net: Ear, passages: Passages, out: Path | None) -> None:
        self._net, self._passages, self._out = net, passages, out
        head = {"params": list(net.head.parameters()), "factor": 3.0}
        rest = {"params": list(net.encoder.parameters())}
        optimiser = torch.optim.AdamW([rest, head], betas=(0.9, 0.98), weight_decay=0.01)
        self.learners = (Learner(network=net, optimiser=optimiser, schedule=SCHEDULE, ema=0.998, clip=1.0),)

    def batches(self, place: Place, consumed: int) -> Iterator[HeardBatch]:
        return drawn_batches(self._passages.batch, place, consumed)

    def losses(self, batch: HeardBatch, networks: tuple[nn.Module, ...], share: float) -> Iterator[Tensor]:
        lips, letters, mel = split(networks[0](batch.sounds))
        squares = (lips - batch.lips).square().mean(2) * batch.trust
        entropy = functional.cross_entropy(
            letters.flatten(0, 1), batch.letters.flatten(), ignore_index=-1, reduction="sum", label_smoothing=0.05
        )
        spectrum = (mel - batch.mel).square().mean(2) * batch.heard
        yield (
            squares.sum() / batch.trust.sum().clamp(min=1)
            + 0.25 * entropy / (batch.letters >= 0).sum().clamp(min=1)
            + 0.3 * spectrum.sum() / batch.heard.sum().clamp(min=1)
        )

    def validate(self, step: int, log: TrainingLog) -> None:
        log.write(step, **evaluate(self._net, self._passages))

    def save(self, folder: Path, weights: tuple[dict[str, Tensor], ...]) -> None:
        if self._out is not None:
            write_encoder(self._out, {name.removeprefix("encoder."): value for name, value in weights[0].items()
                                      if name.startswith("encoder.")})  # fmt: skip


def split(output: Tensor) -> tuple[Tensor, ...]:
    """(B, T, ...) to lips, logits of letters, spectrum."""
    return output.split([LIPS, len(LETTERS), BANDS], dim=-1)


@torch.no_grad()
def evaluate(net: Ear, passages: Passages) -> dict[str, float]:
    """On held-out passages, per kind: correlation of the opening (median over passages), shares of right letters and visemes."""
    numbers, viseme = {}, torch.from_numpy(VISEME)
    for kind, name in enumerate(KINDS):
        index = (passages.held_out.bool() & (passages.kind == kind)).nonzero()[:ROWS, 0]
        if not len(index):
            continue
        count = len(index)
        batch = passages.stretches(index, torch.full((count,), 0.5), torch.ones(count, 1), 149, None)
        lips, letters, _ = split(net(batch.sounds))
        pairs = zip(lips[..., 0], batch.lips[..., 0], strict=True)
        numbers[f"{name}_opening"] = float(torch.stack([torch.corrcoef(torch.stack(pair))[0, 1] for pair in pairs]).median())
        known, said = batch.letters >= 0, letters.argmax(-1)
        if known.any():
            numbers[f"{name}_letters"] = float((said == batch.letters)[known].float().mean())
            numbers[f"{name}_visemes"] = float((viseme[said] == viseme[batch.letters.clamp(min=0)])[known].float().mean())
    return numbers


def write_encoder(path: Path, weights: dict[str, Tensor]) -> None:
    """As `recipes.emo_mini.audio.load_audio_encoder` reads it."""
    weights = {name: value.detach().float().cpu().contiguous().clone() for name, value in weights.items()}
    with atomic_path(path) as temporary:
        save_file(weights, temporary, {"config": json.dumps(CONFIG)})


def grown(smaller: AudioEncoder | None) -> AudioEncoder:
    """An encoder of CONFIG, random or from a smaller one: layers without weights there add nothing at first."""
    encoder = AudioEncoder(Wav2Vec2Model(Wav2Vec2Config(**CONFIG)))
    if smaller is not None:
        known = smaller.state_dict()
        encoder.load_state_dict({**encoder.state_dict(), **known})
        with torch.no_grad():
            for layer in encoder.net.encoder.layers[smaller.layers :]:
                for last in (layer.attention.out_proj, layer.feed_forward.output_dense):
                    last.weight.zero_()
                    last.bias.zero_()
    return encoder


def earlier_encoder(path: Path | None) -> AudioEncoder | None:
    """The encoder of a checkpoint, or of a file that a recipe wrote."""
    if path is None:
        return None
    try:
        encoder = load_audio_encoder(path)
    except (KeyError, TypeError):  # No file of an encoder alone.
        encoder = load_checkpoint(path).audio_encoder
    return encoder.float()


def main() -> None:
    """Train, and write the encoder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--passages", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="written at every checkpoint, too")
    parser.add_argument("--run", type=Path, help="folder for log and checkpoints, from which a stopped run continues")
    parser.add_argument("--earlier", type=Path, help="an encoder, or a checkpoint that holds one, to start from")
    parser.add_argument("--minutes", type=float, default=40)
    parser.add_argument("--precision", choices=("no", "bf16"), default="no", help="bf16 if the processor has it")
    args = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    net = Ear(grown(earlier_encoder(args.earlier)))
    settings = Settings(batch=16, precision=args.precision, log_every=50, validate_every=EVERY, save_every=EVERY,
                        find_unused=True, cpu=True)  # fmt: skip
    resume = args.run is not None and bool(checkpoints(args.run))
    task = HearTask(net, Passages.open(args.passages), args.out)
    train(task, settings, Limits(minutes=args.minutes), args.run, resume=resume, report=print)
    write_encoder(args.out, net.encoder.state_dict())


if __name__ == "__main__":
    main()
