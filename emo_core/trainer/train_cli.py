"""`python -m emo_core.trainer cache|train|export`."""

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

import torch

from ..audio.encoder import with_encoder
from ..errors import InputError, existing_file, writable_folder
from ..weights.checkpoint import DTYPES, file_digest, load_checkpoint, save_checkpoint
from .batches import check_dataset
from .begin import begin, frozen_parts
from .cache import Encoders, cache
from .export import export, read_run, run_config, write_run
from .shards import Dataset
from .signals import stop_signals
from .stages import STAGES, StageConfig, options_of, precision_of, read_options
from .state import checkpoints, latest
from .train import Limits, train
from .validate import Validation, fixed_clips, landmarks_detector

OTHER_STAGES = ("0", "vae")
"""Stages that train a net of their own."""
VAE_OPTIONS = {"decoder_only": False, "precision": "auto", "adversarial": 0.0}
"""Options of that stage alone, and their defaults."""


def add_parsers(commands: argparse._SubParsersAction) -> None:
    """Add the commands to the program's parser."""
    _add_cache(commands.add_parser("cache", help="encode a dataset once, for faster training"))
    _add_train(commands.add_parser("train", help="train one stage"))
    _add_export(commands.add_parser("export", help="make a checkpoint of a run"))


def _add_cache(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", type=Path, help="a prepared dataset")
    parser.add_argument("--init", type=Path, required=True, help="the EMO checkpoint whose encoders are used")
    parser.add_argument("--audio-encoder", type=Path, help="a local wav2vec2, where the checkpoint brings none")
    parser.add_argument("--out", type=Path, required=True, help="a new folder")
    parser.add_argument(
        "--voices", type=int, default=0, help="altered copies of each sound: other voices, noise (default: 0)"
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--precision", choices=("auto", "no", "bf16"), default="auto", help="of the autoencoder")
    parser.set_defaults(run=_cache)


def _add_train(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--stage", required=True, choices=(*OTHER_STAGES, *STAGES),
        help="0 face finder, vae autoencoder of small models, 1 image, 2 video, 3 speed, few for few-step sampling")  # fmt: skip
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


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_folder", metavar="RUN", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="the .safetensors to write")
    parser.add_argument("--init", type=Path, help="where the encoders come from, if the first checkpoint has moved")
    parser.add_argument("--dtype", choices=tuple(DTYPES), default="fp16")
    parser.set_defaults(run=_export)


def _cache(args: argparse.Namespace) -> None:
    dataset, checkpoint = Dataset.open(args.data), load_checkpoint(args.init, device=args.device)
    frozen, half = frozen_parts(checkpoint, args.audio_encoder), precision_of(args.precision) == "bf16"
    cached = cache(
        dataset, Encoders(checkpoint.config, frozen, torch.device(args.device), half), args.out, voices=args.voices
    )
    sys.stdout.write(f"{args.out}: {sum(shard.clips for shard in cached.shards)} clips with latents and features\n")


def _train(args: argparse.Namespace) -> None:
    dataset = Dataset.open(args.data)
    _check_options(args)
    if args.stage == "0":
        _train_finder(dataset, args)
        return
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
    for name in ("stage", "trains", "batch", "accumulate", "seed", "resident"):
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
    if given and args.stage in OTHER_STAGES:
        raise InputError(f"train: stage {args.stage} takes no --{given[0]}; it trains in one go, with its own settings")
    given = [name for name in ("init", "audio-encoder") if getattr(args, name.replace("-", "_"))]
    if given and args.stage == "0":
        raise InputError(
            f"train: stage 0 takes no --{given[0]}; the face finder trains from nothing, on pictures alone"
        )
    given = [name.replace("_", "-") for name, default in VAE_OPTIONS.items() if getattr(args, name) != default]
    if given and args.stage != "vae":
        raise InputError(
            f"train: stage {args.stage} takes no --{given[0]}, which is stage vae's (the network's stages have "
            "--set precision=bf16)"
        )


def _train_finder(dataset: Dataset, args: argparse.Namespace) -> None:
    from .face_finder import train_finder

    writable_folder(args.out, "out")
    file = train_finder(dataset, args.out, steps=args.max_steps, minutes=args.max_minutes, report=_say)
    sys.stdout.write(f"{file}: copy it to models/ to use it as the built-in face detector\n")


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


def _export(args: argparse.Namespace) -> None:
    step = export(args.run_folder, args.out, dtype=DTYPES[args.dtype], init=args.init)
    sys.stdout.write(f"{args.out}: step {step}\n")


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
