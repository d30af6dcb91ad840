"""Train emo-mini's small wav2vec2: `python -m recipes.emo_mini.audio --speech speech.npz --out encoder.safetensors --minutes 25`.

From any voice, clean or noisy, loud or soft, it predicts three things of the original recording at each moment: the size of
the lips, the class of the speech sound, the log-mel spectrum. So its layers encode speech and not the speaker.

Shape legend: M pieces of speech, B samples, S samples of sound, T features.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional
from transformers import Wav2Vec2Config, Wav2Vec2Model

from emo_core.audio.encoder import AudioEncoder
from emo_core.files import atomic_path
from emo_core.media.sound import BLOCK, GATE
from emo_core.training.batches import Place, drawn_batches, moved
from emo_core.training.checkpoints import checkpoints
from emo_core.training.log import TrainingLog
from emo_core.training.loop import Settings, train
from emo_core.training.schedule import Limits, Schedule
from emo_core.training.task import Learner, Task

from .visemes import COUNT
from .voices import KINDS

LIPS = 3
"""Numbers that describe the lips, see `voices.lips_of`."""
SCHEDULE = Schedule(rate=1e-3, warm_up=300, decay="cosine", decay_from=0.0, decay_to=0.01)
EVERY = 200
"""Steps between lines of the log and validations."""
SHARES = (0.3, 0.1, 0.1, 0.1, 0.2, 0.2)
"""Share of each of KINDS in the batches."""
OTHERS = 0.35
"""Share of pieces that are not of the person of most clips, so that a few voices count."""
LANGUAGE_LIPS = 0.3
"""Weight of the lips of other languages, which are typical lips, not filmed ones."""
CONFIG = {
    "hidden_size": 128,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 384,
    "conv_dim": [64, 64, 96, 96, 128, 128, 128],
    "conv_bias": True,
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "num_conv_pos_embeddings": 32,
    "num_conv_pos_embedding_groups": 8,
    "feat_proj_dropout": 0.0,
    "hidden_dropout": 0.05,
    "attention_dropout": 0.05,
    "activation_dropout": 0.0,
    "layerdrop": 0.0,
    "apply_spec_augment": False,
    "vocab_size": 32,
}


@dataclass(frozen=True, slots=True)
class Pieces:
    """The arrays of `voices`, normalised."""

    sounds: Tensor
    """(M, S) int16"""
    visemes: Tensor
    """(M, T), -1 where unknown."""
    kinds: Tensor
    """(M,) numbers in KINDS."""
    held_out: Tensor
    """(M,)"""
    trained: Tensor
    """(M,) whether the person is the one of most clips."""
    lips: Tensor
    """(M, T, LIPS)"""
    mel: Tensor
    """(M, T, bands)"""
    share: Tensor
    """(M,) how often a piece is drawn, relative to the others."""

    @classmethod
    def open(cls, file: Path) -> "Pieces":
        """Read what `voices` wrote."""
        with np.load(file) as arrays:
            tensors = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
        train = ~tensors["held_out"]
        lips, mel = tensors.pop("lips").float(), tensors.pop("mel").float()
        return cls(
            **tensors,
            lips=lips / lips[train].std((0, 1)),
            mel=(mel - mel[train].mean((0, 1))) / mel[train].std((0, 1)),
            share=_shares(tensors["kinds"], train, tensors["trained"]),
        )

    def to(self, device: torch.device) -> "Pieces":
        """On another device."""
        return moved(self, device)

    def batch(self, count: int, generator: torch.Generator) -> "SpeechBatch":
        """Random pieces with augmented sounds."""
        index = torch.multinomial(self.share, count, replacement=True, generator=generator)
        sounds = augmented(self.sounds[index], generator)
        return SpeechBatch(sounds, self.lips[index], self.visemes[index], self.mel[index], self.kinds[index])


def _shares(kinds: Tensor, train: Tensor, trained: Tensor) -> Tensor:
    """(M,): within a kind, the person of most clips and the others have a share each."""
    share = torch.zeros(len(kinds))
    for kind, weight in enumerate(SHARES):
        own, others = (train & (kinds == kind) & (trained == is_own) for is_own in (True, False))
        few = float(others.any()) * (OTHERS if own.any() else 1.0)
        share += weight * ((1 - few) * own / own.sum().clamp(min=1) + few * others / others.sum().clamp(min=1))
    return share


@dataclass(frozen=True, slots=True)
class SpeechBatch:
    """B samples; see `Pieces` for their targets."""

    sounds: Tensor
    """(B, S)"""
    lips: Tensor
    visemes: Tensor
    mel: Tensor
    kinds: Tensor
    keys: tuple[str, ...] = ()

    def to(self, device: torch.device) -> "SpeechBatch":
        """On another device."""
        return moved(self, device)


def augmented(sounds: Tensor, generator: torch.Generator) -> Tensor:
    """(B, S) int16 with random filters, noise and level, at about unit speech level."""

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, device=sounds.device)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, device=sounds.device)

    count, place = len(sounds), torch.arange(24, device=sounds.device)
    colour = normal(count, 24) * 0.25 * torch.exp(-place / 4) * (uniform(count, 1) < 0.3)
    colour = (colour + (place == 0)).flip(1)[:, None]
    filtered = functional.conv1d(functional.pad(sounds.float() / 32768, (23, 0))[None], colour, groups=count)[0]
    filtered = filtered / levels(filtered)
    hiss = normal(*filtered.shape)
    rumble = hiss.cumsum(1)
    rumble = rumble - functional.avg_pool1d(rumble[:, None], 201, 1, 100, count_include_pad=False)[:, 0]
    noise = torch.where(uniform(count, 1) < 0.5, hiss, rumble)
    loudness = 10 ** (-(3 + 27 * uniform(count, 1)) / 20) * (uniform(count, 1) < 0.5)
    noisy = filtered + noise / noise.std(1, keepdim=True) * loudness
    return noisy / levels(noisy) * 10 ** ((uniform(count, 1) - 0.5) * 6 / 20)


def levels(sounds: Tensor) -> Tensor:
    """(B, S) to (B, 1): as `emo_core.media.sound.speech_level`."""
    blocks = sounds[:, : sounds.shape[1] // BLOCK * BLOCK].unflatten(1, (-1, BLOCK)).square().mean(2)
    loud = blocks > blocks.mean(1, keepdim=True) * GATE**2
    return ((blocks * loud).sum(1, keepdim=True) / loud.sum(1, keepdim=True)).sqrt()


class SpeechNet(nn.Module):
    """The encoder with a linear head on its last layer."""

    def __init__(self, encoder: AudioEncoder, bands: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(CONFIG["hidden_size"], LIPS + COUNT + bands)

    def forward(self, sounds: Tensor) -> Tensor:
        """(B, S) to (B, T, LIPS + COUNT + bands)."""
        last = self.encoder(sounds)[:, :, -1]
        with torch.autocast(sounds.device.type, enabled=False):
            return self.head(last.float())

    def train(self, mode: bool = True) -> "SpeechNet":
        """The convolutions stay in eval mode: in training mode transformers would send gradients down to the sound."""
        super().train(mode)
        self.encoder.net.feature_extractor.eval()
        return self


class SpeechTask(Task):
    """The regression of lips, speech sounds and spectrum."""

    def __init__(self, net: SpeechNet, pieces: Pieces, batch: int) -> None:
        self._net, self._pieces, self._batch = net, pieces, batch
        optimiser = torch.optim.AdamW(net.parameters(), betas=(0.9, 0.98), weight_decay=0.01)
        self.learners = (Learner(network=net, optimiser=optimiser, schedule=SCHEDULE, clip=1.0),)

    def prepare(self, place: Place) -> None:
        self._pieces = self._pieces.to(place.device)

    def batches(self, place: Place, consumed: int) -> Iterator[SpeechBatch]:
        return drawn_batches(lambda generator: self._pieces.batch(self._batch, generator), place, consumed)

    def losses(self, batch: SpeechBatch, networks: tuple[nn.Module, ...], share: float) -> Iterator[Tensor]:
        lips, classes, mel = _split(networks[0](batch.sounds))
        weight = torch.where(batch.kinds == len(KINDS) - 1, LANGUAGE_LIPS, 1.0)[:, None, None]
        visemes = batch.visemes.long().flatten()
        yield (
            ((lips - batch.lips).square() * weight).mean()
            + 0.3 * functional.cross_entropy(classes.flatten(0, 1), visemes, ignore_index=-1)
            + 0.5 * functional.mse_loss(mel, batch.mel)
        )

    def validate(self, step: int, log: TrainingLog) -> None:
        log.write(step, **evaluate(self._net, self._pieces))


def _split(output: Tensor) -> tuple[Tensor, ...]:
    """(B, T, LIPS + COUNT + bands) to lips, logits of the classes, spectrum."""
    return output.split([LIPS, COUNT, output.shape[-1] - LIPS - COUNT], dim=-1)


@torch.no_grad()
def evaluate(net: SpeechNet, pieces: Pieces) -> dict[str, float]:
    """On held-out pieces, per kind: correlation of the lips' opening (median over pieces), share of right visemes."""
    numbers = {}
    for kind, own in ((kind, own) for kind in range(len(KINDS)) for own in (True, False)):
        index = (pieces.held_out & (pieces.kinds == kind) & (pieces.trained == own)).nonzero()[:32, 0]
        if not len(index):
            continue
        sounds = pieces.sounds[index].float()
        lips, classes, _ = _split(net(sounds / levels(sounds)))
        visemes, name = pieces.visemes[index], f"{KINDS[kind]}{'' if own else '_others'}"
        pairs = zip(lips[..., 0], pieces.lips[index, :, 0], strict=True)
        correlations = torch.stack([torch.corrcoef(torch.stack(pair))[0, 1] for pair in pairs])
        numbers[f"{name}_opening"] = float(correlations.median())
        numbers[f"{name}_visemes"] = float((classes.argmax(-1) == visemes)[visemes >= 0].float().mean())
    return numbers


