"""Train emo-mini on one GPU: `python -m recipes.emo_mini.train --data DATASET --encoder encoder.safetensors --out WORK`.

Everything lies in the GPU's memory: the autoencoder learns first, then the stages one after the other, each from the averaged weights
of the one before. Writes WORK/emo-mini.safetensors and the distilled WORK/emo-mini-few.safetensors. With `--init FOLDER` both go on from
the files there.
"""

import argparse
import shutil
import time
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from emo_core.audio.encoder import with_encoder
from emo_core.dataset.shards import HELD_OUT, TRAIN, Dataset
from emo_core.emo.config import MINI, EMOConfig
from emo_core.emo.models.emo import EMO
from emo_core.emo.models.vae import VAE
from emo_core.emo.training.autoencoder import Learning, Pictures, train_autoencoder
from emo_core.emo.training.cli import stage_config
from emo_core.emo.training.objective import Frozen
from emo_core.emo.training.on_device import Resident
from emo_core.emo.training.setup import frozen_parts, speed_buckets, with_dataset_framing
from emo_core.emo.training.train import Limits, Trainee, train
from emo_core.emo.training.trainable import part_of
from emo_core.emo.weights.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from emo_core.files import atomic_path
from emo_core.training.checkpoints import AVERAGE, latest

from .audio import encoder_of
from .augment_people import Framing, Person
from .gather import PEOPLE, Filmed, Variant, encode, features_of, film, pictures_of, resident_of, variants

M = TypeVar("M", bound=nn.Module)
PICTURES = 4
"""Frames of each clip that the autoencoder learns from."""
SPREAD = 40
"""Clips whose latents are measured."""
FEW_NAME, FEW_STEPS = "emo-mini-few", 2
ANCHOR, SHARED_NOISE, AUDIO_SCALE, FEW_STRENGTH = 0.85, 0.97, 1.7, 2.0
"""How the finished model samples, the last one the few-step file alone; from nothing it trains with MINI's own."""
LEARNT = 0.6
"""Share of what was learnt further in the finished files; the rest is what they began with, which holds strangers' faces better (weight
averaging, arXiv 2109.01903). The speed layers are new altogether."""
COMMON = ("resident=true", "workers=0", "validate_every=0", "save_every=1000000", "keep=1", "log_every=100")
VAE_MINUTES, FROM_NOTHING = 2.5, Learning(batch=64)
DECODER_MINUTES, DECODER = 8.4, Learning(batch=64, decoder_only=True, rate=3e-4, adversarial=0.5)
"""On one H100: from nothing, and when going on, which keeps the latents."""


@dataclass(frozen=True, slots=True)
class Part:
    """How long and how a stage trains."""

    minutes: float | None
    """None where the steps are given."""
    batch: int
    settings: tuple[str, ...]


FIRST = {
    "1": Part(1.15, 48, ("warm_up=100", "decay_from=0.7", "decay_to=0.3")),
    "2": Part(3.9, 32, ("warm_up=100", "decay_from=0.5")),
    "3": Part(0.7, 32, ("warm_up=50", "decay_from=0.3")),
    "few": Part(1.27, 32, ("warm_up=50", "decay_from=0.3")),
}
"""From nothing, on one H100."""
FURTHER = {
    "2": Part(8.4, 48, ("trains=[reference_net, backbone, face_locator, audio, temporal, speed]", "speed=true", "drop_speed=0.5",
                        "learning_rate=5.0e-4", "new_rate=4", "warm_up=100", "decay_from=0.4", "ema=0.995")),
    "few": Part(1.5, 48, ("learning_rate=3.0e-4", "warm_up=50", "decay_from=0.3", "ema=0.99", "own_timesteps=0.7")),
}  # fmt: skip
"""From both finished files, on one H100: all of the network at once, then the distillation again."""


