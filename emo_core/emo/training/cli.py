"""`python -m emo_core train`."""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from ...dataset.shards import Dataset
from ...errors import InputError
from ...files import existing_file, file_digest, writable_folder
from ...training.checkpoints import checkpoints, latest
from ...training.schedule import Limits
from ..config import EMOConfig
from ..weights.checkpoint import read_metadata
from .autoencoder_cli import autoencoder_options, train_stage_vae
from .batches import check_dataset
from .export import read_run, run_config, write_run
from .setup import setup_stage
from .stages import STAGES, StageConfig, options_of, read_options
from .train import train
from .validate import Validation, fixed_clips, landmarks_detector

VAE_OPTIONS = {"decoder_only": False, "precision": "auto", "adversarial": 0.0}
"""Options of stage vae alone, with their defaults."""
NETWORK_OPTIONS = ("fresh", "config", "set")
"""Options of the network's stages alone."""
FIXED = ("stage", "trains", "batch", "accumulate", "seed", "on_device", "decoder_only", "adversarial")
"""Options that stay when a run is resumed."""


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the `train` command to the program's parser."""
    parser = commands.add_parser("train", help="train one stage")
    add = parser.add_argument
    add("--stage", required=True, choices=("vae", *STAGES),
        help="vae autoencoder of small models, 1 image, 2 video, 3 speed, emotion, few for few-step sampling")  # fmt: skip
    add("--data", type=Path, required=True, help="a prepared or cached dataset")
    add("--out", type=Path, required=True, help="the run's folder")
    add("--init", type=Path, help="the EMO checkpoint to start from")
    add("--fresh", action="store_true", help="start the network from random weights, keep the checkpoint's encoders")
    add("--audio-encoder", type=Path, help="a local wav2vec2, if the checkpoint has none")
    add("--config", type=Path, help="YAML with fields of the stage, see configs/ and docs/training.md")
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="one field of the stage, on top of --config")
    add("--max-steps", type=int)
    add("--max-minutes", type=float)
    add("--resume", action="store_true", help="go on from the run's newest checkpoint")
    add(
        "--decoder-only",
        action="store_true",
        help="stage vae: freeze the encoder, for a network trained on its latents",
    )
    add("--precision", choices=("auto", "no", "bf16"), default="auto", help="stage vae: as the other stages' field")
    add(
        "--adversarial",
        type=float,
        default=0.0,
        metavar="WEIGHT",
        help="stage vae: of a discriminator's loss, for more detail, such as 0.3 (default: 0)",
    )
    parser.set_defaults(run=_train)


def _train(args: argparse.Namespace) -> None:
    dataset = Dataset.open(args.data)
    _check_options(args)
    if args.init is None:
        raise InputError(
            "train: --init is missing; give an EMO checkpoint (models/emo-mini.safetensors, or one of `weights init`)"
        )
    if args.stage == "vae":
        check_dataset(dataset, EMOConfig.from_json(read_metadata(args.init)["config"]), frames=1)
        _check_folder(args, autoencoder_options(args))
        train_stage_vae(dataset, args)
    else:
        _train_network(dataset, stage_config(args.stage, args.config, args.set), args)


def _train_network(dataset: Dataset, stage: StageConfig, args: argparse.Namespace) -> None:
    limits = Limits(steps=args.max_steps, minutes=args.max_minutes)
    _check_folder(args, options_of(stage))
    resumed = run_config(latest(args.out)) if args.resume else None
    run = setup_stage(
        dataset, args.init, args.out, stage, audio_encoder=args.audio_encoder, fresh=args.fresh, resumed=resumed
    )
    first = os.environ.get("RANK", "0") == "0"  # Of the processes that accelerate or torchrun started.
    if first and not args.resume:
        write_run(args.out, args.init, args.audio_encoder, options_of(stage), args.data)
    clips, other, name = fixed_clips(dataset)
    if first and name == "trained" and stage.validate_every:
        sys.stderr.write(
            f"data: nothing is held out in {dataset.folder}, so validation uses training clips, and its numbers are called "
            "trained_...; for numbers of other clips, prepare into a new folder with --hold-out\n"
        )
    validation = Validation(tuple(clips), other, stage, run.frozen, args.out / "validation", landmarks_detector(), name)
    done = train(run, stage, limits, resume=args.resume, validate=validation)
    if first:
        sys.stdout.write(f"{args.out}: stage {stage.stage}, {done.step} steps in {done.seconds / 60:.1f} minutes\n")


def stage_config(name: str, file: Path | None, settings: list[str]) -> StageConfig:
    """A stage with the options of a file, then of the command line.

    Raises:
        InputError: for an unknown name or an impossible value.
    """
    import yaml

    stage = STAGES[name]
    if file is not None:
        stage = stage.with_options(read_options(file)[name])
    options = {}
    for setting in settings:
        key, mark, value = setting.partition("=")
        if not mark:
            raise InputError(f"set: got {setting!r}; expected NAME=VALUE")
        options[key.strip()] = yaml.safe_load(value)
    return stage.with_options(options)


def _check_folder(args: argparse.Namespace, options: dict[str, Any]) -> None:
    """Require a folder without a run, or with `--resume` the options and files of the run's first start.

    Raises:
        InputError: naming the difference.
    """
    if args.resume:
        _check_same(args, options)
    elif checkpoints(args.out):
        raise InputError(f"out: {args.out} holds a run; add --resume to go on with it, or give another folder")
    writable_folder(args.out, "out")


def _check_same(args: argparse.Namespace, options: dict[str, Any]) -> None:
    """The dataset may have grown or moved; it is checked where it is opened."""
    run = read_run(args.out)
    for name in FIXED:
        now, then = options.get(name), run["stage"].get(name)
        if (list(now) if isinstance(now, tuple) else now) != then:
            raise InputError(f"resume: {name} was {then} when {args.out} was started, now it is {now}; keep it")
    if run["init_digest"] != file_digest(existing_file(args.init, "init", "the run's EMO checkpoint")):
        raise InputError(
            f"resume: {args.out} was started from {run['init']}, {args.init} is another checkpoint; keep it"
        )
    encoder = None if args.audio_encoder is None else str(args.audio_encoder.resolve())
    if encoder != run["audio_encoder"]:
        raise InputError(
            f"resume: --audio-encoder was {run['audio_encoder']} when {args.out} was started, now it is {encoder}; "
            "keep it"
        )


def _check_options(args: argparse.Namespace) -> None:
    """Refuse options that the stage does not read.

    Raises:
        InputError: naming one.
    """
    if args.stage == "vae":
        unread = [name for name in NETWORK_OPTIONS if getattr(args, name)]
        owner = "is for stages " + ", ".join(STAGES)
    else:
        unread = [name.replace("_", "-") for name, default in VAE_OPTIONS.items() if getattr(args, name) != default]
        owner = "is stage vae's (the network's stages have --set precision=bf16)"
    if unread:
        raise InputError(f"train: stage {args.stage} takes no --{unread[0]}, which {owner}")