def load_audio_encoder(file: Path | None) -> AudioEncoder:
    """The encoder of a file that this script wrote, or a random one."""
    if file is None:
        return AudioEncoder(Wav2Vec2Model(Wav2Vec2Config(**CONFIG)))
    with safe_open(file, "pt") as stored:
        encoder = AudioEncoder(Wav2Vec2Model(Wav2Vec2Config(**json.loads(stored.metadata()["config"]))))
    encoder.load_state_dict(load_file(file))
    return encoder


def main() -> None:
    """Train, and write the encoder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--speech", type=Path, required=True, help="the file of `recipes.emo_mini.voices`")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--run", type=Path, help="folder for log and checkpoints, from which a stopped run continues")
    parser.add_argument("--earlier", type=Path, help="an encoder to start from")
    parser.add_argument("--minutes", type=float, default=25)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--precision", choices=("no", "bf16"), default="no", help="bf16 if the processor has it")
    args = parser.parse_args()
    torch.manual_seed(0)
    pieces = Pieces.open(args.speech)
    net = SpeechNet(load_audio_encoder(args.earlier), pieces.mel.shape[-1])
    settings = Settings(
        batch=args.batch,
        precision=args.precision,
        log_every=EVERY,
        validate_every=EVERY,
        find_unused=True,
        cpu=args.device == "cpu",
    )
    resume = args.run is not None and bool(checkpoints(args.run))
    train(
        SpeechTask(net, pieces, args.batch),
        settings,
        Limits(minutes=args.minutes),
        args.run,
        resume=resume,
        report=print,
    )
    weights = {name: value.cpu().contiguous() for name, value in net.encoder.state_dict().items()}
    with atomic_path(args.out) as temporary:
        save_file(weights, temporary, {"config": json.dumps(CONFIG)})


if __name__ == "__main__":
    main()
