"""Train emo-mini's EMO network on the Denoiser's loss, stage by stage, on one or more CPU processes.

    torchrun --nproc-per-node 2 -m scripts.mini.diffusion --data WORK --out RUN --stage image --minutes 30
    ... --stage video --minutes 45
    ... --stage speed --minutes 10

Every stage continues from RUN/state.pt. The image stage draws single frames, with their audio (which the paper adds one
stage later: single frames are nine times cheaper than clips, and lips are learnt from them just as well).
"""

import argparse
import copy
import json
import os
import time
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from einops import rearrange
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from emo_core.conditions import Conditions
from emo_core.config import MINI
from emo_core.models.emo import EMO
from emo_core.sampling.denoiser import Denoiser

from .corpus import Corpus

BATCH = {"image": 6, "video": 4, "speed": 4}
IMAGE_FRAMES, LR, EMA = 4, 1e-3, 0.998
WARM_UP = {"image": 200, "video": 200, "speed": 20}
SPEED_RATE = 20.0
MOUTH_WEIGHT, MOUTH_CELLS = 4.0, 2.0
DROP_AUDIO, DROP_REFERENCE, DROP_MOTION, WHITE_MASK = 0.1, 0.05, 0.2, 0.1


class Batches:
    """Random training batches from the cache."""

    def __init__(self, folder: Path, rng: np.random.Generator) -> None:
        index = json.loads((folder / "cache.json").read_text())
        corpus = Corpus.open(folder)
        self.train = index["train"]
        self.latents = np.load(folder / "latents.npy", mmap_mode="r")
        self.sound = np.load(folder / "sound.npy", mmap_mode="r")
        points = corpus.landmarks[index["clips"]][..., :2] / MINI.image_size
        self.boxes = np.concatenate([points.min((1, 2)), points.max((1, 2))], axis=-1)
        self.mouths = np.stack([corpus.mouth_centre(clip) for clip in index["clips"]]) / MINI.image_size
        self.speed = np.load(folder / "speed.npy")
        self.rng = rng

    def masks(self, clips: np.ndarray) -> Tensor:
        """(B, 1, S, S): the clips' union face boxes, sometimes larger, sometimes the whole picture."""
        size = MINI.mask_size
        grid = (torch.arange(size) + 0.5) / size
        masks = []
        for left, top, right, bottom in self.boxes[clips]:
            sides = np.tile([right - left, bottom - top], 2)
            grow = self.rng.uniform(0, 0.15, 4) * sides * (self.rng.random() < 0.5)
            x = (grid > left - grow[0]) & (grid < right + grow[2])
            y = (grid > top - grow[1]) & (grid < bottom + grow[3])
            mask = (y[:, None] & x[None]).float()
            masks.append(torch.ones_like(mask) if self.rng.random() < WHITE_MASK else mask)
        return torch.stack(masks)[:, None]

    def windows(self, clips: np.ndarray, frames: np.ndarray) -> Tensor:
        """(B, F, W, L, D) of a random variant of each clip's sound; the clean one as often as all others."""
        m = MINI.audio.window
        variants = np.where(self.rng.random(len(clips)) < 0.5, 0, self.rng.integers(1, self.sound.shape[1], len(clips)))
        index = np.clip(frames[..., None] + np.arange(-m, m + 1), 0, self.sound.shape[2] - 1)
        return torch.from_numpy(
            np.stack([self.sound[c, v][i] for c, v, i in zip(clips, variants, index, strict=True)])
        ).float()

    def batch(self, stage: str) -> tuple[Tensor, Conditions, Tensor]:
        """Latents (B, F, C, H, W), conditions, weights (B, F, 1, H, W)."""
        n, f, total = MINI.temporal.motion_frames, MINI.temporal.frames, self.latents.shape[1]
        clips = self.rng.integers(0, self.train, BATCH[stage])
        if stage == "image":
            frames = self.rng.integers(0, total, (len(clips), IMAGE_FRAMES))
        else:
            frames = self.rng.integers(0, total - f + 1, len(clips))[:, None] + np.arange(f)
        reference = self.pick(clips, self.rng.integers(0, total, (len(clips), 1)))[:, 0]
        motion = known = speed = None
        if stage != "image":
            first = frames[:, 0]
            motion = self.pick(clips, np.clip(first[:, None] - n + np.arange(n), 0, None))
            noise = torch.rand(len(clips), 1, 1, 1, 1) * 0.2
            motion = (1 - noise**2).sqrt() * motion + noise * torch.randn_like(motion)
            known = torch.from_numpy((first >= n) & (self.rng.random(len(clips)) > DROP_MOTION))
        if stage == "speed":
            m = MINI.speed.window
            around = np.clip(frames[:, :1] + np.arange(-m, f + m), 0, total - 1)
            speed = torch.from_numpy(np.stack([self.speed[c][i] for c, i in zip(clips, around, strict=True)])).float()
        conditions = Conditions(
            reference=reference,
            motion=motion,
            motion_known=known,
            audio=self.windows(clips, frames),
            mask=self.masks(clips),
            speed=speed,
        )
        return self.pick(clips, frames), conditions, self.weights(clips, frames)

    def pick(self, clips: np.ndarray, frames: np.ndarray) -> Tensor:
        """Latents (B, F, C, H, W) of frames (B, F) of clips (B,)."""
        chosen = [self.latents[clip][index] for clip, index in zip(clips, frames, strict=True)]
        return torch.from_numpy(np.stack(chosen)).float()

    def weights(self, clips: np.ndarray, frames: np.ndarray) -> Tensor:
        """(B, F, 1, H, W): cells around the mouth weigh more."""
        side = MINI.latent_size
        mouths = torch.from_numpy(np.stack([self.mouths[c][i] for c, i in zip(clips, frames, strict=True)])) * side
        grid = torch.arange(side) + 0.5
        x = (grid - mouths[..., 0, None]).abs() < MOUTH_CELLS + 0.5
        y = (grid - mouths[..., 1, None]).abs() < MOUTH_CELLS
        near = rearrange(y, "b f h -> b f 1 h 1") & rearrange(x, "b f w -> b f 1 1 w")
        return 1 + (MOUTH_WEIGHT - 1) * near.float()


