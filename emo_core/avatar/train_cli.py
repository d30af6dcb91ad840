"""`python -m emo_core avatar train`: an avatar from films of one person."""

import argparse
import sys
from pathlib import Path

from .avatar_file import avatar_path
from .commands import train
from .options import add_training, name_of


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the `avatar train` command to the program's parser."""
    parser = commands.add_parser("avatar train", help="train an avatar from films of one person")
    parser.add_argument(
        "videos", nargs="+", type=Path, metavar="VIDEO", help="films, or folders of films, of one person"
    )
    add_training(parser.add_argument)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Train; the avatar's file goes to stdout.

    Raises:
        InputError: for films, names or options that cannot be used.
        Cancelled: by Ctrl-C; what was learned is kept.
    """
    name = name_of(args.name, args.videos)
    train(args, name)
    sys.stdout.write(f"{avatar_path(name)}\n")
