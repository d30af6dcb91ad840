"""`python -m emo_core weights init|import|info`."""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

from ...audio.encoder import load_encoder, with_encoder
from ...errors import InputError
from ..config import HALLO, SD15, EMOConfig
from .checkpoint import DTYPES, checkpoint_info, info_as_json, save_checkpoint
from .hallo import load_hallo
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
    init.add_argument("--audio-encoder", type=Path, help="a local wav2vec2-base to include")
    init.add_argument("--prediction", choices=("epsilon", "v_prediction"), default="epsilon",
                      help="v_prediction also rescales to zero terminal SNR; the model must then be trained before use")  # fmt: skip
    init.add_argument("--dtype", choices=tuple(DTYPES), default="fp16", help="precision of the stored weights")
    init.add_argument("--out", type=Path, required=True, help="the .safetensors to write")
    init.set_defaults(run=_init)
    other = weights.add_parser("import", help="convert weights of another project to a checkpoint")
    other.add_argument("--hallo", type=Path, required=True, help="net.pth of Hallo or Hallo2")
    other.add_argument(
        "--vae", type=Path, help="an SD 1.5 autoencoder to include: a diffusers folder with vae/, or sd-vae-ft-mse/"
    )
    other.add_argument("--audio-encoder", type=Path, help="a local wav2vec2-base-960h to include")
    other.add_argument("--dtype", choices=tuple(DTYPES), default="fp16", help="precision of the stored weights")
    other.add_argument("--out", type=Path, required=True, help="the .safetensors to write")
    other.set_defaults(run=_import)
    info = weights.add_parser("info", help="print a checkpoint's config, sizes and hash as JSON")
    info.add_argument("file", type=Path)
    info.set_defaults(run=_info)


def _check_out(out: Path, *inputs: Path | None) -> None:
    if out.suffix != ".safetensors":
        raise InputError(f"out: got {out}; expected a name ending in .safetensors")
    if out.exists() and out.resolve() in {path.resolve() for path in inputs if path}:
        raise InputError(f"out: {out} is also an input; give another name")


def _import(args: argparse.Namespace) -> None:
    _check_out(args.out, args.hallo)
    config, parts = HALLO, {"emo": load_hallo(args.hallo)}
    if args.vae:
        parts["vae"] = load_sd15_vae(args.vae, config)
        if parts["vae"] is None:
            raise InputError(f"vae: no autoencoder at {args.vae}; give a diffusers folder with vae/, or sd-vae-ft-mse/")
    if args.audio_encoder:
        parts["audio_encoder"] = load_encoder(args.audio_encoder, config.audio)
        config = replace(config, audio=with_encoder(config.audio, parts["audio_encoder"]))
    save_checkpoint(args.out, config, parts, dtype=DTYPES[args.dtype], notes={"hallo": args.hallo.name})
    missing = [name for name in ("vae", "audio_encoder") if name not in parts]
    more = f"; without {' and '.join(missing)}: give it when you use the checkpoint" if missing else ""
    sys.stdout.write(f"{args.out}: {', '.join(parts)}{more}\n")


def _init(args: argparse.Namespace) -> None:
    _check_out(args.out, args.sd15, args.animatediff)
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
    sys.stdout.write(f"{args.out}: {included}; the new layers are untrained, train the model before use\n")


def _config(prediction: str) -> EMOConfig:
    if prediction == "epsilon":
        return SD15
    return replace(SD15, diffusion=replace(SD15.diffusion, prediction=prediction, zero_terminal_snr=True))


def _info(args: argparse.Namespace) -> None:
    sys.stdout.write(json.dumps(info_as_json(checkpoint_info(args.file)), indent=2) + "\n")
