"""Train emo-mini's small wav2vec2: `python -m scripts.mini.audio --data WORK --out encoder.safetensors --minutes 8`.

From the speaker, shifted copies and espeak-ng voices, clean or noisy, it predicts what the *original* clip shows and
sounds like at that moment: the shape of the lips and the log-mel spectrum. So its layers carry speech and shed the voice.
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
from emo_core.audio.sound import FIELD, HOP, SAMPLE_RATE, speech_level

from .corpus import Corpus
from .voices import SHIFTS, log_mel

LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 146, 91, 181, 84, 17, 314, 405, 321, 375)
LIPS += (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 95, 88, 178, 87, 14, 317, 402, 318, 324)
SHAPES, BATCH, LR = 8, 16, 1e-3
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


def lip_shapes(corpus: Corpus, train: list[int]) -> np.ndarray:
    """(C, T, SHAPES) principal components of the lips, moved to their centre, in units of face height."""
    points = np.nan_to_num(corpus.landmarks[:, :, :, :2])
    height = np.linalg.norm(points[:, :, 10] - points[:, :, 152], axis=-1).mean(1)
    lips = points[:, :, LIPS]
    lips = (lips - lips.mean(2, keepdims=True)) / np.maximum(height, 1)[:, None, None, None]
    lips = lips.reshape(*lips.shape[:2], -1)
    lips = lips - np.median(lips, axis=1, keepdims=True)
    flat = lips[train].reshape(-1, lips.shape[-1])
    _, _, axes = np.linalg.svd(flat[::7], full_matrices=False)
    shapes = lips @ axes[:SHAPES].T
    return (shapes / shapes[train].std((0, 1))).astype(np.float32)


class Batches:
    """Random training batches: sound in, lips and log-mel of the original out."""

    def __init__(self, folder: Path, rng: np.random.Generator) -> None:
        self.corpus = Corpus.open(folder)
        self.train, self.held_out = self.corpus.split()
        self.shapes = lip_shapes(self.corpus, self.train)
        self.shifted, self.spoken, self.warp = (
            np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("shifted", "spoken", "warp")
        )
        self.rng = rng
        self.seconds = (np.arange((48000 - FIELD) // HOP + 1) * HOP + FIELD / 2) / SAMPLE_RATE
        mel = log_mel(torch.from_numpy(np.asarray(self.corpus.audio)))
        self.mel = (mel - mel.mean((0, 1))) / mel.std((0, 1))

    def item(self, clip: int, kind: int, noisy: bool) -> tuple[np.ndarray, np.ndarray, Tensor]:
        """kind: 0 the clip itself, 1 .. V a shifted copy, V + 1 espeak-ng."""
        original, seconds = self.corpus.audio[clip], self.seconds
        sound = original if kind == 0 else self.shifted[kind - 1, clip] if kind <= len(SHIFTS) else self.spoken[clip]
        if kind > len(SHIFTS):
            seconds = self.warp[clip][: len(seconds)] + FIELD / 2 / SAMPLE_RATE
        sound = sound / speech_level(sound)
        if noisy:
            noise = self.rng.standard_normal(len(sound))
            if self.rng.random() < 0.5:
                noise = np.cumsum(noise) - np.convolve(np.cumsum(noise), np.ones(200) / 200, "same")
            sound = sound + noise / noise.std() * 10 ** (-self.rng.uniform(5, 30) / 20)
            sound = sound / speech_level(sound)
        frames = np.clip(seconds * 25 - 0.5, 0, 74)
        low = np.minimum(frames.astype(int), 73)
        share = (frames - low)[:, None]
        shapes = self.shapes[clip][low] * (1 - share) + self.shapes[clip][low + 1] * share
        index = np.clip(np.round((seconds * SAMPLE_RATE - FIELD / 2) / HOP).astype(int), 0, self.mel.shape[1] - 1)
        return sound.astype(np.float32), shapes.astype(np.float32), self.mel[clip][index]

    def batch(self, clips: np.ndarray, kinds: np.ndarray, noisy: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        """(B, 48000), (B, T, SHAPES), (B, T, bands)."""
        sounds, shapes, mels = zip(*map(self.item, clips, kinds, noisy), strict=True)
        return torch.from_numpy(np.stack(sounds)), torch.from_numpy(np.stack(shapes)), torch.stack(mels)

    def random(self) -> tuple[Tensor, Tensor, Tensor]:
        """A training batch."""
        kinds = self.rng.choice(len(SHIFTS) + 2, BATCH, p=[0.3, *[0.3 / len(SHIFTS)] * len(SHIFTS), 0.4])
        return self.batch(self.rng.choice(self.train, BATCH), kinds, self.rng.random(BATCH) < 0.5)


@torch.no_grad()
def report(encoder: AudioEncoder, head: nn.Linear, batches: Batches) -> str:
    """Correlation of predicted lip shape 0 and 1 with the truth, on held-out clips: own, shifted, espeak-ng voice."""
    encoder.eval()
    clips, texts = np.array(batches.held_out[:32]), []
    for name, kind in (("own", 0), ("x0.8", 1), ("x1.45", len(SHIFTS)), ("espeak", len(SHIFTS) + 1)):
        sound, shapes, _ = batches.batch(clips, np.full(len(clips), kind), np.zeros(len(clips), bool))
        guess = head(encoder(sound)[:, :, -1])[..., :SHAPES]
        texts.append(
            name + "".join(f" {np.corrcoef(guess[..., k].ravel(), shapes[..., k].ravel())[0, 1]:.2f}" for k in (0, 1))
        )
    encoder.train()
    return ", ".join(texts)


def main() -> None:
    """Train until the time is up."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    batches = Batches(args.data, np.random.default_rng(0))
    encoder = AudioEncoder(Wav2Vec2Model(Wav2Vec2Config(**CONFIG)))
    head = nn.Linear(CONFIG["hidden_size"], SHAPES + batches.mel.shape[-1])
    parameters = [*encoder.parameters(), *head.parameters()]
    optimiser = torch.optim.AdamW(parameters, LR, betas=(0.9, 0.98), weight_decay=0.01)
    encoder.train()
    start, step, budget = time.monotonic(), 0, args.minutes * 60
    while (spent := time.monotonic() - start) < budget:
        optimiser.param_groups[0]["lr"] = (
            LR * min(1, step / 300) * max(0.01, 0.5 * (1 + math.cos(math.pi * spent / budget)))
        )
        sound, shapes, mel = batches.random()
        with torch.autocast("cpu", torch.bfloat16):
            layers = encoder(sound)
        guess = head(layers[:, :, -1].float())
        lips = functional.mse_loss(guess[..., :SHAPES], shapes)
        tone = functional.mse_loss(guess[..., SHAPES:], mel)
        optimiser.zero_grad()
        (lips + tone).backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        step += 1
        if step % 200 == 0:
            print(
                f"{spent / 60:.1f} min step {step} lips {lips:.3f} mel {tone:.3f} | {report(encoder, head, batches)}",
                flush=True,
            )
    encoder.eval()
    print(report(encoder, head, batches))
    save_file({k: v.contiguous() for k, v in encoder.state_dict().items()}, args.out, {"config": json.dumps(CONFIG)})


if __name__ == "__main__":
    main()
