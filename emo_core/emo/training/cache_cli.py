"""`python -m emo_core cache`: encode a dataset once."""

import argparse
import sys
from pathlib import Path

import torch

from ...dataset.shards import Dataset
from ..weights.checkpoint import load_checkpoint
from .cache import Encoders, cache
from .setup import frozen_parts
from .stages import precision_of


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the `cache` command to the program's parser."""
    parser = commands.add_parser("cache", help="encode a dataset once, for faster training")
    add = parser.add_argument
    add("data", type=Path, help="a prepared dataset")
    add("--init", type=Path, required=True, help="the EMO checkpoint whose encoders are used")
    add("--audio-encoder", type=Path, help="a local wav2vec2, for a checkpoint without one")
    add("--out", type=Path, required=True, help="a new folder")
    add("--voices", type=int, default=0, help="augmented copies of each sound: other voices, noise (default: 0)")
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    add("--precision", choices=("auto", "no", "bf16"), default="auto", help="of the autoencoder")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> None:
    dataset, checkpoint = Dataset.open(args.data), load_checkpoint(args.init, device=args.device)
    frozen, half = frozen_parts(checkpoint, args.audio_encoder), precision_of(args.precision) == "bf16"
    encoders = Encoders(checkpoint.config, frozen, torch.device(args.device), half)
    cached = cache(dataset, encoders, args.out, voices=args.voices)
    sys.stdout.write(f"{args.out}: {sum(shard.clips for shard in cached.shards)} clips with latents and features\n")
