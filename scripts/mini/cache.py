"""Cache what diffusion training reads: `python -m scripts.mini.cache --data WORK --vae F --encoder F [--clips 500]`.

Writes, for K clips (training first, then held out) of T=75 frames:

    latents.npy  (K, T, 16, 16, 16) float16, standardised; `latent_scale.json` holds the factor
    sound.npy    (K, V, T, 4, 128) float16 wav2vec features: clean, noisy, and shifted voices
    speed.npy    (K, T) float32 head speed in degrees per frame
    cache.json   clip indices into the corpus, and how many of them train
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from tqdm import tqdm
from transformers import Wav2Vec2Config, Wav2Vec2Model

from emo_core.audio.encoder import AudioEncoder
from emo_core.audio.features import at_frames
from emo_core.audio.sound import speech_level
from emo_core.config import MINI
from emo_core.face.pose import head_poses, head_speed
from emo_core.models.vae import VAE

from .audio import CONFIG
from .corpus import Corpus

NOISES_DB = (25.0, 12.0)


def main() -> None:
    """Fill the cache."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--vae", type=Path, required=True)
    parser.add_argument("--encoder", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=500)
    args = parser.parse_args()
    torch.manual_seed(0)
    corpus = Corpus.open(args.data)
    train, held_out = corpus.split()
    train = train[:: max(1, len(train) // args.clips)][: args.clips]
    clips = train + held_out
    vae, encoder = VAE(MINI.vae).eval(), AudioEncoder(Wav2Vec2Model(Wav2Vec2Config(**CONFIG))).eval()
    vae.load_state_dict(load_file(args.vae))
    encoder.load_state_dict(load_file(args.encoder))
    vae.to(memory_format=torch.channels_last)
    shifted = np.load(args.data / "shifted.npy", mmap_mode="r")
    frames = corpus.frames.shape[1]
    side, channels = MINI.latent_size, MINI.vae.channels
    latents = np.zeros((len(clips), frames, channels, side, side), np.float16)
    variants = 1 + len(NOISES_DB) + len(shifted)
    sound = np.zeros((len(clips), variants, frames, MINI.audio.layers, MINI.audio.width), np.float16)
    speed = np.zeros((len(clips), frames), np.float32)
    with torch.no_grad():
        for k, clip in enumerate(tqdm(clips)):
            pictures = torch.from_numpy(corpus.frames[clip].copy()).permute(0, 3, 1, 2).float() / 127.5 - 1
            with torch.autocast("cpu", torch.bfloat16):
                latents[k] = vae.encode(pictures.contiguous(memory_format=torch.channels_last)).float().numpy()
            speed[k] = head_speed(head_poses(corpus.landmarks[clip], (MINI.image_size, MINI.image_size)))
            clean = torch.from_numpy(corpus.audio[clip].copy())
            level = speech_level(clean.numpy())
            noisy = [clean + torch.randn_like(clean) * level * 10 ** (-db / 20) for db in NOISES_DB]
            copies = [clean, *noisy, *(torch.from_numpy(part[clip].copy()) for part in shifted)]
            waves = torch.stack([copy / speech_level(copy.numpy()) for copy in copies])
            for v, features in enumerate(encoder(waves)):
                sound[k, v] = at_frames(features, 0, frames, MINI.fps).numpy()
    scale = 1 / float(latents[: len(train) : 10].astype(np.float32).std())
    np.save(args.data / "latents.npy", (latents * scale).astype(np.float16))
    np.save(args.data / "sound.npy", sound)
    np.save(args.data / "speed.npy", speed)
    (args.data / "latent_scale.json").write_text(json.dumps(scale))
    (args.data / "cache.json").write_text(json.dumps({"clips": clips, "train": len(train)}))


if __name__ == "__main__":
    main()
