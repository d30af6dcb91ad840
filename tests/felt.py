"""Drawn clips that show emotions: a band across the picture is white while the face is happy, and black while it is sad."""

from dataclasses import replace
from pathlib import Path

import torch

from emo_core.audio.encoder import AudioEncoder
from emo_core.dataset.emotion_labels import Row, label_emotions
from emo_core.dataset.shards import TRAIN, Clip, Dataset, Shard, encode_video, write_clips
from emo_core.emo.config import EmotionConfig
from emo_core.emo.models.emo import EMO
from emo_core.emo.models.vae import VAE
from emo_core.emo.weights.checkpoint import save_checkpoint
from emo_core.emotion import EmotionCurve
from tests.conftest import CONFIG
from tests.synthetic import FPS, SIZE, draw_clip

FRAMES = 20
FELT = replace(CONFIG, emotion=EmotionConfig(layers=True, trained=("happy", "sad"), width=16))
"""A tiny model with emotion layers."""
PLAIN = replace(CONFIG, vae=replace(CONFIG.vae, scaling_factor=30.0))
"""One without, whose random autoencoder gives latents of unit variance."""


def felt_clip(number: int) -> Clip:
    """Happy in one half, sad in the other, so that the reference does not tell."""
    clip = draw_clip(f"clip{number}-000", FRAMES, number)
    pictures = clip.pictures()
    for half, name in zip((slice(0, FRAMES // 2), slice(FRAMES // 2, None)), halves(number), strict=True):
        pictures[half, 48:60] = 255 if name == "happy" else 0
    return replace(clip, video=encode_video(pictures, FPS), about=clip.about | {"fps": FPS})


def halves(number: int) -> tuple[str, str]:
    """The emotions of a clip's halves."""
    return ("sad", "happy") if number % 2 else ("happy", "sad")


def felt_dataset(folder: Path, *, clips: int = 4, labelled: int = 4) -> Dataset:
    """Clips of which the first ones are labelled."""
    folder.mkdir(parents=True, exist_ok=True)
    name = "train-000000.tar"
    write_clips(folder / name, map(felt_clip, range(clips)))
    shard = Shard(name, TRAIN, clips, clips * FRAMES, tuple(f"clip{i}" for i in range(clips)))
    dataset = Dataset(
        folder=folder, fps=FPS, size=SIZE, expand=1.8, shards=(shard,), face_share=0.57, shortest=FRAMES
    )  # fmt: skip
    dataset.save()
    if not labelled:
        return dataset
    return label_emotions(dataset, [_row(i) for i in range(labelled)]).dataset


def _row(number: int) -> Row:
    before, after = halves(number)
    middle = FRAMES / 2 / FPS
    return Row(
        number, f"clip{number}-000.mp4", EmotionCurve.parse(f"{middle - 0.01}:{before}, {middle + 0.01}:{after}")
    )


def save_plain(path: Path) -> Path:
    """A checkpoint of `PLAIN` with untrained weights."""
    encoders = {"vae": VAE(PLAIN.vae), "audio_encoder": AudioEncoder.from_config(PLAIN.audio)}
    save_checkpoint(path, PLAIN, {"emo": EMO(PLAIN), **encoders}, dtype=torch.float32)
    return path