def draw_noise(shape: torch.Size) -> Tensor:
    """Noise as the sampler draws it: a share is common to all frames of a clip."""
    shared = MINI.diffusion.shared_noise
    common = torch.randn(shape[0], 1, *shape[2:])
    return shared**0.5 * common + (1 - shared) ** 0.5 * torch.randn(shape)


def draw_timesteps(count: int) -> Tensor:
    """Half uniform, half in the noisier 60 %, where the sound decides what the mouth does."""
    low = torch.where(torch.rand(count) < 0.5, 400, 0)
    return (low + torch.rand(count) * (1000 - low)).long()


def trained(model: EMO, stage: str) -> list[Tensor]:
    """The parameters that a stage trains."""
    kinds = {
        "image": lambda name: "temporal" not in name and "speed" not in name,
        "video": lambda name: "speed" not in name,
        "speed": lambda name: "temporal" in name or "speed" in name,
    }
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(kinds[stage](name))
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def rates(model: EMO, stage: str) -> list[dict]:
    """Optimiser groups: in the speed stage the new layers learn fast, the temporal modules only adapt."""
    kinds = {True: [], False: []}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            kinds["speed" in name].append(parameter)
    fast = SPEED_RATE if stage == "speed" else 1.0
    return [{"params": kinds[new], "rate": fast if new else 1.0} for new in kinds if kinds[new]]


def average_gradients(parameters: list[Tensor]) -> None:
    """Mean over processes, as one message; what a batch did not reach (no motion frames in it) counts as zero."""
    grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    flat = torch.cat([g.flatten() for g in grads])
    dist.all_reduce(flat)
    means = flat.div_(dist.get_world_size()).split([g.numel() for g in grads])
    for parameter, mean in zip(parameters, means, strict=True):
        parameter.grad = mean.view_as(parameter)


def main() -> None:
    """Train one stage until the time is up."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--stage", choices=list(BATCH), required=True)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--lr", type=float, default=LR)
    args = parser.parse_args()
    dist.init_process_group("gloo")
    rank = dist.get_rank()
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // dist.get_world_size()))
    torch.manual_seed(1)
    denoiser = Denoiser(EMO(MINI))
    average = copy.deepcopy(denoiser.emo)
    state_file = args.out / "state.pt"
    args.out.mkdir(parents=True, exist_ok=True)
    if state_file.is_file():
        state = torch.load(state_file, weights_only=True)
        denoiser.emo.load_state_dict(state["model"])
        average.load_state_dict(state["average"])
    seed = int(time.time()) + 1000 * rank
    torch.manual_seed(seed)
    batches = Batches(args.data, np.random.default_rng(seed))
    parameters = trained(denoiser.emo, args.stage)
    optimiser = torch.optim.AdamW(rates(denoiser.emo, args.stage), betas=(0.9, 0.99), weight_decay=0.01)
    start, step, saved, budget, losses = time.monotonic(), 0, 0.0, args.minutes * 60, []
    stop = torch.zeros(1)
    while not stop.item():
        spent = time.monotonic() - start
        decay = min(1.0, max(0.02, (1 - spent / budget) / 0.4))
        for group in optimiser.param_groups:
            group["lr"] = args.lr * group["rate"] * min(1, (step + 1) / WARM_UP[args.stage]) * decay
        clean, conditions, weight = batches.batch(args.stage)
        keep = {
            f"keep_{name}": (torch.rand(len(clean)) > p).float()
            for name, p in (("audio", DROP_AUDIO), ("reference", DROP_REFERENCE))
        }
        # bf16 attention over short rows is slow on CPUs without AMX; the plain formula is not.
        with torch.autocast("cpu", torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
            loss = denoiser.loss(
                clean,
                conditions,
                noise=draw_noise(clean.shape),
                timesteps=draw_timesteps(len(clean)),
                weight=weight,
                **keep,
            ).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        average_gradients(parameters)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        follow = min(EMA, (step + 1) / (step + 10)) if args.stage != "video" else EMA
        with torch.no_grad():
            for kept, now in zip(average.parameters(), denoiser.emo.parameters(), strict=True):
                kept.lerp_(now, 1 - follow)
        losses.append(loss.item())
        step += 1
        stop.fill_(float(spent > budget))
        dist.broadcast(stop, 0)
        if rank == 0 and step % 50 == 0:
            print(f"{args.stage} {spent / 60:.1f} min step {step} loss {np.mean(losses[-50:]):.4f}", flush=True)
        if rank == 0 and (stop.item() or spent - saved > 300):
            saved = spent
            torch.save(
                {"model": denoiser.emo.state_dict(), "average": average.state_dict()}, state_file.with_suffix(".new")
            )
            state_file.with_suffix(".new").replace(state_file)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
