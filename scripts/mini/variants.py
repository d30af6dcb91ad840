"""Videos of people who were never there: each clip mirrored, stretched, warped and recoloured, its voice shifted with it.

`python -m scripts.mini.variants VIDEOS... --out FOLDER --count 8`. A variant keeps one build and one light through the clip, so
that it is a person of its own to the reference, whose mouth still goes with the sound.
"""

import argparse
from pathlib import Path

import av
import cv2
import numpy as np
import soundfile
from tqdm import tqdm

from emo_core.audio.alter import shift
from emo_core.audio.sound import SAMPLE_RATE, decode_sound
from emo_core.video import VideoWriter

FPS = 25


def warp(height: int, width: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Where each pixel comes from: (H, W) float32 x and y."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    u, v = 2 * x / width - 1, 2 * y / height - 1
    if rng.random() < 0.5:
        u = -u
    stretch, slant = rng.uniform(0.9, 1.12, 2), rng.normal(0, 0.03)
    new_u, new_v = u / stretch[0] + slant * v, v / stretch[1]
    for _ in range(2):
        waves, phases = rng.uniform(1.0, 4.0, 2), rng.uniform(0, 2 * np.pi, 2)
        new_u = new_u + rng.normal(0, 0.014) * np.sin(waves[0] * v + waves[1] * u + phases[0])
        new_v = new_v + rng.normal(0, 0.014) * np.sin(waves[1] * v - waves[0] * u + phases[1])
    return ((new_u + 1) * width / 2).astype(np.float32), ((new_v + 1) * height / 2).astype(np.float32)


def light(rng: np.random.Generator) -> np.ndarray:
    """(256, 3) what each value of each channel becomes."""
    values = np.linspace(0, 1, 256)[:, None]
    gamma, gains = np.exp(rng.normal(0, 0.2)) * np.exp(rng.normal(0, 0.05, 3)), np.exp(rng.normal(0, 0.08, 3))
    return np.clip(values**gamma * gains * 255, 0, 255)


def recolour(frame: np.ndarray, table: np.ndarray, mix: np.ndarray) -> np.ndarray:
    """Apply `light` to (H, W, 3) uint8 and mix channels."""
    lit = np.stack([table[:, c][frame[..., c]] for c in range(3)], axis=-1) @ mix.T
    return np.clip(lit, 0, 255).astype(np.uint8)


def make(video: Path, out: Path, rng: np.random.Generator) -> None:
    """Write one variant."""
    with av.open(str(video)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    height, width = (side // 2 * 2 for side in frames[0].shape[:2])
    x, y = warp(height, width, rng)
    table, saturation = light(rng), rng.uniform(0.5, 1.3)
    mix = saturation * np.eye(3) + (1 - saturation) / 3 + rng.normal(0, 0.03, (3, 3))
    sound = decode_sound(video)
    if rng.random() < 0.6:
        sound = shift(sound, float(rng.uniform(0.85, 1.25)))
    wav = out.with_suffix(".wav")
    soundfile.write(wav, np.clip(sound, -1, 1), SAMPLE_RATE)
    try:
        with VideoWriter(out, fps=FPS, size=(width, height), sound=wav) as writer:
            for frame in frames:
                moved = cv2.remap(frame, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
                writer.write(recolour(moved, table, mix))
    finally:
        wav.unlink()


def main() -> None:
    """Make the variants of every video."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("videos", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=8)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for video in tqdm(args.videos, disable=None):
        for number in range(args.count):
            file = args.out / f"{video.stem}-v{number}.mp4"
            if not file.is_file():
                seed = [*video.stem.encode(), number]
                make(video, file, np.random.default_rng(seed))


if __name__ == "__main__":
    main()
