"""Train emo-mini's autoencoder: `python -m scripts.mini.vae --data WORK --out vae.safetensors --minutes 20`."""

import argparse
import copy
import math
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from emo_core.config import MINI
from emo_core.models.vae import VAE

from .corpus import Corpus

CROP, BATCH, LR, MOUTH_SIDE = 128, 8, 1e-3, 48


def crops(corpus: Corpus, clips: list[int], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Random crops and the weight of each pixel, half of them around the mouth, which weighs 4x."""
    pictures, weights = [], []
    for _ in range(BATCH):
        clip, t = rng.choice(clips), rng.integers(corpus.frames.shape[1])
        mouth = corpus.mouth_centre(clip)[t]
        corner = mouth - CROP / 2 + rng.uniform(-40, 40, 2) if rng.random() < 0.5 else rng.uniform(0, 128, 2)
        left, top = np.clip(corner, 0, 256 - CROP).astype(int)
        frame = corpus.frames[clip, t, top : top + CROP, left : left + CROP]
        weight = np.ones((CROP, CROP), np.float32)
        x, y = (mouth - (left, top) - MOUTH_SIDE / 2).clip(0).astype(int)
        weight[y : y + MOUTH_SIDE, x : x + MOUTH_SIDE] = 4.0
        if rng.random() < 0.5:
            frame, weight = frame[:, ::-1], weight[:, ::-1]
        pictures.append(frame.copy())
        weights.append(weight.copy())
    images = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1
    gain = torch.empty(BATCH, 1, 1, 1).uniform_(0.8, 1.2)
    return (images * gain + torch.empty(BATCH, 3, 1, 1).uniform_(-0.1, 0.1)).clamp(-1, 1), torch.from_numpy(
        np.stack(weights)
    )[:, None]


def picture_loss(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Weighted L1 + L1 of gradients + L1 at three coarser scales."""
    error = output - target
    loss = (error.abs() * weight).mean()
    for axis in (2, 3):
        loss = loss + (error.diff(dim=axis).abs() * weight.narrow(axis, 0, CROP - 1)).mean()
    for _ in range(3):
        error = functional.avg_pool2d(error, 2)
        loss = loss + 0.5 * error.abs().mean()
    return loss


def moments_loss(latents: Tensor) -> Tensor:
    """Pull every latent channel towards mean 0 and variance 1, so that one scaling factor fits all."""
    return latents.mean((0, 2, 3)).square().mean() + (latents.std((0, 2, 3)) - 1).square().mean()


@torch.no_grad()
def psnr(vae: VAE, corpus: Corpus, clips: list[int]) -> tuple[float, float]:
    """Decibels of held-out frames: whole picture, and 64 pixels around the mouth."""
    whole, mouth = [], []
    for clip in clips[:24]:
        image = torch.from_numpy(corpus.frames[clip, 40].copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
        error = (vae.decode(vae.encode(image)).clamp(-1, 1) - image).square() / 4
        x, y = corpus.mouth_centre(clip)[40].astype(int)
        whole.append(error.mean())
        mouth.append(error[..., y - 32 : y + 32, x - 32 : x + 32].mean())
    return tuple(-10 * torch.stack(part).mean().log10().item() for part in (whole, mouth))


def save(vae: VAE, path: Path) -> None:
    """Write the weights, packed in the default memory format."""
    save_file({name: value.contiguous() for name, value in vae.state_dict().items()}, path)


def main() -> None:
    """Train until the time is up, keep the moving average."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    corpus, rng = Corpus.open(args.data), np.random.default_rng(0)
    train, held_out = corpus.split()
    vae = VAE(MINI.vae).to(memory_format=torch.channels_last)
    average = copy.deepcopy(vae)
    optimiser = torch.optim.AdamW(vae.parameters(), LR, betas=(0.9, 0.99))
    start, step, budget = time.monotonic(), 0, args.minutes * 60
    while (spent := time.monotonic() - start) < budget:
        images, weight = crops(corpus, train, rng)
        images = images.contiguous(memory_format=torch.channels_last)
        warm = min(1.0, step / 200)
        optimiser.param_groups[0]["lr"] = LR * warm * max(0.01, 0.5 * (1 + math.cos(math.pi * spent / budget)))
        with torch.autocast("cpu", torch.bfloat16):
            latents = vae.encode(images)
            output = vae.decode(latents + 0.05 * torch.randn_like(latents))
        loss = picture_loss(output.float(), images, weight) + 0.05 * moments_loss(latents.float())
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimiser.step()
        decay = min(0.999, (step + 1) / (step + 10))
        for kept, now in zip(average.parameters(), vae.parameters(), strict=True):
            kept.data.lerp_(now.data, 1 - decay)
        step += 1
        if step % 500 == 0:
            whole, mouth = psnr(average, corpus, held_out)
            print(f"{spent / 60:5.1f} min step {step} loss {loss:.4f} psnr {whole:.2f} mouth {mouth:.2f}", flush=True)
            save(average, args.out)
    save(average, args.out)


if __name__ == "__main__":
    main()