@dataclass(frozen=True, slots=True)
class Begun:
    """Finished files to go on from."""

    base: Checkpoint
    few: Checkpoint

    @classmethod
    def open(cls, folder: Path, device: torch.device) -> "Begun":
        """Read both."""
        return cls(*(load_checkpoint(folder / f"{name}.safetensors", device=device) for name in (MINI.name, FEW_NAME)))

    @property
    def config(self) -> EMOConfig:
        """The base's; with the guidance that is distilled, and the noise that is sampled with."""
        config = self.base.config
        return replace(config, diffusion=replace(config.diffusion, audio_scale=MINI.diffusion.audio_scale))

    def added_to(self, emo: EMO) -> dict[str, Tensor]:
        """What the distillation changed, added to what has been learnt since (task arithmetic, arXiv 2212.04089)."""
        old, new = self.base.emo.state_dict(), self.few.emo.state_dict()
        return {name: value + new[name] - old[name] for name, value in emo.state_dict().items()}


def between(before: M, after: M, share: float = LEARNT, whole: tuple[str, ...] = ("speed",)) -> M:
    """Weights of two networks of one kind averaged, with a share of the second's; of some parts all."""
    old, averaged = before.state_dict(), deepcopy(after)
    averaged.load_state_dict(
        {
            name: value if part_of(name) in whole else torch.lerp(old[name], value, share)
            for name, value in after.state_dict().items()
        }
    )
    return averaged


def say(line: str) -> None:
    """With the time."""
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


def held_out_pictures(args: argparse.Namespace) -> Pictures:
    """A frame of each clip held out, as filmed, to judge an autoencoder by."""
    held_out = film(Dataset.open(args.data), HELD_OUT, args.device, args.limit)
    return pictures_of(held_out, [Variant(n, Person(), Framing(), n, 1.0) for n in range(len(held_out))], 1)


def autoencoder(args: argparse.Namespace, filmed: list[Filmed], chosen: list[Variant], begun: Begun | None) -> VAE:
    """Train it, or the decoder of the finished one further, or take what is there."""
    file, vae = args.out / "vae.safetensors", VAE(MINI.vae) if begun is None else deepcopy(begun.base.vae)
    minutes, how = (VAE_MINUTES, FROM_NOTHING) if begun is None else (DECODER_MINUTES, DECODER)
    if file.is_file():
        vae.load_state_dict(load_file(file))
        return vae.to(args.device).eval().requires_grad_(False)
    torch.manual_seed(0)
    vae, found = train_autoencoder(
        vae.to(args.device, memory_format=torch.channels_last),
        pictures_of(filmed, chosen, PICTURES),
        held_out_pictures(args),
        Limits(minutes=minutes * args.hours),
        replace(how, precision=args.precision),
        report=say,
    )
    say(f"vae: {found.whole:.2f} dB, mouth {found.mouth:.2f} dB")
    with atomic_path(file) as temporary:
        save_file({name: value.cpu().contiguous() for name, value in vae.state_dict().items()}, temporary)
    return vae


