"""Train emo-mini on one GPU: `python -m scripts.mini.train --data DATASET --encoder encoder.safetensors --out WORK`.

Everything lies in the GPU's memory: the autoencoder learns first, then the stages one after the other, each from the averaged weights
of the one before. Writes WORK/emo-mini.safetensors and the distilled WORK/emo-mini-few.safetensors.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from emo_core.audio.encoder import with_encoder
from emo_core.config import MINI, EMOConfig
from emo_core.models.emo import EMO
from emo_core.models.vae import VAE
from emo_core.trainer.autoencoder import train_autoencoder
from emo_core.trainer.begin import FEW, speed_buckets, with_dataset_framing
from emo_core.trainer.objective import Frozen
from emo_core.trainer.resident import Resident
from emo_core.trainer.shards import HELD_OUT, TRAIN, Dataset
from emo_core.trainer.state import AVERAGE, latest
from emo_core.trainer.train import Limits, Trainee, train
from emo_core.trainer.train_cli import stage_config
from emo_core.weights.checkpoint import save_checkpoint

from .audio import encoder_of
from .gather import Filmed, Variant, encode, features_of, film, pictures_of, resident_of, variants
from .people import Framing, Person

MINUTES = {"vae": 2.5, "1": 1.15, "2": 3.9, "3": 0.7, "few": 1.27}
"""On one H100."""
BATCH = {"vae": 64, "1": 48, "2": 32, "3": 32, "few": 32}
PICTURES = 4
"""Frames of each clip that the autoencoder learns from."""
SPREAD = 40
"""Clips whose latents are measured."""
ANCHOR, SHARED_NOISE, AUDIO_SCALE = 0.85, 0.97, 1.7
"""How the finished model samples; it trains with MINI's own."""
COMMON = ("resident=true", "workers=0", "validate_every=0", "save_every=1000000", "keep=1", "log_every=100")
SETTINGS = {
    "1": ("warm_up=100", "decay_from=0.7", "decay_to=0.3"),
    "2": ("warm_up=100", "decay_from=0.5"),
    "3": ("warm_up=50", "decay_from=0.3"),
    "few": ("warm_up=50", "decay_from=0.3"),
}


def say(line: str) -> None:
    """With the time."""
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


def autoencoder(args: argparse.Namespace, filmed: list[Filmed], chosen: list[Variant]) -> VAE:
    """Train it, or take the one that is there."""
    file, vae = args.out / "vae.safetensors", VAE(MINI.vae)
    if file.is_file():
        vae.load_state_dict(load_file(file))
        return vae.to(args.device).eval().requires_grad_(False)
    held_out = film(Dataset.open(args.data), HELD_OUT, args.device, args.limit)
    own = [Variant(number, Person(), Framing(), number, 1.0) for number in range(len(held_out))]
    torch.manual_seed(0)
    vae, found = train_autoencoder(
        vae.to(args.device, memory_format=torch.channels_last),
        pictures_of(filmed, chosen, PICTURES),
        pictures_of(held_out, own, 1),
        Limits(minutes=MINUTES["vae"] * args.hours),
        batch=BATCH["vae"],
        precision=args.precision,
        report=say,
    )
    say(f"vae: {found.whole:.2f} dB, mouth {found.mouth:.2f} dB")
    save_file({name: value.cpu().contiguous() for name, value in vae.state_dict().items()}, file)
    return vae


