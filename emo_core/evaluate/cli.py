"""`python -m emo_core evaluate`: judge videos, or make some from true ones with a checkpoint and judge those."""

import argparse
import os
import sys
from pathlib import Path

from ..animate_cli import interval
from ..errors import InputError
from ..face.detect import FaceDetector, make_detector
from ..sampling.generate import Settings
from ..sampling.guidance import Guidance
from ..sampling.schedule import SCHEDULERS, check_steps
from ..sampling.speed import SpeedCurve
from ..weights.checkpoint import DTYPES, read_metadata

Folders = tuple[Path, Path | None, Path | None]
"""Of generated videos, true ones, and controls."""


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the `evaluate` command to the program's parser."""
    parser = commands.add_parser("evaluate", help="measure how well videos talk, move and hold together")
    add = parser.add_argument
    add("--generated", type=Path, help="videos to judge: a file or a folder")
    add("--true", type=Path, help="the true ones, of the same names")
    add("--other", type=Path, help="the same portraits generated from another clip's sound: the control")
    add("--checkpoint", type=Path, help="instead: make them from --videos with this checkpoint")
    add("--audio-encoder", type=Path, help="a local wav2vec2, where the checkpoint brings none")
    add("--videos", type=Path, nargs="+", help="true videos with sound: files or folders")
    add("--out", type=Path, required=True, help="folder of report.json and report.html")
    add("--limit", type=int, default=0, help="only so many videos, evenly chosen")
    add("--steps", type=int, help="denoising steps (default: the checkpoint's)")
    add("--scheduler", choices=tuple(SCHEDULERS), default="ddim")
    add("--audio-scale", type=float, help="guidance (default: the checkpoint's)")
    add("--guidance-interval", type=interval, default=(0.0, 1.0), metavar="FROM,TO",
        help="shares of the steps between which guidance is on (default: 0,1)")  # fmt: skip
    add("--seed", type=int, default=0)
    add("--seconds", type=float, help="only the first seconds of each video")
    add("--no-other", action="store_true", help="leave out the control, which doubles the work")
    add("--gain", type=float, default=0.0, help="decibels: the sound is made louder or softer first")
    add("--noise", type=float, help="decibels: signal-to-noise ratio of white noise that is added first")
    add("--voice", type=float, default=1.0, help="pitch and formants times this first")
    add("--speed", type=float, help="head speed to ask for")
    add(
        "--region",
        type=_box,
        metavar="L,T,R,B",
        help="face region to ask for, shares of the picture; 0,0,1,1 is anywhere",
    )
    add("--clip-frames", type=int, default=0, help="f of the model, for seams (with --checkpoint: known)")
    add("--face-model", type=Path, help="a face_landmarker.task, for blendshapes")
    add("--inception", type=Path, help="weights for FID")
    add("--insightface", type=Path, help="folder with models/antelopev2 for F-SIM")
    add(
        "--dtype",
        choices=tuple(DTYPES),
        default="fp32",
        help="to compute in (default: fp32; bf16 where the processor has it)",
    )
    add("--workers", type=int, default=os.cpu_count() or 1, help="processes that generate (default: one per core)")
    parser.set_defaults(run=_run)


def _box(text: str) -> tuple[float, float, float, float]:
    try:
        left, top, right, bottom = map(float, text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"got {text!r}; expected four shares such as 0.2,0.1,0.8,0.9") from None
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise argparse.ArgumentTypeError(f"got {text!r}; expected 0 <= left < right <= 1, 0 <= top < bottom <= 1")
    return left, top, right, bottom


def _run(args: argparse.Namespace) -> None:
    if (args.generated is None) == (args.checkpoint is None):
        raise InputError("evaluate: give --generated, or --checkpoint with --videos")
    if args.checkpoint is not None and (args.true or args.other):
        raise InputError("evaluate: --checkpoint makes its own true and other videos; leave --true and --other out")
    for name in ("inception", "insightface"):
        if getattr(args, name) is not None and not getattr(args, name).exists():
            raise InputError(f"{name}: nothing at {getattr(args, name)}")
    if args.limit < 0 or (args.seconds is not None and args.seconds <= 0):
        raise InputError("evaluate: --limit and --seconds must be more than 0")
    detector = make_detector(args.face_model, landmarks=True, blendshapes=True)
    made, true, other, clip_frames = args.generated, args.true, args.other, args.clip_frames
    if args.checkpoint is not None:
        clip_frames = _generate(args)
        made, true = args.out / "generated", args.out / "true"
        other = args.out / "other" if (args.out / "other").is_dir() and not args.no_other else None
    _report(args, detector, (made, true, other), clip_frames)


