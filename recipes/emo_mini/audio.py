"""Train emo-mini's small wav2vec2: `python -m recipes.emo_mini.audio --speech speech.npz --out encoder.safetensors --minutes 25`.

From any voice, clean or noisy, loud or soft, it predicts what the *original* shows and sounds like at that moment: the
size of the lips, the class of the speech sound, the log-mel spectrum. So its layers carry speech and shed the voice.
"""

import argparse
import json
import math
import time
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

from .visemes import COUNT
from .voices import KINDS

RATE, LIPS = 1e-3, 3
SHARES = (0.3, 0.1, 0.1, 0.1, 0.2, 0.2)
"""How often each of KINDS is heard."""
OTHERS = 0.35
"""Share of GRID pieces that are not of the person of most clips, so that a few voices count."""
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


class Pieces:
    """The arrays of `voices` on a device, drawn from at random."""

    def __init__(self, file: Path, device: torch.device) -> None:
        with np.load(file) as arrays:
            given = {name: torch.from_numpy(arrays[name]).to(device) for name in arrays.files}
        self.sounds, self.visemes, self.kinds = given["sounds"], given["visemes"], given["kinds"]
        self.held_out, self.trained = given["held_out"], given["trained"]
        train = ~self.held_out
        lips, mel = given["lips"].float(), given["mel"].float()
        self.lips = lips / lips[train].std((0, 1))
        self.mel = (mel - mel[train].mean((0, 1))) / mel[train].std((0, 1))
        self.chance = torch.Generator(device).manual_seed(0)
        # Within a kind, the person of most clips and the others have a share each.
        self._often = torch.zeros(len(self.kinds), device=device)
        for kind, share in enumerate(SHARES):
            own, others = (train & (self.kinds == kind) & (self.trained == is_own) for is_own in (True, False))
            few = float(others.any()) * (OTHERS if own.any() else 1.0)
            self._often += share * ((1 - few) * own / own.sum().clamp(min=1) + few * others / others.sum().clamp(min=1))

    def uniform(self, *shape: int) -> Tensor:
        """In [0, 1)."""
        return torch.rand(shape, generator=self.chance, device=self.chance.device)

    def normal(self, *shape: int) -> Tensor:
        """Of variance 1."""
        return torch.randn(shape, generator=self.chance, device=self.chance.device)

    def heard(self, chosen: Tensor) -> Tensor:
        """(B, S) pieces as they may be recorded: coloured, with noise, not quite at one level."""
        sounds, count = self.sounds[chosen].float() / 32768, len(chosen)
        place = torch.arange(24, device=sounds.device)
        colour = self.normal(count, 24) * 0.25 * torch.exp(-place / 4) * (self.uniform(count, 1) < 0.3)
        colour = (colour + (place == 0)).flip(1)[:, None]
        sounds = functional.conv1d(functional.pad(sounds, (23, 0))[None], colour, groups=count)[0]
        sounds = sounds / levels(sounds)
        hiss = self.normal(*sounds.shape)
        rumble = hiss.cumsum(1)
        rumble = rumble - functional.avg_pool1d(rumble[:, None], 201, 1, 100, count_include_pad=False)[:, 0]
        noise = torch.where(self.uniform(count, 1) < 0.5, hiss, rumble)
        loudness = 10 ** (-(3 + 27 * self.uniform(count, 1)) / 20) * (self.uniform(count, 1) < 0.5)
        sounds = sounds + noise / noise.std(1, keepdim=True) * loudness
        return sounds / levels(sounds) * 10 ** ((self.uniform(count, 1) - 0.5) * 6 / 20)

    def batch(self, count: int) -> tuple[Tensor, Tensor]:
        """Indices (B,) and sounds (B, S) for training."""
        chosen = torch.multinomial(self._often, count, replacement=True, generator=self.chance)
        return chosen, self.heard(chosen)

    def loss(self, guess: Tensor, chosen: Tensor) -> Tensor:
        """Of (B, T, LIPS + COUNT + bands)."""
        lips, classes, tone = guess.split([LIPS, COUNT, guess.shape[-1] - LIPS - COUNT], dim=-1)
        weight = torch.where(self.kinds[chosen] == len(KINDS) - 1, 0.3, 1.0)[:, None, None]
        told = self.visemes[chosen].long()
        return (
            ((lips - self.lips[chosen]).square() * weight).mean()
            + 0.3 * functional.cross_entropy(classes.flatten(0, 1), told.flatten(), ignore_index=-1)
            + 0.5 * functional.mse_loss(tone, self.mel[chosen])
        )


