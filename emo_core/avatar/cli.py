"""`python -m emo_core avatar`: train an avatar if it is missing, and let it speak."""

import argparse
from pathlib import Path

from ..errors import InputError
from .avatar_file import avatar_path
from .commands import speak, train
from .options import add_speaking, add_training, name_of
from .train import check_unclaimed
from .work import digest_of


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the `avatar` command to the program's parser."""
    parser = commands.add_parser(
        "avatar", help="a person from minutes of film says anything; see also avatar train, avatar speak, avatar info"
    )
    add = parser.add_argument
    add("videos", nargs="*", type=Path, metavar="VIDEO", help="films, or folders of films, of one person")
    add("--voice", type=Path, required=True, help="WAV, FLAC, OGG, MP3, M4A, a video with sound, or a face motion file")
    add("--out", type=Path, required=True, help="the .mp4 to write")
    add_training(add)
    add_speaking(add)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Train if the avatar is missing, or if more training is asked for; then speak.

    Raises:
        InputError: for films, names or options that cannot be used.
        Cancelled: by Ctrl-C.
    """
    name = name_of(args.name, args.videos)
    path = avatar_path(name)
    if path.exists() and not args.resume:
        if args.videos:
            check_unclaimed(path, digest_of(args.videos))
    elif not args.videos:
        raise InputError(f"avatar: there is no {path}; give films of the person to train it")
    else:
        train(args, name)
    speak(args, path)
