"""Put the finished decoder into the guided network's file: `python -m recipes.emo_mini.guide_export --network FILE --vae vae.safetensors --out FILE`."""

import argparse
from pathlib import Path

from safetensors.torch import load_file

from emo_core.emo.weights.checkpoint import load_checkpoint, save_checkpoint

from .guide_train import NOTES


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", type=Path, required=True, help="of recipes.emo_mini.guide_train")
    parser.add_argument("--vae", type=Path, required=True, help="of recipes.emo_mini.guide_decoder")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    checkpoint = load_checkpoint(args.network)
    checkpoint.vae.load_state_dict(load_file(args.vae))
    parts = {"emo": checkpoint.emo, "vae": checkpoint.vae, "audio_encoder": checkpoint.audio_encoder}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    save_checkpoint(args.out, checkpoint.config, parts, notes=NOTES)


if __name__ == "__main__":
    main()