def levels(sounds: Tensor) -> Tensor:
    """(B, S) to (B, 1): as `emo_core.media.sound.speech_level`."""
    blocks = sounds[:, : sounds.shape[1] // BLOCK * BLOCK].unflatten(1, (-1, BLOCK)).square().mean(2)
    loud = blocks > blocks.mean(1, keepdim=True) * GATE**2
    return ((blocks * loud).sum(1, keepdim=True) / loud.sum(1, keepdim=True)).sqrt()


def encoder_of(file: Path | None) -> AudioEncoder:
    """What this script wrote, or a random one."""
    if file is None:
        return AudioEncoder(Wav2Vec2Model(Wav2Vec2Config(**CONFIG)))
    with safe_open(file, "pt") as stored:
        encoder = AudioEncoder(Wav2Vec2Model(Wav2Vec2Config(**json.loads(stored.metadata()["config"]))))
    encoder.load_state_dict(load_file(file))
    return encoder


@torch.no_grad()
def report(encoder: AudioEncoder, head: nn.Linear, pieces: Pieces) -> str:
    """On held-out pieces, per kind: correlation of the lips' opening (median over pieces), share of right visemes."""
    encoder.eval()
    texts = []
    groups = [(kind, own) for kind in range(len(KINDS)) for own in (True, False)]
    for kind, own in groups:
        chosen = (pieces.held_out & (pieces.kinds == kind) & (pieces.trained == own)).nonzero()[:32, 0]
        if not len(chosen):
            continue
        sounds = pieces.sounds[chosen].float()
        guess = head(encoder(sounds / levels(sounds))[:, :, -1])
        told = pieces.visemes[chosen]
        right = (guess[..., LIPS : LIPS + COUNT].argmax(-1) == told)[told >= 0].float().mean()
        pairs = zip(guess[..., 0], pieces.lips[chosen, :, 0], strict=True)
        together = torch.stack([torch.corrcoef(torch.stack(pair))[0, 1] for pair in pairs])
        texts.append(f"{KINDS[kind]}{'' if own else ' (others)'} {together.median():.3f} {right:.2f}")
    _train_mode(encoder)
    return ", ".join(texts)


def _train_mode(encoder: AudioEncoder) -> None:
    """The convolutions have nothing to switch, and in training mode transformers would send gradients down to the sound."""
    encoder.train()
    encoder.net.feature_extractor.eval()


def main() -> None:
    """Train until the time is up."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--speech", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--earlier", type=Path, help="an encoder to go on from")
    parser.add_argument("--minutes", type=float, default=25)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--precision", choices=("no", "bf16"), default="no", help="bf16 where the processor has it")
    args = parser.parse_args()
    torch.manual_seed(0)
    device = torch.device(args.device)
    pieces = Pieces(args.speech, device)
    encoder = encoder_of(args.earlier).to(device)
    head = nn.Linear(CONFIG["hidden_size"], LIPS + COUNT + pieces.mel.shape[-1]).to(device)
    parameters = [*encoder.parameters(), *head.parameters()]
    optimiser = torch.optim.AdamW(parameters, RATE, betas=(0.9, 0.98), weight_decay=0.01)
    _train_mode(encoder)
    start, step, budget = time.monotonic(), 0, args.minutes * 60
    while (spent := time.monotonic() - start) < budget:
        falling = max(0.01, 0.5 * (1 + math.cos(math.pi * spent / budget)))
        optimiser.param_groups[0]["lr"] = RATE * min(1, step / 300) * falling
        chosen, sounds = pieces.batch(args.batch)
        with torch.autocast(device.type, torch.bfloat16, enabled=args.precision == "bf16"):
            layers = encoder(sounds)
        loss = pieces.loss(head(layers[:, :, -1].float()), chosen)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        step += 1
        if step % 200 == 0:
            print(f"{spent / 60:.1f} min step {step} loss {loss:.3f} | {report(encoder, head, pieces)}", flush=True)
    encoder.eval()
    print(f"{step} steps", report(encoder, head, pieces))
    weights = {k: v.cpu().contiguous() for k, v in encoder.state_dict().items()}
    with atomic_path(args.out) as temporary:
        save_file(weights, temporary, {"config": json.dumps(CONFIG)})


if __name__ == "__main__":
    main()
