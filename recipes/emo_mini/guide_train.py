"""Teach the few-step network to repair drawn frames: `python -m recipes.emo_mini.guide_train --clips clips.safetensors --kept-out kept.safetensors --init emo-mini-few.safetensors --vae vae.safetensors --out FOLDER --minutes M`.

It begins as emo-mini-few with the guide beside its noise and an output layer that is fitted to the residual. A stopped run goes on when
it is called again. Writes FOLDER/emo-mini-few.safetensors at its end; `--export` writes it at any time.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file

from emo_core.dataset.shards import Dataset
from emo_core.emo.config import EMOConfig, GuideConfig
from emo_core.emo.models.attention import zero_
from emo_core.emo.models.emo import EMO
from emo_core.emo.models.vae import VAE
from emo_core.emo.sampling.denoiser import Denoiser
from emo_core.emo.training.export import NETWORK_FILE, run_config
from emo_core.emo.training.objective import Frozen
from emo_core.emo.training.on_device import DeviceBatches
from emo_core.emo.training.samples import Sampler
from emo_core.emo.training.stages import StageConfig
from emo_core.emo.training.train import StageRun, train
from emo_core.emo.weights.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from emo_core.training.checkpoints import checkpoints, latest
from emo_core.training.schedule import Limits

from .guide_batches import GuidedObjective, at_the_first_step, residual_scale, training_clips
from .guide_decoder import guided_vae
from .guide_gather import Gathered
from .guide_readout import fit_output
from .guide_validate import KeptOut

STAGE = StageConfig(
    stage="guide",
    trains=("backbone", "audio", "temporal", "guide_encoder"),
    conditions=("reference", "face_region", "audio", "guide"),
    batch=4,
    learning_rate=2e-4,
    learning_rate_factors={"guide_encoder": 2.0, "audio": 3.0},
    warm_up=20,
    decay_from=0.5,
    decay_to=0.03,
    beta2=0.99,
    precision="bf16",
    ema=0.998,
    min_snr=0.0,
    noise_offset=0.0,
    start=0.2,
    motion_anchor=1.0,
    mask_grow=0.3,
    drop={},
    workers=0,
    on_device=True,
    log_every=20,
    save_every=100,
    validate_every=200,
)
NOISE_SEEN = 0.1
"""Factor on the first convolution of the noise: as large as the guide, it hid the guide, and nothing was learned in 250 steps."""
FITTED = 90
"""Batches from which the output layer's first weights are fitted."""
NOTES = {"licence": "GRID corpus and London Set, CC BY 4.0; other stills CC0"}


def guided_config(few: EMOConfig, vae: VAE, scale: float) -> EMOConfig:
    """emo-mini-few's, with a guide. The head moves as the guide's does, so there are no speed layers."""
    return replace(
        few,
        vae=vae.config,
        guide=GuideConfig(layers=True, scale=scale),
        diffusion=replace(few.diffusion, prediction="sample", steps=1),
        speed=replace(few.speed, layers=False),
    )


def guided_network(few: Checkpoint, config: EMOConfig) -> EMO:
    """emo-mini-few's network with a guide: it sees the guide as it saw a latent without noise, and copies it."""
    emo, old = EMO(config), few.emo.state_dict()
    emo.load_state_dict(emo.state_dict() | {name: value for name, value in old.items() if name in emo.state_dict()})
    emo.guide_encoder.conv.weight.data.copy_(old["backbone.conv_in.weight"])
    # Both go through the same weights, and the guide's details are finer than the noise.
    emo.backbone.conv_in.weight.data.mul_(NOISE_SEEN)
    zero_(emo.backbone.conv_out)
    return emo


DETAIL = 1.5
"""Pixels; see `VAEConfig.guide_detail`. Smaller ones lose the lips' edges, larger ones the change of the mouth."""
SHARE = 0.75
"""Share of the residual in the finished file: on people kept out, its error is least with .76, since the network knows some too well."""


def export(folder: Path, few: Checkpoint, vae: VAE, out: Path) -> None:
    """Write the averaged network of the newest checkpoint, as a file to use."""
    checkpoint = latest(folder)
    config = run_config(checkpoint)
    guide, vae_config = (
        replace(config.guide, scale=round(SHARE * config.guide.scale, 4)),
        replace(vae.config, guide_detail=DETAIL),
    )
    config = replace(config, guide=guide, vae=vae_config)
    parts = {"emo": load_file(checkpoint / NETWORK_FILE), "vae": vae, "audio_encoder": few.audio_encoder}
    save_checkpoint(out, config, parts, notes=NOTES)


def main() -> None:
    """Train, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=Path, nargs="+", required=True, help="of recipes.emo_mini.guide_gather")
    parser.add_argument("--kept-out", type=Path, required=True, help="of recipes.emo_mini.guide_gather --kept-out")
    parser.add_argument("--init", type=Path, required=True, help="emo-mini-few.safetensors")
    parser.add_argument("--vae", type=Path, required=True, help="of recipes.emo_mini.guide_decoder")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--export", action="store_true", help="only write the file of a run's newest checkpoint")
    args = parser.parse_args()
    torch.set_num_threads(1)
    few = load_checkpoint(args.init)
    vae = guided_vae(few.vae).eval().requires_grad_(False)
    if not args.export:
        fit(args, few, vae)
    vae.load_state_dict(load_file(args.vae))  # The decoder may train at the same time.
    export(args.out / "network", few, vae, args.out / f"{few.config.name}.safetensors")


def fit(args: argparse.Namespace, few: Checkpoint, vae: VAE) -> None:
    """Train, from the beginning or the newest checkpoint."""
    gathered, folder, frozen = Gathered.open(*args.clips), args.out / "network", Frozen(vae, few.audio_encoder)
    config = guided_config(few.config, vae, residual_scale(gathered))
    emo, clips = guided_network(few, config), training_clips(gathered)
    begun = bool(checkpoints(folder))
    if not begun:
        own = DeviceBatches(clips, Sampler(config, replace(STAGE, seed=1)))
        fit_output(Denoiser(emo.eval()), frozen, map(at_the_first_step, own.batches(0)), FITTED)
    run = StageRun(
        emo,
        frozen,
        Dataset(folder=args.out, fps=config.fps, size=config.image_size, expand=1.0),
        folder,
        clips=clips,
        alter_batch=at_the_first_step,
        objective=GuidedObjective,
    )
    validate = KeptOut(training_clips(Gathered.open(args.kept_out)), STAGE, frozen)
    train(run, STAGE, Limits(minutes=args.minutes), resume=begun, validate=validate)


if __name__ == "__main__":
    main()
