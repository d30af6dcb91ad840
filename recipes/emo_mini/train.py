"""Train emo-mini on one GPU: `python -m recipes.emo_mini.train --data DATASET --encoder encoder.safetensors --out WORK`.

The dataset lies in the GPU's memory. The autoencoder trains first, then the stages one after the other, each from the averaged
weights of the one before. Writes WORK/emo-mini.safetensors and the distilled WORK/emo-mini-few.safetensors. With `--init FOLDER` the
files of that folder are trained further.
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
from emo_core.emo.conditions.drawing import TrainingClips
from emo_core.emo.config import MINI, EMOConfig
from emo_core.emo.models.emo import EMO
from emo_core.emo.models.vae import VAE
from emo_core.emo.training.autoencoder import AutoencoderSettings, train_autoencoder
from emo_core.emo.training.cli import stage_config
from emo_core.emo.training.export import NETWORK_FILE
from emo_core.emo.training.objective import Frozen
from emo_core.emo.training.pictures import Pictures
from emo_core.emo.training.setup import frozen_parts, speed_buckets, with_dataset_framing
from emo_core.emo.training.train import StageRun, train
from emo_core.emo.training.trainable import part_of
from emo_core.emo.weights.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from emo_core.files import atomic_path
from emo_core.training.checkpoints import checkpoints, latest
from emo_core.training.schedule import Limits

from .audio import load_audio_encoder
from .augment_people import Framing, Person
from .gather import PEOPLE, Filmed, Variant, encode, features_of, film, join_clips, pictures_of, variants

M = TypeVar("M", bound=nn.Module)
PICTURES = 4
"""Frames of each clip that the autoencoder learns from."""
SPREAD = 40
"""Clips whose latents are measured."""
FEW_NAME, FEW_STEPS = "emo-mini-few", 2
ANCHOR, SHARED_NOISE, AUDIO_SCALE, FEW_STRENGTH = 0.85, 0.97, 1.7, 2.0
"""Sampling settings of the finished files, the last one of the few-step file alone; training from random weights uses MINI's own."""
NEW_SHARE = 0.6
"""Share of the further trained weights in the finished files. The rest is the earlier weights, which keep strangers' faces better (weight
averaging, arXiv 2109.01903). The speed layers are new altogether."""
COMMON = ("on_device=true", "workers=0", "validate_every=0", "save_every=1000000", "keep=1", "log_every=100")
VAE_MINUTES, VAE_SETTINGS = 2.5, AutoencoderSettings(batch=64)
DECODER_MINUTES = 8.4
DECODER_SETTINGS = AutoencoderSettings(batch=64, decoder_only=True, learning_rate=3e-4, adversarial=0.5)
"""Minutes on one H100: from random weights, and of further training, which keeps the latents."""


@dataclass(frozen=True, slots=True)
class StagePlan:
    """Duration, batch and options of a stage."""

    minutes: float | None
    """None if the steps are given."""
    batch: int
    settings: tuple[str, ...]


FIRST = {
    "1": StagePlan(1.15, 48, ("warm_up=100", "decay_from=0.7", "decay_to=0.3")),
    "2": StagePlan(3.9, 32, ("warm_up=100", "decay_from=0.5")),
    "3": StagePlan(0.7, 32, ("warm_up=50", "decay_from=0.3")),
    "few": StagePlan(1.27, 32, ("warm_up=50", "decay_from=0.3")),
}
"""From random weights, on one H100."""
FURTHER = {
    "2": StagePlan(8.4, 48, ("trains=[reference_net, backbone, face_locator, audio, temporal, speed]", "conditions=[reference, face_region, audio, speed]", "drop={speed: 0.5}",
                        "learning_rate=5.0e-4", "learning_rate_factors={speed: 4}", "warm_up=100", "decay_from=0.4", "ema=0.995")),
    "few": StagePlan(1.5, 48, ("learning_rate=3.0e-4", "warm_up=50", "decay_from=0.3", "ema=0.99", "sampler_timesteps=0.7")),
}  # fmt: skip
"""From both finished files, on one H100: the whole network at once, then the distillation again."""


