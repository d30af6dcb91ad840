"""The options of EMO's models."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

from ..emo.animate import Request, Result, animate
from ..emo.conditions import table
from ..emo.config import EMOConfig
from ..emo.sampling.clips import Clip
from ..emo.sampling.sampler import Step
from ..emo.sampling.schedule import SCHEDULERS
from ..emo.weights.checkpoint import DTYPES, read_metadata
from ..errors import InputError
from .drawn_guide import with_drawn_guide
from .option_groups import Add
from .portrait_options import read_talk_request

ALSO_PORTRAIT = ("--speed", "--emotion", "--strength", "--face-index")
"""Options of EMO's conditions that the portrait model has, too."""


def add_emo_options(add: Add, add_shared: Add) -> None:
    """Add what the diffusion models know beside the shared options."""
    add("--audio-encoder", type=Path, help="a local wav2vec2 folder or .safetensors, where the checkpoint brings none")
    add(
        "--steps",
        type=int,
        help="denoising steps per clip (default: the checkpoint's; the paper's 40, fewer if distilled)",
    )
    add("--scheduler", choices=tuple(SCHEDULERS), default="ddim", help="default: ddim")
    for condition in table.CONDITIONS:
        if condition.guided:
            add(
                f"--{condition.name.replace('_', '-')}-scale",
                type=float,
                help=f"guidance for the {condition.name.replace('_', ' ')}; 1 is off and faster (default: the checkpoint's)",
            )
        condition.add_options(lambda name, **options: (add_shared if name in ALSO_PORTRAIT else add)(name, **options))
    add("--guidance-interval", type=interval, default=(0.0, 1.0), metavar="FROM,TO",
        help="shares of the steps between which guidance is on (default: 0,1)")  # fmt: skip
    add("--dtype", choices=("auto", *DTYPES), default="auto")


def run_emo(args: argparse.Namespace, checkpoint: Path) -> str:
    """Animate with a progress bar on stderr.

    Returns:
        The result as a sentence, or as one line of JSON.

    Raises:
        InputError: if there is no voice, or the request cannot succeed.
    """
    if args.audio is None:
        raise InputError("audio: an EMO model needs a voice; give --audio (a film drives --model portrait only)")
    request = read_request(args, checkpoint)
    if has_guide(checkpoint):
        request = with_drawn_guide(request, read_talk_request(args))
    with tqdm(desc="animate", unit="step", delay=0.01, disable=None) as bar:

        def progress(clip: Clip, clips: int, step: Step) -> None:
            bar.total = clips * step.steps
            bar.set_postfix_str(f"clip {clip.index + 1}/{clips}", refresh=False)
            bar.update(clip.index * step.steps + step.step - bar.n)

        result = animate(request, progress=progress)
    return json.dumps(asdict(result)) if args.json else _sentence(result)


def has_guide(checkpoint: Path) -> bool:
    """Whether a checkpoint repairs drawn frames.

    Raises:
        CheckpointError: if it cannot be read.
    """
    return EMOConfig.from_json(read_metadata(checkpoint)["config"]).guide.layers


def read_request(args: argparse.Namespace, checkpoint: Path) -> Request:
    """The options as a request."""
    return Request(
        portrait=args.portrait,
        audio=args.audio,
        out=args.out,
        checkpoint=checkpoint,
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
