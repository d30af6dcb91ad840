"""`python -m emo_core evaluate`: evaluate videos, or generate videos with a checkpoint and evaluate those."""

import argparse
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ..animate.emo_options import interval
from ..emo.conditions.speed_curve import SpeedCurve
from ..emo.sampling.generate import Settings
from ..emo.sampling.guidance import Guidance
from ..emo.sampling.schedule import SCHEDULERS, check_steps
from ..emo.weights.checkpoint import DTYPES, read_metadata
from ..errors import InputError
from ..face.detect import FaceDetector
from ..face.detectors import make_detector
from ..files import locked, writable_folder
from .files import Paths, find_files

SHORTEST = 0.2
"""Seconds of a video that can be measured."""
GenerationOptions = Mapping[str, Any]
"""Options of generation with their defaults."""


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the `evaluate` command to the program's parser."""
    parser = commands.add_parser("evaluate", help="measure lip sync, identity, motion and quality of videos")
    add = parser.add_argument
    add("--generated", type=Path, help="videos to evaluate: a file or a folder")
    add("--true", type=Path, help="true videos of the same names; a single file may have another name")
    add("--other", type=Path, help="control: the same portraits, generated from another clip's sound")
    add("--clip-frames", type=int, default=0, help="frames per clip of the model, for seam_ratio")
    add("--checkpoint", type=Path, help="generate the videos from --videos with this checkpoint")
    add("--model", choices=("portrait",), help="generate the videos from --videos with the portrait model")
    add("--out", type=Path, required=True, help="folder of report.json and report.html")
    add(
        "--region",
        type=_box,
        metavar="L,T,R,B",
        help="face region (with --checkpoint: the requested one), shares of the picture; 0,0,1,1 is anywhere",
    )
    add("--face-model", type=Path, help="MediaPipe's face_landmarker.task, for blendshapes")
    add("--inception", type=Path, help="weights for FID")
    add("--i3d", type=Path, help="weights for FVD")
    add("--syncnet", type=Path, help="weights for SyncNet")
    add("--s3fd", type=Path, help="weights of SyncNet's face detector")
    add("--insightface", type=Path, help="folder with models/antelopev2 for F-SIM")
    generation = _add_generation_options(parser)
    parser.set_defaults(run=partial(_run, generation=generation))


def _add_generation_options(parser: argparse.ArgumentParser) -> GenerationOptions:
    add = parser.add_argument_group("generation, with --checkpoint or --model").add_argument
    actions = (
        add("--videos", type=Path, nargs="+", help="true videos with sound: files or folders"),
        add("--audio-encoder", type=Path, help="a local wav2vec2, for a checkpoint without one"),
        add("--limit", type=int, default=0, help="number of videos, evenly chosen; 0 for all"),
        add("--seconds", type=float, help="use only the first seconds of each video"),
        add("--steps", type=int, help="denoising steps (default: the checkpoint's)"),
        add("--scheduler", choices=tuple(SCHEDULERS), default="ddim"),
        add("--audio-scale", type=float, help="guidance (default: the checkpoint's)"),
        add("--guidance-interval", type=interval, default=(0.0, 1.0), metavar="FROM,TO",
            help="shares of the steps between which guidance is on (default: 0,1)"),
        add("--seed", type=int, default=0),
        add("--no-other", action="store_true", help="leave out the control, which takes half of the time"),
        add("--gain", type=float, default=0.0, help="decibels: change the loudness of the sound first"),
        add("--noise", type=float, help="decibels: add white noise at this signal-to-noise ratio first"),
        add("--voice", type=float, default=1.0, help="multiply pitch and formants by this first"),
        add("--speed", type=float, help="requested head speed in degrees per frame"),
        add("--dtype", choices=tuple(DTYPES), default="fp32",
            help="precision (default: fp32; bf16 is faster on a processor that has it)"),
        add("--workers", type=int, default=os.cpu_count() or 1, help="number of processes (default: one per core)"),
    )  # fmt: skip
    return {action.dest: action.default for action in actions}


def _box(text: str) -> tuple[float, float, float, float]:
    try:
        left, top, right, bottom = map(float, text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"got {text!r}; expected four shares such as 0.2,0.1,0.8,0.9") from None
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise argparse.ArgumentTypeError(f"got {text!r}; expected 0 <= left < right <= 1, 0 <= top < bottom <= 1")
    return left, top, right, bottom


def _run(args: argparse.Namespace, generation: GenerationOptions) -> None:
    _check(args, generation)
    writable_folder(args.out, "out")
    with locked(args.out, "out"):
        _evaluate(args)


def _evaluate(args: argparse.Namespace) -> None:
    detector = make_detector(args.face_model, landmarks=True, blendshapes=True, quiet=True)
    paths, clip_frames = (args.generated, args.true, args.other), args.clip_frames
    if args.generated is None:
        clip_frames = _generate(args)
        control = args.out / "other" if (args.out / "other").is_dir() and not args.no_other else None
        paths = (args.out / "generated", args.out / "true", control)
    _report(args, detector, paths, clip_frames)


