"""Train the ear: `python -m recipes.emote_mini.hear --passages passages.npz --earlier emo-mini.safetensors --out ear.safetensors`.

A small wav2vec2 hears passages as microphones, rooms and other throats make them, at any tempo, and predicts of the clean
original at each moment: the lips, the speech sound, the log-mel spectrum. It may start from a smaller encoder: layers that
the smaller one lacks begin as identity.

Shape legend: B samples, S samples of sound, T features.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional
from transformers import Wav2Vec2Config, Wav2Vec2Model

from emo_core.audio.encoder import AudioEncoder
from emo_core.emo.weights.checkpoint import load_checkpoint
from emo_core.files import atomic_path
from emo_core.training.batches import Place, drawn_batches
from emo_core.training.checkpoints import checkpoints
from emo_core.training.log import TrainingLog
from emo_core.training.loop import Settings, train
from emo_core.training.schedule import Limits, Schedule
from emo_core.training.task import Learner, Task
from recipes.emo_mini.audio import CONFIG as SMALLER
from recipes.emo_mini.audio import load_audio_encoder

from .passages import KINDS
from .phones import LETTERS, VISEME
from .spectrum import BANDS
from .stretches import HeardBatch, Passages

LIPS = 3
SCHEDULE = Schedule(rate=6e-4, warm_up=100, decay="cosine", decay_from=0.3, decay_to=0.02)
EVERY = 150
"""Steps between lines of the log, validations, checkpoints and weights."""
CONFIG = {**SMALLER, "num_hidden_layers": 6, "apply_spec_augment": False}
ROWS = 32
"""Passages of a kind that validate, at most."""


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

    def __init__(self, net: Ear, passages: Passages, out: Path | None, share: float = 1.0) -> None:
        """Write the encoder to `out` at every checkpoint, with this share of the change since now."""
        self._net, self._passages, self._out, self._share = net, passages, out, share
        self._start = {name: value.detach().clone() for name, value in net.encoder.state_dict().items()}
        head = {"params": list(net.head.parameters()), "factor": 3.0}
        rest = {"params": list(net.encoder.parameters())}
        optimiser = torch.optim.AdamW([rest, head], betas=(0.9, 0.98), weight_decay=0.01)
        self.learners = (Learner(network=net, optimiser=optimiser, schedule=SCHEDULE, ema=0.99, clip=1.0),)

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
            prefix = "encoder."
            encoder = {name[len(prefix) :]: value for name, value in weights[0].items() if name.startswith(prefix)}
            write_encoder(self._out, blended(self._start, encoder, self._share))


def blended(start: dict[str, Tensor], end: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """Weights a share of the way from the start of a training to its end: less is forgotten, see EAR.md."""
    return {name: value.cpu() + share * (end[name].detach().cpu() - value.cpu()) for name, value in start.items()}


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
        numbers[f"{name}_opening"] = float(
            torch.stack([torch.corrcoef(torch.stack(pair))[0, 1] for pair in pairs]).median()
        )
        known, said = batch.letters >= 0, letters.argmax(-1)
        if known.any():
            numbers[f"{name}_letters"] = float((said == batch.letters)[known].float().mean())
            numbers[f"{name}_visemes"] = float(
                (viseme[said] == viseme[batch.letters.clamp(min=0)])[known].float().mean()
            )
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
    except (KeyError, TypeError, RuntimeError):  # No file of an encoder alone.
        encoder = load_checkpoint(path).audio_encoder
    return encoder.float()


def main() -> None:
    """Train, and write the encoder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--passages", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="written at every checkpoint, too")
    parser.add_argument(
        "--run", type=Path, required=True, help="folder for log and checkpoints, from which a stopped run continues"
    )
    parser.add_argument("--earlier", type=Path, help="an encoder, or a checkpoint that holds one, to start from")
    parser.add_argument("--minutes", type=float, default=40)
    parser.add_argument("--share", type=float, default=1.0, help="of the change since --earlier that is written")
    parser.add_argument("--precision", choices=("no", "bf16"), default="no", help="bf16 if the processor has it")
    args = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    net = Ear(grown(earlier_encoder(args.earlier)))
    settings = Settings(batch=8, precision=args.precision, log_every=50, validate_every=EVERY, save_every=EVERY,
                        find_unused=True, cpu=True)  # fmt: skip
    resume = bool(checkpoints(args.run))
    task = HearTask(net, Passages.open(args.passages), args.out, args.share)
    train(task, settings, Limits(minutes=args.minutes), args.run, resume=resume, report=print)


if __name__ == "__main__":
    main()
