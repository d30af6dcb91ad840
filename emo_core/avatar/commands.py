"""What the avatar commands do: train, speak, and tell about an avatar."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ..animate.frame_bar import Progress, frame_bar
from ..emote.weights import load_emote
from ..errors import Cancelled, InputError
from ..face.motion_file import SUFFIX as MOTION
from ..face.motion_file import load_motion
from ..media.sound import load_sound
from .avatar_file import Avatar, load_avatar
from .options import detector_of, read_speaking, read_training
from .speak import Performance, SpeakOptions, marks_of, speak_motion, speak_sound
from .takes import FPS
from .train import train_avatar
from .training_bar import training_bar
from .video import Spoken, check_place, edges_file, write_performance
from .work import WorkFolder

Edges = Callable[[np.ndarray], None] | None
"""Gets blocks of drawings; None if nobody asked for them."""


def train(args: argparse.Namespace, name: str) -> None:
    """Train an avatar with a progress bar."""
    request = read_training(args, name)
    folder = WorkFolder.beside(request.out).path
    try:
        with training_bar(folder) as watch:
            train_avatar(request, lambda: detector_of(args), watch)
    except (KeyboardInterrupt, Cancelled):
        raise Cancelled(f"what was learned is kept in {folder}; go on with --resume") from None


def speak(args: argparse.Namespace, path: Path) -> None:
    """Let an avatar speak; the result goes to stdout."""
    options = read_speaking(args)
    check_place(args.out, options.background)
    avatar = load_avatar(path)
    try:
        with frame_bar("avatar") as progress, edges_file(args.keep_edges, avatar.about.size) as edges:
            performance = _performance(args, avatar, options, edges, progress)
            sound = None if _is_motion(args.voice) else args.voice
            result = write_performance(
                performance,
                args.out,
                size=avatar.about.size,
                sound=sound,
                settings=marks_of(avatar, options),
                background=options.background,
            )
    except KeyboardInterrupt:
        raise Cancelled("nothing was written") from None
    sys.stdout.write((json.dumps(asdict(result)) if args.json else _sentence(result)) + "\n")


def tell(path: Path, *, as_json: bool) -> None:
    """Write what an avatar says about itself to stdout."""
    avatar = load_avatar(path)
    about = asdict(avatar.about) | {
        "megabytes": round(path.stat().st_size / 1e6, 1),
        "replayed_seconds": round(avatar.stage.replayed / FPS, 1),
        "background_can_be_replaced": avatar.stage.masks is not None,
    }
    lines = [f"{key.replace('_', ' ')}: {_plain(value)}" for key, value in about.items() if key != "notes"]
    lines += about["notes"]
    sys.stdout.write((json.dumps(about) if as_json else "\n".join(lines)) + "\n")


def _performance(
    args: argparse.Namespace, avatar: Avatar, options: SpeakOptions, edges: Edges, progress: Progress
) -> Performance:
    emote = load_emote()
    if not _is_motion(args.voice):
        return speak_sound(
            avatar, load_sound(args.voice, max_seconds=args.max_seconds), emote, options, edges=edges, progress=progress
        )
    if not options.emotion.neutral:
        raise InputError("emotion: a face motion has its own; leave the emotion out, or give a voice")
    motion = load_motion(args.voice)
    if args.max_seconds is not None:
        motion = motion[: max(1, round(args.max_seconds * motion.fps))]
    return speak_motion(avatar, motion, emote, options, edges=edges, progress=progress)


def _is_motion(path: Path) -> bool:
    return path.suffix.lower() == MOTION


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _sentence(result: Spoken) -> str:
    return (
        f"{result.out}: {result.frames} frames at {result.fps:g} fps ({result.seconds:g} s), "
        f"{result.frames_per_second:g} frames per second, peak memory {result.peak_memory_mb:g} MB"
    )