def scaled(vae: VAE, filmed: list[Filmed], chosen: list[Variant], args: argparse.Namespace) -> VAE:
    """With latents of unit variance."""
    few = chosen[:: max(1, len(chosen) // SPREAD)]
    spread = torch.cat([part.latents for part in encode(filmed, few, vae, half=args.precision == "bf16")]).float().std()
    other = VAE(replace(vae.config, scaling_factor=1 / float(spread))).to(args.device)
    other.load_state_dict(vae.state_dict())
    return other.eval().requires_grad_(False)


def run_stage(name: str, emo: EMO, trainee: Trainee, args: argparse.Namespace) -> EMO:
    """Train a stage; gives the averaged network."""
    settings = [f"batch={BATCH[name]}", f"precision={args.precision}", *COMMON, *SETTINGS[name], *args.set]
    stage = stage_config(name, Path("configs/mini.yaml"), settings)
    say(f"stage {name}")
    done = train(trainee, stage, Limits(minutes=MINUTES[name] * args.hours))
    say(f"stage {name}: {done.step} steps of {stage.batch} in {done.seconds / 60:.2f} minutes")
    averaged = EMO(emo.config)
    averaged.load_state_dict(load_file(latest(trainee.run) / AVERAGE))
    return averaged.to(args.device)


def stages(config: EMOConfig, frozen: Frozen, resident: Resident, dataset: Dataset, args: argparse.Namespace) -> None:
    """All of them; writes a checkpoint after stage 3 and after the distillation."""
    parts = {"vae": frozen.vae, "audio_encoder": frozen.audio_encoder}
    torch.manual_seed(0)
    emo = EMO(config)
    for name in ("1", "2", "3"):
        emo = run_stage(name, emo, Trainee(emo, frozen, dataset, args.out / name, resident=resident), args)
    finish(args.out, sampling(config, AUDIO_SCALE), {"emo": emo, **parts})
    quick = replace(config, name="emo-mini-few", diffusion=replace(config.diffusion, audio_scale=1.0, steps=FEW))
    student = EMO(quick).to(args.device)
    student.load_state_dict(emo.state_dict())
    trainee = Trainee(student, frozen, dataset, args.out / "few", teacher=emo, resident=resident)
    student = run_stage("few", student, trainee, args)
    finish(args.out, sampling(quick, 1.0), {"emo": student, **parts})


def sampling(config: EMOConfig, audio_scale: float) -> EMOConfig:
    """The config of a finished model."""
    return replace(
        config,
        temporal=replace(config.temporal, anchor=ANCHOR),
        diffusion=replace(config.diffusion, shared_noise=SHARED_NOISE, audio_scale=audio_scale),
    )


def finish(folder: Path, config: EMOConfig, parts: dict[str, nn.Module]) -> None:
    """Write a shipped file: half precision, with its licence."""
    save_checkpoint(folder / f"{config.name}.safetensors", config, parts, notes={"licence": "GRID corpus, CC BY 4.0"})


def main() -> None:
    """Train what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="what `prepare` wrote")
    parser.add_argument("--encoder", type=Path, help="what `scripts.mini.audio` wrote")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--hours", type=float, default=1.0, help="times the minutes of every stage (default: 1)")
    parser.add_argument("--only-vae", action="store_true", help="stop there, to train the audio encoder beside it")
    parser.add_argument("--limit", type=int, help="clips at most, to try it out")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="of every stage")
    parser.add_argument("--device", type=torch.device, default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--precision", choices=("no", "bf16"), default="bf16")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    dataset = Dataset.open(args.data)
    filmed = film(dataset, TRAIN, args.device, args.limit)
    chosen = variants(filmed)
    say(f"{len(filmed)} clips, {len(chosen)} variants")
    vae = autoencoder(args, filmed, chosen)
    if args.only_vae:
        return
    vae = scaled(vae, filmed, chosen, args)
    encoder = encoder_of(args.encoder).to(args.device).eval().requires_grad_(False)
    config = with_dataset_framing(replace(MINI, vae=vae.config, audio=with_encoder(MINI.audio, encoder)), dataset)
    config = replace(config, speed=speed_buckets(config.speed, dataset))
    heard = list(features_of(filmed, encoder, config))
    resident = resident_of(filmed, chosen, encode(filmed, chosen, vae, half=args.precision == "bf16"), heard)
    del filmed
    say(f"latents of {len(resident.latents)} frames")
    stages(config, Frozen(vae, encoder), resident, dataset, args)


if __name__ == "__main__":
    main()