@dataclass(frozen=True, slots=True)
class FinishedFiles:
    """Both files, to train further."""

    base: Checkpoint
    few: Checkpoint

    @classmethod
    def open(cls, folder: Path, device: torch.device) -> "FinishedFiles":
        """Read both."""
        return cls(*(load_checkpoint(folder / f"{name}.safetensors", device=device) for name in (MINI.name, FEW_NAME)))

    @property
    def config(self) -> EMOConfig:
        """The base's, with the guidance scale that is distilled."""
        config = self.base.config
        return replace(config, diffusion=replace(config.diffusion, audio_scale=MINI.diffusion.audio_scale))

    def distilled_from(self, emo: EMO) -> dict[str, Tensor]:
        """Weights of the further trained network plus the earlier distillation's change (task arithmetic, arXiv 2212.04089)."""
        old, new = self.base.emo.state_dict(), self.few.emo.state_dict()
        return {name: value + new[name] - old[name] for name, value in emo.state_dict().items()}


def average(before: M, after: M, share: float = NEW_SHARE, whole: tuple[str, ...] = ("speed",)) -> M:
    """Average the weights of two networks of one kind, with a share of the second's; some parts are the second's alone."""
    old, averaged = before.state_dict(), deepcopy(after)
    averaged.load_state_dict(
        {
            name: value if part_of(name) in whole else torch.lerp(old[name], value, share)
            for name, value in after.state_dict().items()
        }
    )
    return averaged


def say(line: str) -> None:
    """Print a line with the time."""
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


def held_out_pictures(args: argparse.Namespace) -> Pictures:
    """A frame of each held-out clip, to validate an autoencoder with."""
    held_out = film(Dataset.open(args.data), HELD_OUT, args.device, args.limit)
    return pictures_of(held_out, [Variant(n, Person(), Framing(), n, 1.0) for n in range(len(held_out))], 1)


def autoencoder(
    args: argparse.Namespace, filmed: list[Filmed], chosen: list[Variant], finished: FinishedFiles | None
) -> VAE:
    """Train it, or the decoder of the finished one further, or open the file of an earlier call."""
    file, vae = args.out / "vae.safetensors", VAE(MINI.vae) if finished is None else deepcopy(finished.base.vae)
    minutes, settings = (VAE_MINUTES, VAE_SETTINGS) if finished is None else (DECODER_MINUTES, DECODER_SETTINGS)
    if file.is_file():
        vae.load_state_dict(load_file(file))
        return vae.to(args.device).eval().requires_grad_(False)
    torch.manual_seed(0)
    psnr = train_autoencoder(
        vae.to(args.device, memory_format=torch.channels_last),
        (pictures_of(filmed, chosen, PICTURES), held_out_pictures(args)),
        Limits(minutes=minutes * args.hours),
        replace(settings, precision=args.precision),
        folder=args.out / "vae",
        resume=bool(checkpoints(args.out / "vae")),
        report=say,
    )
    say(f"vae: {psnr}")
    with atomic_path(file) as temporary:
        save_file({name: value.cpu().contiguous() for name, value in vae.state_dict().items()}, temporary)
    return vae.to(args.device)


