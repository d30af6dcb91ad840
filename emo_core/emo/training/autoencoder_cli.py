"""`python -m emo_core train --stage vae`."""

import argparse
import os
import sys
from dataclasses import asdict, replace
from typing import Any

from ...audio.encoder import with_encoder
from ...dataset.shards import Dataset
from ...training.schedule import Limits
from ..weights.checkpoint import load_checkpoint, save_checkpoint
from .autoencoder import AutoencoderSettings, train_autoencoder
from .export import write_run
from .pictures import read_splits
from .setup import frozen_parts

MODEL = "model.safetensors"


def autoencoder_options(args: argparse.Namespace) -> dict[str, Any]:
    """The stage's options as plain data, for the run's file."""
    return {"stage": "vae", **asdict(_settings(args))}


def train_stage_vae(dataset: Dataset, args: argparse.Namespace) -> None:
    """Train the checkpoint's autoencoder, and write the checkpoint with it."""
    checkpoint, first = load_checkpoint(args.init), os.environ.get("RANK", "0") == "0"
    frozen = frozen_parts(checkpoint, args.audio_encoder)
    if first and not args.resume:
        write_run(args.out, args.init, args.audio_encoder, autoencoder_options(args), args.data)
    psnr = train_autoencoder(
        frozen.vae,
        read_splits(dataset),
        Limits(steps=args.max_steps, minutes=args.max_minutes),
        _settings(args),
        folder=args.out,
        resume=args.resume,
        report=lambda line: sys.stderr.write(line + "\n"),
    )
    if first:
        config = replace(checkpoint.config, audio=with_encoder(checkpoint.config.audio, frozen.audio_encoder))
        parts = {"emo": checkpoint.emo, "vae": frozen.vae.cpu(), "audio_encoder": frozen.audio_encoder}
        save_checkpoint(args.out / MODEL, config, parts)
        sys.stdout.write(f"{args.out / MODEL}: {psnr}\n")


def _settings(args: argparse.Namespace) -> AutoencoderSettings:
    return AutoencoderSettings(decoder_only=args.decoder_only, precision=args.precision, adversarial=args.adversarial)