def _check(args: argparse.Namespace, generation: GenerationOptions) -> None:
    """Refuse options that would have no effect."""
    if sum(given is not None for given in (args.generated, args.checkpoint, args.model)) != 1:
        raise InputError("evaluate: give --generated, or --checkpoint with --videos, or --model with --videos")
    if args.generated is None and (args.true or args.other or args.clip_frames):
        raise InputError(
            "evaluate: a model generates its own true and other videos; leave --true, --other and --clip-frames out"
        )
    unused = [f"--{name.replace('_', '-')}" for name, default in generation.items() if getattr(args, name) != default]
    if args.generated is not None and unused:
        raise InputError(
            f"evaluate: {', '.join(unused)}: only for --checkpoint and --model; --generated takes existing videos, leave the option out"
        )
    if args.other is not None and args.true is None:
        raise InputError("evaluate: --other is compared with the true videos; give --true")
    for name in ("inception", "i3d", "syncnet", "s3fd", "insightface"):
        if getattr(args, name) is not None and not getattr(args, name).exists():
            raise InputError(f"{name}: no file or folder at {getattr(args, name)}; give the path of the weights")
    if args.limit < 0 or args.workers < 1 or not (args.seconds is None or args.seconds >= SHORTEST):
        raise InputError(
            "evaluate: got --limit, --workers or --seconds out of range; expected limit >= 0, workers >= 1, seconds >= "
            f"{SHORTEST:g}"
        )


def _generate(args: argparse.Namespace) -> int:
    from ..audio.augment import Alteration
    from ..emo.config import EMOConfig
    from .generate import Plan, generate_videos

    if not args.videos:
        raise InputError("evaluate: a model needs --videos; their first frames and sounds are used")
    if args.model is not None:
        return _generate_portraits(args)
    config = EMOConfig.from_json(read_metadata(args.checkpoint)["config"])
    if args.speed is not None and not config.guide.layers:  # The head of drawn frames follows any speed.
        SpeedCurve.constant(args.speed).check(config.speed)
    settings = Settings(
        steps=check_steps(config.diffusion.steps if args.steps is None else args.steps, args.scheduler),
        scheduler=args.scheduler,
        seed=args.seed,
        guidance=Guidance.for_model(config, {"audio": args.audio_scale}, args.guidance_interval),
    )
    plan = Plan(
        checkpoint=args.checkpoint,
        videos=tuple(args.videos),
        out=args.out,
        settings=settings,
        alteration=Alteration(gain=args.gain, noise=args.noise, voice=args.voice),
        controls=not args.no_other,
        limit=args.limit,
        speed=args.speed,
        region=args.region,
        seconds=args.seconds,
        face_model=args.face_model,
        dtype=DTYPES[args.dtype],
        audio_encoder=args.audio_encoder,
        workers=args.workers,
    )
    generate_videos(plan)
    return config.temporal.frames


def _generate_portraits(args: argparse.Namespace) -> int:
    from ..audio.augment import Alteration
    from .generate import Plan, generate_videos

    of_emo = ("audio_encoder", "steps", "audio_scale", "region")
    if given := [name for name in of_emo if getattr(args, name) is not None]:
        raise InputError(
            f"evaluate: --{given[0].replace('_', '-')}: the portrait model has no such option; leave it out"
        )
    plan = Plan(
        checkpoint=None,
        videos=tuple(args.videos),
        out=args.out,
        settings=Settings(steps=1, seed=args.seed),
        alteration=Alteration(gain=args.gain, noise=args.noise, voice=args.voice),
        controls=not args.no_other,
        limit=args.limit,
        speed=args.speed,
        seconds=args.seconds,
        face_model=args.face_model,
        workers=args.workers,
    )
    generate_videos(plan)
    return 0


def _report(args: argparse.Namespace, detector: FaceDetector, paths: Paths, clip_frames: int) -> None:
    from .evaluate import evaluate_videos
    from .report import draw_pictures, write_report
    from .standard_metrics import Extractors, standard_metrics

    evaluation = evaluate_videos(find_files(paths), detector, clip_frames=clip_frames, region=args.region)
    draw_pictures(args.out, evaluation)
    write_report(args.out, evaluation)  # A first report, as the feature extractors take long.
    extractors = Extractors(
        inception=args.inception, i3d=args.i3d, syncnet=args.syncnet, s3fd=args.s3fd, insightface=args.insightface
    )
    metrics, notes = standard_metrics(evaluation, extractors, args.out)
    summary = evaluation.summary | {"Standard metrics": metrics}
    evaluation = replace(evaluation, summary=summary, notes=[*evaluation.notes, *notes])
    write_report(args.out, evaluation)
    for heading, metrics in evaluation.summary.items():
        sys.stdout.write(f"{heading}\n")
        sys.stdout.writelines(f"  {name}: {value:.4g}\n" for name, value in metrics.items() if value is not None)
    sys.stdout.writelines(f"{note}\n" for note in evaluation.notes)
    sys.stdout.write(f"{args.out / 'report.html'}\n")
