"""`python -m emo_core weights init|info`."""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

from ..audio.encoder import load_encoder, with_encoder
from ..config import SD15, EMOConfig
from ..errors import InputError
from .checkpoint import DTYPES, checkpoint_info, info_as_json, save_checkpoint
from .keys import read_state
from .sd15 import build_emo, load_sd15_unet
from .sd15_vae import load_sd15_vae


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the `weights` command to the program's parser."""
    weights = commands.add_parser("weights", help="build and inspect checkpoint files").add_subparsers(
        dest="weights_command", required=True
    )
    init = weights.add_parser("init", help="build an sd15 checkpoint from Stable Diffusion 1.5")
    init.add_argument(
        "--sd15", type=Path, required=True, help="diffusers folder, or a single .safetensors (ldm or diffusers)"
    )
    init.add_argument("--animatediff", type=Path, help="AnimateDiff v2 or v3 motion module")
    init.add_argument("--audio-encoder", type=Path, help="a local wav2vec2-base to ship inside")
    init.add_argument("--prediction", choices=("epsilon", "v_prediction"), default="epsilon",
                      help="v_prediction also rescales to zero terminal SNR; then the model must be trained first")  # fmt: skip
    init.add_argument("--dtype", choices=tuple(DTYPES), default="fp16", help="how weights are stored")
    init.add_argument("--out", type=Path, required=True, help="the .safetensors to write")
    init.set_defaults(run=_init)
    info = weights.add_parser("info", help="print a checkpoint's config, sizes and hash as JSON")
    info.add_argument("file", type=Path)
    info.set_defaults(run=_info)


def _init(args: argparse.Namespace) -> None:
    if args.out.suffix != ".safetensors":
        raise InputError(f"out: got {args.out}; expected a name ending in .safetensors")
    if args.out.exists() and args.out.resolve() in {p.resolve() for p in (args.sd15, args.animatediff) if p}:
        raise InputError(f"out: {args.out} is also an input; give another name")
    config = _config(args.prediction)
    motion = read_state(args.animatediff) if args.animatediff else None
    parts = {"emo": build_emo(load_sd15_unet(args.sd15, config), motion, config)}
    vae = load_sd15_vae(args.sd15, config)
    if vae is not None:
        parts["vae"] = vae
    if args.audio_encoder:
        parts["audio_encoder"] = load_encoder(args.audio_encoder, config.audio)
        config = replace(config, audio=with_encoder(config.audio, parts["audio_encoder"]))
    notes = {"sd15": args.sd15.name, "animatediff": args.animatediff.name if args.animatediff else ""}
    save_checkpoint(args.out, config, parts, dtype=DTYPES[args.dtype], notes=notes)
    included = ", ".join(parts)
    sys.stdout.write(f"{args.out}: {included}; untrained beyond its sources, train it before use\n")


def _config(prediction: str) -> EMOConfig:
    if prediction == "epsilon":
        return SD15
    return replace(SD15, diffusion=replace(SD15.diffusion, prediction=prediction, zero_terminal_snr=True))


def _info(args: argparse.Namespace) -> None:
    sys.stdout.write(json.dumps(info_as_json(checkpoint_info(args.file)), indent=2) + "\n")