def scaled(vae: VAE, filmed: list[Filmed], chosen: list[Variant], args: argparse.Namespace) -> VAE:
    """The same autoencoder with a scaling factor that gives latents unit variance."""
    few = chosen[:: max(1, len(chosen) // SPREAD)]
    spread = torch.cat([part.latents for part in encode(filmed, few, vae, half=args.precision == "bf16")]).float().std()
    other = VAE(replace(vae.config, scaling_factor=1 / float(spread))).to(args.device)
    other.load_state_dict(vae.state_dict())
    return other.eval().requires_grad_(False)


def run_stage(name: str, plan: StagePlan, run: StageRun, args: argparse.Namespace, limits: Limits | None = None) -> EMO:
    """Train a stage, for its minutes if no limits are given; gives the averaged network."""
    settings = [f"batch={plan.batch}", f"precision={args.precision}", *COMMON, *plan.settings, *args.set]
    stage = stage_config(name, Path("configs/mini.yaml"), settings)
    say(f"stage {name}")
    shutil.rmtree(run.folder, ignore_errors=True)  # A checkpoint of an earlier run could have more steps.
    done = train(run, stage, limits or Limits(minutes=plan.minutes * args.hours))
    say(f"stage {name}: {done.step} steps of {stage.batch} in {done.seconds / 60:.2f} minutes")
    averaged = EMO(run.emo.config)
    averaged.load_state_dict(load_file(latest(run.folder) / NETWORK_FILE))
    return averaged.to(args.device)


def stages(
    config: EMOConfig,
    frozen: Frozen,
    clips: TrainingClips,
    dataset: Dataset,
    finished: FinishedFiles | None,
    args: argparse.Namespace,
) -> None:
    """Train all stages, or those of further training; write a checkpoint before the distillation and one after it."""
    plans, parts = FIRST if finished is None else FURTHER, {"vae": frozen.vae, "audio_encoder": frozen.audio_encoder}
    torch.manual_seed(0)
    emo = EMO(config).to(args.device)
    if finished is not None:
        emo.load_state_dict(finished.base.emo.state_dict())
    for name in (name for name in plans if name != "few"):
        emo = run_stage(name, plans[name], StageRun(emo, frozen, dataset, args.out / name, clips=clips), args)
    base = emo if finished is None else average(finished.base.emo, emo)
    finish(args.out, sampling(config, AUDIO_SCALE), {"emo": base, **parts})
    few_config = replace(config, name=FEW_NAME, diffusion=replace(config.diffusion, audio_scale=1.0, steps=FEW_STEPS))
    student = EMO(few_config).to(args.device)
    student.load_state_dict(emo.state_dict() if finished is None else finished.distilled_from(emo))
    run = StageRun(student, frozen, dataset, args.out / "few", teacher=emo, clips=clips)
    student = run_stage("few", plans["few"], run, args)
    few_config = replace(few_config, speed=replace(few_config.speed, strength=FEW_STRENGTH))
    few = student if finished is None else average(finished.few.emo, student)
    finish(args.out, sampling(few_config, 1.0), {"emo": few, **parts})


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


def finetuning_parser(description: str) -> argparse.ArgumentParser:
    """Options of the scripts that train finished files further, for a number of steps."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, required=True, help="a prepared dataset")
    parser.add_argument("--init", type=Path, required=True, help="folder of both finished files")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--limit", type=int, help="clips of the person of most clips (default: all)")
    parser.add_argument("--device", type=torch.device, default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--precision", choices=("no", "bf16"), default="bf16")
    return parser


def main() -> None:
    """Train the autoencoder and the stages."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="a prepared dataset")
    parser.add_argument("--encoder", type=Path, help="the file of `recipes.emo_mini.audio`")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--hours", type=float, default=1.0, help="factor on the minutes of every stage (default: 1)")
    parser.add_argument("--init", type=Path, help="folder of both finished files: train them further")
    parser.add_argument(
        "--people", type=int, default=PEOPLE, help=f"variants of each clip of other people (default: {PEOPLE})"
    )
    parser.add_argument("--only-vae", action="store_true", help="stop there, to train something else beside it")
    parser.add_argument("--limit", type=int, help="clips of the person of most clips (default: all)")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="of every stage")
    parser.add_argument("--device", type=torch.device, default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--precision", choices=("no", "bf16"), default="bf16")
    args = parser.parse_args()
    if args.init is not None and (args.encoder or args.init.resolve() == args.out.resolve()):
        parser.error("--init trains finished files further, with the encoders in them, into another folder")
    args.out.mkdir(parents=True, exist_ok=True)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.benchmark = True
    dataset = Dataset.open(args.data)
    filmed = film(dataset, TRAIN, args.device, args.limit)
    chosen = variants(filmed, args.people)
    say(f"{len(filmed)} clips, {len(chosen)} variants")
    finished = None if args.init is None else FinishedFiles.open(args.init, args.device)
    vae = autoencoder(args, filmed, chosen, finished)
    if args.only_vae:
        return
    if finished is None:
        frozen = Frozen(
            scaled(vae, filmed, chosen, args),
            load_audio_encoder(args.encoder).to(args.device).eval().requires_grad_(False),
        )
        config = replace(MINI, vae=frozen.vae.config, audio=with_encoder(MINI.audio, frozen.audio_encoder))
    else:
        frozen, config = replace(frozen_parts(finished.base, None), vae=vae), finished.config
    features = list(features_of(filmed, frozen.audio_encoder, config))
    encoded = encode(filmed, chosen, frozen.vae, half=args.precision == "bf16")
    clips = join_clips(filmed, chosen, encoded, features)
    del filmed, encoded
    if finished is None:
        config = replace(config, speed=speed_buckets(config.speed, float(clips.speed.quantile(0.95))))
    config = with_dataset_framing(config, dataset)
    say(f"latents of {len(clips.latents)} frames")
    stages(config, frozen, clips, dataset, finished, args)


if __name__ == "__main__":
    main()
