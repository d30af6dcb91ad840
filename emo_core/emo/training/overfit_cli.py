"""`python -m emo_core overfit VIDEO`."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

import torch

from ...face.detectors import make_detector
from ..config import EMO_MINI
from ..sampling.schedule import check_steps
from .overfit import Plan, overfit


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the `overfit` command to the program's parser."""
    parser = commands.add_parser("overfit", help="train all stages on one short clip, and generate it again")
    add = parser.add_argument
    add("video", type=Path, help="one face, speaking, a few seconds")
    add("--out", type=Path, required=True, help="a folder; run again to go on")
    add("--init", type=Path, default=EMO_MINI, help="shape of the network and audio encoder (default: emo-mini)")
    add("--size", type=int, default=128, help="side of the pictures (default: 128)")
    add("--minutes", type=float, default=60.0, help="of training in all (default: 60)")
    add("--steps", type=int, default=40, help="denoising steps of the final video (default: 40)")
    add("--seed", type=int, default=0)
    add("--threads", type=int, default=0, help="CPU threads (default: all)")
    add("--face-model", type=Path, help="a face_landmarker.task for MediaPipe")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> None:
    if args.threads > 0:
        torch.set_num_threads(args.threads)
    detector = make_detector(args.face_model, landmarks=True, quiet=True)  # Mouth and head are measured on them.
    plan = Plan(
        video=args.video,
        out=args.out,
        init=args.init,
        size=args.size,
        minutes=args.minutes,
        steps=check_steps(args.steps),
        seed=args.seed,
        face_model=args.face_model,
    )
    nearness = overfit(plan, detector, lambda line: sys.stderr.write(line + "\n"))
    sys.stdout.write(json.dumps(asdict(nearness)) + "\n")
