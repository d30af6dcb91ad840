"""`python -m emo_core cache|train|export`."""

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

import torch

from ...audio.encoder import with_encoder
from ...dataset.shards import Dataset
from ...errors import InputError
from ...files import existing_file, file_digest, writable_folder
from ...training.checkpoints import checkpoints, latest
from ...training.stop_signals import stop_signals
from ..weights.checkpoint import load_checkpoint, save_checkpoint
from .batches import check_dataset
from .export import read_run, run_config, write_run
from .setup import begin, frozen_parts
from .stages import STAGES, StageConfig, options_of, read_options
from .train import Limits, train
from .validate import Validation, fixed_clips, landmarks_detector

VAE_OPTIONS = {"decoder_only": False, "precision": "auto", "adversarial": 0.0}
"""Options of that stage alone, and their defaults."""


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the `train` command to the program's parser."""
    parser = commands.add_parser("train", help="train one stage")
    add = parser.add_argument
    add("--stage", required=True, choices=("vae", *STAGES),
        help="vae autoencoder of small models, 1 image, 2 video, 3 speed, few for few-step sampling")  # fmt: skip
    add("--data", type=Path, required=True, help="a prepared or cached dataset")
    add("--out", type=Path, required=True, help="the run's folder")
    add("--init", type=Path, help="the EMO checkpoint to start from")
    add("--fresh", action="store_true", help="start the network from random weights, keep the checkpoint's encoders")
    add("--audio-encoder", type=Path, help="a local wav2vec2, where the checkpoint brings none")
    add("--config", type=Path, help="YAML with fields of the stage, see configs/ and docs/training.md")
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="one field of the stage, on top of --config")
    add("--max-steps", type=int)
    add("--max-minutes", type=float)
    add("--resume", action="store_true", help="go on from the run's newest checkpoint")
    add("--decoder-only", action="store_true", help="stage vae: keep the latents, for a network that knows them")
    add("--precision", choices=("auto", "no", "bf16"), default="auto", help="stage vae: as the other stages' field")
    add(
        "--adversarial",
        type=float,
        default=0.0,
        metavar="WEIGHT",
        help="stage vae: of a critic that wants detail, such as 0.3 (default: 0)",
    )
    parser.set_defaults(run=_train)


def _train(args: argparse.Namespace) -> None:
    dataset = Dataset.open(args.data)
    _check_options(args)
    if args.init is None:
        raise InputError(
            "train: give --init, an EMO checkpoint (models/emo-mini.safetensors, or one of `weights init`)"
        )
    if args.stage == "vae":
        _train_autoencoder(dataset, args)
        return
    stage = stage_config(args.stage, args.config, args.set)
    limits = Limits(steps=args.max_steps, minutes=args.max_minutes)
    _check_folder(args, stage)
    writable_folder(args.out, "out")
    resumed = run_config(latest(args.out)) if args.resume else None
    trainee = begin(
        dataset, args.init, args.out, stage, audio_encoder=args.audio_encoder, fresh=args.fresh, resumed=resumed
    )
    first = os.environ.get("RANK", "0") == "0"  # Of the processes that accelerate or torchrun started.
    if first and not args.resume:
        write_run(args.out, args.init, args.audio_encoder, options_of(stage), args.data)
    clips, other, name = fixed_clips(dataset)
    if first and name == "seen" and stage.validate_every:
        _say(
            f"data: nothing is held out in {dataset.folder}, so validation looks at clips that are trained on, and calls "
            "its numbers seen_...; to know more, prepare into a new folder with --hold-out"
        )
    validation = Validation(
        tuple(clips), other, stage, trainee.frozen, args.out / "validation", landmarks_detector(), name
    )
    done = train(trainee, stage, limits, resume=args.resume, validate=validation)
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


def _check_folder(args: argparse.Namespace, stage: StageConfig) -> None:
    """A run is begun in an empty folder, and resumed with the stage that it was begun with."""
    if not args.resume:
        if checkpoints(args.out):
            raise InputError(f"out: {args.out} holds a run; add --resume to go on with it, or give another folder")
        return
    run = read_run(args.out)
    begun = run["stage"]
    for name in ("stage", "trains", "batch", "accumulate", "seed", "on_device"):
        now, then = options_of(stage)[name], begun.get(name, False)  # Older runs were never resident.
        if (list(now) if isinstance(now, tuple) else now) != then:
            raise InputError(f"resume: {name} was {then} when {args.out} was begun, now it is {now}; keep it")
    # The dataset may have grown or moved; whether it fits is seen where it is opened.
    digest = run.get("init_digest")  # Older runs have none.
    if digest is not None and digest != file_digest(existing_file(args.init, "init", "the run's EMO checkpoint")):
        raise InputError(f"resume: {args.out} was begun with {run['init']}, {args.init} is another checkpoint; keep it")
    encoder = None if args.audio_encoder is None else str(args.audio_encoder.resolve())
    if encoder != run["audio_encoder"]:
        raise InputError(
            f"resume: --audio-encoder was {run['audio_encoder']} when {args.out} was begun, now it is {encoder}; "
            "keep it"
        )


def _check_options(args: argparse.Namespace) -> None:
    """Refuse what the stage would not read.

    Raises:
        InputError: naming it.
    """
    given = [name for name in ("resume", "fresh", "config", "set") if getattr(args, name)]
    if given and args.stage == "vae":
        raise InputError(f"train: stage {args.stage} takes no --{given[0]}; it trains in one go, with its own settings")
    given = [name.replace("_", "-") for name, default in VAE_OPTIONS.items() if getattr(args, name) != default]
    if given and args.stage != "vae":
        raise InputError(
            f"train: stage {args.stage} takes no --{given[0]}, which is stage vae's (the network's stages have "
            "--set precision=bf16)"
        )


def _train_autoencoder(dataset: Dataset, args: argparse.Namespace) -> None:
    from .autoencoder import Learning, both_splits, train_autoencoder

    checkpoint = load_checkpoint(args.init)
    check_dataset(dataset, checkpoint.config, frames=1)
    writable_folder(args.out, "out")
    frozen = frozen_parts(checkpoint, args.audio_encoder)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with stop_signals() as stopped:
        vae, found = train_autoencoder(
            frozen.vae.to(device),
            *both_splits(dataset),
            Limits(steps=args.max_steps, minutes=args.max_minutes),
            Learning(decoder_only=args.decoder_only, precision=args.precision, adversarial=args.adversarial),
            report=_say,
            stopped=stopped,
        )
    file = args.out / "model.safetensors"
    parts = {"emo": checkpoint.emo, "vae": vae.cpu(), "audio_encoder": frozen.audio_encoder}
    config = replace(checkpoint.config, audio=with_encoder(checkpoint.config.audio, frozen.audio_encoder))
    save_checkpoint(file, config, parts)
    sys.stdout.write(f"{file}: {found.whole:.1f} dB, mouth {found.mouth:.1f} dB\n")


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