def scaled(vae: VAE, filmed: list[Filmed], chosen: list[Variant], args: argparse.Namespace) -> VAE:
    """With latents of unit variance."""
    few = chosen[:: max(1, len(chosen) // SPREAD)]
    spread = torch.cat([part.latents for part in encode(filmed, few, vae, half=args.precision == "bf16")]).float().std()
    other = VAE(replace(vae.config, scaling_factor=1 / float(spread))).to(args.device)
    other.load_state_dict(vae.state_dict())
    return other.eval().requires_grad_(False)


def run_stage(name: str, part: Part, trainee: Trainee, args: argparse.Namespace, limits: Limits | None = None) -> EMO:
    """Train a stage, for its minutes if no limits are given; gives the averaged network."""
    settings = [f"batch={part.batch}", f"precision={args.precision}", *COMMON, *part.settings, *args.set]
    stage = stage_config(name, Path("configs/mini.yaml"), settings)
    say(f"stage {name}")
    shutil.rmtree(trainee.run, ignore_errors=True)  # An earlier run's checkpoint could have more steps, and win.
    done = train(trainee, stage, limits or Limits(minutes=part.minutes * args.hours))
    say(f"stage {name}: {done.step} steps of {stage.batch} in {done.seconds / 60:.2f} minutes")
    averaged = EMO(trainee.emo.config)
    averaged.load_state_dict(load_file(latest(trainee.run) / AVERAGE))
    return averaged.to(args.device)


def stages(
    config: EMOConfig,
    frozen: Frozen,
    resident: Resident,
    dataset: Dataset,
    begun: Begun | None,
    args: argparse.Namespace,
) -> None:
    """All of them, or those that go on from finished files; writes a checkpoint before the distillation and after it."""
    plan, parts = FIRST if begun is None else FURTHER, {"vae": frozen.vae, "audio_encoder": frozen.audio_encoder}
    torch.manual_seed(0)
    emo = EMO(config).to(args.device)
    if begun is not None:
        emo.load_state_dict(begun.base.emo.state_dict())
    for name in (name for name in plan if name != "few"):
        emo = run_stage(name, plan[name], Trainee(emo, frozen, dataset, args.out / name, resident=resident), args)
    finished = emo if begun is None else between(begun.base.emo, emo)
    finish(args.out, sampling(config, AUDIO_SCALE), {"emo": finished, **parts})
    quick = replace(config, name=FEW_NAME, diffusion=replace(config.diffusion, audio_scale=1.0, steps=FEW_STEPS))
    student = EMO(quick).to(args.device)
    student.load_state_dict(emo.state_dict() if begun is None else begun.added_to(emo))
    trainee = Trainee(student, frozen, dataset, args.out / "few", teacher=emo, resident=resident)
    student = run_stage("few", plan["few"], trainee, args)
    quick = replace(quick, speed=replace(quick.speed, strength=FEW_STRENGTH))
    finished = student if begun is None else between(begun.few.emo, student)
    finish(args.out, sampling(quick, 1.0), {"emo": finished, **parts})


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


def going_on(description: str) -> argparse.ArgumentParser:
    """Options of the steps that train finished files further, for a number of steps."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, required=True, help="what `prepare` wrote")
    parser.add_argument("--init", type=Path, required=True, help="folder of both finished files")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--limit", type=int, help="clips of the person of most clips (default: all)")
    parser.add_argument("--device", type=torch.device, default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--precision", choices=("no", "bf16"), default="bf16")
    return parser


def main() -> None:
    """Train what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="what `prepare` wrote")
    parser.add_argument("--encoder", type=Path, help="what `recipes.emo_mini.audio` wrote")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--hours", type=float, default=1.0, help="times the minutes of every stage (default: 1)")
    parser.add_argument("--init", type=Path, help="folder of both finished files: train them further")
    parser.add_argument(
        "--people", type=int, default=PEOPLE, help=f"made of each clip of other people (default: {PEOPLE})"
    )
    parser.add_argument("--only-vae", action="store_true", help="stop there, to train something else beside it")
    parser.add_argument("--limit", type=int, help="clips of the person of most clips (default: all)")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="of every stage")
    parser.add_argument("--device", type=torch.device, default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--precision", choices=("no", "bf16"), default="bf16")
    args = parser.parse_args()
    if args.init is not None and (args.encoder or args.init.resolve() == args.out.resolve()):
        parser.error("--init goes on from finished files, with the encoders in them, into another folder")
    args.out.mkdir(parents=True, exist_ok=True)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.benchmark = True
    dataset = Dataset.open(args.data)
    filmed = film(dataset, TRAIN, args.device, args.limit)
    chosen = variants(filmed, args.people)
    say(f"{len(filmed)} clips, {len(chosen)} variants")
    begun = None if args.init is None else Begun.open(args.init, args.device)
    vae = autoencoder(args, filmed, chosen, begun)
    if args.only_vae:
        return
    if begun is None:
        frozen = Frozen(
            scaled(vae, filmed, chosen, args), encoder_of(args.encoder).to(args.device).eval().requires_grad_(False)
        )
        config = replace(MINI, vae=frozen.vae.config, audio=with_encoder(MINI.audio, frozen.audio_encoder))
    else:
        frozen, config = replace(frozen_parts(begun.base, None), vae=vae), begun.config
    heard = list(features_of(filmed, frozen.audio_encoder, config))
    encoded = encode(filmed, chosen, frozen.vae, half=args.precision == "bf16")
    resident = resident_of(filmed, chosen, encoded, heard)
    del filmed, encoded
    if begun is None:
        config = replace(config, speed=speed_buckets(config.speed, float(resident.speed.quantile(0.95))))
    config = with_dataset_framing(config, dataset)
    say(f"latents of {len(resident.latents)} frames")
    stages(config, frozen, resident, dataset, begun, args)


if __name__ == "__main__":
    main()
