"""`python -m emo_core emote train`."""

import argparse
import sys
from pathlib import Path

from ...errors import InputError
from ...files import writable_folder
from ...training.schedule import Limits
from ..weights import EMOTE_MINI, load_emote, read_notes, save_emote
from .content import train_content
from .heard import load_films
from .material import Run, split
from .stages import train_emotion, train_prior

STAGES = ("prior", "content", "emotion")


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the program's parser."""
    parser = commands.add_parser("emote train", help="train one stage of an emote model")
    add = parser.add_argument
    add("--stage", required=True, choices=STAGES,
        help="prior of emotional motion, content (speech without emotion), emotion")  # fmt: skip
    add("--data", type=Path, required=True, help="the folder that `emote prepare` wrote")
    add("--model", type=Path, default=EMOTE_MINI, help="the model to start from (default: the pack's emote-mini)")
    add("--out", type=Path, required=True, help="the .safetensors file to write")
    add("--checkpoints", type=Path, help="a folder for checkpoints and the log; without one the run cannot be resumed")
    add("--held-out", default="", metavar="PERSON,...", help="people that only test")
    add("--actors", type=float, default=0.5, metavar="SHARE",
        help="stage emotion: share of windows from films with emotions, where there are any (default: 0.5)")  # fmt: skip
    add("--max-steps", type=int)
    add("--max-minutes", type=float)
    add("--resume", action="store_true", help="go on from the run's newest checkpoint")
    parser.set_defaults(run=_train)


def _train(args: argparse.Namespace) -> None:
    if args.out.suffix != ".safetensors":
        raise InputError(f"out: got {args.out.name}; expected a name that ends with .safetensors")
    if not 0 <= args.actors <= 1:
        raise InputError(f"actors: got {args.actors:g}; expected 0 .. 1")
    if args.resume and args.checkpoints is None:
        raise InputError("resume: --checkpoints is missing; give the folder of the run")
    folder = None if args.checkpoints is None else args.checkpoints / args.stage
    run = Run(
        Limits(steps=args.max_steps, minutes=args.max_minutes),
        folder,
        args.resume,
        lambda line: sys.stderr.write(line + "\n"),
    )
    writable_folder(args.out.parent, "out")
    model, notes = load_emote(args.model), read_notes(args.model)
    notes["trained"] = f"{notes['trained']}, {args.stage}" if "trained" in notes else args.stage
    held_out = [name.strip() for name in args.held_out.split(",") if name.strip()]
    material = split(list(load_films(args.data)), held_out)
    config, content, emotion = model.config, model.content, model.emotion
    if args.stage == "prior":
        config, emotion = train_prior(model, material, run)
    elif args.stage == "content":
        content = train_content(model, material, run)
    else:
        emotion = train_emotion(model, material, run, actors=args.actors)
    save_emote(args.out, config, model.encoder, content, model.bank, emotion=emotion, notes=notes)
    sys.stdout.write(f"{args.out}: stage {args.stage}\n")
