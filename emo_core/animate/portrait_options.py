"""The options of the portrait model: face motion from speech or film, worn by the picture's own pixels."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from ..curve import Curve
from ..face.motion_adjust import Adjustment
from ..head_speed import parse_speed
from ..portrait.animate import Result
from ..portrait.prepare import SIZE
from .emotion_options import add_emotion_style, read_emotion
from .frame_bar import frame_bar
from .option_groups import Add
from .portrait_talk import TalkRequest, talk

AMOUNTS = ("mouth", "head", "brows", "blinks", "gaze")


def add_motion_options(add: Add) -> None:
    """Add what every model knows whose face is moved by a face motion."""
    add("--motion", type=Path, help="a filmed face that drives the portrait, or a face motion file (.safetensors)")
    for name in AMOUNTS:
        add(
            f"--{name}",
            default="1",
            metavar="A",
            help=f"amount of {name}: 1 as it is, 0 none, or over time 0:1,2.5:0.3 (default: 1)",
        )
    add("--smoothing", type=float, default=0.0, help="smooth the motion over so many seconds (default: 0)")
    add("--style", default=None, help="style of speaking of the motion model (default: its own)")
    add_emotion_style(add)


def add_portrait_options(add: Add) -> None:
    """Add what the portrait model alone knows."""
    add("--save-motion", type=Path, help="write the face motion to this .safetensors, too")
    add("--size", type=int, default=SIZE, help=f"side of the square in pixels, up to 1024 (default: {SIZE})")


def run_portrait(args: argparse.Namespace) -> str:
    """Animate with a progress bar on stderr; the result as a sentence, or as one line of JSON."""
    request = read_talk_request(args)
    with frame_bar("animate") as progress:
        result = talk(request, progress=progress)
    return json.dumps(asdict(result)) if args.json else _sentence(result)


def read_talk_request(args: argparse.Namespace) -> TalkRequest:
    """The options as a request."""
    return TalkRequest(
        portrait=args.portrait,
        audio=args.audio,
        motion=args.motion,
        out=args.out,
        save_motion=args.save_motion,
        size=args.size,
        seed=args.seed,
        speed=None if args.speed is None else parse_speed(args.speed),
        adjustment=Adjustment(
            **{name: Curve.parse(getattr(args, name), name) for name in AMOUNTS}, smoothing=args.smoothing
        ),
        style=args.style,
        emotion=read_emotion(args),
        emotion_style=args.emotion_style,
        face_model=args.face_model,
        face_index=args.face_index,
        paste_back=args.paste_back,
        fps=args.fps,
        max_seconds=args.max_seconds,
        device=args.device,
    )


def _sentence(result: Result) -> str:
    return (
        f"{result.out}: {result.frames} frames at {result.fps:g} fps ({result.seconds:g} s), "
        f"{result.seconds_per_frame:g} s per frame, peak memory {result.peak_memory_mb:g} MB"
    )
