"""The options of emotion, for every command that makes a face speak; `animate` has those of EMO's condition, and the style."""

import argparse

from ..command_line import add_emotion
from ..emotion import EmotionCurve
from .option_groups import Add


def add_emotion_options(add: Add) -> None:
    """Add an emotion curve, its strength, and the person's style."""
    add_emotion(add, "neutral")
    add_emotion_style(add)


def add_emotion_style(add: Add) -> None:
    """Add the person's style."""
    add(
        "--emotion-style",
        type=int,
        default=0,
        metavar="N",
        help="person whose way of showing emotions is used (default: 0)",
    )


def read_emotion(args: argparse.Namespace) -> EmotionCurve:
    """The options as a curve.

    Raises:
        InputError: for a curve or a strength that cannot be read.
    """
    return EmotionCurve.parse("neutral" if args.emotion is None else args.emotion, args.strength)
