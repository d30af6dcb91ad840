"""Drawn clips with exact labels: a disc for a face, a dark bar for a mouth that follows the sound."""

import dataclasses
from pathlib import Path

import numpy as np

from emo_core.dataset.labels import Labels
from emo_core.dataset.shards import HELD_OUT, TRAIN, Clip, Dataset, Shard, encode_sound, encode_video, write_clips
from tests.conftest import CONFIG, tone

SIZE, FPS = CONFIG.image_size, CONFIG.fps


def draw_clip(key: str, frames: int = 20, seed: int = 0) -> Clip:
    """A clip of the tiny model's size."""
    rng = np.random.default_rng(seed)
    opening = 0.05 * (1 + np.sin(np.arange(frames) * 2 * np.pi * 4 / FPS))
    shift = np.round(3 * np.sin(np.arange(frames) / 5 + seed)).astype(int)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    background, skin = rng.integers(40, 100, 3), rng.integers(150, 230, 3)
    pictures = np.empty((frames, SIZE, SIZE, 3), np.uint8)
    boxes, mouths = np.empty((frames, 4)), np.empty((frames, 4))
    for t in range(frames):
        x, y, half = SIZE / 2 + shift[t], SIZE / 2, 2 + opening[t] * 30
        face = (columns - x) ** 2 + (rows - y) ** 2 < (SIZE / 3.5) ** 2
        mouth = (abs(columns - x) < 8) & (abs(rows - y - 8) < half)
        pictures[t] = np.where(face[..., None], skin, background)
        pictures[t][mouth] = 30
        pictures[t][:8] = 40 + 8 * t  # No two frames are alike.
        radius = SIZE / 3.5
        boxes[t] = [x - radius, y - radius, x + radius, y + radius]
        mouths[t] = [x - 8, y + 8 - half, x + 8, y + 8 + half]
    labels = Labels(
        boxes=boxes / SIZE,
        mouths=mouths / SIZE,
        poses=np.tile(np.eye(4), (frames, 1, 1)),
        speed=np.abs(np.diff(shift, prepend=shift[0])).astype(float),
        opening=opening,
    )
    return Clip(
        key=key,
        labels=labels,
        about={"source": key.rpartition("-")[0], "file": f"{key}.mp4", "start": 0.0},
        video=encode_video(pictures, FPS),
        flac=encode_sound(tone(frames / FPS)),
    )


def write_dataset(
    folder: Path,
    *,
    clips: int = 6,
    sizes: tuple[int, ...] = (),
    held_out: int = 1,
    frames: int = 20,
    files: tuple[str, ...] = (),
) -> Dataset:
    """A dataset of drawn clips, in one shard or in several of given sizes; the first ones come from the named files."""
    folder.mkdir(parents=True, exist_ok=True)
    clips = sum(sizes) or clips
    drawn = [draw_clip(f"clip{i}-000", frames, i) for i in range(clips + held_out)]
    for i, file in enumerate(files):
        drawn[i] = dataclasses.replace(drawn[i], about=drawn[i].about | {"file": file})
    groups = [(TRAIN, part) for part in np.split(np.arange(clips), np.cumsum(sizes[:-1], dtype=int))]
    groups += [(HELD_OUT, np.arange(clips, clips + held_out))] if held_out else []
    described = []
    for number, (split, indices) in enumerate(groups):
        name = f"{split}-{number:06d}.tar"
        write_clips(folder / name, [drawn[i] for i in indices])
        sources = tuple(f"clip{i}" for i in indices)
        described.append(Shard(name, split, len(indices), frames * len(indices), sources))
    dataset = Dataset(
        folder=folder,
        fps=FPS,
        size=SIZE,
        expand=1.8,
        shards=tuple(described),
        face_share=0.57,
        shortest=frames,
        speed_quantiles=tuple(np.linspace(0, 3, 21).tolist()),
    )
    dataset.save()
    return dataset


def cached(dataset: Dataset, checkpoint: Path, out: Path) -> Dataset:
    """With latents and features of a checkpoint."""
    import torch

    from emo_core.emo.training.cache import Encoders, cache
    from emo_core.emo.training.setup import frozen_parts
    from emo_core.emo.weights.checkpoint import load_checkpoint

    model = load_checkpoint(checkpoint)
    return cache(dataset, Encoders(model.config, frozen_parts(model, None), torch.device("cpu")), out)


def of_size(dataset: Dataset, **changes: object) -> Dataset:
    """The same folder, described otherwise."""
    changed = dataclasses.replace(dataset, **changes)
    changed.save()
    return changed
