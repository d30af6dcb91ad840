"""Train emo-mini's small wav2vec2: `python -m scripts.mini.audio --speech speech.npz --out encoder.safetensors --minutes 25`.

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
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional
from transformers import Wav2Vec2Config, Wav2Vec2Model

from emo_core.audio.encoder import AudioEncoder
from emo_core.audio.sound import speech_level
from emo_core.weights.checkpoint import load_checkpoint

from .visemes import COUNT
from .voices import KINDS

BATCH, RATE, LIPS = 16, 1e-3, 3
SHARES = (0.3, 0.1, 0.1, 0.1, 0.2, 0.2)
"""How often each of KINDS is heard."""
OTHERS = 0.35
"""Share of GRID pieces that are not of the person of most clips, so that a few voices count."""
FROZEN = 3
"""First convolutions: most of the time, for what any voice teaches alike."""
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
    """The arrays of `voices`, drawn from at random."""

    def __init__(self, file: Path, rng: np.random.Generator) -> None:
        with np.load(file) as arrays:
            self.sounds, self.lips, self.mel, self.visemes, self.kinds, self.held_out, trained = (
                arrays[name] for name in ("sounds", "lips", "mel", "visemes", "kinds", "held_out", "trained")
            )
        train = ~self.held_out
        self.mel = self.mel.astype(np.float32)
        self.lips = self.lips / self.lips[train].std((0, 1))
        self.mel = (self.mel - self.mel[train].mean((0, 1))) / self.mel[train].std((0, 1))
        self.groups = [
            [np.nonzero(train & (self.kinds == kind) & (trained == own))[0] for own in (True, False)]
            for kind in range(len(KINDS))
        ]
        self.trained, self.rng = trained, rng

    def heard(self, index: int) -> np.ndarray:
        """(S,) a piece as it may be recorded: coloured, with noise, not quite at one level."""
        rng, sound = self.rng, self.sounds[index].astype(np.float32) / 32768
        if rng.random() < 0.3:
            sound = np.convolve(
                sound, rng.normal(0, 0.25, 24) * np.exp(-np.arange(24) / 4) + (np.arange(24) == 0), "same"
            )
        sound = sound / speech_level(sound)
        if rng.random() < 0.5:
            noise = rng.standard_normal(len(sound))
            if rng.random() < 0.5:
                noise = np.cumsum(noise) - np.convolve(np.cumsum(noise), np.ones(200) / 200, "same")
            sound = sound + noise / noise.std() * 10 ** (-rng.uniform(3, 30) / 20)
            sound = sound / speech_level(sound)
        return (sound * 10 ** (rng.uniform(-3, 3) / 20)).astype(np.float32)

    def batch(self) -> tuple[np.ndarray, Tensor]:
        """Indices and sounds (B, S) for training."""
        chosen = []
        for kind in self.rng.choice(len(KINDS), BATCH, p=SHARES):
            own, others = self.groups[kind]
            few = len(others) and (not len(own) or self.rng.random() < OTHERS)
            chosen.append(self.rng.choice(others if few else own))
        return np.array(chosen), torch.from_numpy(np.stack([self.heard(index) for index in chosen]))

    def loss(self, guess: Tensor, chosen: np.ndarray) -> Tensor:
        """Of (B, T, LIPS + COUNT + bands)."""
        lips, classes, tone = guess.split([LIPS, COUNT, guess.shape[-1] - LIPS - COUNT], dim=-1)
        weight = torch.from_numpy(np.where(self.kinds[chosen] == len(KINDS) - 1, 0.3, 1.0)).float()[:, None, None]
        told = torch.from_numpy(self.visemes[chosen]).long()
        return (
            ((lips - torch.from_numpy(self.lips[chosen]).float()).square() * weight).mean()
            + 0.3 * functional.cross_entropy(classes.flatten(0, 1), told.flatten(), ignore_index=-1)
            + 0.5 * functional.mse_loss(tone, torch.from_numpy(self.mel[chosen]).float())
        )


@torch.no_grad()
def report(encoder: AudioEncoder, head: nn.Linear, pieces: Pieces) -> str:
    """On held-out pieces, per kind: correlation of the lips' opening (median over pieces), share of right visemes."""
    encoder.eval()
    texts = []
    groups = [(kind, own) for kind in range(len(KINDS)) for own in (True, False)]
    for kind, own in groups:
        chosen = np.nonzero(pieces.held_out & (pieces.kinds == kind) & (pieces.trained == own))[0][:32]
        if not len(chosen):
            continue
        sounds = np.stack([pieces.sounds[i] / speech_level(pieces.sounds[i].astype(np.float32)) for i in chosen])
        guess = head(encoder(torch.from_numpy(sounds.astype(np.float32)))[:, :, -1])
        told = pieces.visemes[chosen]
        right = (guess[..., LIPS : LIPS + COUNT].argmax(-1).numpy() == told)[told >= 0].mean()
        together = [
            np.corrcoef(a, b)[0, 1] for a, b in zip(guess[..., 0].numpy(), pieces.lips[chosen, :, 0], strict=True)
        ]
        texts.append(f"{KINDS[kind]}{'' if own else ' (others)'} {np.median(together):.3f} {right:.2f}")
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
    parser.add_argument(
        "--earlier", type=Path, help="an emo-mini whose encoder it starts from; its first convolutions stay"
    )
    parser.add_argument("--minutes", type=float, default=25)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--precision", choices=("no", "bf16"), default="no", help="bf16 where the processor has it")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    pieces = Pieces(args.speech, np.random.default_rng(0))
    encoder = AudioEncoder(Wav2Vec2Model(Wav2Vec2Config(**CONFIG)))
    if args.earlier is not None:
        encoder.load_state_dict(load_checkpoint(args.earlier).audio_encoder.state_dict())
        encoder.net.feature_extractor.conv_layers[:FROZEN].requires_grad_(False)
    head = nn.Linear(CONFIG["hidden_size"], LIPS + COUNT + pieces.mel.shape[-1])
    parameters = [p for p in (*encoder.parameters(), *head.parameters()) if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters, RATE, betas=(0.9, 0.98), weight_decay=0.01)
    _train_mode(encoder)
    start, step, budget = time.monotonic(), 0, args.minutes * 60
    while (spent := time.monotonic() - start) < budget:
        falling = max(0.01, 0.5 * (1 + math.cos(math.pi * spent / budget)))
        optimiser.param_groups[0]["lr"] = RATE * min(1, step / 300) * falling
        chosen, sounds = pieces.batch()
        with torch.autocast("cpu", torch.bfloat16, enabled=args.precision == "bf16"):
            layers = encoder(sounds)
        loss = pieces.loss(head(layers[:, :, -1].float()), chosen)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        step += 1
        if step % 100 == 0:
            print(f"{spent / 60:.1f} min step {step} loss {loss:.3f} | {report(encoder, head, pieces)}", flush=True)
    encoder.eval()
    print(report(encoder, head, pieces))
    save_file({k: v.contiguous() for k, v in encoder.state_dict().items()}, args.out, {"config": json.dumps(CONFIG)})


if __name__ == "__main__":
    main()
