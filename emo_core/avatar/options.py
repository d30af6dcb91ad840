"""The options of the avatar commands."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from ..animate.emotion_options import add_emotion_options, read_emotion
from ..errors import InputError
from ..face.detect import FaceDetector
from ..face.detectors import make_detector
from .avatar_file import avatar_path
from .background import Background
from .speak import SpeakOptions
from .train import MINUTES, SIZES, TrainRequest

Add = Callable[..., object]
NO_LANDMARKS = (
    "avatar: training reads 478 face points from the films, and no detector here gives them; install mediapipe 0.10.21 in a "
    "Python up to 3.12, or give a face_landmarker.task with --face-model"
)


def add_training(add: Add) -> None:
    """Add what training needs beside the films."""
    add("--name", help="of the avatar (default: the name of the film or folder)")
    add(
        "--minutes", type=float, default=MINUTES,
        help=f"time for which the renderer learns; more is better (default: {MINUTES:g})",
    )  # fmt: skip
    add("--size", type=int, choices=SIZES, default=SIZES[0], help="side of the square in pixels (default: 256)")
    add("--resume", action="store_true", help="go on with a training that stopped, or train longer")
    add("--face-model", type=Path, help="a face_landmarker.task for MediaPipe")
    add(
        "--i-have-consent", action="store_true", dest="consent",
        help="confirm once per avatar that the person agreed to it; kept in its file",
    )  # fmt: skip


def add_speaking(add: Add) -> None:
    """Add how an avatar speaks."""
    add(
        "--head", choices=("replay", "generated", "still"), default="replay",
        help="replay the film's own frames; move by the sound; or keep still (default: replay)",
    )  # fmt: skip
    add(
        "--background", default="own",
        help="own, a colour such as #00b140, or transparent: then --out is a folder for PNGs",
    )  # fmt: skip
    for name in ("mouth", "brows", "blinks"):
        add(
            f"--{name}",
            type=float,
            default=1.0,
            metavar="A",
            help=f"amount of {name}: 1 as filmed, 0 none (default: 1)",
        )
    add(
        "--enhance",
        type=float,
        default=0.0,
        metavar="A",
        help="share of fine detail from the person's real mouths, 0 .. 1 (default: 0)",
    )
    add("--head-amount", type=float, default=1.0, metavar="A", help="of a generated head's motion (default: 1)")
    add_emotion_options(add)
    add("--seed", type=int, default=0, help="same seed, same video (default: 0)")
    add("--max-seconds", type=float, help="stop after this much of the voice")
    add(
        "--keep-edges",
        type=Path,
        metavar="FILE",
        help="also write the drawing that conditions the network to this .mp4",
    )
    add("--json", action="store_true", help="print the result as one line of JSON")


def read_speaking(args: argparse.Namespace) -> SpeakOptions:
    """The options as they were typed.

    Raises:
        InputError: for one that cannot be used, or has no effect.
    """
    idle = [f"--{name.replace('_', '-')}" for name in ("brows", "blinks", "head_amount") if getattr(args, name) != 1]
    if args.head == "replay" and idle:
        raise InputError(
            f"{idle[0]}: a replayed head moves as filmed; leave {', '.join(idle)} out, or use --head generated or still"
        )
    return SpeakOptions(
        head=args.head,
        background=Background.parse(args.background),
        seed=args.seed,
        mouth=args.mouth,
        amount=args.head_amount,
        enhance=args.enhance,
        brows=args.brows,
        blinks=args.blinks,
        emotion=read_emotion(args),
        emotion_style=args.emotion_style,
    )


def name_of(name: str | None, videos: list[Path]) -> str:
    """The avatar's name: as given, or that of the first film or folder.

    Raises:
        InputError: if there is none.
    """
    if name is not None:
        return name
    if not videos:
        raise InputError(
            "avatar: got no film and no name; give a film of the person, or --name of an avatar that is trained"
        )
    return videos[0].resolve().stem


def read_training(args: argparse.Namespace, name: str) -> TrainRequest:
    """The options as a training.

    Raises:
        InputError: for one that cannot be used.
    """
    out = avatar_path(name)
    return TrainRequest(
        sources=tuple(args.videos),
        out=out,
        name=out.name.removesuffix(".safetensors").removesuffix(".avatar"),
        minutes=args.minutes,
        size=args.size,
        consent=args.consent,
        resume=args.resume,
    )


def detector_of(args: argparse.Namespace) -> FaceDetector:
    """A detector that gives landmarks.

    Raises:
        InputError: if there is none.
    """
    try:
        return make_detector(args.face_model, landmarks=True, quiet=True)
    except InputError as error:
        raise error if args.face_model else InputError(NO_LANDMARKS) from error
