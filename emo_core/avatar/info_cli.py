"""`python -m emo_core avatar info`: what an avatar says about itself."""

import argparse

from .avatar_file import avatar_path
from .commands import tell


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the `avatar info` command to the program's parser."""
    parser = commands.add_parser("avatar info", help="tell about a trained avatar: films, consent, training, size")
    parser.add_argument("avatar", help="its name, or its file")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Write what it says to stdout.

    Raises:
        InputError: if there is no such avatar.
        CheckpointError: if its file is damaged.
    """
    tell(avatar_path(args.avatar), as_json=args.json)
