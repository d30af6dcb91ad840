"""The shape of emo-mini with random weights: `python -m scripts.mini.start --out start.safetensors`.

With `--vae` and `--encoder` it takes those, measures the latents of a dataset, and sets the scale that gives them unit
variance: what `cache` and stage 1 start from. With `--earlier` it goes on from a trained emo-mini instead.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

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
    latents = [encode_pictures(vae, clip.pictures()[::25][:3], torch.device("cpu")) for clip in clips]
    return float(torch.cat(latents).std())


def further(earlier: Path, encoder: AudioEncoder, out: Path) -> None:
    """An earlier emo-mini with another audio encoder, to train on."""
    model = load_checkpoint(earlier)
    config = replace(model.config, audio=with_encoder(model.config.audio, encoder))
    save_checkpoint(out, config, {"emo": model.emo, "vae": model.vae, "audio_encoder": encoder}, dtype=torch.float32)


def finish(model: Path, out: Path) -> None:
    """The shipped file: a trained model in half precision."""
    trained = load_checkpoint(model)
    parts = {"emo": trained.emo, "vae": trained.vae, "audio_encoder": trained.audio_encoder}
    save_checkpoint(out, replace(trained.config, name="emo-mini"), parts, notes={"licence": "GRID corpus, CC BY 4.0"})


def main() -> None:
    """Write the checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--vae", type=Path, help="what `train --stage vae` wrote")
    parser.add_argument("--earlier", type=Path, help="an emo-mini to go on from: its network and autoencoder")
    parser.add_argument("--encoder", type=Path, help="what `scripts.mini.audio` wrote")
    parser.add_argument("--data", type=Path, help="a dataset to measure latents on, with --vae")
    parser.add_argument("--finish", type=Path, help="a trained model, to be written in half precision")
    args = parser.parse_args()
    if args.finish is not None:
        finish(args.finish, args.out)
        return
    torch.manual_seed(0)
    encoder = encoder_of(args.encoder)
    if args.earlier is not None:
        further(args.earlier, encoder, args.out)
        return
    config = replace(MINI, audio=with_encoder(MINI.audio, encoder))
    vae = VAE(config.vae)
    if args.vae is not None:
        vae.load_state_dict(load_checkpoint(args.vae).vae.state_dict())
        config = replace(config, vae=replace(config.vae, scaling_factor=1 / spread(vae, Dataset.open(args.data))))
    save_checkpoint(args.out, config, {"emo": EMO(config), "vae": vae, "audio_encoder": encoder}, dtype=torch.float32)


if __name__ == "__main__":
    main()