def _generate(args: argparse.Namespace) -> int:
    from ..audio.alter import Alteration
    from ..config import EMOConfig
    from .make import Plan, make

    if not args.videos:
        raise InputError("evaluate: --checkpoint needs --videos, whose first frames and sounds are used")
    config = EMOConfig.from_json(read_metadata(args.checkpoint)["config"])
    scale = config.diffusion.audio_scale if args.audio_scale is None else args.audio_scale
    if args.speed is not None:
        SpeedCurve.constant(args.speed).check(config.speed)
    settings = Settings(
        steps=check_steps(config.diffusion.steps if args.steps is None else args.steps, args.scheduler),
        scheduler=args.scheduler,
        seed=args.seed,
        guidance=Guidance(
            audio=scale,
            reference=config.diffusion.reference_scale,
            start=args.guidance_interval[0],
            end=args.guidance_interval[1],
        ),
    )
    plan = Plan(
        checkpoint=args.checkpoint,
        videos=tuple(args.videos),
        out=args.out,
        settings=settings,
        alteration=Alteration(gain=args.gain, noise=args.noise, voice=args.voice),
        others=not args.no_other,
        limit=args.limit,
        speed=args.speed,
        region=args.region,
        seconds=args.seconds,
        face_model=args.face_model,
        dtype=DTYPES[args.dtype],
        audio_encoder=args.audio_encoder,
        workers=args.workers,
    )
    make(plan)
    return config.temporal.frames


def _files(path: Path | None, name: str) -> dict[str, Path]:
    """Videos by name.

    Raises:
        InputError: where the path does not exist, or two videos have one name.
    """
    from ..trainer.preparing import SUFFIXES

    if path is None:
        return {}
    if not path.exists():
        raise InputError(f"{name}: nothing at {path}; give a video or a folder of videos")
    found = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
    files = {file.stem: file for file in found}
    if len(files) < len(found):
        raise InputError(f"{name}: {path} holds videos of one name with different endings; keep one of each")
    return files


def _report(args: argparse.Namespace, detector: FaceDetector, folders: Folders, clip_frames: int) -> None:
    from .judge import Judged, judge
    from .report import page, write
    from .standard import Extractors, standard

    files = [_files(folder, name) for folder, name in zip(folders, ("generated", "true", "other"), strict=True)]
    if not files[0]:
        raise InputError(f"generated: no videos in {folders[0]}; give a video or a folder of videos")
    if files[1] and not files[0].keys() & files[1].keys():
        raise InputError("true: no video has the name of a generated one; give them the same names")
    found: Judged = judge(*files, detector, clip_frames=clip_frames, region=args.region)
    notes = [] if not files[1] else _unmatched(files)
    args.out.mkdir(parents=True, exist_ok=True)
    write(args.out, found.summary, found.rows, notes)  # Before the extractors, which may fail.
    if found.true:
        extractors = Extractors(inception=args.inception, insightface=args.insightface)
        numbers, more = standard(found.made, found.true, extractors, args.out / "pictures" / "standard")
        found.summary["Standard metrics"] = numbers
        notes += more
        write(args.out, found.summary, found.rows, notes)
    page(args.out, found, notes)
    for heading, numbers in found.summary.items():
        sys.stdout.write(f"{heading}\n")
        known = {name: value for name, value in numbers.items() if value is not None}
        sys.stdout.writelines(f"  {name}: {value:.4g}\n" for name, value in known.items())
    sys.stdout.writelines(f"{note}\n" for note in notes)
    sys.stdout.write(f"{args.out / 'report.html'}\n")


def _unmatched(files: list[dict[str, Path]]) -> list[str]:
    made, true = files[0].keys(), files[1].keys()
    return [f"{name}: left out, it has no true video of its name" for name in sorted(made - true)] + [
        f"{name}: left out, nothing was generated from it" for name in sorted(true - made)
    ]
