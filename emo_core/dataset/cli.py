"""`python -m emo_core prepare`: turn videos into a dataset."""

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from .clip_cutting import Recipe
from .filters import Rules
from .prepare import find_videos, prepare
from .summary import Summary

DEFAULT, RULES = Recipe(), Rules()


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the `prepare` command to the program's parser."""
    parser = commands.add_parser("prepare", help="cut, check, crop and label videos into a dataset")
    add = parser.add_argument
    add("videos", type=Path, nargs="+", help="video files, and folders that hold some")
    add("--out", type=Path, required=True, help="the dataset's folder; run again to continue or to add videos")
    add("--fps", type=float, default=DEFAULT.fps, help="the model's frame rate (default: 25)")
    add("--size", type=int, default=DEFAULT.size, help="the model's picture side in pixels (default: 256)")
    add(
        "--expand",
        type=float,
        default=DEFAULT.expand,
        help="side of the square over the face box (default: 1.8; 3 for the face detector)",
    )
    add("--workers", type=int, default=os.cpu_count() or 1, help="processes (default: one per core)")
    add("--held-out", type=float, default=0.05, help="share of the videos held out for validation (default: 0.05)")
    add("--hold-out", nargs="+", default=[], metavar="PATTERN",
        help="file names to hold out instead, such as 's26_*' for all videos of a person")  # fmt: skip
    add("--min-seconds", type=float, default=RULES.min_seconds, help="shorter pieces are rejected (default: 1.5)")
    add(
        "--max-seconds",
        type=float,
        default=RULES.max_seconds,
        help="longer ones are cut into equal pieces (default: 12)",
    )
    add("--face-model", type=Path, help="a face_landmarker.task for MediaPipe")
    add("--json", action="store_true", help="print the summary as one line of JSON")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> None:
    rules = Rules(min_seconds=args.min_seconds, max_seconds=args.max_seconds)
    recipe = Recipe(fps=args.fps, size=args.size, expand=args.expand, rules=rules)
    summary = prepare(
        find_videos(args.videos),
        args.out,
        recipe,
        workers=args.workers,
        held_out=args.held_out,
        hold_out=tuple(args.hold_out),
        face_model=args.face_model,
    )
    sys.stdout.write((json.dumps(asdict(summary)) if args.json else _table(summary, args.out)) + "\n")


def _table(summary: Summary, out: Path) -> str:
    lines = [
        f"{out}: {summary.kept} clips, {summary.minutes:g} minutes, from {summary.sources} videos; "
        f"{summary.held_out} clips held out",
        *(f"  rejected: {count:5d} {reason}" for reason, count in summary.rejected.items()),
        "  head speed, degrees per frame: "
        + ", ".join(f"{q} % {summary.speed_quantiles[q]:.2f}" for q in ("5", "50", "95") if summary.speed_quantiles),
        f"  reports on every piece: {out / 'reports'}",
    ]
    return "\n".join(lines)
