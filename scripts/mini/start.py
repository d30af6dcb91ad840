"""The shape of emo-mini with random weights: `python -m scripts.mini.start --out start.safetensors`.

With `--vae` and `--encoder` it takes those, measures the latents of a dataset, and sets the scale that gives them unit
variance: what `cache` and stage 1 start from.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from transformers import Wav2Vec2Config, Wav2Vec2Model

from emo_core.audio.encoder import AudioEncoder, with_encoder
from emo_core.config import MINI
from emo_core.models.emo import EMO
from emo_core.models.vae import VAE
from emo_core.trainer.cache import encode_pictures
from emo_core.trainer.shards import TRAIN, Dataset, read_clips
from emo_core.weights.checkpoint import load_checkpoint, save_checkpoint

from .audio import CONFIG

MEASURED = 40
"""Clips whose latents are measured."""


def encoder_of(file: Path | None) -> AudioEncoder:
    """What `audio` wrote, or a random one."""
    if file is None:
        return AudioEncoder(Wav2Vec2Model(Wav2Vec2Config(**CONFIG)))
    with safe_open(file, "pt") as stored:
        encoder = AudioEncoder(Wav2Vec2Model(Wav2Vec2Config(**json.loads(stored.metadata()["config"]))))
    encoder.load_state_dict(load_file(file))
    return encoder


def spread(vae: VAE, dataset: Dataset) -> float:
    """Standard deviation of latents, over clips evenly spread."""
    every = max(1, dataset.clips(TRAIN) // MEASURED)
    clips = (clip for number, clip in enumerate(read_clips(dataset, TRAIN)) if number % every == 0)
    return float(
        np.std([encode_pictures(vae, clip.pictures()[::25][:3], torch.device("cpu")).numpy() for clip in clips])
    )


def main() -> None:
    """Write the checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--vae", type=Path, help="what `train --stage vae` wrote")
    parser.add_argument("--encoder", type=Path, help="what `scripts.mini.audio` wrote")
    parser.add_argument("--data", type=Path, help="a dataset to measure latents on, with --vae")
    args = parser.parse_args()
    torch.manual_seed(0)
    encoder = encoder_of(args.encoder)
    config = replace(MINI, audio=with_encoder(MINI.audio, encoder))
    vae = VAE(config.vae)
    if args.vae is not None:
        vae.load_state_dict(load_checkpoint(args.vae).vae.state_dict())
        config = replace(config, vae=replace(config.vae, scaling_factor=1 / spread(vae, Dataset.open(args.data))))
    save_checkpoint(args.out, config, {"emo": EMO(config), "vae": vae, "audio_encoder": encoder}, dtype=torch.float32)


if __name__ == "__main__":
    main()
