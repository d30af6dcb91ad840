"""`python -m emo_core animate`: the main job without ComfyUI."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

from ..errors import Cancelled
from .animate import Request, Result, animate
from .conditions import table
from .config import EMO_MINI
from .sampling.clips import Clip
from .sampling.sampler import Step
from .sampling.schedule import SCHEDULERS
from .weights.checkpoint import DTYPES


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the `animate` command to the program's parser."""
    parser = commands.add_parser("animate", help="make a talking video from a portrait and a voice")
    add = parser.add_argument
    add("--portrait", type=Path, required=True, help="PNG, JPEG or WebP")
    add("--audio", type=Path, required=True, help="WAV, FLAC, OGG, MP3, M4A, or a video with sound")
    add("--out", type=Path, required=True, help="the .mp4 to write")
    add("--checkpoint", type=Path, default=EMO_MINI, help="an EMO .safetensors (default: emo-mini)")
    add("--audio-encoder", type=Path, help="a local wav2vec2 folder or .safetensors, where the checkpoint brings none")
    add(
        "--steps",
        type=int,
        help="denoising steps per clip (default: the checkpoint's; the paper's 40, fewer if distilled)",
    )
    add("--scheduler", choices=tuple(SCHEDULERS), default="ddim", help="default: ddim")
    add("--seed", type=int, default=0, help="same seed, same video (default: 0)")
    for condition in table.CONDITIONS:
        if condition.guided:
            add(
                f"--{condition.name.replace('_', '-')}-scale",
                type=float,
                help=f"guidance for the {condition.name.replace('_', ' ')}; 1 is off and faster (default: the checkpoint's)",
            )
        condition.add_options(add)
    add("--guidance-interval", type=interval, default=(0.0, 1.0), metavar="FROM,TO",
        help="shares of the steps between which guidance is on (default: 0,1)")  # fmt: skip
    add("--face-model", type=Path, help="a face_landmarker.task for MediaPipe")
    add("--paste-back", action="store_true", help="put the animated square back into the whole portrait")
    add("--fps", type=float, help="frames per second (default: the checkpoint's)")
    add("--max-seconds", type=float, help="stop after this much of the voice")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto")
    add("--dtype", choices=("auto", *DTYPES), default="auto")
    add("--json", action="store_true", help="print the result as one line of JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Animate with a progress bar on stderr, the result on stdout."""
    request = read_request(args)
    with tqdm(desc="animate", unit="step", delay=0.01, disable=None) as bar:

        def progress(clip: Clip, clips: int, step: Step) -> None:
            bar.total = clips * step.steps
            bar.set_postfix_str(f"clip {clip.index + 1}/{clips}", refresh=False)
            bar.update(clip.index * step.steps + step.step - bar.n)

        try:
            result = animate(request, progress=progress)
        except KeyboardInterrupt:
            raise Cancelled("nothing was written") from None
    sys.stdout.write((json.dumps(asdict(result)) if args.json else _sentence(result)) + "\n")


def read_request(args: argparse.Namespace) -> Request:
    """The options as a request."""
    return Request(
        portrait=args.portrait,
        audio=args.audio,
        out=args.out,
        checkpoint=args.checkpoint,
        audio_encoder=args.audio_encoder,
        steps=args.steps,
        scheduler=args.scheduler,
        seed=args.seed,
        scales={c.name: getattr(args, f"{c.name}_scale") for c in table.CONDITIONS if c.guided},
        guidance_interval=args.guidance_interval,
        conditions={condition.name: condition.read_options(args) for condition in table.CONDITIONS},
        face_model=args.face_model,
        paste_back=args.paste_back,
        fps=args.fps,
        max_seconds=args.max_seconds,
        device=args.device,
        dtype=args.dtype,
    )


def _sentence(result: Result) -> str:
    return (
        f"{result.out}: {result.frames} frames at {result.fps:g} fps ({result.seconds:g} s), "
        f"{result.seconds_per_frame:g} s per frame, peak memory {result.peak_memory_mb:g} MB"
    )


def interval(text: str) -> tuple[float, float]:
    """Two shares of the steps, `0.2,0.8`, for an option."""
    start, _, end = text.partition(",")
    try:
        return float(start), float(end)
    except ValueError:
        raise argparse.ArgumentTypeError(f"got {text!r}; expected two shares such as 0.2,0.8") from None
