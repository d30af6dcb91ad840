"""`python -m emo_core export`: make a checkpoint of a training run."""

import argparse
import sys
from pathlib import Path

from ..weights.checkpoint import DTYPES
from .export import export


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the `export` command to the program's parser."""
    parser = commands.add_parser("export", help="make a checkpoint of a training run")
    parser.add_argument("run_folder", metavar="RUN", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="the .safetensors to write")
    parser.add_argument("--init", type=Path, help="the file with the encoders, if the first checkpoint has moved")
    parser.add_argument("--dtype", choices=tuple(DTYPES), default="fp16")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> None:
    step = export(args.run_folder, args.out, dtype=DTYPES[args.dtype], init=args.init)
    sys.stdout.write(f"{args.out}: step {step}\n")
