"""`python -m emo_core animate`: the main job without ComfyUI."""

import argparse
import sys
from pathlib import Path

from ..emo.config import EMO_MINI
from ..errors import Cancelled, InputError
from .emo_options import add_emo_options, has_guide, run_emo
from .option_groups import OptionGroup
from .portrait_options import add_motion_options, add_portrait_options, run_portrait

PORTRAIT = "portrait"
EMO_MODELS = {"emo-mini": EMO_MINI, "emo-mini-few": EMO_MINI.with_name("emo-mini-few.safetensors")}
"""The shipped diffusion models."""


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the `animate` command to the program's parser."""
    parser = commands.add_parser("animate", help="make a talking video from a portrait and a voice")
    add = parser.add_argument
    add("--portrait", type=Path, required=True, help="PNG, JPEG or WebP")
    add("--audio", type=Path, help="WAV, FLAC, OGG, MP3, M4A, or a video with sound")
    add("--out", type=Path, required=True, help="the .mp4 to write")
    add(
        "--model",
        choices=(PORTRAIT, *EMO_MODELS),
        help="portrait moves the picture's own pixels; emo-mini draws every frame by diffusion, emo-mini-few repairs drawn ones (default: portrait)",
    )
    add("--checkpoint", type=Path, help="an EMO .safetensors, in place of --model")
    add("--seed", type=int, default=0, help="same seed, same video (default: 0)")
    add("--face-model", type=Path, help="a face_landmarker.task for MediaPipe")
    add("--paste-back", action="store_true", help="put the animated square back into the whole portrait")
    add("--fps", type=float, help="frames per second (default: the model's)")
    add("--max-seconds", type=float, help="stop after this much of the voice or film")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto")
    add("--json", action="store_true", help="print the result as one line of JSON")
    emo, portrait = OptionGroup(parser, "EMO's models"), OptionGroup(parser, "the portrait model")
    motion = OptionGroup(parser, "face motion (the portrait model, and emo-mini-few)")
    add_emo_options(emo.add, add)
    add_motion_options(motion.add)
    add_portrait_options(portrait.add)
    parser.set_defaults(run=lambda args: run(args, emo, motion, portrait))


def run(args: argparse.Namespace, emo: OptionGroup, motion: OptionGroup, portrait: OptionGroup) -> None:
    """Animate with the chosen model; the result goes to stdout.

    Raises:
        InputError: for options that the model does not have.
        Cancelled: by Ctrl-C.
    """
    if args.model is not None and args.checkpoint is not None:
        raise InputError(f"checkpoint: --model {args.model} is a model of its own; give one of the two")
    try:
        if args.checkpoint is not None or args.model in EMO_MODELS:
            name, checkpoint = args.model or args.checkpoint.name, args.checkpoint or EMO_MODELS[args.model]
            portrait.refuse(args, name, f"--model {PORTRAIT}")
            if not has_guide(checkpoint):
                motion.refuse(args, name, f"--model {PORTRAIT}")
            line = run_emo(args, checkpoint)
        else:
            emo.refuse(args, PORTRAIT, f"--model {' or '.join(EMO_MODELS)}")
            line = run_portrait(args)
    except KeyboardInterrupt:
        raise Cancelled("nothing was written") from None
    sys.stdout.write(line + "\n")
