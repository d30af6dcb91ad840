"""`python -m emo_core avatar speak`: a trained avatar says a sound."""

import argparse
from pathlib import Path

from .avatar_file import avatar_path
from .commands import speak
from .options import add_speaking


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the `avatar speak` command to the program's parser."""
    parser = commands.add_parser("avatar speak", help="let a trained avatar say a sound")
    add = parser.add_argument
    add("avatar", help="its name, or its file")
    add("voice", type=Path, help="WAV, FLAC, OGG, MP3, M4A, a video with sound, or a face motion file")
    add("--out", type=Path, required=True, help="the .mp4 to write")
    add_speaking(add)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Speak; the result goes to stdout.

    Raises:
        InputError: for an avatar, voice or option that cannot be used.
        Cancelled: by Ctrl-C.
    """
    speak(args, avatar_path(args.avatar))
