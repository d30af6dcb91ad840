"""`python -m emo_core label`: write down which emotions the clips of a dataset show."""

import argparse
import sys
from pathlib import Path

from .emotion_labels import Labelling, label_emotions, read_table
from .shards import Dataset


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the `label` command to the program's parser."""
    parser = commands.add_parser("label", help="label the clips of a dataset with emotions, from a table")
    parser.add_argument("data", type=Path, help="a prepared or cached dataset; its shards are written anew")
    parser.add_argument(
        "--emotions",
        type=Path,
        required=True,
        metavar="CSV",
        help="file,emotion[,strength or level][,person]: names of the source videos, or ends of their paths; an emotion, or a curve "
        "over their seconds such as 0:neutral,1.5:happy@0.8",
    )
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> None:
    done = label_emotions(Dataset.open(args.data), read_table(args.emotions))
    sys.stdout.write(_sentence(done, args.data) + "\n")


def _sentence(done: Labelling, data: Path) -> str:
    clips = ", ".join(f"{name} {count}" for name, count in done.clips.items())
    unused = ""
    if done.unused:
        first = done.unused[0]
        unused = f"; {len(done.unused)} lines name no video of it (line {first.line}: {first.pattern})"
    return f"{data}: clips with {clips}; {done.unknown} of unknown emotion{unused}"
