"""Join the trained parts into the shipped checkpoint.

python -m scripts.mini.export --vae F --encoder F --state RUN/state.pt --scale WORK/latent_scale.json --out models/emo-mini.safetensors
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file

from emo_core.config import MINI
from emo_core.weights.checkpoint import save_checkpoint

from .audio import CONFIG

NOTES = {
    "title": "emo-mini",
    "license": "Apache-2.0; trained on the GRID corpus (CC BY 4.0, Cooke et al. 2006, Zenodo 3625687), speaker s1",
}


def main() -> None:
    """Export the moving average in half precision."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("vae", "encoder", "state", "scale", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    args = parser.parse_args()
    config = replace(
        MINI,
        vae=replace(MINI.vae, scaling_factor=json.loads(args.scale.read_text())),
        audio=replace(MINI.audio, encoder=json.dumps(CONFIG)),
    )
    parts = {
        "emo": torch.load(args.state, weights_only=True)["average"],
        "vae": load_file(args.vae),
        "audio_encoder": load_file(args.encoder),
    }
    save_checkpoint(args.out, config, parts, notes=NOTES)


if __name__ == "__main__":
    main()
