"""Fine-tune the decoder on generated latents: `python -m recipes.emo_mini.finetune_decoder --data DATASET --init FOLDER --out FOLDER`.

The few-step network denoises filmed clips from its own last timestep on. The results lie mostly where the film does, and are as soft
as generated clips. From them, beside its own latents, the decoder learns the film's amount of detail. Both finished files are written
anew with another decoder, which is averaged with the one before: alone it decodes strangers' mouths less open.

Shape legend: F frames of a clip, M motion frames, S picture side, C h w latent.
"""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace

import numpy as np
import torch
from einops import rearrange
from torch import Tensor
from tqdm import tqdm

from emo_core.audio.features import window_indices
from emo_core.dataset.shards import TRAIN, Dataset
from emo_core.emo.conditions.clip import Conditions
from emo_core.emo.sampling.clips import clip_noise
from emo_core.emo.sampling.denoiser import Denoiser
from emo_core.emo.sampling.schedule import sampled_timesteps
from emo_core.emo.training.autoencoder import AutoencoderSettings, train_autoencoder
from emo_core.emo.training.on_device import region_of
from emo_core.emo.training.pictures import Pictures
from emo_core.emo.weights.checkpoint import Checkpoint
from emo_core.face.box import Box
from emo_core.face.region import region_mask
from emo_core.training.checkpoints import checkpoints
from emo_core.training.schedule import Limits

from .gather import Filmed, Variant, features_of, film, pictures_of, shown, variants
from .train import PICTURES, FinishedFiles, average, finetuning_parser, finish, held_out_pictures, say

CLIPS, EVERY = 250, 2
"""Clips that are denoised, and frames between two that the decoder trains on."""
SHARE = 0.75
"""Share of the fine-tuned decoder in the finished one."""
SETTINGS = AutoencoderSettings(batch=8, decoder_only=True, learning_rate=2e-4)


@torch.no_grad()
def denoised(
    few: Checkpoint, filmed: list[Filmed], chosen: list[Variant], features: list[Tensor], count: int
) -> Iterator[Pictures]:
    """Frames of `count` clips, drawn by their shares, with the latents that the network denoises; `features` belong to `filmed`."""
    rng, shares = np.random.default_rng(0), np.array([variant.share for variant in chosen])
    denoiser, config = Denoiser(few.emo.eval()), few.config
    frames, before = config.temporal.frames, config.temporal.motion_frames
    timestep = torch.tensor([sampled_timesteps(config.diffusion)[-1]])
    for number in rng.choice(len(chosen), count, p=shares / shares.sum()).tolist():
        variant = chosen[number]
        audio = features[variant.source]
        first = int(rng.integers(before, len(audio[0]) - frames + 1))
        pictures, faces, mouths = shown(filmed, variant, slice(first - before, first + frames))
        portrait, _, _ = shown(filmed, variant, slice(0, 1))
        images = rearrange(torch.cat([portrait, pictures]), "f h w c -> f c h w").float() / 127.5 - 1
        reference, motion, clean = few.vae.encode(images).split([1, before, frames])
        windows = window_indices(first, first + frames, config.audio.window, audio.shape[1])
        region = Box(*(region_of(faces.cpu().numpy()) * config.image_size).tolist())
        conditions = Conditions(
            reference=reference,
            motion=torch.lerp(motion, reference, config.temporal.anchor)[None],
            audio=audio[0][windows][None].float(),
            mask=region_mask(region, config.image_size, config.mask_size)[None, None].to(images),
        )
        seed = int(rng.integers(2**31))
        noise = clip_noise(
            torch.Generator().manual_seed(seed), clean.shape, seed=seed, shared=config.diffusion.shared_noise
        )
        noisy = denoiser.schedule.add_noise(clean[None], noise.to(images), timestep.to(images.device))
        latents = denoiser.clean(noisy, denoiser(noisy, timestep, few.emo.context(conditions)), timestep)
        size = config.image_size
        yield Pictures(pictures[before::EVERY], mouths[before::EVERY] * size, latents[0, ::EVERY].half())


def main() -> None:
    """Train the decoder further, and write both files."""
    parser = finetuning_parser(__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=CLIPS, help=f"clips that are denoised (default: {CLIPS})")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    filmed = film(Dataset.open(args.data), TRAIN, args.device, args.limit)
    chosen, finished = variants(filmed, args.people), FinishedFiles.open(args.init, args.device)
    features = list(features_of(filmed, finished.few.audio_encoder, finished.few.config))
    parts = denoised(finished.few, filmed, chosen, features, args.clips)
    parts = list(tqdm(parts, total=args.clips, desc="denoise", disable=None))
    generated = Pictures(
        *(torch.cat([getattr(part, name) for part in parts]) for name in ("frames", "mouths", "latents"))
    )
    say(f"{len(generated.frames)} frames denoised")
    torch.manual_seed(0)
    vae, before = finished.few.vae, deepcopy(finished.few.vae)
    psnr = train_autoencoder(
        vae.to(memory_format=torch.channels_last),
        (pictures_of(filmed, chosen, PICTURES), held_out_pictures(args)),
        Limits(steps=args.steps),
        replace(SETTINGS, precision=args.precision),
        folder=args.out / "decoder",
        resume=bool(checkpoints(args.out / "decoder")),
        generated=generated,
        report=say,
    )
    say(f"vae: {psnr}, before it is averaged")
    vae = average(before, vae.to(args.device), SHARE)
    for checkpoint in (finished.base, finished.few):
        parts = {"emo": checkpoint.emo, "vae": vae, "audio_encoder": checkpoint.audio_encoder}
        finish(args.out, checkpoint.config, parts)


if __name__ == "__main__":
    main()
